"""An entry of a stranger's table or JSON: a number, per cent, a missing value or a word; and what a column of them is.

Every importer reads its numbers through this file, so that `NA`, `91.3%` or `0,5` mean the same in each format.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.messages import plain

MISSING = frozenset(("", "-", "--", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "+nan", "none", "null"))  # small letters
FLAGS = {"false": 0, "true": 1}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)
COMMAS = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?\s*%?|[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII | re.IGNORECASE)
NEARLY = 0.75  # of the entries that are not missing: where so many are numbers, a word among them is a mistake
SHOWN = 80  # characters of an entry in a message

Where = Callable[[int], str]  # the number of an entry -> where it stands, such as `line 5`


@dataclass(frozen=True)
class Column:
    """Whole numbers, other numbers (NaN where missing), or words; `percent`: per cent signs were read, 1% as .01."""

    values: np.ndarray
    percent: bool = False
    note: str = ""


def kind(text: str) -> str:
    """What an entry is: missing, number, percent, commas (a number with a comma in it, so of unsure meaning) or word."""
    text = text.strip()
    if NUMBER.fullmatch(text):
        return "number"
    if text.lower() in MISSING:
        return "missing"
    if text.endswith("%") and NUMBER.fullmatch(text[:-1].rstrip()):
        return "percent"
    return "commas" if COMMAS.fullmatch(text) else "word"


def number(text: str) -> float:
    """The number that an entry of kind missing, number or percent is; NaN, and a share from 0 to 1."""
    text, found = text.strip(), kind(text)
    if found == "missing":
        return np.nan
    return float(text) if found == "number" else float(text[:-1]) / 100


def column(texts: Sequence[str], what: str, where: Where, *, words: bool = True) -> Column:
    """What these entries are together; `words` allows words, `what` is the column in messages.

    A column that has words is one of words, also where it has `None` or some numbers, which a note says. But where nearly
    all entries are numbers, the others are mistakes. Raises ValueError naming the first, and where it stands.
    """
    kinds = np.array([kind(text) for text in texts], object)
    wordy = kinds == "word"
    numeric, present = np.isin(kinds, ("number", "percent")), kinds != "missing"
    if not present.any():
        named = words and any(text.strip() for text in texts)  # `none` in each row is a word, nothing is not
        return Column(_words(texts)) if named else Column(np.full(len(texts), np.nan))
    if flags := _flags(texts, present):
        return flags
    if words and wordy.any() and numeric.sum() < NEARLY * present.sum():
        row = int(np.flatnonzero(wordy)[0])
        note = f"{what} has numbers in {numeric.sum():,} rows and words in others, such as {_shown(texts[row])} in "
        return Column(_words(texts), note=f"{note}{where(row)}: it is taken as words" if numeric.any() else "")
    _check(texts, kinds, what, where)
    percent = bool((kinds == "percent").any())
    note = f"{what} has per cent signs: 1% is taken as 0.01" if percent else ""
    if not percent and present.all() and all(WHOLE.fullmatch(text.strip()) for text in texts):
        return _whole(texts, words=words)
    return Column(np.array([number(text) for text in texts], np.float64), percent, note)


def _check(texts: Sequence[str], kinds: np.ndarray, what: str, where: Where) -> None:
    """Raises ValueError where some of a column's entries are no numbers, or of another unit than the others."""
    for wrong, why in {
        "word": "is neither a number nor a missing value such as NA or an empty cell",
        "commas": "has a comma, which may be a decimal comma or part of a larger number; write it with a point or without",
    }.items():
        if (rows := np.flatnonzero(kinds == wrong)).size:
            more = f", as are {rows.size - 1:,} more" if rows.size > 1 else ""
            raise ValueError(f"{what}, {where(int(rows[0]))}: {_shown(texts[rows[0]])} {why}{more}; expected numbers")
    shares, plain_ = np.flatnonzero(kinds == "percent"), np.flatnonzero(kinds == "number")
    if shares.size and plain_.size:
        one, other = int(shares[0]), int(plain_[0])
        raise ValueError(
            f"{what} has {_shown(texts[one])} in {where(one)}, but {_shown(texts[other])} without a per cent sign in "
            f"{where(other)}; write all in one way"
        )


def _flags(texts: Sequence[str], present: np.ndarray) -> Column | None:
    """The column of 0 and 1 where all entries are `true` or `false`."""
    found = [text.strip().lower() for text in texts]
    if not all(text in FLAGS for text, there in zip(found, present, strict=True) if there):
        return None
    if present.all():
        return Column(np.array([FLAGS[text] for text in found], np.int64))
    return Column(np.array([FLAGS.get(text, np.nan) for text in found], np.float64))


def _whole(texts: Sequence[str], *, words: bool) -> Column:
    """Whole numbers; beyond int64, as seeds and hashes of 64 bits are, they stay what they are as words where allowed."""
    values = [int(text) for text in texts]
    if all(-(2**63) <= value < 2**63 for value in values):
        return Column(np.array(values, np.int64))
    return Column(_words(texts) if words else np.array(values, np.float64))


def _words(texts: Sequence[str]) -> np.ndarray:
    return np.array([text.strip() for text in texts], object)


def _shown(text: str) -> str:
    return repr(plain(text.strip()[:SHOWN]))
