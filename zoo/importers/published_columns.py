"""Columns of tables in a published format: numbers, whole numbers or words; what is none is named, with its line."""

from pathlib import Path

import numpy as np

from zoo.messages import some_names
from zoo.untrusted import tables
from zoo.untrusted.entries import Column
from zoo.untrusted.tables import Table

WORD = r"[^\x00-\x1f\x7f-\x9f]{1,300}"
SHOWN = 80  # characters of an entry that is wrong


def table(path: Path, columns: list[str]) -> Table:
    """A table that has these columns, and maybe others; the number of a row counts.

    Raises ValueError naming those that it lacks.
    """
    found = tables.read(path).numbered()
    if missing := [name for name in columns if name not in found.frame]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {some_names(found.frame.columns)}")
    return found


def numbers(table: Table, name: str) -> Column:
    """A column of numbers, in float64; NaN where the source has none."""
    found = table.column(name, words=False)
    return Column(found.values.astype(np.float64), found.percent, found.note)


def whole_numbers(table: Table, name: str) -> np.ndarray:
    """A column of whole numbers of 0 or more, as they can be counted in float64."""
    values = numbers(table, name).values
    wrong = np.flatnonzero(~((values >= 0) & (values < 2**53) & (values == np.floor(values))))
    if len(wrong):
        found, where = values[wrong[0]], table.where(int(wrong[0]))
        raise ValueError(f"{table.path}: {name} is {found:g} in {where}, expected a whole number of 0 or more")
    return values.astype(np.int64)


def words(table: Table, name: str) -> np.ndarray:
    """A column of words, none of them empty."""
    found = table.frame[name].astype(str)
    wrong = np.flatnonzero(~found.str.fullmatch(WORD))
    if len(wrong):
        text, where = found[wrong[0]][:SHOWN], table.where(int(wrong[0]))
        raise ValueError(f"{table.path}: {name} is {text!r} in {where}, expected 1 to 300 plain characters")
    return found.to_numpy(object)
