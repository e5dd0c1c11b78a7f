"""Connectivity reports: what `metazoo connect` found of a zoo, kept beside its records for the page."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from benchmark.analyses.reports import value_of
from benchmark.records.records import STRICT, Name, ZooReference
from benchmark.statistics.intervals import interval_of, resampled
from zoo.landscape.connect import BARRIERS, Connected, Settings
from zoo.landscape.paths import MOST_POINTS
from zoo.storage import files
from zoo.untrusted.schema import validated

FILE = "connect.json"  # in a zoo's folder of the results
SCHEMA: Literal["metazoo-connect-1"] = "metazoo-connect-1"
Nats = Annotated[float, Field(ge=-1e9, le=1e9)]  # of a loss: beyond, no picture can be drawn
Line = Annotated[list[Nats], Field(min_length=3, max_length=MOST_POINTS)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Barrier:
    """The mean over pairs, and its 95% interval; resamples draw nets, since pairs share them. None: only one pair."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, config=STRICT)
class Row:
    """What was found with this removed: barriers as in `zoo.landscape.connect.MEANINGS`, the ends' mean accuracy, and the
    mean and standard deviation over pairs of the test loss at evenly spaced points of the line, nats."""

    remove: Literal["none", "permutation", "scale", "scale+permutation"]
    pairs: Annotated[int, Field(ge=1)]
    nets: Annotated[int, Field(ge=2)]
    barriers: dict[Name, Barrier]
    accuracy: Share
    loss: Line
    loss_sd: Line

    @model_validator(mode="after")
    def _alike(self) -> "Row":
        if len(self.loss) != len(self.loss_sd):
            raise ValueError(f"{len(self.loss)} points of loss and {len(self.loss_sd)} of loss_sd; expected as many")
        return self


@dataclass(frozen=True, config=STRICT)
class Report:
    """The barriers between nets of a zoo; `images` test images were used, permutations found `by` weights or activations."""

    schema: Literal["metazoo-connect-1"]
    zoo: ZooReference
    command: str
    images: Annotated[int, Field(ge=1)]
    by: Literal["weights", "activations"]
    rows: Annotated[list[Row], Field(min_length=1)]


_REPORT = TypeAdapter(Report).validate_json


def report(zoo: ZooReference, found: Connected, settings: Settings, command: str) -> Report:
    """What was found, as it is kept."""
    rows = [_row(found, str(what)) for what in found.curves]
    return Report(SCHEMA, zoo, command, settings.images, settings.by, rows)


def _row(found: Connected, what: str) -> Row:
    part, curves = found.frame[found.frame["remove"] == what], found.curves[what]
    ends = part[["i", "j"]].to_numpy()
    return Row(
        remove=what,  # type: ignore[arg-type]
        pairs=len(part),
        nets=len(np.unique(ends)),
        barriers={name: _barrier(part[name].to_numpy(), ends) for name in BARRIERS},
        accuracy=float(curves.accuracy[:, [0, -1]].mean()),
        loss=curves.loss.mean(axis=0).tolist(),
        loss_sd=curves.loss.std(axis=0).tolist(),
    )


def _barrier(values: np.ndarray, ends: np.ndarray) -> Barrier:
    if len(values) < 2:
        return Barrier(float(values.mean()), None, None)
    table = resampled(values, values[None], lambda _, drawn: float(drawn.mean()), ends=ends)
    sure = interval_of(table)
    return Barrier(sure.value, sure.low, sure.high)


def keep(results: Path, made: Report) -> Path:
    """Writes a report to the results' folder; returns the path."""
    path = results / made.zoo.label() / FILE
    files.write_json(path, asdict(made), below=results)
    return path


def read(path: Path, *, below: Path | None = None) -> Report:
    """A report from a file that may be hostile; `below` as in `records.stored`.

    Raises ValueError naming the file and the fields at fault.
    """
    return validated(path, _REPORT, value_of(path, below))
