"""Workers: each takes a unit that is free, trains it, commits it, and takes the next, until none is left.

They agree through the zoo's folder alone, so that any number of them, on any machines that share it, may come and go.
"""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from zoo.jobs import leases, plan
from zoo.jobs.main_guard import check_guarded
from zoo.jobs.status import Status, status
from zoo.jobs.units import ATTEMPTS, Unit, Workshop, present
from zoo.training import machine

LOOK_EVERY = 0.5  # seconds between looks at the folder, while there is nothing else to do
DEATHS = 3  # workers killed in a row without a unit done, after which no more are started


def work(folder: Path | str, *, device: str = "cpu", alive: Callable[[], None] = lambda: None) -> None:
    """Trains and commits units of the zoo in `folder` until all are done or have failed ATTEMPTS times.

    Waits while others train the last ones, to take over where they end. A unit's error is noted with its traceback, and
    the work goes on; a full disk, a damaged folder or a device that is not there ends it (OSError,
    ValueError). `alive` is called after each epoch.
    """
    folder = Path(folder).expanduser()
    left = [unit for unit in plan.units(folder) if not unit.is_done(folder)]
    workshop = Workshop(folder, machine.ready(device)) if left else None
    try:
        while left and workshop is not None:
            left = _left(folder, left)
            free = next(_claims(folder, left), None)
            if free is None:
                time.sleep(LOOK_EVERY if left else 0)
                continue
            unit, lease = free
            with lease.held():
                if not unit.is_done(folder):  # finished between the look and the claim
                    _attempt(workshop, unit, lease, alive)
            left.sort(key=lambda other: other is unit)  # after a failure, the others first
    finally:
        leases.release_mine(folder)


def _left(folder: Path, units: list[Unit]) -> list[Unit]:
    """Those of the units that are neither done nor have failed for good."""
    names = present(folder)
    return [
        unit
        for unit in units
        if unit.receipt(folder).name not in names and not (unit.failures(folder).name in names and unit.has_failed(folder))
    ]


def _claims(folder: Path, units: list[Unit]) -> Iterator[tuple[Unit, leases.Lease]]:
    for unit in units:
        lease = leases.claim(folder, unit)
        if lease is not None:
            yield unit, lease


def _attempt(workshop: Workshop, unit: Unit, lease: leases.Lease, alive: Callable[[], None]) -> None:
    def after_epoch(nets: int) -> None:
        alive()
        lease.note(nets)

    try:
        workshop.make(unit, after_epoch)
    except OSError:  # no fault of the unit's: the disk is full, the folder is gone
        raise
    except Exception:
        unit.note_failure(workshop.folder, traceback.format_exc())


def run(folder: Path, *, workers: int, device: str = "cpu", report: Callable[[Status], None]) -> None:
    """Starts so many worker processes on this machine and waits until all units are done or have failed.

    With the device `cuda` they share out the GPUs of the machine. Killed workers are replaced. Raises the OSError or
    ValueError that a worker ended with, RuntimeError where workers are killed again and again, or the
    script that called this has no main guard. Finished units stay; workers are gone when this returns or raises.
    """
    leases.release_gone(folder)
    spawn = multiprocessing.get_context("spawn")  # a forked torch may hang on its own locks
    processes: dict[Connection, tuple[Any, str]] = {}  # with the device of each
    deaths, done = 0, -1

    def start(device: str) -> None:
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs, str(folder), device), daemon=True)
        with interrupts_ignored():  # Ctrl-C reaches all processes at once; it is the driver that stops the workers
            process.start()
        theirs.close()
        processes[ours] = process, device

    try:
        needed = min(workers, sum(not unit.is_done(folder) for unit in plan.units(folder)))
        for place in machine.spread(device, needed):
            start(place)
        while processes:
            for connection in wait(list(processes), timeout=LOOK_EVERY):
                assert isinstance(connection, Connection)
                error = _last_word(connection)
                process, place = processes.pop(connection)
                process.join()
                check_guarded([process])
                if isinstance(error, Exception):
                    raise error
                if error == "killed":
                    deaths += 1
                    _check_deaths(deaths)
                    start(place)
            now = status(folder)
            deaths, done = (0 if now.done > done else deaths), now.done
            report(now)
    finally:
        for process, _ in processes.values():
            process.terminate()
        for process, _ in processes.values():
            process.join()
        leases.release_gone(folder)


def _check_deaths(deaths: int) -> None:
    if deaths >= DEATHS:
        raise RuntimeError(
            f"{deaths} workers were killed, one after the other (out of memory?); run the same command again to go on, "
            f"with fewer --workers if memory is short"
        )


def _last_word(connection: Connection) -> Exception | str:
    try:
        return connection.recv()
    except EOFError:
        return "killed"


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignores SIGINT for a moment, so that a process started in it ignores it for life."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, folder: str, device: str) -> None:
    """A worker's life: it ends when there is nothing left, or when its parent is gone, even by `kill -9`."""
    parent = os.getppid()

    def alive() -> None:
        if os.getppid() != parent:
            os._exit(1)

    try:
        work(Path(folder), device=device, alive=alive)
        connection.send("done")
    except (ValueError, OSError) as error:
        connection.send(error)
    except Exception:
        connection.send(RuntimeError(f"a worker failed:\n{traceback.format_exc()}"))


def check_failures(folder: Path) -> None:
    """Raises RuntimeError that names the units which failed and why, where there are some."""
    failed = [unit for unit in plan.units(folder) if unit.has_failed(folder) and not unit.is_done(folder)]
    if failed:
        lines = [
            f"nets {unit.start} to {unit.stop - 1}: {unit.attempts(folder)[-1].strip().splitlines()[-1]} "
            f"(all of it in {unit.failures(folder)})"
            for unit in failed[:5]
        ]
        raise RuntimeError(
            f"{len(failed)} unit(s) failed {ATTEMPTS} times; the others are kept, and the same command tries again\n  "
            + "\n  ".join(lines)
        )
