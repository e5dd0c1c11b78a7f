"""Which metazoo runs here: its version, and its commit where it runs from a checkout."""

import functools
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmark.records.records import Software

HOME = Path(__file__).resolve().parents[2]


@functools.cache
def software() -> Software | None:
    """The version that is installed, with the commit of a checkout without changes; None where none is installed.

    A file that git does not know, such as one's own metanet, is no change.
    """
    try:
        installed = version("metazoo")
    except PackageNotFoundError:
        return None
    top, commit, changes = (
        git(HOME, *command)
        for command in (("rev-parse", "--show-toplevel"), ("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
    )
    ours = top is not None and Path(top).resolve() == HOME and changes == ""
    return Software(version=installed, commit=commit if ours and commit is not None and len(commit) == 40 else None)


def git(folder: Path, *command: str) -> str | None:
    """What git says in a folder; None where there is no git, no repository, or no answer."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
