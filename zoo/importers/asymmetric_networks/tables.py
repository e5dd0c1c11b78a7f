"""The tables beside the nets of Lim et al. 2024: hparams.csv, a row a net, and splits.csv, which is of `export.py`."""

from pathlib import Path

import numpy as np

from zoo.importers import published_columns
from zoo.importers.asymmetric_networks.export import OFFICIAL_COLUMNS
from zoo.spec.columns import SPLITS
from zoo.untrusted import tables

HPARAMS, PUBLISHED = "hparams.csv", "splits.csv"


def beside(folder: Path, name: str) -> Path | None:
    """The table of that name beside the nets or one folder up."""
    return next((place / name for place in (folder, folder.parent) if (place / name).is_file()), None)


def hyper_parameters(path: Path, indices: list[int]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The columns of the nets with these indices, which are row numbers; and what to know of them.

    Raises ValueError where the table is another.
    """
    table = tables.read(path).numbered()
    names = list(table.frame.columns)
    if names != list(OFFICIAL_COLUMNS.values()):
        raise ValueError(f"{path}: columns {','.join(names)}; expected lr,weight_decay,label_smoothing,epochs")
    if max(indices) >= len(table):
        raise ValueError(f"{path} has {len(table):,} rows, but there is a net {max(indices):,}; a row's number is the net's")
    found = {name: table.column(theirs, words=False) for name, theirs in OFFICIAL_COLUMNS.items()}
    notes = [*table.notes, *(column.note for column in found.values() if column.note)]
    return {name: column.values[indices] for name, column in found.items()}, notes


def published(path: Path, indices: list[int]) -> np.ndarray:
    """The split of the nets with these indices. Raises ValueError where the table is another, or lacks one of them."""
    table = tables.read(path)
    if list(table.frame.columns) != ["index", "split"]:
        raise ValueError(f"{path}: columns {','.join(table.frame.columns)}; expected index,split")
    numbers, words = published_columns.whole_numbers(table, "index").tolist(), table.texts("split")
    if len(set(numbers)) < len(numbers) or not set(words) <= {*SPLITS}:
        raise ValueError(f"{path}: each index stands there once, with one of {', '.join(SPLITS)}")
    splits = dict(zip(numbers, words, strict=True))
    if missing := [index for index in indices if index not in splits]:
        raise ValueError(f"{path}: no split of net {missing[0]}, and of {len(missing) - 1} more; split=lineage does without")
    return np.array([splits[index] for index in indices], object)
