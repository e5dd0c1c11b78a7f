"""Columns of a stranger's CSV as numbers, whole numbers or words; the first entry that is none is named, with its row."""

from pathlib import Path

import numpy as np
import pandas as pd

from zoo.messages import some_names
from zoo.untrusted import readers

WORD = r"[^\x00-\x1f\x7f-\x9f]{1,300}"
SHOWN = 80  # characters of an entry that is wrong


def table(path: Path, columns: list[str]) -> pd.DataFrame:
    """A CSV that has these columns, and maybe others. Raises ValueError naming those that it lacks."""
    frame = readers.table(path)
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; it has {some_names(frame.columns)}")
    return frame


def numbers(frame: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    """A column of numbers; NaN where the source has none."""
    values = pd.to_numeric(frame[name], errors="coerce")
    wrong = np.flatnonzero(values.isna() & frame[name].notna() & (frame[name] != ""))  # "": empty in a column with words
    if len(wrong):
        raise ValueError(f"{path}: {name} is {str(frame[name][wrong[0]])[:SHOWN]!r} in row {wrong[0]}, expected a number")
    return values.to_numpy(np.float64)


def whole_numbers(frame: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    """A column of whole numbers of 0 or more, as they can be counted in float64."""
    values = numbers(frame, name, path)
    wrong = np.flatnonzero(~((values >= 0) & (values < 2**53) & (values == np.floor(values))))
    if len(wrong):
        raise ValueError(f"{path}: {name} is {values[wrong[0]]:g} in row {wrong[0]}, expected a whole number of 0 or more")
    return values.astype(np.int64)


def words(frame: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """A column of words, none of them empty."""
    found = frame[name].fillna("").astype(str)
    wrong = np.flatnonzero(~found.str.fullmatch(WORD))
    if len(wrong):
        text = found[wrong[0]][:SHOWN]
        raise ValueError(f"{path}: {name} is {text!r} in row {wrong[0]}, expected 1 to 300 plain characters")
    return found
