"""Pairs of a zoo's nets, connected: which ones, what is removed before, what is written, and going on after a stop."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import zoo
from zoo.dataset.reader import Zoo
from zoo.landscape import connect as room
from zoo.landscape import material, pictures
from zoo.landscape.connect import Settings, connect
from zoo.landscape.material import images_of, weights_of
from zoo.landscape.pairs import drawable, pairs_of

QUICK = Settings(points=3, images=20)
COLUMNS = ["i", "j", "remove", *room.MEANINGS]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/metazoo/landscape"


@pytest.fixture(scope="module")
def made(standard) -> Zoo:
    return zoo.open(standard)


@pytest.fixture(scope="module")
def image_set(made):
    return images_of(made)


def test_pairs_are_of_one_split_in_its_share_and_stay_when_there_are_more(made):
    few, many = pairs_of(made, 20), pairs_of(made, 200)
    split = made.columns["split"]
    for pairs in (few, many):
        assert (split[pairs["i"]].to_numpy() == pairs["split"]).all()
        assert (split[pairs["j"]].to_numpy() == pairs["split"]).all()
        assert (pairs["i"] < pairs["j"]).all()
        assert not pairs.duplicated(["i", "j"]).any()
    assert (len(few), len(many)) == (20, 200)
    for name, share in split.value_counts(normalize=True).items():
        own = few[few["split"] == name]
        assert len(own) == pytest.approx(20 * share, abs=1)
        pd.testing.assert_frame_equal(
            many[many["split"] == name].iloc[: len(own)].reset_index(drop=True), own.reset_index(drop=True)
        )
    assert not pairs_of(made, 20, seed=1).equals(few)


def test_there_are_no_more_pairs_than_there_are_and_diverged_nets_are_in_none(made):
    columns = made.columns.assign(diverged=made.columns["index"] % 2 == 0)
    pairs = pairs_of(replace(made, columns=columns), 10**6)
    odd = columns[~columns["diverged"]]["split"].value_counts()
    assert len(pairs) == sum(number * (number - 1) // 2 for number in odd)
    assert (pairs[["i", "j"]] % 2 == 1).all(axis=None)


def test_nets_below_the_least_accuracy_are_in_no_pair(made, image_set):
    accuracy, least = made.columns["test_accuracy"], float(made.columns["test_accuracy"].median())
    pairs = pairs_of(made, 10**6, least=least)
    good = made.columns[(accuracy >= least) & ~made.columns["diverged"]]["split"].value_counts()
    assert len(pairs) == sum(number * (number - 1) // 2 for number in good)
    assert (accuracy[pairs[["i", "j"]].to_numpy().ravel()] >= least).all()
    with pytest.raises(ValueError, match="no two nets of test accuracy 1 or more of one split"):
        connect(replace(made, columns=made.columns.assign(test_accuracy=0.5)), image_set, settings=Settings(least=1.0))
    with pytest.raises(ValueError, match="no column test_accuracy"):
        pairs_of(replace(made, columns=made.columns.drop(columns="test_accuracy")), 4, least=0.5)


def test_each_removal_leaves_the_ends_as_they_are_and_orders_bring_nets_nearer(made, image_set):
    found = connect(made, image_set, pairs=6, settings=QUICK)
    assert list(found.frame) == COLUMNS
    assert len(found.frame) == 6 * len(room.REMOVALS)
    for curves in found.curves.values():
        np.testing.assert_allclose(curves.loss[:, [0, 2]], found.curves["none"].loss[:, [0, 2]], rtol=2e-3)
    distance = {what: part.set_index(["i", "j"])["distance"] for what, part in found.frame.groupby("remove")}
    assert (distance["permutation"] <= distance["none"]).all()
    assert (distance["scale+permutation"] <= distance["scale"]).all()
    assert len(pictures.of_pairs(found, "made up").axes) == 3
    table = room.summary(found, "standard").set_index("remove")
    assert table.loc["none", "barrier_mid"] == pytest.approx(
        found.frame[found.frame["remove"] == "none"]["barrier_mid"].mean()
    )


def test_what_is_written_is_shown_and_can_be_computed_again(standard, image_set, tmp_path):
    own = zoo.open(shutil.copytree(standard, tmp_path / "zoo"))
    for by in ("weights", "activations"):
        settings = replace(QUICK, by=by)
        found = connect(own, image_set, pairs=5, settings=settings)
        room.keep(own, found, settings, "metazoo connect")
        kept = zoo.open(own.folder).derived["connect"]
        pd.testing.assert_frame_equal(kept.frame, found.frame)
        rows = kept.frame.iloc[[7, 2, 11]]
        pd.testing.assert_frame_equal(room.recompute(own, kept.note.settings, rows, image_set), rows, rtol=1e-4, atol=1e-5)


def test_pairs_that_the_note_does_not_give_are_named(standard, image_set, tmp_path):
    own = zoo.open(shutil.copytree(standard, tmp_path / "zoo"))
    median = float(own.columns["test_accuracy"].median())
    found = connect(own, image_set, pairs=12, remove=["none"], settings=QUICK)
    below = (own.columns["test_accuracy"].to_numpy()[found.frame[["i", "j"]]] < median).any(axis=1)
    assert 0 < below.sum() < 12
    room.keep(own, found, replace(QUICK, least=median), "metazoo connect")
    lines = zoo.verify(own.folder, nets=12)
    assert len(lines) == below.sum()
    i, j = found.frame.loc[below, ["i", "j"]].iloc[0]
    (line,) = (line for line in lines if f": i {i}, j {j}, remove none: no row that connect-1 gives with settings" in line)
    assert f"'least': {median}" in line
    for pair in ((i, i), (j, i)):
        assert not drawable(own, pd.DataFrame([pair], columns=["i", "j"])).any()
    assert drawable(own, pairs_of(own, 200, least=median), median).all()


def test_a_stopped_command_goes_on_and_computes_nothing_twice(made, image_set, monkeypatch, cache):
    class StoppedError(Exception):
        pass

    def stop(done, of):
        if done >= 40:
            raise StoppedError

    with pytest.raises(StoppedError):
        connect(made, image_set, pairs=64, remove=["none"], settings=QUICK, progress=stop)
    before, read = len([*cache.iterdir()]), []
    monkeypatch.setattr(room, "weights_of", lambda one, nets: read.append(len(nets)) or weights_of(one, nets))
    found = connect(made, image_set, pairs=64, remove=["none"], settings=QUICK)
    assert before + len(read) // 2 == len([*cache.iterdir()])
    assert before >= 2
    read.clear()
    pd.testing.assert_frame_equal(connect(made, image_set, pairs=64, remove=["none"], settings=QUICK).frame, found.frame)
    assert not read


def test_what_was_cut_off_in_the_cache_is_computed_again(cache):
    numbers = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(material.kept("key", lambda: numbers), numbers)
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-4])
    assert np.array_equal(material.kept("key", lambda: numbers + 1), numbers + 1)


def test_two_zoos_are_connected_where_their_nets_are_of_a_kind(made, asymmetric, image_set):
    found = connect(made, image_set, other=made, pairs=9, remove=["none"], settings=QUICK)
    assert len(found.frame) == 9
    same = found.frame["i"] == found.frame["j"]
    assert (found.frame["distance"][same] == 0).all()
    with pytest.raises(ValueError, match="differ in entries that are trained, fixed values"):
        connect(made, image_set, other=zoo.open(asymmetric), pairs=2, settings=QUICK)


def test_what_a_family_does_not_have_is_not_removed(made, asymmetric, image_set):
    found = connect(zoo.open(asymmetric), image_set, pairs=2, settings=QUICK)
    assert set(found.frame["remove"]) == {"none"}
    with pytest.raises(ValueError, match="these nets have no permutation that could be removed"):
        connect(zoo.open(asymmetric), image_set, pairs=2, remove=["permutation"], settings=QUICK)
    with pytest.raises(ValueError, match="nothing that can be removed: mix"):
        connect(made, image_set, pairs=2, remove=["mix"], settings=QUICK)
