"""Records: one JSON file for each (task, metanet, seed), with its predictions beside it as Parquet.

The format is `record.schema.json`, a JSON Schema that is derived from the classes here. Records may come from strangers:
all that is read here is bounded, and no link is followed.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from benchmark.records.predictions import PREDICTIONS_BYTES, from_parquet, to_parquet
from zoo.storage import files
from zoo.untrusted.files import read_bytes
from zoo.untrusted.json import read_json, strict_json

_Loaded = TypeVar("_Loaded")
SCHEMA: Literal["metazoo-record-2"] = "metazoo-record-2"
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
RECORD_BYTES = 10**6  # at most, in a file
SUBMISSION = "submission.json"  # beside records: who submitted them, see `benchmark.submissions.submission`
TEST_READ: Literal["once, after all choices"] = "once, after all choices"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0)]


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
    """What is predicted, from what, fitted on which nets and tested on which.

    `zoo` has the nets of training and validation, `test_zoo` those of the test. With `shift`, a hyper-parameter, nets up to
    the median of the training nets are fitted on, and nets beyond it tested on. With `train_nets`, only so many are fitted
    on, and half as many validated on. `nets` counts those used of each split, `diverged_left_out` those that cannot be.
    """

    target: Name
    inputs: Literal["trained", "all"]
    zoo: ZooReference
    test_zoo: ZooReference
    shift: Name | None
    train_nets: Count | None
    nets: dict[Literal["train", "validation", "test"], Count]
    diverged_left_out: Count

    def name(self) -> str:
        """The task's flat name: the target, and what sets it apart from the plain task of its test zoo."""
        parts = [
            self.target,
            *["inputs=all"] * (self.inputs == "all"),
            *[f"shift={self.shift}"] * (self.shift is not None),
            *[f"nets={self.train_nets}"] * (self.train_nets is not None),
            *[f"from={self.zoo.label()}"] * (self.zoo != self.test_zoo),
        ]
        return ",".join(parts)


@dataclass(frozen=True, config=STRICT)
class Method:
    """Which metanet: its name in METANETS or `package.module:NAME`, its version, and how many parameters it trains."""

    name: Name
    version: Count
    floor: bool
    parameters: Count | None  # None: not counted


@dataclass(frozen=True, config=STRICT)
class PredictionsFile:
    """The Parquet file beside the record: index, split, target, prediction; a row for each validation and test net."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.parquet$")]
    sha256: Sha256


@dataclass(frozen=True, config=STRICT)
class Record:
    """One result. Aggregates over records are always derived, never stored.

    `tuned`: what was tuned on validation, over which grid and with which seed; `chosen`: what came out. `validation` and
    `test`: metric -> score. `test_split`: how the test nets were used.
    """

    schema: Literal["metazoo-record-2"]
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
    seconds: float
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    environment: dict[str, Any]


_ADAPTER = TypeAdapter(Record)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a record, as it is published in `record.schema.json`."""
    return {"$id": SCHEMA, **_ADAPTER.json_schema()}


def path_of(folder: Path, task: Task, metanet: str, seed: int) -> Path:
    """Where a record lies under the results' folder."""
    return folder / task.test_zoo.label() / task.name() / metanet.replace(":", ".") / f"seed-{seed}.json"


def predictions_file(path: Path, predictions: pd.DataFrame) -> tuple[PredictionsFile, bytes]:
    """The reference to the predictions of the record at `path`, and the bytes of their file."""
    data = to_parquet(predictions)
    return PredictionsFile(file=path.with_suffix(".parquet").name, sha256=files.hash_of(data)), data


def write(path: Path, record: Record, predictions: bytes, *, below: Path | None = None) -> None:
    """Writes the predictions, then the record; no link below the results' folder `below` is followed."""
    below = below or path.parent
    files.write(path.with_name(record.predictions.file), predictions, below=below)
    files.write_json(path, asdict(record), below=below)


def read(path: Path) -> Record:
    """One record. Raises ValueError that names the file and the fields at fault where it is none of this schema."""
    return parse(path, read_bytes(path, RECORD_BYTES, below=path.parent))


def parse(path: Path, data: bytes) -> Record:
    """The record that these bytes of the file at `path` are. Raises as `read` does."""
    value = strict_json(path, data, controls=True)
    if value.get("schema") != SCHEMA:
        raise ValueError(f"{path}: record schema {value.get('schema')!r}, this release reads {SCHEMA!r}")
    return validated(path, _ADAPTER.validate_json, value)


def validated(path: Path, validate: Callable[..., _Loaded], value: dict[str, Any]) -> _Loaded:
    """The value as `validate`, a TypeAdapter's `validate_json`, has it. Raises ValueError naming the fields at fault."""
    try:
        return validate(json.dumps(value))
    except RecursionError:
        raise ValueError(f"{path} is damaged: nested too deeply") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()[:5])
        raise ValueError(f"{path} does not fit its schema: {faults}") from None


def read_predictions(path: Path, record: Record) -> pd.DataFrame:
    """A record's predictions. Raises ValueError where they are not those that it was written with, or no predictions."""
    return parse_predictions(path, record, predictions_bytes(path, record))


def predictions_bytes(path: Path, record: Record) -> bytes:
    """The bytes of a record's predictions, their SHA-256 checked. Raises ValueError on a mismatch."""
    file = path.with_name(record.predictions.file)
    data = read_bytes(file, PREDICTIONS_BYTES, below=path.parent)
    if files.hash_of(data) != record.predictions.sha256:
        raise ValueError(f"{file} is not the file that {path.name} was written with")
    return data


def parse_predictions(path: Path, record: Record, data: bytes) -> pd.DataFrame:
    """The predictions that these bytes are. Raises ValueError where they are none of the record's nets."""
    counts = {split: record.task.nets.get(split, 0) for split in ("validation", "test")}
    return from_parquet(path.with_name(record.predictions.file), data, counts)


def stem(name: str) -> str:
    """The name of a metanet's folder without the number of a correction."""
    return re.sub(r"(?<=.)\.[0-9]+$", "", name)


def corrects(folder: Path, name: str) -> bool:
    """Whether this folder, METANET.2 and so on, can correct the one of that name beside it: METANET, or an earlier one."""
    metanet = stem(folder.name)
    if metanet == folder.name or stem(name) != metanet:
        return False
    return name == metanet or 2 <= int(name[len(metanet) + 1 :]) < int(folder.name[len(metanet) + 1 :])


def superseded(folder: Path) -> set[Path]:
    """The folders that a submission beside them corrects. Raises ValueError where a submission is no JSON object.

    Of another metanet's folder, or its own, a submission takes nothing away, whatever it says.
    """
    found = set()
    for path in folder.glob(f"**/{SUBMISSION}"):
        name = read_json(path, below=path.parent, most=RECORD_BYTES, controls=True).get("supersedes")
        if isinstance(name, str) and corrects(path.parent, name):
            found.add(path.parent.with_name(name))
    return found


def is_unfinished(folder: Path) -> bool:
    """Whether a folder of records is a correction, `<metanet>.2` and so on, whose submission was not written to its end."""
    return re.fullmatch(r".+\.\d+", folder.name) is not None and not (folder / SUBMISSION).exists()


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
