"""Records: one JSON file for each (zoo, target, metanet, seed), with its predictions beside it as Parquet."""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from zoo import files

SCHEMA = "metazoo-record-1"


@dataclass(frozen=True)
class Record:
    """One result. Aggregates over records are always derived, never stored.

    `task`: zoo (name, manifest_sha256), target, inputs, and the nets of each split. `metanet`: name, floor, parameters
    (None: not counted). `chosen`: what was chosen on validation, `tuned`: over which grid and with which seed.
    `validation` and `test`: metric -> score. `predictions`: file (beside the record) and sha256.
    """

    schema: str
    task: dict[str, Any]
    metanet: dict[str, Any]
    seed: int
    tuned: dict[str, Any]
    chosen: dict[str, Any]
    validation: dict[str, float]
    test: dict[str, float]
    constant_prediction: bool
    predictions: dict[str, str]
    command: str
    seconds: float
    date: str
    environment: dict[str, Any]

    def label(self) -> str:
        """The zoo's label."""
        return label(self.task["zoo"], self.task["manifest_sha256"])


def label(zoo: str, manifest_sha256: str) -> str:
    """A zoo's name, with the beginning of its manifest's hash: two zoos of one name stay apart."""
    return f"{zoo}-{manifest_sha256[:8]}"


def path_of(folder: Path, *, zoo: str, target: str, metanet: str, seed: int) -> Path:
    """Where a record lies under the results' folder; `zoo` as `label` gives it."""
    return folder / zoo / target / metanet / f"seed-{seed}.json"


def write(path: Path, record: Record, predictions: pd.DataFrame) -> None:
    """Writes predictions (index, split, prediction), then the record with their SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    memory = io.BytesIO()
    predictions.to_parquet(memory, index=False)
    data = memory.getvalue()
    file = path.with_suffix(".parquet")
    files.write(file, data)
    value = asdict(record) | {"predictions": {"file": file.name, "sha256": files.hash_of(data)}}
    files.write_json(path, value)


def read(path: Path) -> Record:
    """One record. Raises ValueError where the file is no record of this schema or has fields missing or in excess."""
    value = files.read_json(path)
    if value.get("schema") != SCHEMA:
        raise ValueError(f"{path}: record schema {value.get('schema')!r}, this release reads {SCHEMA!r}")
    fields = Record.__dataclass_fields__
    if value.keys() != fields.keys():
        differing = sorted(value.keys() ^ fields.keys())
        raise ValueError(f"{path} is no whole record: fields missing or unknown: {', '.join(differing)}")
    return Record(**value)


def read_predictions(path: Path, record: Record) -> pd.DataFrame:
    """A record's predictions, their SHA-256 checked. Raises ValueError on a mismatch."""
    name = record.predictions["file"]
    if Path(name).name != name:
        raise ValueError(f"{path}: the predictions' file is {name!r}; expected a name beside the record")
    if files.sha256(path.with_name(name)) != record.predictions["sha256"]:
        raise ValueError(f"{path.with_name(name)} is not the file that {path.name} was written with")
    return pd.read_parquet(path.with_name(name))


def read_all(folder: Path) -> list[Record]:
    """All records under a folder, in order of their paths. Raises FileNotFoundError where there is none."""
    paths = sorted(folder.glob("**/seed-*.json"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no records there; `metazoo score` writes them")
    return [read(path) for path in paths]


def to_json(records: list[Record]) -> str:
    """The records as a JSON list."""
    return json.dumps([asdict(record) for record in records], indent=1)
