"""What cannot read a zoo's nets is left out of `all` there, and refused by name before anything is trained."""

import shutil

import pytest
import torch
from imported_zoo import foreign

import zoo
from benchmark.scoring.feature_cache import features
from benchmark.scoring.readable import unreadable
from benchmark.scoring.score import score
from metanets import METANETS, Training
from metanets.table import fitting
from zoo.importers.source_zoo import write

QUICK = Training(epochs=1, batch=8, learning_rates=(1e-3,))


@pytest.fixture
def theirs(tmp_path):
    write(foreign(), tmp_path / "theirs")
    return tmp_path / "theirs"


def test_every_metanet_reads_this_packages_own_nets(standard, asymmetric):
    for folder in (standard, asymmetric):
        assert not unreadable(zoo.open(folder), fitting(pairs=True), "trained")


def test_nets_that_cannot_be_run_are_left_to_metanets_that_read_weights(theirs, tmp_path):
    left = unreadable(zoo.open(theirs), fitting(pairs=False), "all")
    assert {name for name, metanet in METANETS.items() if metanet.reads_function} <= left.keys()
    assert "cannot be run" in left["probe"]
    assert not {"mean", "statnn", "trees_statistics", "ridge"} & left.keys()


def test_a_name_that_was_given_is_refused_where_all_leaves_it_out(theirs, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"probe cannot read the nets of .*theirs: .*cannot be run"):
        score([theirs], ["all", "probe"], "test_accuracy", out=tmp_path / "out", seeds=1, training=QUICK)
    assert not (tmp_path / "out").exists()
    for name in [name for name in METANETS if name not in ("mean", "probe")]:
        monkeypatch.delitem(METANETS, name)
    said = list[str]()
    options = {"seeds": 1, "training": QUICK, "inputs": "all", "report": said.append}
    paths = score([theirs], ["all"], "test_accuracy", out=tmp_path / "out", **options)
    assert [path.parts[-2] for path in paths] == ["mean"]
    assert any("probe is left out: these nets cannot be run" in line for line in said)


def test_inputs_side_by_side_read_the_same_entries_whether_kept_or_not(asymmetric, tmp_path):
    made = zoo.open(shutil.copytree(asymmetric, tmp_path / "copy"))
    metanet = METANETS["probe_and_channels"]
    direct = metanet.features(made.nets("test", inputs="all"))
    for inputs in ("trained", "all", "trained"):  # computed, then kept
        assert torch.equal(features(made, metanet, "test", inputs=inputs)[1], direct)
