"""The split of the Small CNN Zoo by Zhou et al. 2023 (arXiv 2302.14040), which later papers share: a `*_split.csv`."""

import random
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.importers import published_columns
from zoo.messages import some_names
from zoo.spec.columns import SPLITS
from zoo.untrusted import tables

NFN, STEP = "unterthiner/nfn-v1", 86  # the name of the split, and which checkpoints it is of


def published(path: Path, final: pd.Series) -> np.ndarray:
    """The split of each row of the source as the code of Zhou et al. 2023 decides it; none of those that are not final.

    That code reads the header of the file, a 0, as a number too, so row 0 comes twice. It is no final one in a source
    that begins with a run's first checkpoint; if it is, and falls into two splits, it is in the test split here. Raises
    ValueError where the file does not name each row once.
    """
    numbers = np.concatenate([[0], _permutation(path, len(final))])
    numbers = numbers[final.to_numpy()[numbers]]
    half = int(0.5 * len(numbers))
    known = list(range(half))
    random.Random(0).shuffle(known)
    cut = int(0.8 * half)
    splits = np.full(len(final), "", object)
    for split, part in zip(SPLITS, (numbers[known[:cut]], numbers[known[cut:]], numbers[half:]), strict=True):
        splits[part] = split
    return splits


def _permutation(path: Path, rows: int) -> np.ndarray:
    """All numbers of rows in the file's order. Raises ValueError naming the first that is wrong."""
    table = tables.read(path)
    if list(table.frame.columns) != ["0"]:
        raise ValueError(f"{path}: expected the one column 0, found {some_names(table.frame.columns)}")
    numbers = published_columns.whole_numbers(table, "0")
    if len(beyond := numbers[numbers >= rows]):
        raise ValueError(f"{path} names row {beyond[0]}, but the zoo has {rows} rows; the file is of another zoo")
    if len(again := np.flatnonzero(pd.Series(numbers).duplicated())):
        raise ValueError(f"{path} names row {numbers[again[0]]} twice; expected each of {rows} rows once")
    if len(missing := np.setdiff1d(np.arange(rows), numbers)):
        raise ValueError(f"{path} lacks row {missing[0]}; expected each of {rows} rows once, found {len(numbers)}")
    return numbers
