"""Scripts without a main guard: each worker process imports the script again, which would start the same work again."""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from multiprocessing.process import BaseProcess

UNGUARDED = 65  # how a process ends that was to start work while it was still being started itself
ENDING = 5.0  # seconds that a process may take to end


def end_if_starting() -> None:
    """Ends a worker that, being started, imports the user's script, and is now told by it to start workers of its own.

    It is called before anything is done. The worker says nothing: its parent does, by `check_guarded`.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing itself asks
        os._exit(UNGUARDED)


def check_guarded(processes: Iterable[BaseProcess]) -> None:
    """Raises RuntimeError where one of the processes has ended by `end_if_starting`."""
    if any(_end_of(process) == UNGUARDED for process in processes):
        script = getattr(sys.modules["__main__"], "__file__", None) or "this script"
        raise RuntimeError(
            f"{script} has no main guard: the worker processes import it again, and would each start its work from the "
            f'beginning; put all that it does, other than imports and functions, below `if __name__ == "__main__":`'
        ) from None


def _end_of(process: BaseProcess) -> int | None:
    """The exit code of a process that is ending; another thread that waits for it may take a moment to note it."""
    until = time.monotonic() + ENDING
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)
    return process.exitcode
