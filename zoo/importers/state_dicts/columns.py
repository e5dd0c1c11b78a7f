"""The columns of a table of nets under our names: hyper-parameters, targets, lineage, split; and which nets diverged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zoo.importers.source_zoo import BY_HASH, LARGEST, split_by_lineage
from zoo.importers.state_dicts.names import is_hyper_parameter, our_name, tells_nets_apart
from zoo.messages import is_column, plain_line, unknown
from zoo.spec.columns import SPLITS, TARGETS
from zoo.untrusted.entries import Column, kind
from zoo.untrusted.tables import Table

NO_FEATURES = ("file", "split", "lineage", "diverged")  # columns that have another meaning
NO_TARGETS = (*NO_FEATURES, "source_index")  # unless the option names them
RESERVED = ("weights", "trajectory")  # columns that every zoo, or none, has
NONE = "none"  # as hyper-parameters: no column is one, whatever the names say
SPLIT_WORDS = {split: split for split in SPLITS} | {"val": "validation", "valid": "validation"}
FEW = 3  # words that a message gives of many


@dataclass(frozen=True)
class Choice:
    """What the options say of the table's columns, by their names there; no lineage and no split are empty.

    `hyper_parameters` are None where the names of columns tell which they are.
    """

    hyper_parameters: tuple[str, ...] | None
    targets: tuple[str, ...]
    percent: tuple[str, ...]
    words: tuple[str, ...]
    lineage: str
    split: str
    table: str

    @property
    def rule(self) -> str:
        """How the splits come about, in words."""
        if self.split:
            return plain_line(f"column {self.split} of {self.table}")
        return f"{BY_HASH} {'the lineage' if self.lineage else 'file'}"


@dataclass(frozen=True)
class Columns:
    """The table under the names of our columns, and what each of them is."""

    frame: pd.DataFrame
    hyper_parameters: dict[str, str]
    targets: dict[str, str]
    columns: dict[str, str]
    text: tuple[str, ...]
    notes: tuple[str, ...]


def choice(
    table: Table, *, hyper_parameters: str, targets: str, percent: str, words: str, lineage: str, split: str
) -> Choice:
    """The columns that the options name. Raises ValueError naming the option and what the table lacks."""
    none = hyper_parameters == NONE and NONE not in table.frame
    known = _listed(table, "hyper_parameters", "" if none else hyper_parameters)
    return Choice(
        hyper_parameters=known if hyper_parameters else None,
        targets=_listed(table, "targets", targets),
        percent=_listed(table, "percent", percent),
        words=_listed(table, "words", words),
        lineage=_one(table, "lineage", lineage),
        split=_one(table, "split", split),
        table=table.path.name,
    )


def _listed(table: Table, option: str, text: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in found:
        if name not in table.frame:
            raise ValueError(f"{table.path}: {option}: {unknown('column', name, map(str, table.frame.columns))}")
    return found


def _one(table: Table, option: str, text: str) -> str:
    """The column that the option names, or the one of the option's own name."""
    if not text:
        return option if option in table.frame else ""
    found = _listed(table, option, text)
    if len(found) != 1:
        raise ValueError(f"{option} is one column, found {text!r}")
    return found[0]


def columns(table: Table, choice: Choice) -> Columns:
    """The table in our names and types. Raises ValueError naming the column at fault."""
    names = _names(table, choice)
    read = {column: _read(table, column, our, choice) for column, our in names.items()}
    parts = {column: _part(column, our, read[column].values, choice) for column, our in names.items()}
    frame, diverged, notes = _converted(table, names, read, parts)
    if "targets" not in parts.values():
        raise ValueError(f"{table.path}: no column of numbers to predict; name some with targets=COLUMN,COLUMN")
    if "split" not in frame:
        frame["split"] = split_by_lineage(frame["lineage" if choice.lineage else "file"].tolist())
    elif choice.lineage and (torn := _torn(frame["lineage"], frame["split"])) is not None:
        raise ValueError(f"{table.path}: lineage {torn} is in more than one split; its nets are not independent")
    text = tuple(our for our, values in frame.items() if values.dtype.kind == "O" and our != "split")
    about = _about(table, names, read, parts)
    return Columns(pd.DataFrame({**frame, "diverged": diverged}), **about, text=text, notes=tuple(notes))


def _names(table: Table, choice: Choice) -> dict[str, str]:
    """Our name of each column of the table."""
    csv, features = table.path, (*(choice.hyper_parameters or ()), *choice.targets)
    if both := {*(choice.hyper_parameters or ())} & {*choice.targets}:
        raise ValueError(f"{csv}: column {min(both)} cannot be a hyper-parameter and a target")
    if choice.lineage and choice.lineage == choice.split:
        raise ValueError(f"{csv}: column {choice.split} cannot be the lineage and the split")
    given = {choice.lineage: "lineage", choice.split: "split"}
    names: dict[str, str] = {}
    for column in table.frame.columns:
        our = given.get(column, our_name(column))
        if not is_column(our) or our in RESERVED or our.startswith("trajectory_"):
            raise ValueError(f"{csv}: column {column!r} cannot be named {our!r} in a zoo; rename it in the table")
        if our in names.values():
            raise ValueError(f"{csv}: two columns are {our}, one of them {column!r}; rename one in the table")
        names[column] = our
    for column in features:
        if names[column] in NO_FEATURES:
            raise ValueError(f"{csv}: column {column} is the {names[column]}, no hyper-parameter and no target")
    return names


def _read(table: Table, column: str, our: str, choice: Choice) -> Column:
    """A column as numbers or words. Raises ValueError naming the entry that is a mistake, and its line."""
    if our in ("file", "split") or column in choice.words:
        texts = table.texts(column)
        return Column(np.array(_splits(table, column, texts) if our == "split" else texts, object))
    numbers = column in {*choice.targets, *choice.percent}
    try:
        read = table.column(column, words=not numbers)
        if our in TARGETS and read.note and read.values.dtype.kind == "O":  # some numbers, and words: never in silence
            read = table.column(column, words=False)
    except ValueError as error:
        raise ValueError(str(error) if numbers else f"{error}; or, if it is one of words, words={column}") from None
    divide = column in choice.percent and not read.percent
    values = read.values / 100 if divide else read.values
    _check(our, values, f"{table.path}: column {column}")
    return Column(values, read.percent or divide, read.note)


def _part(column: str, our: str, values: np.ndarray, choice: Choice) -> str:
    """What a column is to metanets: hyper-parameters are seen, targets predicted, others (columns) neither."""
    numbers = values.dtype.kind != "O"
    known = our not in NO_FEATURES and is_hyper_parameter(column, numbers=numbers)
    if column in choice.targets:
        return "targets"
    if known if choice.hyper_parameters is None else column in choice.hyper_parameters:
        return "hyper_parameters"
    other = our in NO_TARGETS or tells_nets_apart(column)
    return "targets" if numbers and not choice.targets and not known and not other else "columns"


def _converted(
    table: Table, names: dict[str, str], read: dict[str, Column], parts: dict[str, str]
) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """The values by our names, but those of `diverged`; which nets that and infinite values mark; what is worth saying."""
    frame: dict[str, np.ndarray] = {}
    diverged, notes = np.zeros(len(table), bool), list(table.notes)
    for column, our in names.items():
        values, seen = read[column].values, parts[column] == "hyper_parameters"
        notes += [read[column].note] * bool(read[column].note)
        if values.dtype.kind == "f":
            infinite = ~(np.abs(values) <= (np.inf if seen else LARGEST)) & ~np.isnan(values) | np.isinf(values)
            broken = np.zeros(len(table), bool) if seen else infinite | _nan_loss(our, values, table.texts(column))
            if infinite.any():
                what = "missing" if seen else "missing, the net marked diverged"
                notes.append(f"{infinite.sum():,} nets have an infinite {our}: the value is {what}")
            if (only := broken & ~infinite).any():
                notes.append(f"{only.sum():,} nets have nan as {our}, where it was not a number: they are marked diverged")
            values, diverged = np.where(infinite, np.nan, values), diverged | broken
        if our == "diverged":
            diverged |= values.astype(bool)
        else:
            frame[our] = values
    return frame, diverged, notes


def _nan_loss(our: str, values: np.ndarray, texts: list[str]) -> np.ndarray:
    """Where a loss was measured and is not a number, which diverged nets have; an empty or `NA` one was not measured."""
    if not our.endswith("loss") or not np.isfinite(values).any():
        return np.zeros(len(values), bool)
    return np.array([text.lower().lstrip("+-") == "nan" for text in texts])


def _check(our: str, values: np.ndarray, what: str) -> None:
    """Raises ValueError where a column that has a meaning for every zoo has values that it cannot have."""
    numbers, known = values.dtype.kind != "O", set(np.unique(values).tolist())
    if our.endswith("accuracy") and numbers and (wrong := [value for value in known if value < 0 or value > 1]):
        raise ValueError(f"{what} is an accuracy, from 0 to 1, found {max(wrong):g}; if it is in percent, see percent=")
    if our == "diverged" and not known <= {0, 1}:
        raise ValueError(f"{what} must be 0 or 1")
    if our == "lineage" and (values.dtype.kind == "f" or any(kind(str(value)) == "missing" for value in known)):
        raise ValueError(f"{what} must name the lineage of every net, by a whole number or a word")


def _splits(table: Table, column: str, texts: list[str]) -> list[str]:
    """The splits that these words mean. Raises ValueError where one means none."""
    if wrong := sorted({*texts} - {*SPLIT_WORDS}):
        few = ", ".join(map(repr, wrong[:FEW]))
        raise ValueError(f"{table.path}: column {column} must be one of {', '.join(SPLIT_WORDS)}, found {few}")
    return [SPLIT_WORDS[text] for text in texts]


def _about(table: Table, names: dict[str, str], read: dict[str, Column], parts: dict[str, str]) -> dict[str, dict[str, str]]:
    """What each column is, by what it is to metanets; the split and `diverged` are in every zoo."""
    about: dict[str, dict[str, str]] = {"hyper_parameters": {}, "targets": {}, "columns": {}}
    for column, our in names.items():
        if our not in ("split", "diverged"):
            text = f"column {column} of {table.path.name}" + ", divided by 100" * read[column].percent
            about[parts[column]][our] = plain_line(text)
    return about


def _torn(lineages: np.ndarray, splits: np.ndarray) -> Any:
    """A lineage that has nets in more than one split."""
    counts = pd.Series(splits).groupby(lineages).nunique()
    return counts.index[counts > 1][0] if (counts > 1).any() else None
