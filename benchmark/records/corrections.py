"""Corrections: which folder of records counts no longer, because a submission beside it supersedes it."""

import re
from pathlib import Path

from zoo.untrusted.json import read_json

SUBMISSION = "submission.json"  # beside records: who submitted them, see `benchmark.submissions.submission`
SUBMISSION_BYTES = 10**6  # at most, in a file


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
        name = read_json(path, below=folder, most=SUBMISSION_BYTES, controls=True).get("supersedes")
        if isinstance(name, str) and corrects(path.parent, name):
            found.add(path.parent.with_name(name))
    return found


def is_unfinished(folder: Path) -> bool:
    """Whether a folder of records is a correction, `<metanet>.2` and so on, whose submission was not written to its end."""
    return re.fullmatch(r".+\.\d+", folder.name) is not None and not (folder / SUBMISSION).exists()
