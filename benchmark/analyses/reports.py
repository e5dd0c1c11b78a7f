"""Reports of analyses beside records: one JSON file for a zoo in a folder of results, which may be a stranger's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from benchmark.records.records import RECORD_BYTES
from zoo.untrusted.json import read_json

Report = TypeVar("Report")


def value_of(path: Path, below: Path | None) -> dict[str, Any]:
    """The JSON object of a report; `below` as in `records.stored`. Raises ValueError naming the file."""
    return read_json(path, below=below or path.parent, most=RECORD_BYTES, controls=True)


def all_of(results: Path, name: str, read: Callable[..., Report]) -> tuple[list[Report], list[str]]:
    """The reports of this name (a pattern) by path, and a line on each that cannot be read."""
    found, unread = list[Report](), list[str]()
    for path in sorted(results.glob(f"*/{name}")):
        try:
            found.append(read(path, below=results))
        except ValueError as error:
            unread.append(str(error))
    return found, unread
