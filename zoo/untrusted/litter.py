"""Files that are no part of what a stranger gives: what file managers and office programs leave beside it."""

import fnmatch
from collections.abc import Iterator
from pathlib import Path, PurePath

LITTER = (  # patterns of names, of files and folders
    "__MACOSX",  # a second file for each one in a .zip of macOS
    ".DS_Store",
    "._*",  # the same, on disks of other systems
    "~$*",  # of a file that Office has open
    ".~lock.*#",  # of a file that LibreOffice has open
    "Thumbs.db",
    "desktop.ini",
    ".ipynb_checkpoints",
)


def is_litter(path: PurePath) -> bool:
    """Whether a path below the folder that is looked through is such a file, or in such a folder."""
    return any(fnmatch.fnmatchcase(part, pattern) for part in path.parts for pattern in LITTER)


def inside(folder: Path, pattern: str = "*") -> list[Path]:
    """What is in a folder under names of that pattern (`**/` in it: also below) but litter, sorted by name."""
    return sorted(_found(folder, pattern))


def _found(folder: Path, pattern: str) -> Iterator[Path]:
    return (part for part in folder.glob(pattern) if not is_litter(part.relative_to(folder)))
