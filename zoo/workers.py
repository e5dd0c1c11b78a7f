"""Worker processes on one machine: each takes a unit, trains it, commits it, and takes the next."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from zoo.units import Unit, Workshop


def run(
    folder: Path,
    units: list[Unit],
    *,
    workers: int,
    after_epoch: Callable[[int], None],
    after_unit: Callable[[Unit], None],
) -> None:
    """Trains and commits all units; each is handed out once, in order.

    Raises the ValueError or OSError that a worker met, RuntimeError with the worker's traceback for any other error,
    or where a worker was killed. Finished units stay; workers are gone when this returns or raises.
    """
    spawn = multiprocessing.get_context("spawn")  # a forked torch may hang on its own locks
    waiting, busy = list(reversed(units)), {}
    processes = []
    try:
        for _ in range(min(workers, len(units))):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, str(folder)), daemon=True)
            with interrupts_ignored():  # Ctrl-C reaches all processes at once; it is the driver that stops the workers
                process.start()
            theirs.close()
            processes.append(process)
            busy[ours] = waiting.pop()
            ours.send(busy[ours])
        while busy:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                kind, value = _receive(connection, busy[connection])
                if kind == "epoch":
                    after_epoch(value)
                elif kind == "failed":
                    raise value
                else:
                    after_unit(busy.pop(connection))
                    if waiting:
                        busy[connection] = waiting.pop()
                        connection.send(busy[connection])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


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


def _receive(connection: Connection, unit: Unit) -> tuple[str, Any]:
    try:
        return connection.recv()
    except EOFError:
        raise RuntimeError(
            f"the worker that trained nets {unit.start} to {unit.stop - 1} was killed (out of memory?); "
            f"run the same command again to go on, with fewer --workers if memory is short"
        ) from None


def _serve(connection: Connection, folder: str) -> None:
    """A worker's life: it ends when told to, or when its parent is gone, even by `kill -9`."""
    parent = os.getppid()

    def after_epoch(nets: int) -> None:
        if os.getppid() != parent:
            os._exit(1)
        connection.send(("epoch", nets))

    try:
        workshop = Workshop(Path(folder))
        while True:
            workshop.make(connection.recv(), after_epoch)
            connection.send(("done", None))
    except (EOFError, BrokenPipeError):
        return
    except (ValueError, OSError) as error:
        connection.send(("failed", error))
    except Exception:
        connection.send(("failed", RuntimeError(f"a worker failed:\n{traceback.format_exc()}")))
