"""The tables beside the nets of Lim et al. 2024: hparams.csv, a row a net, and splits.csv, which is of `export.py`."""

from pathlib import Path

import numpy as np

from zoo.importers.asymmetric_networks.export import OFFICIAL_COLUMNS
from zoo.spec.columns import SPLITS
from zoo.untrusted import readers

HPARAMS, PUBLISHED = "hparams.csv", "splits.csv"


def beside(folder: Path, name: str) -> Path | None:
    """The table of that name beside the nets or one folder up."""
    return next((place / name for place in (folder, folder.parent) if (place / name).is_file()), None)


def hyper_parameters(table: Path, indices: list[int]) -> dict[str, np.ndarray]:
    """The columns of the nets with these indices, which are row numbers. Raises ValueError where the table is another."""
    frame = readers.table(table)
    if list(frame.columns) != list(OFFICIAL_COLUMNS.values()):
        raise ValueError(
            f"{table}: columns {','.join(map(str, frame.columns))}; expected lr,weight_decay,label_smoothing,epochs"
        )
    if max(indices) >= len(frame):
        raise ValueError(
            f"{table} has {len(frame):,} rows, but there is a net {max(indices):,}; a row's number is the net's"
        )
    found = {}
    for name, theirs in OFFICIAL_COLUMNS.items():
        if frame[theirs].dtype.kind not in "iuf":
            raise ValueError(f"{table}: {theirs} is not all numbers")
        found[name] = frame[theirs].to_numpy()[indices]
    return found


def published(table: Path, indices: list[int]) -> np.ndarray:
    """The split of the nets with these indices. Raises ValueError where the table is another, or lacks one of them."""
    frame = readers.table(table)
    if list(frame.columns) != ["index", "split"]:
        raise ValueError(f"{table}: columns {','.join(map(str, frame.columns))}; expected index,split")
    if frame["index"].duplicated().any() or not frame["split"].isin(SPLITS).all():
        raise ValueError(f"{table}: each index stands there once, with one of {', '.join(SPLITS)}")
    splits = dict(zip(frame["index"], frame["split"], strict=True))
    if missing := [index for index in indices if index not in splits]:
        raise ValueError(
            f"{table}: no split of net {missing[0]}, and of {len(missing) - 1} more; split=lineage does without"
        )
    return np.array([splits[index] for index in indices], object)
