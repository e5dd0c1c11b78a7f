"""Tables of strangers, as programs and spreadsheets write them: entries between commas, semicolons or tabs, line by line."""

import csv
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.messages import plain
from zoo.untrusted import entries
from zoo.untrusted.entries import Column
from zoo.untrusted.readers import plain_size
from zoo.untrusted.texts import encoding_of

BYTES = 4 * 2**30  # of a table, unpacked
LINE_BYTES, COLUMNS = 2**20, 10_000  # of a table's first line
FREE_ENTRIES, ENTRIES_A_BYTE = 10**7, 4  # more than the one only where its bytes times the other are as many
LOOKED_AT = 20  # lines that tell what stands between entries
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
HINT = re.compile(r"\ufeff?\"?sep=(.)\"?[\r\n]*")  # a first line by which spreadsheets say what stands between entries
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # so 1,234 may be 1234, but 0,123 is no such number


@dataclass(frozen=True)
class Table:
    """A table of texts, a row for each line that has any entry.

    `lines` says where each stands in the file, `names_at` where the names stand.
    """

    path: Path
    frame: pd.DataFrame
    lines: np.ndarray
    names_at: int = 1
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"line {self.lines[row]}"

    def texts(self, name: str) -> list[str]:
        """A column as it is written, without blanks around."""
        return [text.strip() for text in self.frame[name]]

    def column(self, name: str, *, words: bool = True) -> Column:
        """A column as numbers, or as words where `words` allows it. Raises ValueError naming the entry at fault."""
        return entries.column(self.frame[name].tolist(), f"{self.path}: column {plain(name)}", self.where, words=words)

    def numbered(self) -> "Table":
        """The table itself, where a row's number has a meaning. Raises ValueError where lines between rows are empty."""
        expected = np.arange(len(self.lines)) + self.names_at + 1
        if (gaps := expected[self.lines != expected]).size:
            raise ValueError(f"{self.path}: line {gaps[0]} is empty, but here the number of a row counts")
        return self


def read(path: Path, *, most: int = BYTES) -> Table:
    """A table with a first line of names, in UTF-8 or UTF-16, also packed by gzip; nothing in it is evaluated.

    Rows without any entry are left out, and counted in the notes; so are columns without name and entries. Raises
    ValueError naming the file where it has more than `most` bytes unpacked, or is no table that can be read in one way.
    """
    plain_size(path)
    try:
        with _opened(path) as file:
            lines = [file.readline(LINE_BYTES + 1) for _ in range(LOOKED_AT)]
        hint = HINT.fullmatch(lines[0])
        separator = hint[1] if hint else _separator("".join(lines))
        names_at = 2 if hint else 1
        names = _names(lines[names_at - 1], separator)
        _check_size(path, len(names), most)
        with _opened(path) as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # pandas warns where it leaves something out
            for _ in range(names_at):
                file.readline()
            frame = _parsed(file, names, separator, names_at)
        return _whole(path, frame, names_at, separator)
    except (ValueError, EOFError, OSError, Warning, OverflowError, zlib.error, csv.Error) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: no table that can be read ({plain(error)})") from None


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOWrapper]:
    """The text of a table, unpacked."""
    with _unpacked(path) as file:
        start = file.peek(4)[:4]
        with io.TextIOWrapper(file, encoding=encoding_of(start), newline="") as text:
            yield text


def _unpacked(path: Path) -> Any:
    """The bytes of a file, or those that are packed in it."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def _separator(text: str) -> str:
    """What stands between entries: what gives all lines as many as the first, and more than one."""
    counts = {}
    for separator in SEPARATORS:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        counts[separator] = [len(row) for row in rows if any(entry.strip() for entry in row)] or [0]
    several = [separator for separator, found in counts.items() if found[0] > 1]
    fits = [separator for separator in several if set(counts[separator]) == {counts[separator][0]}] or several
    if len(fits) > 1:
        named = " or ".join(SEPARATORS[separator] for separator in fits)
        raise ValueError(f"its entries may be separated by {named}; write it with one of them in the first line")
    return fits[0] if fits else ","


def _names(line: str, separator: str) -> list[str]:
    if "\0" in line:
        raise ValueError("it has NUL characters, as UTF-16 without a byte order mark has; save it as UTF-8")
    given = next(csv.reader(io.StringIO(line, newline=""), delimiter=separator), [])
    names = [name.strip() or f"Unnamed: {number}" for number, name in enumerate(given)]  # as pandas calls such columns
    if len(line) > LINE_BYTES or len(names) > COLUMNS:
        raise ValueError(f"its first line has {len(line):,} characters and {len(names):,} names; too many")
    if not any(name.strip() for name in given):
        raise ValueError("its first line is empty; it must name the columns")
    if len(set(names)) < len(names) or not all(name.isprintable() for name in given):
        raise ValueError("its first line must name each column once, without control characters")
    return names


def _check_size(path: Path, columns: int, most: int) -> None:
    """Refuses tables that take more memory than they have bytes, before they are read."""
    with _unpacked(path) as file:
        read, rows = 0, 1
        while part := file.read(2**20):
            read, rows = read + len(part), rows + part.count(b"\n") + part.count(b"\r")
            if read > most:
                raise ValueError(f"has more than {most:,} bytes unpacked")
            if rows * columns > max(FREE_ENTRIES, ENTRIES_A_BYTE * read):  # rows that end early are filled up
                raise ValueError(f"its rows have far fewer entries than the {columns:,} names in its first line")


def _parsed(file: io.TextIOWrapper, names: list[str], separator: str, names_at: int) -> pd.DataFrame:
    """The texts below the first line, also of empty rows; rows that end early are filled up."""
    try:
        frame = pd.read_csv(
            file,
            sep=separator,
            names=names,
            header=None,
            dtype=str,
            na_filter=False,
            index_col=False,
            skip_blank_lines=False,
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        frame = pd.DataFrame(columns=names, dtype=str)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        at = re.search(r"Expected \d+ fields in line (\d+)", str(error))
        if not at and isinstance(error, pd.errors.ParserError):
            raise
        row = f"line {int(at[1]) + names_at}" if at else "a row"
        raise ValueError(f"{row} has more entries than the {len(names):,} names in the first line") from None
    return frame.astype(object).fillna("")


def _whole(path: Path, frame: pd.DataFrame, names_at: int, separator: str) -> Table:
    """The table without what is empty in it, its decimal commas as points."""
    filled = pd.DataFrame({name: frame[name].str.strip() != "" for name in frame}, index=frame.index)
    empty = [name for name in frame if str(name).startswith("Unnamed: ") and not filled[name].any()]
    rows = filled.any(axis=1).to_numpy(bool)
    kept = frame.loc[rows, [name for name in frame if name not in empty]].reset_index(drop=True)
    notes = []
    if count := int((~rows).sum()):
        notes.append(f"{count:,} rows of {path.name} are empty and were left out")
    if separator != "," and (commas := _with_commas(path, kept)):
        kept = kept.assign(**{name: [_pointed(text) for text in kept[name]] for name in commas})
        notes.append(f"{path.name} has decimal commas, which were read as points: {', '.join(map(plain, commas))}")
    return Table(path, kept, np.flatnonzero(rows) + names_at + 1, names_at, tuple(notes))


def _with_commas(path: Path, frame: pd.DataFrame) -> list[str]:
    """The columns of numbers that have commas. Raises ValueError where these may not be decimal commas."""
    kinds = {name: [entries.kind(text) for text in frame[name]] for name in frame}
    numbers = {name: found for name, found in kinds.items() if "word" not in found}
    found = {name: frame[name][[kind == "commas" for kind in kinds[name]]] for name in numbers if "commas" in kinds[name]}
    commas = [(name, text.strip()) for name, texts in found.items() for text in texts]
    if commas and all(THOUSANDS.fullmatch(text) for _, text in commas):
        name, text = commas[0]
        raise ValueError(f"{path}: column {plain(name)}: {text!r} may be a number of thousands, or have a decimal comma")
    points = [(name, text.strip()) for name in numbers for text in frame[name] if "." in text]
    if commas and points:
        raise ValueError(
            f"{path}: {commas[0][1]!r} in column {plain(commas[0][0])} has a comma, {points[0][1]!r} in column "
            f"{plain(points[0][0])} a point; write all numbers in one way"
        )
    return list(found)


def _pointed(text: str) -> str:
    return text.replace(",", ".") if entries.kind(text) == "commas" else text
