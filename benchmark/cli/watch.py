"""Following a build from outside, by the files in its folder alone."""

import time
from collections.abc import Iterator
from pathlib import Path

from zoo.jobs.status import Status, status
from zoo.messages import duration

TRIES = 3  # a build that begins again may take a receipt away while it is read


def watch(folder: Path, *, every: float = 2) -> Iterator[Status]:
    """How far the build in a folder is, each time it changed, until it is finished or only failed units are left.

    Looks every so many seconds. Raises FileNotFoundError where no build was begun.
    """
    last = None
    while True:
        found = _status(folder)
        if found != last:
            yield found
        if is_over(found):
            return
        last = found
        time.sleep(every)


def is_over(found: Status) -> bool:
    """Whether nothing more will come by itself: all nets are in shards, or units failed and no worker is at work."""
    return not found.units or (found.failed > 0 and not found.running and found.done + found.failed == found.units)


def line(found: Status) -> str:
    """A status on one line."""
    if not found.units:
        return found.lines()[0]
    parts = [
        f"{found.done} of {found.units} units",
        f"{found.running} running",
        *[f"{found.failed} failed"] * bool(found.failed),
    ]
    parts.append(f"{found.epochs / max(1, found.all_epochs):.0%}")
    if found.done == found.units:
        parts.append("shards not yet written")
    elif found.seconds_left is not None:
        parts.append(f"about {duration(found.seconds_left)} left")
    return ", ".join(parts)


def _status(folder: Path) -> Status:
    for _ in range(TRIES - 1):
        try:
            return status(folder)
        except FileNotFoundError:
            time.sleep(0.05)
    return status(folder)
