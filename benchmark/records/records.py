"""Records: one JSON file for each (task, metanet, seed), with its predictions beside it as Parquet.

The format is `record.schema.json`, a JSON Schema that is derived from the classes here. Records of the version before are
read too, in the words of this one; only this one is written. Records may come from strangers: all that is read here is
bounded, and no link is followed.
"""

from dataclasses import asdict, field
from dataclasses import dataclass as plain_dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from benchmark.records import version_2
from benchmark.records.corrections import folder_of, is_unfinished, superseded
from benchmark.records.facts import Facts
from benchmark.records.predictions import PREDICTIONS_BYTES, from_parquet, to_parquet
from zoo.storage import files
from zoo.untrusted.files import read_bytes
from zoo.untrusted.json import strict_json
from zoo.untrusted.schema import validated

SCHEMA: Literal["metazoo-record-3"] = "metazoo-record-3"
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
RECORD_BYTES = 10**6  # at most, in a file
TEST_READ: Literal["once, after all choices"] = "once, after all choices"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0)]
Nets = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=10**9)]  # 0: less than is counted; at most, thirty years


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_day)]


@dataclass(frozen=True, config=STRICT)
class ZooReference:
    """Which zoo: its name, its family, and the SHA-256 of its manifest, which identifies its content.

    `source` is where it was fetched from, with the revision: a help to find it, and no part of what it is.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    family: Name
    manifest_sha256: Sha256
    source: Annotated[str, Field(max_length=500)] | None = field(default=None, compare=False)

    def label(self) -> str:
        """The name with the beginning of the manifest's hash: two zoos of one name stay apart."""
        return f"{self.name}-{self.manifest_sha256[:8]}"


@dataclass(frozen=True, config=STRICT)
class Task:
    """What is predicted, from what. `zoo` has the nets of training and validation, `test_zoo` those of the test.

    With `shift`, a hyper-parameter, nets up to the median of the training nets are fitted on, and nets beyond it tested on.
    With `train_nets`, only so many are fitted on, and half as many validated on. `nets` counts those used of each split,
    `diverged_left_out` those that cannot be: they diverged, or a derived column has no number for them. `derived`: each
    column used that an analysis added to the zoo -> the SHA-256 of its file; that of another zoo that is tested on by
    `COLUMN of ZOO`. With `pairs`, the examples are so many pairs of nets, each of one split, and `nets` counts the pairs.
    `facts` are the test zoo's; None: not said.
    """

    target: Name
    inputs: Literal["trained", "all"]
    zoo: ZooReference
    test_zoo: ZooReference
    shift: Name | None
    train_nets: Nets | None
    nets: Annotated[dict[Literal["train", "validation", "test"], Nets], Field(min_length=3)]  # of each split
    diverged_left_out: Count
    derived: dict[Name, Sha256] | None = None
    pairs: Nets | None = None
    facts: Facts | None = field(default=None, compare=False)

    def name(self) -> str:
        """The task's flat name: the target, and what sets it apart from the plain task of its test zoo."""
        parts = [
            self.target,
            *["inputs=all"] * (self.inputs == "all"),
            *[f"shift={self.shift}"] * (self.shift is not None),
            *[f"nets={self.train_nets}"] * (self.train_nets is not None),
            *[f"pairs={self.pairs}"] * (self.pairs is not None),
            *[f"from={self.zoo.label()}"] * (self.zoo != self.test_zoo),
        ]
        return ",".join(parts)


@dataclass(frozen=True, config=STRICT)
class Code:
    """The file that defines a user's own metanet: its name, and the SHA-256 of its bytes when it was scored."""

    file: Name
    sha256: Sha256


@dataclass(frozen=True, config=STRICT)
class Method:
    """Which metanet: its name in METANETS or `package.module:NAME`, its version, and how many parameters it trains.

    `baseline`: whether it is a control of the suite, that any metanet must beat. `reads`: the kind of inputs that it is
    given, such as vector, statistics or tensors. `code`: for a user's own, the file that defines it.
    """

    name: Name
    version: Count
    baseline: bool
    parameters: Count | None  # None: not counted
    reads: Name | None = None  # None: not said
    code: Code | None = None  # None: not said, or the suite's own


@dataclass(frozen=True, config=STRICT)
class Software:
    """The metazoo that scored: its version, and its commit where it ran from a checkout."""

    version: Name
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None


@dataclass(frozen=True, config=STRICT)
class PredictionsFile:
    """The Parquet file beside the record: index (of pairs i, j), split, target, prediction of validation and test nets."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.parquet$")]
    sha256: Sha256


@dataclass(frozen=True, config=STRICT)
class Record:
    """One result. Aggregates over records are always derived, never stored.

    `tuned`: what was tuned on validation, over which grid and with which seed; `chosen`: what came out. `validation` and
    `test`: metric -> score. `test_split`: how the test nets were used; `enforced`: whether the process that fitted had
    neither their targets nor the zoo's folder. `augment`: the symmetries that training nets were moved by. `cost`: what a
    net's prediction took, by name, such as multiply_adds or ms_per_net. `metazoo`: which release scored.
    """

    schema: Literal["metazoo-record-3"]
    task: Task
    metanet: Method
    seed: Count
    tuned: dict[str, Any]
    chosen: dict[str, Any]
    validation: dict[str, float]
    test: dict[str, float]
    test_split: Literal["once, after all choices"]
    constant_prediction: bool
    predictions: PredictionsFile
    command: str
    seconds: Seconds  # of fitting
    date: Day
    environment: dict[str, Any]
    augment: list[Name] = field(default_factory=list)
    enforced: bool | None = None  # None: not said
    cost: dict[Name, Amount] | None = None  # None: not measured
    metazoo: Software | None = None  # None: not said


_ADAPTER = TypeAdapter(Record)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a record, as it is published in `record.schema.json`."""
    return {"$id": SCHEMA, **_ADAPTER.json_schema()}


def path_of(folder: Path, task: Task, metanet: str, seed: int) -> Path:
    """Where a record lies under the results' folder."""
    return folder / task.test_zoo.label() / task.name() / folder_of(metanet) / f"seed-{seed}.json"


def predictions_file(path: Path, predictions: pd.DataFrame) -> tuple[PredictionsFile, bytes]:
    """The reference to the predictions of the record at `path`, and the bytes of their file."""
    data = to_parquet(predictions)
    return PredictionsFile(file=path.with_suffix(".parquet").name, sha256=files.hash_of(data)), data


def write(path: Path, record: Record, predictions: bytes, *, below: Path | None = None) -> None:
    """Writes the predictions, then the record; no link between `below`, its own folder by default, and it is followed."""
    below = below or path.parent
    files.write(path.with_name(record.predictions.file), predictions, below=below)
    files.write_json(path, asdict(record), below=below)


@plain_dataclass(frozen=True)
class Stored:
    """A record as it was read, once: with the bytes of its file, and its predictions, read when they are first asked for.

    No link is followed below the folder `below`.
    """

    path: Path
    below: Path
    record: Record
    data: bytes

    @cached_property
    def predictions(self) -> bytes:
        """The bytes of its file of predictions. Raises ValueError where they are not those it was written with."""
        return _predictions(self.path, self.record, self.below)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Its predictions, a row a net. Raises ValueError where they are none of the record's nets."""
        return _parsed(self.path, self.record, self.predictions)


def stored(path: Path, *, below: Path | None = None) -> Stored:
    """One record. Raises ValueError that names the file and the fields at fault where it is none that is read here.

    `below` is the folder from which on no link is followed; None: its own.
    """
    below = below or path.parent
    data = read_bytes(path, RECORD_BYTES, below=below)
    return Stored(path, below, parse(path, data), data)


def load(folder: Path) -> list[Stored]:
    """All records under a folder that count, in the order of their paths, each file read once.

    Raises FileNotFoundError where there is none, and ValueError naming the first that cannot be read.
    """
    return [stored(path, below=folder) for path in paths(folder)]


def read(path: Path, *, below: Path | None = None) -> Record:
    """One record alone. Raises as `stored` does."""
    return stored(path, below=below).record


def parse(path: Path, data: bytes) -> Record:
    """The record that these bytes of the file at `path` are. Raises as `stored` does."""
    value = strict_json(path, data, controls=True)
    if value.get("schema") == version_2.SCHEMA:
        value = version_2.upgraded(path, value, SCHEMA)
    elif value.get("schema") != SCHEMA:
        expected = f"{version_2.SCHEMA!r} and {SCHEMA!r}"
        raise ValueError(f"{path}: record schema {value.get('schema')!r}, this release reads {expected}")
    return validated(path, _ADAPTER.validate_json, value)


def read_predictions(path: Path, record: Record) -> pd.DataFrame:
    """A record's predictions. Raises ValueError where they are not those that it was written with, or no predictions."""
    return _parsed(path, record, _predictions(path, record, path.parent))


def _predictions(path: Path, record: Record, below: Path) -> bytes:
    file = path.with_name(record.predictions.file)
    data = read_bytes(file, PREDICTIONS_BYTES, below=below)
    if files.hash_of(data) != record.predictions.sha256:
        raise ValueError(f"{file} is not the file that {path.name} was written with")
    return data


def _parsed(path: Path, record: Record, data: bytes) -> pd.DataFrame:
    counts = {str(split): count for split, count in record.task.nets.items()}
    return from_parquet(path.with_name(record.predictions.file), data, counts, pairs=record.task.pairs is not None)


def paths(folder: Path) -> list[Path]:
    """The paths of all records under a folder that count, in order: not those superseded, nor those of half a correction.

    Raises FileNotFoundError where there is none, ValueError as `superseded` does.
    """
    gone = superseded(folder)
    found = sorted(
        path for path in folder.glob("**/seed-*.json") if path.parent not in gone and not is_unfinished(path.parent)
    )
    if not found:
        raise FileNotFoundError(f"{folder}: no records there; `metazoo score` writes them")
    return found
