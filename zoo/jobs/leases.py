"""Leases: which worker trains which unit, on one machine or on many that share a folder.

A lease saves work and decides nothing: where two workers train one unit after all, the first commit wins. It is a file
beside the unit's rows, made by a hard link (atomic, on network file systems too), and kept alive by its holder's
heartbeat; one whose holder is gone is taken over.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from zoo.jobs.units import Unit
from zoo.storage import files
from zoo.untrusted.files import parent, remove
from zoo.untrusted.json import read_json

STALE = 120.0  # seconds without a heartbeat after which a lease is taken over: longer than network file systems cache
BEAT = 15.0  # seconds between heartbeats
SAY_EVERY = 1.0  # seconds between notes of progress


@dataclass(frozen=True)
class Holder:
    """A process on a machine; `begun` tells it from a later one with the same number."""

    host: str
    pid: int
    begun: float

    @staticmethod
    def me() -> "Holder":
        """This process."""
        return Holder(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    def is_gone(self) -> bool:
        """Whether it is known to have ended; of other machines' processes that is never known."""
        if self.host != socket.gethostname():
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.begun) > 1
        except psutil.NoSuchProcess:
            return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lease:
    """A unit that this process trains."""

    def __init__(self, folder: Path, unit: Unit) -> None:
        self.folder, self.path, self.holder = folder, path_of(folder, unit), Holder.me()
        self.epochs, self.said = 0, time.monotonic()

    def content(self) -> bytes:
        """The lease's file."""
        return files.to_json({"holder": asdict(self.holder), "epochs": self.epochs})

    def note(self, nets: int) -> None:
        """Notes that so many nets finished an epoch, for those who watch."""
        self.epochs += nets
        if time.monotonic() - self.said > SAY_EVERY:
            self.beat()

    def beat(self) -> None:
        """Says that the holder is alive, unless the lease was taken over."""
        self.said = time.monotonic()
        found = read(self.path)
        if found is not None and found.holder == self.holder:
            with suppress(OSError):  # a missed heartbeat costs nothing, and training must not wait for the disk
                files.write(self.path, self.content(), below=self.folder, durable=False)

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Keeps the lease alive, and gives it back at the end."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(BEAT):
                self.beat()

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
            found = read(self.path)
            if found is not None and found.holder == self.holder:
                remove(self.path, self.folder)


@dataclass(frozen=True)
class Found:
    """A lease as others see it: who holds it, the net-epochs done, the file's time."""

    holder: Holder
    epochs: int
    beaten: float

    @cached_property
    def gone(self) -> bool:
        """Whether the holder's process has ended on this machine."""
        return self.holder.is_gone()


def path_of(folder: Path, unit: Unit) -> Path:
    """The file of a unit's lease."""
    return folder / "units" / f"{unit.number:05}.lease"


def read(path: Path) -> Found | None:
    """The lease in a file; None where there is none, or one that cannot be read."""
    try:
        value, beaten = read_json(path, below=path.parent.parent), path.stat().st_mtime
        return Found(Holder(**value["holder"]), int(value["epochs"]), beaten)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def claim(folder: Path, unit: Unit) -> Lease | None:
    """A lease on the unit, if it is free or its holder is gone; else None."""
    lease = Lease(folder, unit)
    if lease.path.exists() and not _take_away(folder, unit, lease.path):
        return None
    return lease if files.publish(lease.path, lease.content(), below=folder) else None


def _take_away(folder: Path, unit: Unit, path: Path) -> bool:
    """Removes a lease whose holder is gone, and notes the failed attempt. False where it is alive, or another was faster."""
    found = read(path)
    if found is None or not (found.gone or clock(folder) - found.beaten > STALE):
        return False
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}")
    with parent(path, folder) as (units, name):
        try:
            os.rename(name, aside.name, src_dir_fd=units, dst_dir_fd=units)
        except FileNotFoundError:
            return False
        is_that = read(aside) == found
        if not is_that:  # another took it over in between, and this is its new one: put it back
            with suppress(FileExistsError):
                os.link(aside.name, name, src_dir_fd=units, dst_dir_fd=units)
        os.unlink(aside.name, dir_fd=units)
    if not is_that:
        return False
    unit.note_failure(folder, f"{found.holder} ended, or was not heard of, while it trained the unit (out of memory?)")
    return True


def clock(folder: Path) -> float:
    """The time by the clock of the folder's file system, which stamps the heartbeats."""
    with parent(folder / "units" / f".{uuid.uuid4().hex[:12]}.tmp", folder) as (units, name):
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=units))
        now = os.stat(name, dir_fd=units).st_mtime
        os.unlink(name, dir_fd=units)
    return now


def release_gone(folder: Path) -> None:
    """Removes the leases of processes that ended on this machine, which nobody need count as failures."""
    for path in folder.glob("units/*.lease"):
        found = read(path)
        if found is not None and found.gone:
            remove(path, folder)


def release_mine(folder: Path) -> None:
    """Removes the leases that this process holds: it may be stopped between the claim of a unit and the work on it."""
    for path in folder.glob("units/*.lease"):
        found = read(path)
        if found is not None and found.holder == Holder.me():
            remove(path, folder)


def alive(folder: Path) -> dict[str, Any]:
    """The leases that are held, by the file's stem."""
    found = {path.stem: read(path) for path in folder.glob("units/*.lease")}
    now = clock(folder) if found else 0
    return {stem: one for stem, one in found.items() if one and not one.gone and now - one.beaten <= STALE}
