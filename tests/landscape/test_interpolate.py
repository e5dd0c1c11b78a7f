"""Lines from the initial weights: the numbers of known curves, the start itself, and what is written."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import small

import zoo
from zoo.dataset.start import initial
from zoo.landscape import interpolate as room
from zoo.landscape import pictures
from zoo.landscape.interpolate import Settings, interpolate, shape_of
from zoo.landscape.material import images_of

QUICK = Settings(points=5, images=50, official=True)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_published_formula_calls_a_concave_curve_convex():
    times = np.linspace(0, 1, 25)
    found = shape_of(np.stack([1 - times**2, 1 - times**8, (1 - times) ** 2]))
    assert found["mli_global"].tolist() == [0, 0, 1]
    assert found["mli_global_official"][:2].tolist() == [1, 1]
    assert found["mli_local"].tolist() == [0, 0, 1]
    assert found["mli_monotone"].tolist() == [1, 1, 1]


def test_rises_are_those_of_all_pairs_of_points():
    losses = np.random.default_rng(0).normal(size=(20, 7))
    found = shape_of(losses)
    for row, rise, step in zip(losses, found["mli_rise"], found["mli_step"], strict=True):
        assert rise == max(0, *(row[j] - row[i] for j in range(7) for i in range(j)))
        assert step == max(row[i + 1] - row[i] for i in range(6))


def test_the_initial_net_made_again_is_the_checkpoint_of_epoch_0(tmp_path):
    made = zoo.open(zoo.build(small("w_asymmetric", nets=6, trajectory=(0,)), tmp_path / "zoo", workers=1))
    stored = made.columns.drop(columns="seed")
    again = initial(made, list(range(6)))
    assert (again == initial(replace(made, columns=stored), list(range(6)))).all()


def test_the_numbers_are_written_as_columns_and_can_be_computed_again(standard, tmp_path):
    own = zoo.open(shutil.copytree(standard, tmp_path / "zoo"))
    images = images_of(own)
    found = interpolate(own, images, nets=9, settings=QUICK)
    assert len(pictures.of_starts(found, np.linspace(0, 1, 9), "made up").axes) == 2
    room.keep(own, found, QUICK, "metazoo interpolate")
    after = zoo.open(own.folder)
    assert set(after.targets) >= {*room.MEANINGS}
    assert after.columns["mli_rise"].notna().sum() == 9
    kept = after.derived["interpolate"]
    rows = kept.frame.iloc[[5, 0]]
    pd.testing.assert_frame_equal(room.recompute(own, kept.note.settings, rows, images), rows, rtol=1e-4, atol=1e-6)
    assert "mli_global_official" not in interpolate(own, images, nets=2, settings=Settings(points=3, images=9)).frame


def test_without_seeds_and_checkpoints_there_is_no_start(standard):
    made = zoo.open(standard)
    without = replace(made, columns=made.columns.drop(columns="seed"))
    with pytest.raises(ValueError, match="the initial weights of its nets are not known"):
        interpolate(without, images_of(made), settings=QUICK)
