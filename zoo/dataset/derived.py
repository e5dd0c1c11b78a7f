"""Derived columns: what analyses add beside a zoo, which they never change.

`derived/NAME.parquet` in a zoo's folder has a row a net (`index`) or a pair of nets (`i`, `j`), and columns of numbers,
under the hash of the zoo's manifest. Files may come from strangers: they are bounded, and read through in a limited child
before anything else reads them.
"""

import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as strict_dataclass

from zoo.messages import plain
from zoo.storage import files
from zoo.storage.manifest import MANIFEST
from zoo.untrusted import parquet
from zoo.untrusted.files import read_bytes, sha256
from zoo.untrusted.json import strict_json
from zoo.untrusted.schema import validated

FOLDER, FORMAT, NOTE = "derived", "metazoo-derived-1", b"metazoo"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")  # of a file and of a column
FILES, COLUMNS, ROWS, BYTES = 32, 64, 2_000_000, 10**8  # at most: in a folder; of a file; bytes of all files together
NUMBERS = 2 * 10**7  # rows times columns of all files together: 160 MB in memory, however small they are packed
WORDS = "remove"  # the one column of words: which symmetries were removed before a pair was looked at
KINDS, LETTERS = 64, 100  # of different words in a file at most; bytes of each
OWN = (
    "index",
    "i",
    "j",
    "target",
    "prediction",
    "config",
    "split",
    "trajectory",
    "weights",
    WORDS,
)  # what zoos and releases call columns of theirs
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
KEYS = {"nets": ("index",), "pairs": ("i", "j")}


@strict_dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class Note:
    """What a file says of itself: which zoo its numbers are of, and how they can be computed again.

    `analysis` is the name of what computed them and its version, such as `interpolate-1`; `settings` what it was given.
    `other` is the manifest's hash of a second zoo, of which the nets `j` of pairs are. `meanings` has a text a column.
    """

    format: str
    zoo: Sha256
    analysis: Annotated[str, Field(max_length=100)]
    command: Annotated[str, Field(max_length=2000)]
    settings: dict[str, Any]
    meanings: dict[str, Annotated[str, Field(max_length=1000)]]
    other: Sha256 | None = None


@dataclass(frozen=True)
class Derived:
    """One file of derived columns. `frame` has its rows, with the columns of KEYS first."""

    name: str
    path: Path
    sha256: str
    note: Note
    frame: pd.DataFrame

    @property
    def of(self) -> str:
        """What its rows are: `nets` or `pairs`."""
        return "nets" if "index" in self.frame else "pairs"

    @property
    def columns(self) -> list[str]:
        """The columns of numbers."""
        return [name for name in self.frame if name not in ("index", "i", "j", WORDS)]

    def __str__(self) -> str:
        """What it holds, of how many nets or pairs, and where that comes from, on one line."""
        return f"{self.name}: {', '.join(self.columns)} of {len(self.frame):,} {self.of}, by {plain(self.note.analysis)}"


def write(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    *,
    analysis: str,
    command: str,
    settings: Mapping[str, Any],
    meanings: Mapping[str, str],
    other: str | None = None,
) -> Derived:
    """Writes derived columns beside the zoo in this folder, over those of that name; returns them.

    `frame` has `index`, or `i` and `j` (and `remove`, of words), and columns of numbers, each with a meaning. Raises
    ValueError where it has anything else.
    """
    note = Note(FORMAT, sha256(folder / MANIFEST), analysis, command, dict(settings), dict(meanings), other)
    keys = KEYS["nets" if "index" in frame else "pairs"]
    numbers = {column: frame[column].astype(np.float64) for column in frame if column not in (*keys, WORDS)}
    whole = {key: frame[key].astype(np.int64) for key in keys}
    if any((whole[key] != frame[key]).any() for key in keys):
        raise ValueError(f"{' and '.join(keys)} of derived columns are whole numbers of nets")
    words = {WORDS: pyarrow.array(frame[WORDS].tolist(), pyarrow.string())} if WORDS in frame else {}
    table = pyarrow.table({**whole, **words, **numbers})
    table = table.replace_schema_metadata({NOTE: json.dumps(TypeAdapter(Note).dump_python(note), sort_keys=True)})
    memory = io.BytesIO()
    pyarrow.parquet.write_table(table, memory)
    path = folder / FOLDER / f"{name}.parquet"
    _check_name(path, name)
    found = parse(path, memory.getvalue())
    files.write(path, memory.getvalue(), below=folder)
    return found


def read_all(folder: Path) -> list[Derived]:
    """All derived columns beside a zoo, whichever zoo they say they are of, in the order of their names.

    Raises ValueError naming a file that is none, is too large alone or with those before it, or is damaged; the advice is
    to delete it.
    """
    place = folder / FOLDER
    if not os.path.lexists(place):
        return []
    if place.is_symlink() or not place.is_dir():
        raise ValueError(f"{place}: no folder; delete it: it is where analyses keep what they add to a zoo")
    names = sorted(path.name for path in place.iterdir() if not path.match(files.TEMPORARY))
    if len(names) > FILES:
        raise ValueError(f"{place}: {len(names):,} files; at most {FILES} are read, delete the others")
    for name in names:
        _check_name(place / name, name.removesuffix(".parquet") if name.endswith(".parquet") else "")
    found: list[Derived] = []
    left, numbers = BYTES, NUMBERS
    for name in names:
        data = read_bytes(place / name, left, below=folder)
        found.append(parse(place / name, data, numbers=numbers))
        left, numbers = left - len(data), numbers - found[-1].frame.size
    return found


def _check_name(path: Path, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{path}: expected a file of derived columns, NAME.parquet with a NAME of a-z, 0-9 and _; delete it"
        )


def parse(path: Path, data: bytes, *, numbers: int = NUMBERS) -> Derived:
    """The derived columns in these bytes of the file at `path`. Raises ValueError naming it where they are none.

    `numbers` is how many there may be, rows times columns.
    """
    try:
        opened = parquet.opened(data, path)
        note = _note(path, (opened.schema_arrow.metadata or {}).get(NOTE, b"{}"))
        _check_columns(opened.schema_arrow, opened.metadata, note, numbers)
        parquet.check(data, path)
        words = [WORDS] if WORDS in opened.schema_arrow.names else []
        frame = _frame(parquet.opened(data, path, read_dictionary=words).read(use_threads=False))
        _check_rows(frame)
    except (ValueError, pyarrow.ArrowException, OSError) as error:
        said = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path}: no derived columns ({said}); delete it, or run the analysis again") from None
    return Derived(path.stem, path, files.hash_of(data), note, frame)


def _frame(table: Any) -> pd.DataFrame:
    """The table's rows. Words are read as codes of the few that there are, so that one repeated is not many."""
    if WORDS in table.column_names:
        column = table.column(WORDS)
        words = pyarrow.chunked_array([chunk.dictionary for chunk in column.chunks], pyarrow.string())
        longest = pyarrow.compute.max(pyarrow.compute.binary_length(words)).as_py() or 0
        if len(pyarrow.compute.unique(words)) > KINDS or longest > LETTERS:
            raise ValueError(f"other words in {WORDS} than at most {KINDS} different ones of {LETTERS} bytes")
        table = table.set_column(table.column_names.index(WORDS), WORDS, column.cast(pyarrow.string()))
    return table.to_pandas(ignore_metadata=True)


_NOTE = TypeAdapter(Note).validate_json


def _note(path: Path, data: bytes) -> Note:
    note = validated("its note", _NOTE, strict_json(path, data, controls=True))
    if note.format != FORMAT:
        raise ValueError(f"format {note.format!r}, this release reads {FORMAT!r}")
    return note


def _check_columns(schema: Any, about: Any, note: Note, most: int) -> None:
    """Raises ValueError where columns, rows or sizes are not those of derived columns, before any is read."""
    types = {field.name: str(field.type) for field in schema}
    keys = KEYS["nets" if "index" in types else "pairs"]
    words = [WORDS] if "i" in types and WORDS in types else []
    numbers = [name for name in types if name not in (*keys, *words)]
    if list(types) != [*keys, *words, *numbers] or not numbers or len(types) < len(schema) or len(types) > COLUMNS:
        raise ValueError(f"columns {list(types)[:COLUMNS]}; expected index, or i and j, then columns of numbers")
    expected = dict.fromkeys(keys, "int64") | dict.fromkeys(words, "string") | dict.fromkeys(numbers, "double")
    if wrong := [name for name in types if types[name] != expected[name]]:
        raise ValueError(f"column {wrong[0]!r} is {types[wrong[0]]}, expected {expected[wrong[0]]}")
    if bad := [name for name in numbers if not NAME.fullmatch(name) or name in OWN or name.startswith("trajectory_")]:
        raise ValueError(f"column {bad[0]!r} has no plain name, or one that zoos and releases use")
    if silent := [name for name in numbers if name not in note.meanings]:
        raise ValueError(f"column {silent[0]!r} has no meaning in the note")
    counts, unpacked = parquet.counted(about)
    if len(counts) > 1 or max(counts) > ROWS or unpacked > 2 * BYTES:
        raise ValueError(f"{max(counts):,} rows; at most {ROWS:,} of {2 * BYTES:,} bytes unpacked are read")
    if max(counts) * len(types) > most:
        raise ValueError(f"{max(counts) * len(types):,} numbers; all files together may have {NUMBERS:,}")


def _check_rows(frame: pd.DataFrame) -> None:
    keys = [key for key in ("index", "i", "j", WORDS) if key in frame]
    if frame[keys].isna().any(axis=None) or frame.duplicated(keys).any():
        raise ValueError("a net or a pair stands there twice, or without a number")
    numbers = frame.drop(columns=keys).to_numpy()
    if np.isinf(numbers).any():
        raise ValueError("numbers that are not finite; what is not known is NaN")


def merged(
    columns: pd.DataFrame, found: list[Derived], manifest_sha256: str
) -> tuple[pd.DataFrame, list[Derived], list[str]]:
    """A zoo's columns with those derived ones that are of this very zoo; these; and a line on each that was left aside."""
    kept, aside, of_pairs = [], [], set[str]()
    for one in found:
        others = columns if one.of == "nets" else of_pairs
        taken = [name for name in one.columns if name in others] if one.note.other is None else []
        numbers = one.frame[[key for key in KEYS[one.of] if key != "j" or one.note.other is None]]  # of nets of this zoo
        if one.note.zoo != manifest_sha256:
            aside.append(f"{one.name}: of the zoo {one.note.zoo[:8]}, and this one is {manifest_sha256[:8]}")
        elif taken:
            aside.append(f"{one.name}: the zoo has a column {taken[0]}{' of pairs' * (one.of == 'pairs')} already")
        elif not ((numbers >= 0) & (numbers < len(columns))).all(axis=None):
            aside.append(f"{one.name}: of nets that the zoo does not have")
        else:
            kept.append(one)
            of_pairs |= set(one.columns) if one.of == "pairs" and one.note.other is None else set()
            if one.of == "nets":
                aligned = one.frame.set_index("index").reindex(columns["index"]).reset_index(drop=True)
                columns = pd.concat([columns, aligned], axis=1)
    return columns, kept, aside
