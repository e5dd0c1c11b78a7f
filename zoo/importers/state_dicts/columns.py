"""The columns of a table of nets under our names: hyper-parameters, targets, lineage, split; and which nets diverged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.importers.source_zoo import BY_HASH, LARGEST, split_by_lineage
from zoo.messages import is_column, plain_column, plain_line, unknown
from zoo.spec.columns import SPLITS

ALIASES = {  # other names of columns -> ours, which mean the same
    "lr": "learning_rate",
    "wd": "weight_decay",
    "test_acc": "test_accuracy",
    "train_acc": "train_accuracy",
    "val_acc": "validation_accuracy",
    "val_accuracy": "validation_accuracy",
    "val_loss": "validation_loss",
    "generalization_gap": "generalisation_gap",
    "index": "source_index",
    "unnamed_0": "source_index",  # what pandas calls a first column without a name
}
NO_FEATURES = ("file", "split", "lineage", "diverged")  # columns that have another meaning
NO_TARGETS = (*NO_FEATURES, "source_index", "seed", "id")  # unless the option names them
RESERVED = ("weights", "trajectory")  # columns that every zoo, or none, has
FEW = 3  # words that a message gives of many


@dataclass(frozen=True)
class Choice:
    """What the options say of the table's columns, by their names there; no lineage and no split are empty."""

    csv: Path
    hyper_parameters: tuple[str, ...]
    targets: tuple[str, ...]
    percent: tuple[str, ...]
    lineage: str
    split: str

    @property
    def rule(self) -> str:
        """How the splits come about, in words."""
        if self.split:
            return plain_line(f"column {self.split} of {self.csv.name}")
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
    csv: Path, rows: pd.DataFrame, *, hyper_parameters: str, targets: str, percent: str, lineage: str, split: str
) -> Choice:
    """The columns that the options name. Raises ValueError naming the option and what the table lacks."""
    several = {"hyper_parameters": hyper_parameters, "targets": targets, "percent": percent}
    listed = {option: _listed(csv, rows, option, text) for option, text in several.items()}
    return Choice(csv, **listed, lineage=_one(csv, rows, "lineage", lineage), split=_one(csv, rows, "split", split))


def _listed(csv: Path, rows: pd.DataFrame, option: str, text: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in found:
        if name not in rows:
            raise ValueError(f"{csv}: {option}: {unknown('column', name, map(str, rows.columns))}")
    return found


def _one(csv: Path, rows: pd.DataFrame, option: str, text: str) -> str:
    """The column that the option names, or the one of the option's own name."""
    if not text:
        return option if option in rows else ""
    found = _listed(csv, rows, option, text)
    if len(found) != 1:
        raise ValueError(f"{option} is one column, found {text!r}")
    return found[0]


def columns(rows: pd.DataFrame, choice: Choice) -> Columns:
    """The table in our names and types. Raises ValueError naming the column at fault."""
    names = _names(rows, choice)
    frame, diverged, notes = _converted(rows, names, choice)
    about = _about(frame, names, choice)
    if not about["targets"]:
        raise ValueError(f"{choice.csv}: no column of numbers to predict; name some with targets=COLUMN,COLUMN")
    if "split" not in frame:
        frame["split"] = split_by_lineage(frame["lineage" if choice.lineage else "file"].tolist())
    elif choice.lineage and (torn := _torn(frame["lineage"], frame["split"])) is not None:
        raise ValueError(f"{choice.csv}: lineage {torn} is in more than one split; its nets are not independent")
    text = tuple(our for our, values in frame.items() if values.dtype.kind == "O" and our != "split")
    return Columns(pd.DataFrame({**frame, "diverged": diverged}), **about, text=text, notes=tuple(notes))


def _names(rows: pd.DataFrame, choice: Choice) -> dict[str, str]:
    """Our name of each column of the table."""
    csv, features = choice.csv, (*choice.hyper_parameters, *choice.targets)
    if both := {*choice.hyper_parameters} & {*choice.targets}:
        raise ValueError(f"{csv}: column {min(both)} cannot be a hyper-parameter and a target")
    if choice.lineage and choice.lineage == choice.split:
        raise ValueError(f"{csv}: column {choice.split} cannot be the lineage and the split")
    given = {choice.lineage: "lineage", choice.split: "split"}
    names: dict[str, str] = {}
    for column in rows.columns:
        plain = plain_column(str(column))
        our = given.get(column, ALIASES.get(plain, plain))
        if not is_column(our) or our in RESERVED or our.startswith("trajectory_"):
            raise ValueError(f"{csv}: column {column!r} cannot be named {our!r} in a zoo; rename it in the table")
        if our in names.values():
            raise ValueError(f"{csv}: two columns are {our}, one of them {column!r}; rename one in the table")
        names[column] = our
    for column in features:
        if names[column] in NO_FEATURES:
            raise ValueError(f"{csv}: column {column} is the {names[column]}, no hyper-parameter and no target")
    return names


def _converted(
    rows: pd.DataFrame, names: dict[str, str], choice: Choice
) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """The values by our names, but those of `diverged`; which nets that and infinite values mark; what is worth saying."""
    frame: dict[str, np.ndarray] = {}
    diverged, notes = np.zeros(len(rows), bool), []
    for column, our in names.items():
        what = f"{choice.csv}: column {column}"
        values = _values(rows[column], what, words=column not in {*choice.targets, *choice.percent})
        if values.dtype.kind == "f" and (infinite := np.isinf(values)).any():
            notes.append(f"{infinite.sum():,} nets have an infinite {our}: the value is missing, the net marked diverged")
            values, diverged = np.where(infinite, np.nan, values), diverged | infinite
        values = values / 100 if column in choice.percent else values
        _check(our, values, what)
        if our == "diverged":
            diverged |= values.astype(bool)
        else:
            frame[our] = values
    return frame, diverged, notes


def _values(column: pd.Series, what: str, *, words: bool) -> np.ndarray:
    """Whole numbers, other numbers as float32 can hold them, or words where those are allowed."""
    if column.dtype.kind == "u" and (column >= 2**63).any():  # beyond int64, as seeds and hashes of 64 bits are
        column = column.astype(str if words else np.float64)
    if column.dtype.kind in "biu":
        return column.to_numpy(np.int64)
    if column.dtype.kind == "f":
        values = column.to_numpy(np.float64)
        return np.where(np.abs(values) > LARGEST, np.copysign(np.inf, values), values)
    if not words:
        wrong = column[pd.to_numeric(column, errors="coerce").isna()]
        raise ValueError(f"{what} must be numbers, found {wrong.iloc[0] if len(wrong) else column.iloc[0]!r}")
    return column.astype(str).to_numpy(object)


def _check(our: str, values: np.ndarray, what: str) -> None:
    """Raises ValueError where a column that has a meaning for every zoo has values that it cannot have."""
    numbers, known = values.dtype.kind != "O", set(np.unique(values).tolist())
    if our.endswith("accuracy") and numbers and (wrong := [value for value in known if value < 0 or value > 1]):
        raise ValueError(f"{what} is an accuracy, from 0 to 1, found {max(wrong):g}; if it is in percent, see percent=")
    if our == "diverged" and not known <= {0, 1}:
        raise ValueError(f"{what} must be 0 or 1")
    if our == "split" and not known <= {*SPLITS}:
        raise ValueError(
            f"{what} must be one of {', '.join(SPLITS)}, found {', '.join(map(repr, sorted(known - {*SPLITS})[:FEW]))}"
        )
    if our == "lineage" and (values.dtype.kind == "f" or "" in known):
        raise ValueError(f"{what} must name the lineage of every net, by a whole number or a word")


def _about(frame: dict[str, np.ndarray], names: dict[str, str], choice: Choice) -> dict[str, dict[str, str]]:
    """What each column is, by what it is to metanets; the split and `diverged` are in every zoo."""
    about: dict[str, dict[str, str]] = {"hyper_parameters": {}, "targets": {}, "columns": {}}
    for column, our in names.items():
        if our in ("split", "diverged"):
            continue
        default = not choice.targets and frame[our].dtype.kind != "O" and our not in NO_TARGETS
        target = column in choice.targets or default
        part = "hyper_parameters" if column in choice.hyper_parameters else "targets" if target else "columns"
        text = f"column {column} of {choice.csv.name}" + ", divided by 100" * (column in choice.percent)
        about[part][our] = plain_line(text)
    return about


def _torn(lineages: np.ndarray, splits: np.ndarray) -> Any:
    """A lineage that has nets in more than one split."""
    counts = pd.Series(splits).groupby(lineages).nunique()
    return counts.index[counts > 1][0] if (counts > 1).any() else None
