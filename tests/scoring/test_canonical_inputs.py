"""Canonical inputs: any metanet, read through the canonical form, is blind to scales and sizes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import zoo
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.names import is_of_the_suite, label, resembles
from benchmark.records import records
from benchmark.scoring.find import find_metanet, name_of, names_of
from benchmark.scoring.fit import Moving, _moved
from benchmark.scoring.score import score
from metanets import Examples, Training
from metanets.inputs.canonical import canonical_nets
from metanets.inputs.table import input_named
from metanets.table import fitting
from zoo.symmetry import act, draw, group_of, log_sizes

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3,))


@pytest.fixture(scope="module")
def made(standard):
    return zoo.open(standard)


def moved(nets, *kinds):
    element = draw(nets.group, len(nets), torch.Generator().manual_seed(3), kinds=kinds)
    return replace(nets, weights=act(nets.weights, nets.layout, element))


@pytest.mark.parametrize("name", ["trees_statistics+canonical", "own_metanets:Both+canonical"])
def test_predictions_of_scaled_and_sized_nets_are_those_of_the_nets(made, name):
    metanet, true = find_metanet(name), made.columns["test_accuracy"].to_numpy(np.float64)
    known, held = (made.nets(split) for split in ("train", "validation"))
    examples = [Examples(metanet.features(nets), true[nets.index], nets.layout) for nets in (known, held)]
    fitted = metanet.fit(*examples, training=QUICK, seed=0)
    before = fitted.predict(examples[1].features)
    assert before.std() > 1e-3
    for kinds in (("scale",), ("size",), ("scale", "size")):
        assert np.abs(fitted.predict(metanet.features(moved(held, *kinds))) - before).max() < 1e-5


def test_training_nets_that_are_moved_are_read_in_canonical_form(made):
    nets, group = made.nets("train", inputs="all"), group_of(made.blueprint)
    metanet = find_metanet("statnn+canonical")
    anew = _moved(metanet, Moving(nets, nets.weights, group.only(("scale", "size"))))
    assert torch.allclose(anew(torch.Generator().manual_seed(1)), metanet.features(nets), atol=1e-5)


def test_log_sizes_are_features_behind_the_others(made):
    nets = made.nets("test")
    plain, more = (input_named(f"statistics{mark}").of(nets) for mark in ("+canonical", "+canonical+sizes"))
    assert torch.equal(more[:, : plain.shape[1]], plain)
    read = input_named("statistics+canonical+sizes").of
    scaled, sized = read(moved(nets, "scale")), read(moved(nets, "size"))
    assert torch.allclose(scaled, more, atol=1e-5)
    element = draw(nets.group, len(nets), torch.Generator().manual_seed(3), kinds=("size",))
    by = torch.stack(list(element.sizes.values()), dim=1).float()
    assert torch.allclose(sized[:, plain.shape[1] :] - more[:, plain.shape[1] :], by, atol=1e-5)
    with pytest.raises(ValueError, match=r"\+sizes adds features to a Tensor .*gives a dict"):
        input_named("tensors+canonical+sizes").of(made.nets("test", inputs="all"))


def test_asymmetric_nets_are_their_own_canonical_form_but_for_free_sizes(standard, asymmetric, tmp_path):
    fixed = zoo.open(asymmetric).nets("train")
    assert not fixed.group
    assert canonical_nets(fixed) is fixed
    lines = []
    score([asymmetric], ["mean+canonical"], "test_accuracy", out=tmp_path, seeds=1, report=lines.append)
    assert "nothing but orders is free in w_asymmetric nets" in lines[0]
    nets = zoo.open(standard).nets("train")
    nets = replace(nets, group=nets.group.only(("size",)))  # as that of sigma-asymmetric nets
    sizes = log_sizes(canonical_nets(nets).weights, nets.layout, nets.group)
    assert sizes
    assert all(found.abs().max() < 1e-6 for found in sizes.values())


def test_nets_whose_symmetries_are_not_known_have_no_canonical_form(made):
    with pytest.raises(ValueError, match="not known, so they have no canonical form"):
        canonical_nets(replace(made.nets("train"), group=None))


def test_the_option_is_the_name_and_boards_tell_canonical_and_plain_apart(standard, tmp_path):
    given = ["trees_statistics", "tests/scoring/own_metanets.py:Both"]
    for option in (False, True):
        found = score([standard], given, "test_accuracy", out=tmp_path, seeds=2, training=QUICK, canonical=option)
    assert {records.read(path).metanet.name for path in found} == {
        "trees_statistics+canonical",
        "own_metanets:Both+canonical",
    }
    again = score([standard], ["trees_statistics+canonical"], "test_accuracy", out=tmp_path, seeds=2, training=QUICK)
    assert set(again) < set(found)
    assert {records.read(path).metanet.reads for path in found} == {"statistics+canonical"}
    cells = leaderboard(tmp_path).cells.set_index("metanet")
    baseline = {name.split(" ")[0]: value for name, value in cells["baseline"].items()}
    assert baseline == {
        "trees_statistics": True,
        "trees_statistics+canonical": True,
        "own_metanets:Both": False,
        "own_metanets:Both+canonical": False,
    }
    assert cells.loc["trees_statistics", "r2_mean"] != cells.loc["trees_statistics+canonical", "r2_mean"]


def test_names_with_marks():
    ours = records.Method("statnn+canonical", 1, baseline=False, parameters=None)
    assert is_of_the_suite(ours, None)
    assert label(ours, None) == "statnn+canonical"
    assert resembles("StatNN canonical") == "statnn+canonical"
    assert name_of("somewhere/mine.py:Mine+canonical+sizes") == "mine:Mine+canonical+sizes"
    assert names_of(["all"], "+canonical") == [f"{name}+canonical" for name in fitting(pairs=False)]
    assert names_of(["statnn+canonical+sizes", "ridge"], "+canonical") == ["statnn+canonical+sizes", "ridge+canonical"]
    with pytest.raises(ValueError, match="did you mean statnn"):
        find_metanet("statn+canonical")
