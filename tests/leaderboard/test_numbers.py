"""Numbers of boards are the same whether they are computed or were kept, and positions are those that `compare` gives."""

import json

import numpy as np
from made_records import put

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


def test_the_first_are_those_that_compare_does_not_tell_from_the_best(tmp_path):
    noises = {"statnn": 0.3, "dmc": 0.3, "hybrid": 0.32, "nfn": 0.4, "mlp": 0.9, "ridge": 0.2}
    for name, noise in noises.items():
        put(tmp_path, name, noise=noise)
    here = leaderboard(tmp_path).cells.set_index("metanet")
    assert np.isnan(here["position"].pop("ridge"))  # a baseline
    here = here.drop(index="ridge")
    best = here["r2_mean"].idxmax()
    for name in here.index.drop(best):
        (found,) = compare(best, name, tmp_path)
        assert (here.loc[name, "position"] == 1) == (found.p > 0.05)
    assert here.loc[best, "position"] == 1
    assert here["position"].max() > 1


def test_positions_skip_as_many_as_are_tied():
    rows = np.random.default_rng(0).normal(0, 0.01, (4, 200, 1))
    tables = [mean + row for mean, row in zip((0.5, 0.9, 0.9, 0.2), rows, strict=True)]
    for mean, table in zip((0.5, 0.9, 0.9, 0.2), tables, strict=True):
        table[0] = mean
    assert module.positions(tables) == [3, 1, 1, 4]
    assert module.positions([]) == []


def test_nobodys_position_depends_on_how_many_worse_ones_there_are():
    rng = np.random.default_rng(0)
    table = rng.normal(0.8, 0.01, (201, 3))
    near = [table, table - 0.001 + rng.normal(0, 0.002, table.shape), table - 0.2]
    worse = [table - 0.6 + rng.normal(0, 0.01, table.shape) for _ in range(60)]
    assert module.positions([*near, *worse])[:3] == module.positions(near) == [1, 1, 3]
