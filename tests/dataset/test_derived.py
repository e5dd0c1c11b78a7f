"""Derived columns: written beside a zoo, shown by it, left aside where they are of another, refused where damaged."""

import shutil

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.dataset import derived
from zoo.dataset.summary import summary


@pytest.fixture
def own(standard, tmp_path):
    return shutil.copytree(standard, tmp_path / "zoo")


def made_up(folder, **changes):
    frame = pd.DataFrame({"index": np.arange(64), "height": np.linspace(0, 1, 64)})
    told = {"analysis": "made_up-1", "command": "none", "settings": {"seed": 0}, "meanings": {"height": "a height, metres"}}
    return derived.write(folder, "made_up", frame, **{**told, **changes})


def test_what_is_written_beside_a_zoo_is_a_column_and_a_target_of_it(own):
    before = zoo.open(own)
    written = made_up(own)
    after = zoo.open(own)
    assert after.manifest_sha256 == before.manifest_sha256
    assert after.columns["height"].tolist() == np.linspace(0, 1, 64).tolist()
    assert after.targets == [*before.spec.targets, "height", *before.hyper_parameters]
    assert after.derived["made_up"].note == written.note
    assert after.derived["made_up"].sha256 == written.sha256
    assert "height" not in after.nets("train").hyper_parameters


def test_pairs_are_no_columns_of_nets(own):
    pairs = pd.DataFrame({"i": [0, 0], "j": [1, 1], "remove": ["none", "scale"], "barrier": [0.5, np.nan]})
    told = {"analysis": "made_up-1", "command": "none", "settings": {}, "meanings": {"barrier": "a barrier, nats"}}
    derived.write(own, "pairs", pairs, **told)
    found = zoo.open(own).derived["pairs"]
    assert found.of == "pairs"
    assert found.columns == ["barrier"]
    pd.testing.assert_frame_equal(found.frame, pairs)


def test_derived_columns_of_another_zoo_are_left_aside_with_a_word(own, asymmetric):
    made_up(own)
    other = shutil.copytree(asymmetric, own.parent / "other")
    shutil.copytree(own / "derived", other / "derived")
    found = zoo.open(other)
    assert "height" not in found.columns
    assert found.left_aside == (
        f"made_up: of the zoo {zoo.open(own).manifest_sha256[:8]}, and this one is {found.manifest_sha256[:8]}",
    )
    assert "left aside" in repr(found)


def test_a_column_that_the_zoo_has_is_never_replaced(own):
    frame = pd.DataFrame({"index": np.arange(64), "test_accuracy": np.ones(64)})
    told = {"analysis": "made_up-1", "command": "none", "settings": {}, "meanings": {"test_accuracy": "one"}}
    derived.write(own, "ones", frame, **told)
    assert zoo.open(own).columns["test_accuracy"].nunique() > 1
    assert "the zoo has a column test_accuracy already" in zoo.open(own).left_aside[0]


def test_a_target_of_another_zoo_is_named_where_it_is_asked_for(own, asymmetric):
    made_up(own)
    other = shutil.copytree(asymmetric, own.parent / "other")
    shutil.copytree(own / "derived", other / "derived")
    with pytest.raises(ValueError, match=r"unknown target 'height'.*left aside: made_up: of the zoo"):
        zoo.open(other).check_target("height")


def test_a_zoo_and_its_summary_show_what_was_derived_and_by_what(own):
    made_up(own)
    found = summary(zoo.open(own))
    assert found["derived"]["made_up"]["columns"] == {"height": "a height, metres"}
    assert found["derived"]["made_up"]["analysis"] == "made_up-1"
    assert found["quantiles"]["height"][::4] == [0, 1]
    assert "made_up: height of 64 nets, by made_up-1" in repr(zoo.open(own))
