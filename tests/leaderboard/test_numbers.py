"""Numbers of boards are the same whether they are computed or were kept, and positions are those that `compare` gives."""

import json

import numpy as np
from conftest import ROOT

from benchmark.leaderboard import numbers as module
from benchmark.leaderboard.compare import compare
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.numbers import numbers

TRUE = np.random.default_rng(0).uniform(size=40)
GUESSES = [
    TRUE + size * np.random.default_rng([1, place]).normal(size=(3, 40)) for place, size in enumerate((0.3, 0.02, 0.1))
]


def told() -> str:
    return json.dumps(numbers(TRUE, GUESSES, None, baseline=0, placed=[False, True, True]))


def test_what_was_kept_is_what_is_computed_and_what_was_damaged_is_computed_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = told()
    (kept,) = (tmp_path / "metazoo/numbers").iterdir()
    whole = kept.read_bytes()
    for said in (b"", b'{"numbers": [[1]]}', b'{"numbers": "x"}', whole.replace(b"null", b'"x"'), b"\xff"):
        kept.write_bytes(said)
        assert told() == first
        assert kept.read_bytes() == whole
    monkeypatch.setattr(module, "_computed", None)  # nobody computes
    assert told() == first


def test_other_predictions_or_code_have_other_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told()
    GUESSES[2][0, 0] += 1e-9
    told()
    GUESSES[2][0, 0] -= 1e-9
    monkeypatch.setattr(module, "_code", lambda: "other")
    told()
    numbers(TRUE, GUESSES, None, baseline=None, placed=[False, True, True])
    assert len(list((tmp_path / "metazoo/numbers").iterdir())) == 4


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = told()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert told() == first


def test_the_first_are_those_that_compare_does_not_tell_from_the_best():
    cells = leaderboard(ROOT / "data/results").cells
    here = cells[
        (cells["task"] == "test_accuracy") & ~cells["baseline"] & cells["zoo"].str.startswith("digits-resnet8-standard")
    ]
    best = here.loc[here["r2_mean"].idxmax()]
    for row in here.to_dict("records"):
        if row["metanet"] != best["metanet"]:
            (found,) = [
                one for one in compare(best["metanet"], row["metanet"], ROOT / "data/results") if one.zoo == best["zoo"]
            ]
            assert (row["position"] == 1) == (found.p > 0.05)
    assert best["position"] == 1
    assert cells.loc[cells["baseline"], "position"].isna().all()
    assert sorted(here["position"])[-1] <= len(here)


def test_positions_skip_as_many_as_are_tied():
    rows = np.random.default_rng(0).normal(0, 0.01, (4, 200, 1))
    tables = [mean + row for mean, row in zip((0.5, 0.9, 0.9, 0.2), rows, strict=True)]
    for mean, table in zip((0.5, 0.9, 0.9, 0.2), tables, strict=True):
        table[0] = mean
    assert module.positions(tables) == [3, 1, 1, 4]
    assert module.positions([]) == []
