"""Verification of records: what maintainers found when they ran them again, and zoos that nobody knew.

What was found stands in the leaderboard's own folder `verifications`, where no submission is copied to, and holds for the
very records that it names. A `verification.json` beside records came with them and gives no tier. The labels of a public
zoo are public; only a zoo that did not exist before (`fresh`) is unseen.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as strict_dataclass

import zoo as zoos
from benchmark.records.corrections import SUBMISSION_BYTES
from benchmark.records.records import STRICT, Day, Sha256, Stored
from benchmark.submissions.submission import words
from zoo import Spec
from zoo.dataset import zoo_json
from zoo.storage import files
from zoo.untrusted.files import sha256
from zoo.untrusted.json import read_json
from zoo.untrusted.schema import validated

FOLDER = "verifications"  # under a leaderboard's folder: a file for each folder of records that was run again
STRAY = "verification.json"  # beside records: older releases read it, and anyone may send one
SCHEMA: Literal["metazoo-verification-2"] = "metazoo-verification-2"
Tier = Literal["self-reported", "verified", "reproduced"]
Who = Annotated[str, words(200)]


@strict_dataclass(frozen=True, config=STRICT)
class Verification:
    """What a maintainer found. `records`: each file, from the leaderboard's folder on -> its SHA-256 when that was."""

    schema: Literal["metazoo-verification-2"]
    tier: Literal["verified", "reproduced"]
    by: Who
    date: Day
    records: dict[Annotated[str, Field(pattern=r"^[^/]+/[^/]+/[^/]+/seed-\d+\.json$")], Sha256]
    note: Annotated[str, Field(max_length=5000)]


_VERIFICATION = TypeAdapter(Verification).validate_json
_WHO = TypeAdapter(Who).validate_json


def check_name(by: str) -> None:
    """Raises ValueError where nothing can be verified by who has this name: it is empty, too long, or steers a terminal."""
    validated("the name of who verifies (--by)", _WHO, by)


def verify(
    home: Path,
    results: Path,
    *,
    tier: Literal["verified", "reproduced"],
    by: str,
    note: str = "",
    read: Mapping[str, str] | None = None,
) -> Path:
    """Says that the records in `home`, a folder under `results`, were run again, by whom; returns the file that says so.

    `read`: the SHA-256 of each record as it was read for that, by its file from `results` on. Raises ValueError where `by`
    is no name or a record is no longer what was read, and FileNotFoundError where there are none.
    """
    check_name(by)
    digests = {
        path.relative_to(results).as_posix(): sha256(path, below=results) for path in sorted(home.glob("seed-*.json"))
    }
    if not digests:
        raise FileNotFoundError(f"{home}: no records there to verify")
    if read is not None and digests != read:
        changed = sorted(name for name in digests.keys() | read.keys() if digests.get(name) != read.get(name))
        raise ValueError(f"{home}: {', '.join(changed)} changed while the code ran; run it again")
    told = Verification(SCHEMA, tier, by, date.today().isoformat(), digests, note)
    path = results / FOLDER / f"of-{','.join(home.relative_to(results).parts)}.json"
    files.write_json(path, asdict(told), below=results)
    return path


def read_verification(path: Path, *, below: Path | None = None) -> Verification:
    """What a maintainer found. Raises as `read_submission` does."""
    value = read_json(path, below=below or path.parent, most=SUBMISSION_BYTES, controls=True)
    return validated(path, _VERIFICATION, value)


def verifications(results: Path) -> tuple[list[Verification], list[str]]:
    """What maintainers found of the records under a leaderboard's folder, and a line for each file that cannot be read."""
    found, problems = [], []
    for path in sorted((results / FOLDER).glob("*.json")):
        try:
            found.append(read_verification(path, below=results))
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def tier(held: Iterable[Stored], found: Sequence[Verification], results: Path) -> Tier:
    """The tier of all records `held` in a folder. Raises ValueError where they are not those that were verified."""
    now = {one.path.relative_to(results).as_posix(): files.hash_of(one.data) for one in held}
    about = [one for one in found if now.keys() & one.records.keys()]
    if not about:
        return "self-reported"
    last = max(about, key=lambda one: one.date)
    if last.records != now:
        differing = sorted(name for name in last.records.keys() | now.keys() if last.records.get(name) != now.get(name))
        raise ValueError(f"{results / FOLDER}: {', '.join(differing)} differ(s) from what was verified; verify anew")
    return last.tier


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
