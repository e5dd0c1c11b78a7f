"""Submissions: who stands behind the records of one metanet on one task, from which code."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as strict_dataclass

from benchmark.records.corrections import SUBMISSION, SUBMISSION_BYTES
from benchmark.records.records import STRICT, Day
from zoo.untrusted.json import read_json
from zoo.untrusted.schema import validated


def words(longest: int) -> Any:
    """A text without control characters but tab and line breaks, so that it cannot steer a terminal."""
    return Field(min_length=1, max_length=longest, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")


COMMIT = "^[0-9a-f]{40}$"
NONE = "none"  # the statement that nothing else was learned from
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$")]


@strict_dataclass(frozen=True, config=STRICT)
class Submission:
    """Who submits, from which code, and what for the numbers do not say: `submission.json`, beside the records.

    `external_data` says what was learned from besides the zoo's training nets: a text, of which `none` is one.
    `supersedes` is the name of the folder beside this one that it corrects. The tier is always the lowest: a higher one is
    a maintainer's to give.
    `labels_checked` is `submit`'s word: whether it compared the labels with those of the zoo. Where it is a lie, the labels
    are, and `check --zoo` finds them.
    """

    schema: Literal["metazoo-submission-1"]
    code_url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9][^\s<>\"'@\\]{0,499}$")]
    commit: Annotated[str, Field(pattern=COMMIT)]
    contact: Annotated[str, words(200)]
    citation: Annotated[str, words(5000)]  # free text or BibTeX
    hardware: Annotated[str, words(500)]
    external_data: bool | Annotated[str, words(1000)]
    tier: Literal["self-reported"]
    supersedes: FolderName | None
    submitted: Day
    labels_checked: bool = False

    @property
    def external(self) -> str | None:
        """What was learned from besides the zoo's training nets, as the submission states it; None: nothing."""
        if isinstance(self.external_data, bool):  # as older releases wrote it
            return "not said what" if self.external_data else None
        return None if self.external_data.strip().casefold().rstrip(".") == NONE else self.external_data


_SUBMISSION = TypeAdapter(Submission).validate_json


def submission(**fields: object) -> Submission:
    """A submission of these fields, for today unless they say otherwise. Raises ValueError naming the fields at fault."""
    if not re.fullmatch(COMMIT, commit := str(fields.get("commit"))):
        raise ValueError(f"commit: found {commit!r}, expected 40 hexadecimal digits, as `git rev-parse HEAD` prints them")
    plain = {
        "schema": "metazoo-submission-1",
        "hardware": "not given",
        "tier": "self-reported",
        "supersedes": None,
        "submitted": date.today().isoformat(),
    }
    return validated(Path(SUBMISSION), _SUBMISSION, plain | fields)


def read_submission(path: Path, *, below: Path | None = None) -> Submission:
    """A `submission.json`; `below` as in `records.stored`. Raises ValueError naming the file and the fields at fault."""
    value = read_json(path, below=below or path.parent, most=SUBMISSION_BYTES, controls=True)
    return validated(path, _SUBMISSION, value)
