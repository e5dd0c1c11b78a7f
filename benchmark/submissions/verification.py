"""Verification of records: what maintainers found when they ran them again, and zoos that nobody knew.

What was found lies beside a submission, in a `verification.json`, and holds for the very records that it names. The
labels of a public zoo are public; only a zoo that did not exist before (`fresh`) is unseen.
"""

import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as strict_dataclass

import zoo as zoos
from benchmark.records.corrections import SUBMISSION_BYTES
from benchmark.records.records import STRICT, Day, Sha256, Stored, validated
from benchmark.submissions.submission import words
from zoo import Spec
from zoo.dataset import zoo_json
from zoo.storage import files
from zoo.untrusted.json import read_json

VERIFICATION = "verification.json"  # beside a submission: what maintainers found
Tier = Literal["self-reported", "verified", "reproduced"]


@strict_dataclass(frozen=True, config=STRICT)
class Verification:
    """What a maintainer found: `verification.json`, beside a submission. `records`: file -> its SHA-256 when that was."""

    schema: Literal["metazoo-verification-1"]
    tier: Literal["verified", "reproduced"]
    by: Annotated[str, words(200)]
    date: Day
    records: dict[Annotated[str, Field(pattern=r"^seed-\d+\.json$")], Sha256]
    note: Annotated[str, Field(max_length=5000)]


_VERIFICATION = TypeAdapter(Verification).validate_json


def read_verification(path: Path, *, below: Path | None = None) -> Verification:
    """A `verification.json`. Raises as `read_submission` does."""
    value = read_json(path, below=below or path.parent, most=SUBMISSION_BYTES, controls=True)
    return validated(path, _VERIFICATION, value)


def tier(folder: Path, held: Iterable[Stored], *, below: Path | None = None) -> Tier:
    """The tier of the records `held` in a folder. Raises ValueError where they are not those that were verified."""
    if not (folder / VERIFICATION).exists():
        return "self-reported"
    found = read_verification(folder / VERIFICATION, below=below)
    now = {one.path.name: files.hash_of(one.data) for one in held}
    if found.records != now:
        differing = sorted(name for name in found.records.keys() | now.keys() if found.records.get(name) != now.get(name))
        raise ValueError(f"{folder / VERIFICATION}: {', '.join(differing)} differ(s) from what was verified; verify anew")
    return found.tier


def fresh(spec: Spec, folder: Path, **options: Any) -> int:
    """Builds a zoo of this spec from a seed that nobody knew before, with the options of `zoo.jobs.build`; returns the seed.

    It stands in the zoo's description from the first moment on, so the folder is to be kept to oneself until the metanets
    to be verified have been handed in. Raises FileExistsError where there is a zoo already.
    """
    if (folder / zoo_json.FILE).exists():
        raise FileExistsError(
            f"{folder} holds a zoo, which is not fresh; give a new folder, or finish this one with `metazoo build` and "
            f"--seed as in its {zoo_json.FILE}"
        )
    spec = replace(spec, seed=secrets.randbits(48))
    zoos.build(spec, folder, **options)
    return spec.seed
