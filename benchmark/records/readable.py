"""Those records of a folder that can be read, and why the others cannot: one bad file hides no other."""

from pathlib import Path

from benchmark.records import records
from benchmark.records.corrections import SUBMISSION, corrected, is_unfinished
from benchmark.records.records import Stored


def has_records(folder: Path) -> bool:
    """Whether there is any record under a folder, be it readable or not."""
    return any(folder.glob("**/seed-*.json"))


def readable(folder: Path) -> tuple[list[Stored], list[str]]:
    """The records under a folder that count and can be read, in the order of their paths, and a line for each that cannot.

    Where a submission cannot be read, nobody stands behind the records beside it, and they do not count. Raises
    FileNotFoundError where there are no records at all.
    """
    gone, found, problems = set(), list[Stored](), []
    for path in sorted(folder.glob(f"**/{SUBMISSION}")):
        try:
            gone.add(corrected(path, below=folder))
        except ValueError as error:
            problems.append(f"{error}; so the records beside it are left out")
            gone.add(path.parent)
    paths = sorted(folder.glob("**/seed-*.json"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no records there; `metazoo score` writes them")
    for path in paths:
        if path.parent in gone or is_unfinished(path.parent):
            continue
        try:
            one = records.stored(path, below=folder)
            _ = one.frame  # reads its predictions
        except ValueError as error:
            problems.append(str(error))
        else:
            found.append(one)
    return found, problems
