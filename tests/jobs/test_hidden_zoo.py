"""A zoo of hidden axes from its build on: what is a target there, and that no metanet is told."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import small
from strangers import sign
from verbs import run

import zoo
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import Training
from metanets.inputs.hyper_parameters import hyper_parameters
from zoo.dataset import vet
from zoo.dataset.move import move
from zoo.seeds import net_seed
from zoo.spec.columns import HYPER_PARAMETERS
from zoo.spec.draws import draw_hidden

AXES = {"wrong_labels": (0.0, 0.9), "training_images": (16, 192), "corrupted_images": (0.0, 1.0)}
FIXED = {
    "recipe__learning_rate": (0.02, 0.02),
    "recipe__weight_decay": (0.001, 0.001),
    "recipe__label_smoothing": (0.0, 0.0),
    "recipe__epochs": (1, 1),
}
SPEC = small(**FIXED, recipe__hidden=AXES)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory) -> Path:
    return zoo.build(SPEC, tmp_path_factory.mktemp("hidden") / "zoo", workers=1)


def test_axes_are_columns_and_targets_as_drawn_and_no_hyper_parameters(hidden):
    made = zoo.open(hidden)
    for index, row in made.columns.iterrows():
        drawn = draw_hidden(SPEC.recipe.hidden, seed=net_seed(0, index))
        assert {axis: row[axis] for axis in AXES} == drawn
    assert {*AXES} <= {*made.targets}
    assert made.hyper_parameters == [*HYPER_PARAMETERS]
    assert made.columns["training_images"].dtype == np.int64


def test_what_reads_hyper_parameters_reads_the_same_of_every_net(hidden):
    nets = zoo.open(hidden).nets("train")
    assert not {*AXES} & {*nets.hyper_parameters.columns}
    assert len(hyper_parameters(nets).unique(dim=0)) == 1


@pytest.mark.parametrize("target", ["test_accuracy", *AXES])
def test_trees_on_hyper_parameters_predict_one_number_and_axes_can_be_scored(hidden, tmp_path, target):
    names = ["trees_hyper_parameters", "trees_statistics"]
    blind, seeing = score([hidden], names, target, out=tmp_path, seeds=1, training=Training())
    frame = records.read_predictions(blind, records.read(blind))
    assert np.ptp(frame["prediction"]) < 1e-6
    assert (frame["target"] == zoo.open(hidden).columns[target].to_numpy(float)[frame["index"]]).all()
    assert records.read(seeing).task.target == target


def test_nothing_is_wrong_with_it_for_this_machine_and_for_strangers(hidden):
    assert zoo.verify(hidden, nets=3) == []
    vet.vet(hidden, local=True)


@pytest.mark.parametrize(("axis", "found"), [("wrong_labels", "the spec draws"), ("training_images", "the spec draws")])
def test_signed_but_wrong_axes_are_found(hidden, tmp_path, axis, found):
    copy = shutil.copytree(hidden, tmp_path / "zoo")
    with h5py.File(copy / "data/test-00000-of-00001.h5", "r+") as file:
        file[axis][...] = file[axis][...][::-1]
    sign(copy)
    assert any(axis in problem and found in problem for problem in zoo.verify(copy, nets=0))


def test_moved_copies_keep_the_axes(hidden, tmp_path):
    copies = zoo.open(move(hidden, tmp_path / "copies", kinds=("permutation",), copies=2))
    made = zoo.open(hidden)
    for axis in AXES:
        assert (copies.columns[axis].to_numpy() == np.repeat(made.columns[axis].to_numpy(), 2)).all()
    assert {*AXES} <= {*copies.targets}
    assert zoo.verify(copies.folder, nets=0) == []


def test_info_and_the_card_say_what_the_axes_are(hidden, tmp_path, monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "info", hidden)
    assert code == 0
    assert "wrong_labels" in out
    code, _, err = run(monkeypatch, capsys, "publish", hidden, "--to", tmp_path / "release", "--name", "mine")
    assert code == 0, err
    (card,) = (tmp_path / "release").rglob("README.md")
    assert "share of the training images seen whose label is another class" in card.read_text()
    assert "seen or not" in card.read_text()
    code, _, err = run(monkeypatch, capsys, "fetch", tmp_path / "release", "--out", tmp_path / "back")
    assert code == 0, err


def test_an_axis_that_the_images_cannot_serve_is_refused_before_anything_is_trained(tmp_path):
    for axes in ({"training_images": (5, 193)}, {"imbalance": (1.0, 90.0)}):
        with pytest.raises(ValueError, match=r"recipe\.hidden"):
            zoo.build(small(recipe__hidden=axes), tmp_path / "zoo", workers=1)
    assert not (tmp_path / "zoo" / "zoo.json").exists()
