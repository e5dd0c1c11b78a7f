"""What the statistics say of all results on one task and zoo; kept by a hash of what goes in, and computed once."""

import contextlib
import functools
from collections.abc import Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import statistics
from benchmark.leaderboard.beyond import BEYOND, beyond, cells_of
from benchmark.statistics.intervals import Ends, Predictions, Table, difference_of, interval_of, resampled
from benchmark.statistics.metrics import Values, r2
from zoo.storage import files
from zoo.untrusted.json import read_json

LEVEL = 0.95
KEPT, MOST_KEPT = "numbers", 1000  # in the user's cache folder: one file for each task and zoo; the oldest go
BOUNDS = ("", "_low", "_high")
NAMES = ("r2_low", "r2_high", *(f"{name}{bound}" for name in ("gain", *BEYOND) for bound in BOUNDS), "position")

Numbers = dict[str, float]  # NAMES -> a number, NaN where there is none


def numbers(
    true: Values, predictions: Sequence[Predictions], ends: Ends, *, baseline: int | None, placed: Sequence[bool]
) -> list[Numbers]:
    """The numbers of each result: intervals, the gain over the result `baseline`, what it knows beyond; and its position.

    `baseline` None: there is no gain. Positions are of those `placed` among each other, see `positions`. The same whether
    they are computed or were kept.
    """
    path = files.cache() / KEPT / f"{_key(true, predictions, ends, baseline, placed)}.json"
    kept = _read(path, len(predictions))
    if kept is None:
        kept = _computed(true, predictions, ends, baseline, placed)
        _keep(path, kept)
    return kept


def _computed(
    true: Values, predictions: Sequence[Predictions], ends: Ends, baseline: int | None, placed: Sequence[bool]
) -> list[Numbers]:
    tables = [resampled(true, predicted, r2, ends=ends) for predicted in predictions]
    others = [number for number in range(len(tables)) if number != baseline]
    known = dict[int, tuple[Table, ...]]()
    if baseline is not None and others:
        found = beyond(true, [predictions[number] for number in others], predictions[baseline], ends)
        known = dict(zip(others, found, strict=True))
    places = positions([table for table, wanted in zip(tables, placed, strict=True) if wanted])
    told = []
    for number, table in enumerate(tables):
        sure = interval_of(table)
        gain = None if baseline is None or number == baseline else difference_of(table, tables[baseline])
        over = (nan,) * 3 if gain is None else (gain.value, gain.low, gain.high)
        known_beyond = cells_of(known.get(number), told=True)
        place = places[sum(placed[:number])] if placed[number] else nan
        values = (
            sure.low,
            sure.high,
            *over,
            *(known_beyond[f"{name}{bound}"] for name in BEYOND for bound in BOUNDS),
            place,
        )
        told.append(dict(zip(NAMES, map(float, values), strict=True)))
    return told


def positions(tables: Sequence[Table]) -> list[int]:
    """The position of each metanet, from tables of `resampled`: the best one and all that do not differ significantly from
    it are first (p of the paired `difference` above 0.05, not corrected), the others placed among each other in this way.

    Each comparison with the best errs in one of twenty cases where both are as good, so among many metanets some that are as
    good as the best will not be first; `pairs` is corrected. Here Holm's correction would let everybody who brings another
    metanet move the others, and beyond 50 of them, with p of 1 / 1001 at least, none could be told from the best.
    """
    left = sorted(range(len(tables)), key=lambda number: -float(tables[number][0].mean()))
    found = [0] * len(tables)
    while left:
        first = len(tables) - len(left) + 1
        level = [number for number in left if number == left[0] or not _differ(tables[left[0]], tables[number])]
        for number in level:
            found[number] = first
        left = [number for number in left if number not in level]
    return found


def _differ(one: Table, other: Table) -> bool:
    return difference_of(one, other, level=LEVEL).p <= 1 - LEVEL


def _key(true: Values, predictions: Sequence[Predictions], ends: Ends, baseline: int | None, placed: Sequence[bool]) -> str:
    arrays = [true, *predictions, *([] if ends is None else [ends])]
    about = [f"{array.dtype.str} {array.shape} {files.hash_of(np.ascontiguousarray(array).tobytes())}" for array in arrays]
    return files.hash_of("\n".join([_code(), str(baseline), str(list(placed)), str(ends is None), *about]).encode())


@functools.cache
def _code() -> str:
    """A hash of the code that computes, and of what it computes with."""
    here = Path(__file__)
    sources = sorted([here, here.with_name("beyond.py"), *Path(str(statistics.__file__)).parent.glob("*.py")])
    return files.hash_of(b"".join(path.read_bytes() for path in sources) + np.__version__.encode())


def _read(path: Path, results: int) -> list[Numbers] | None:
    """The numbers kept there, if they are whole."""
    try:
        rows = read_json(path, below=files.cache()).get("numbers")
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a user without a home
        return None
    if not isinstance(rows, list) or len(rows) != results or not all(map(_is_whole, rows)):
        return None
    return [dict(zip(NAMES, (nan if value is None else float(value) for value in row), strict=True)) for row in rows]


def _is_whole(row: Any) -> bool:
    return isinstance(row, list) and len(row) == len(NAMES) and all(x is None or type(x) in (int, float) for x in row)


def _keep(path: Path, found: list[Numbers]) -> None:
    """Keeps them, where the user's cache folder can be written and JSON has them; of many at once, the last stays."""
    rows = [[None if value != value else value for value in one.values()] for one in found]
    if not all(value is None or isfinite(value) for row in rows for value in row):
        return
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        files.write(path, files.to_json({"numbers": rows}), below=files.cache(), durable=False)
        old = sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)[:-MOST_KEPT]
        for one in old:
            one.unlink(missing_ok=True)
