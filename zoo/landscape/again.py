"""How the numbers of analyses are computed again, by the name and version that derived columns give."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from zoo.dataset.derived import Derived
from zoo.dataset.reader import Zoo
from zoo.landscape import connect, interpolate
from zoo.landscape.orbits import drift
from zoo.landscape.paths import POINTS
from zoo.tasks.images import ImageSet

Again = Callable[[Zoo, dict[str, Any], pd.DataFrame, ImageSet | None], pd.DataFrame]

# Analysis -> what computes rows of it again: it gets the zoo, the settings, rows of the derived file and the zoo's images
# (None for imported zoos), and returns these rows, in any order, without those that it never gives. Settings may be a
# stranger's: it raises ValueError where they are none that the analysis writes, or take far longer.
ANALYSES: dict[str, Again] = {
    connect.ANALYSIS: connect.recompute,
    interpolate.ANALYSIS: interpolate.recompute,
    drift.ANALYSIS: drift.recompute,
}
STEPS: dict[str, float] = {  # column -> how far apart two of its values are, where it counts something
    "accuracy_barrier_mid": 0.01,  # images; logits that are equal but for rounding
    "accuracy_barrier_max": 0.01,
    "mli_monotone": 1.0,
    **dict.fromkeys(("mli_local", "mli_global", "mli_global_official"), 1 / (POINTS - 2)),
}

RELATIVE, ABSOLUTE = 1e-3, 1e-5  # float32 in another order, on another machine: nets side by side round differently


def differing(zoo: Zoo, one: Derived, rows: pd.DataFrame, images: ImageSet | None) -> list[str]:
    """A line for each number of these rows that comes out otherwise, and for each row that the analysis never gives.

    Raises ValueError where they cannot be computed again.
    """
    try:
        again = ANALYSES[one.note.analysis](zoo, one.note.settings, rows, images)
    except (KeyError, TypeError) as error:
        raise ValueError(f"settings {one.note.settings} are not those of {one.note.analysis} ({error})") from None
    if strange := [name for name in one.columns if name not in again]:
        raise ValueError(f"{one.note.analysis} with settings {one.note.settings} gives no column {strange[0]}")
    found, keys = [], [key for key in rows if key not in one.columns]
    again = rows[keys].merge(again, on=keys, how="left", indicator=True)  # in the rows' order, whatever the analysis' own is
    for row, fresh in zip(rows.to_dict("records"), again.to_dict("records"), strict=True):
        of = ", ".join(f"{key} {row[key]}" for key in keys)
        if fresh["_merge"] != "both":
            found.append(f"{of}: no row that {one.note.analysis} gives with settings {one.note.settings}")
            continue
        for name in one.columns:
            before, now = float(row[name]), float(fresh[name])
            allowed = STEPS.get(name, 0.0) * 1.01 + ABSOLUTE + RELATIVE * abs(before)
            if not abs(before - now) <= allowed and not (before != before and now != now):  # NaN is NaN again
                found.append(f"{name} of {of} is {before:.6g}, computed again {now:.6g}")
    return found
