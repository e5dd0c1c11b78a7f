"""A zoo in another format, read as far as it is asked for, and written in ours."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.dataset import zoo_json
from zoo.dataset.zoo_json import Description
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import Layout, total
from zoo.seeds import stable_seed
from zoo.spec.columns import SPLITS
from zoo.spec.imported import Imported
from zoo.storage import files, shards
from zoo.storage.manifest import write_manifest

SHARD_BYTES = 64 * 2**20  # each is built in memory, and importing must stay small
SHARES = (0.5, 0.25, 0.25)  # of train, validation and test, as in zoos that are built here
BY_HASH = "50/25/25 by a stable hash of"
BY_LINEAGE = f"{BY_HASH} the lineage"
LARGEST = float(np.finfo(np.float32).max)  # targets other than whole numbers are stored in float32

Rows = Callable[[np.ndarray], np.ndarray]  # numbers of rows -> their values, float32 or float16


@dataclass(frozen=True)
class Foreign:
    """A zoo in another format. Nothing but its columns is in memory.

    `columns` has a row a net: every column that `about` names, `split` (train, validation or test) and, if the source
    says it, `diverged`: targets of those nets, and of nets with weights that are not finite, are stored as NaN. `weights`
    gives the rows asked for, [net, weight], in the order of `layout`. `trained` is False at entries that are fixed (their
    values in `fixed`) or, with NaN there, measured, such as a norm's running mean; None: all are trained. With
    `about.trajectory`, `trajectory` gives [net, checkpoint, weight] and `curves` has [net, checkpoint] a
    target; NaN where there is no such checkpoint.
    """

    about: Imported
    layout: Layout
    columns: pd.DataFrame
    weights: Rows
    trained: Bool[Tensor, " weight"] | None = None
    fixed: Float[Tensor, " weight"] | None = None
    gate: dict[str, Float[Tensor, "_ _"]] | None = None
    trajectory: Rows | None = None
    curves: dict[str, np.ndarray] = field(default_factory=dict)

    def description(self) -> Description:
        """What zoo.json will say."""
        size, architecture = total(self.layout), ARCHITECTURES.get(self.about.architecture)
        trained = torch.ones(size, dtype=torch.bool) if self.trained is None else self.trained
        fixed = torch.zeros(size) if self.fixed is None else self.fixed
        return Description(self.about, Blueprint(architecture, self.layout, "", trained, fixed, self.gate), "")


def one_by_one(read: Callable[[int], np.ndarray], layout: Layout) -> Rows:
    """The rows of a zoo with a file a net: `read` gives the weights of the net of a number."""

    def rows(numbers: np.ndarray) -> np.ndarray:
        values = np.empty((len(numbers), total(layout)), np.float32)
        for place, number in enumerate(numbers):
            values[place] = read(int(number))
        return values

    return rows


def split_by_lineage(lineages: Sequence[Hashable], *, seed: int = 0) -> np.ndarray:
    """The split of each net, decided by a stable hash of its lineage's text: a lineage is never in two splits."""
    named = {lineage: _split(lineage, seed) for lineage in set(lineages)}
    return np.array([named[lineage] for lineage in lineages], object)


def _split(lineage: Hashable, seed: int) -> str:
    at = stable_seed("imported", seed, lineage) / 2**63
    return SPLITS[0] if at < SHARES[0] else SPLITS[1] if at < SHARES[0] + SHARES[1] else SPLITS[2]


def write(foreign: Foreign, folder: Path) -> None:
    """Writes the zoo into an empty folder, a shard at a time; the manifest last.

    Raises ValueError where the columns are not those that `about` names, or a split is none.
    """
    about = foreign.description()
    _check(foreign, about)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    zoo_json.write(folder, about)
    attributes = zoo_json.shard_attributes(about)
    names = [zoo_json.FILE, zoo_json.FIXED]
    row_bytes = total(foreign.layout) * np.dtype(foreign.about.dtype).itemsize * (1 + len(foreign.about.trajectory))
    for split in SPLITS:
        members = np.flatnonzero(foreign.columns["split"].to_numpy() == split)
        count = min(len(members), ceil(len(members) * row_bytes / SHARD_BYTES))  # a shard of no nets cannot be read
        for number, rows in enumerate(np.array_split(members, count) if count else []):
            name = f"data/{split}-{number:05}-of-{count:05}.h5"
            files.write(folder / name, _image(foreign, about, rows, attributes))
            names.append(name)
    write_manifest(folder, names)


def _check(foreign: Foreign, about: Description) -> None:
    spec, frame = foreign.about, foreign.columns
    wanted = {*spec.hyper_parameters, *spec.targets, *spec.columns}
    if given := (wanted ^ set(frame.columns)) - {"split", "diverged"}:
        raise ValueError(f"{spec.name}: the columns {', '.join(sorted(given))} are named or given, and not both")
    if not len(frame) or not frame["split"].isin(SPLITS).all():
        raise ValueError(f"{spec.name}: {len(frame)} nets, of which each must be in one of {', '.join(SPLITS)}")
    sizes = {len(about.blueprint.trained), len(about.blueprint.fixed)}
    if sizes != {total(foreign.layout)}:
        raise ValueError(f"{spec.name}: a layout of {total(foreign.layout)} weights, but masks and fixed values of {sizes}")


def _image(foreign: Foreign, about: Description, rows: np.ndarray, attributes: dict[str, str]) -> bytes:
    """A shard of these rows."""
    spec, dtype = foreign.about, np.dtype(foreign.about.dtype)
    weights = np.ascontiguousarray(foreign.weights(rows), dtype)
    diverged = np.logical_not(np.isfinite(weights).all(axis=1))
    part = foreign.columns.iloc[rows]
    if "diverged" in part:
        diverged |= part["diverged"].to_numpy(bool)
    columns: dict[str, np.ndarray] = {"index": rows.astype(np.int64), "diverged": diverged}
    for name in (*spec.hyper_parameters, *spec.targets, *spec.columns):
        columns[name] = _measured(part[name], diverged) if name in spec.targets else _values(part[name], name in spec.text)
    if foreign.trajectory is not None:
        points = columns[shards.TRAJECTORY] = np.ascontiguousarray(foreign.trajectory(rows), dtype)
        broken = np.logical_not(np.isfinite(points).all(axis=2))
        columns |= {
            f"{shards.TRAJECTORY}_{name}": _measured(values[rows], broken) for name, values in foreign.curves.items()
        }
    return shards.image(weights, columns, attributes)


def _measured(values: pd.Series | np.ndarray, diverged: np.ndarray) -> np.ndarray:
    """A target as it is stored: in float32, whole numbers in float64; NaN where a net has diverged, in every zoo."""
    numbers = np.asarray(values)
    return np.where(diverged, np.nan, numbers).astype(np.float64 if numbers.dtype.kind in "iu" else np.float32)


def _values(column: pd.Series, text: bool) -> np.ndarray:
    """What is known before training, and all else, as it is stored: words, whole numbers, bools, numbers in float64."""
    if text:
        return column.astype(str).to_numpy(object)
    if column.dtype.kind in "iu":
        return column.to_numpy(np.int64)
    return column.to_numpy(bool) if column.dtype.kind == "b" else column.to_numpy(np.float64)
