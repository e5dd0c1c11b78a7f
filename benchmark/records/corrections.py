"""The folder of a metanet's records: its name, and whether it counts no longer, since a submission beside it corrects it."""

import re
from pathlib import Path
from typing import Any

from zoo.untrusted.json import read_json

SUBMISSION = "submission.json"  # beside records: who submitted them, see `benchmark.submissions.submission`
SUBMISSION_BYTES = 10**6  # at most, in a file
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]{0,199}(?<!\.)")
SAFE_IN_WORDS = "letters, digits and _.,=+- only, no dot or number last"


def folder_of(metanet: str) -> str:
    """The name of a metanet's folder of records."""
    return metanet.replace(":", ".")


def is_folder(name: str) -> bool:
    """Whether the name of a task or metanet can be that of its folder: one below no other, and no correction's."""
    return SAFE.fullmatch(name) is not None and stem(name) == name


def stem(name: str) -> str:
    """The name of a metanet's folder without the number of a correction."""
    return re.sub(r"(?<=.)\.[0-9]+$", "", name)


def corrects(folder: Path, name: str) -> bool:
    """Whether this folder, METANET.2 and so on, can correct the one of that name beside it: METANET, or an earlier one."""
    metanet = stem(folder.name)
    if metanet == folder.name or stem(name) != metanet:
        return False
    return name == metanet or 2 <= int(name[len(metanet) + 1 :]) < int(folder.name[len(metanet) + 1 :])


def corrected(path: Path, *, below: Path) -> Path | None:
    """The folder that this submission corrects. Raises ValueError where it is no JSON object.

    From another metanet's folder, from what somebody else submitted (by another contact), or from records that nobody
    submitted, it takes nothing away, whatever it says.
    """
    told = read_json(path, below=below, most=SUBMISSION_BYTES, controls=True)
    name = told.get("supersedes")
    if not isinstance(name, str) or not corrects(path.parent, name):
        return None
    old, contact = path.parent.with_name(name), told.get("contact")
    return old if contact is not None and contact_of(old, below=below) == contact else None


def contact_of(folder: Path, *, below: Path) -> Any:
    """Who submitted the records there, as they say; None where nobody did, or where it cannot be read."""
    try:
        return read_json(folder / SUBMISSION, below=below, most=SUBMISSION_BYTES, controls=True).get("contact")
    except (ValueError, OSError):
        return None


def superseded(folder: Path) -> set[Path]:
    """The folders that a submission beside them corrects. Raises as `corrected` does."""
    found = (corrected(path, below=folder) for path in folder.glob(f"**/{SUBMISSION}"))
    return {path for path in found if path is not None}


def is_unfinished(folder: Path) -> bool:
    """Whether a folder of records is a correction, `<metanet>.2` and so on, whose submission was not written to its end."""
    return re.fullmatch(r".+\.\d+", folder.name) is not None and not (folder / SUBMISSION).exists()
