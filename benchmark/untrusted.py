"""Submissions, and records, read from files that may be hostile.

Sizes are looked at before contents, links are not followed, and what cannot be read is a ValueError that names the file.
"""

import json
import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
import pyarrow
import pyarrow.parquet
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as strict_dataclass

from benchmark import records
from benchmark.records import PREDICTIONS_BYTES, RECORD_BYTES, STRICT, SUBMISSION, Record, Sha256
from zoo import files

VERIFICATION = "verification.json"  # beside a submission: what maintainers found
MOST_ROWS = 2_000_000  # of predictions: what fits in PREDICTIONS_BYTES several times over
COLUMNS = {"index": ("int64",), "split": ("string", "large_string"), "target": ("double",), "prediction": ("double",)}
_Loaded = TypeVar("_Loaded")


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _text(longest: int) -> Any:
    """A text without control characters but tab and line breaks, so that it cannot steer a terminal."""
    return Field(min_length=1, max_length=longest, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")


Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_day)]
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$")]
Tier = Literal["self-reported", "verified", "reproduced"]


@strict_dataclass(frozen=True, config=STRICT)
class Submission:
    """Who submits, from which code, and what for the numbers do not say: `submission.json`, beside the records.

    `external_data` says whether anything but the zoo was learned from, or what. `supersedes` is the name of the folder
    beside this one that it corrects. The tier is always the lowest: a higher one is a maintainer's to give.
    """

    schema: Literal["metazoo-submission-1"]
    code_url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9][^\s<>\"'@\\]{0,499}$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    contact: Annotated[str, _text(200)]
    citation: Annotated[str, _text(5000)]  # free text or BibTeX
    hardware: Annotated[str, _text(500)]
    external_data: bool | Annotated[str, _text(1000)]
    tier: Literal["self-reported"]
    supersedes: FolderName | None
    submitted: Day


@strict_dataclass(frozen=True, config=STRICT)
class Verification:
    """What a maintainer found: `verification.json`, beside a submission. `records`: file -> its SHA-256 when that was."""

    schema: Literal["metazoo-verification-1"]
    tier: Literal["verified", "reproduced"]
    by: Annotated[str, _text(200)]
    date: Day
    records: dict[Annotated[str, Field(pattern=r"^seed-\d+\.json$")], Sha256]
    note: Annotated[str, Field(max_length=5000)]


@dataclass(frozen=True)
class Found:
    """A record that could be read, with its predictions; and the bytes of both files, as they were checked."""

    path: Path
    record: Record
    frame: pd.DataFrame
    data: bytes
    predictions: bytes


_SUBMISSION, _VERIFICATION = TypeAdapter(Submission).validate_json, TypeAdapter(Verification).validate_json


def submission(**fields: object) -> Submission:
    """A submission of these fields, for today unless they say otherwise. Raises ValueError naming the fields at fault."""
    plain = {
        "schema": "metazoo-submission-1",
        "hardware": "not given",
        "external_data": False,
        "tier": "self-reported",
        "supersedes": None,
        "submitted": date.today().isoformat(),
    }
    return validated(Path(SUBMISSION), _SUBMISSION, plain | fields)


def read_bytes(path: Path, most: int) -> bytes:
    """A file's bytes. Raises ValueError where it is a link, no plain file, cannot be read, or has more than `most` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; expected a plain file, and links are not followed") from None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{path} is no plain file")
        if about.st_size > most:
            raise ValueError(f"{path} has {about.st_size:,} bytes; such a file has {most:,} at most")
        return file.read(most)


def read_json(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON object in these bytes of the file at `path`. Raises ValueError naming it on anything else.

    Stricter than `json.loads`: a name twice in an object, NaN and numbers beyond a float's range are refused.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite, parse_int=_digits
        )
    except RecursionError:
        raise ValueError(f"{path} is damaged: not JSON that can be read, nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, found {type(value).__name__}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def _digits(text: str) -> int:
    if len(text) > 20:  # beyond 64 bits, which nothing here counts
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def validated(path: Path, validate: Callable[..., _Loaded], value: dict[str, Any]) -> _Loaded:
    """The value as `validate`, a TypeAdapter's `validate_json`, has it. Raises ValueError naming the fields at fault."""
    try:
        return validate(json.dumps(value))
    except RecursionError:
        raise ValueError(f"{path} is damaged: nested too deeply") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()[:5])
        raise ValueError(f"{path} does not fit its schema: {faults}") from None


def read_submission(path: Path) -> Submission:
    """A `submission.json`. Raises ValueError that names the file and the fields at fault."""
    return validated(path, _SUBMISSION, read_json(path, read_bytes(path, RECORD_BYTES)))


def read_verification(path: Path) -> Verification:
    """A `verification.json`. Raises as `read_submission` does."""
    return validated(path, _VERIFICATION, read_json(path, read_bytes(path, RECORD_BYTES)))


def read(path: Path) -> Found:
    """A record and its predictions from files that may be hostile. Raises ValueError naming the file."""
    data = read_bytes(path, RECORD_BYTES)
    try:
        record = records.parse(path, read_json(path, data))
    except RecursionError:
        raise ValueError(f"{path} is damaged: nested too deeply") from None
    file = path.with_name(record.predictions.file)
    predictions = read_bytes(file, PREDICTIONS_BYTES)
    if files.hash_of(predictions) != record.predictions.sha256:
        raise ValueError(f"{file} is not the file that {path.name} was written with")
    counts = {split: record.task.nets.get(split, 0) for split in ("validation", "test")}
    return Found(path, record, _frame(file, predictions, counts), data, predictions)


def _frame(path: Path, data: bytes, counts: dict[str, int]) -> pd.DataFrame:
    """Predictions out of these bytes, the description of the file looked at first. Raises ValueError naming the file."""
    try:
        file = pyarrow.parquet.ParquetFile(
            pyarrow.BufferReader(data), thrift_string_size_limit=10**6, thrift_container_size_limit=10**5
        )
        _check_description(file, counts)
        table = file.read(use_threads=False)
        frame = table.to_pandas(ignore_metadata=True)
        as_told = table.to_pandas()  # what pandas.read_parquet gives, which heeds a note of pandas' in the file
    except Exception as error:  # Arrow has many, and on strange bytes others come through: none may stop the check
        raise ValueError(f"{path}: no file of predictions ({error})") from None
    if empty := [name for name in COLUMNS if table.column(name).null_count]:
        raise ValueError(
            f"{path}: empty entries, as pandas writes NaN, in {', '.join(empty)}; expected a value for each net"
        )
    if not frame.equals(as_told):
        raise ValueError(f"{path}: no file of predictions (its note for pandas changes its content)")
    return frame


def _check_description(file: Any, counts: dict[str, int]) -> None:
    found = {field.name: str(field.type) for field in file.schema_arrow}
    if list(found) != list(COLUMNS) or any(found[name] not in kinds for name, kinds in COLUMNS.items()):
        expected = {name: kinds[0] for name, kinds in COLUMNS.items()}
        raise ValueError(f"columns {found}, expected {expected}")
    about = file.metadata
    if about.num_rows != sum(counts.values()) or about.num_rows > MOST_ROWS:
        raise ValueError(
            f"{about.num_rows:,} rows, expected one for each of {counts['validation']:,} validation and "
            f"{counts['test']:,} test nets, {MOST_ROWS:,} at most"
        )
    size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    if size > 2 * PREDICTIONS_BYTES:
        raise ValueError(f"{size:,} bytes when unpacked")
