"""The child's side of `child.py`: limits itself, calls one function, answers. It is run alone, by its path."""

import errno
import importlib
import importlib.util
import json
import math
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

PATIENCE = 6  # times the limit of processor time is that of the wall clock: other work may hold the machine
TEXT = 2000  # characters of an error that are handed on
ERRORS: dict[str, type[Exception]] = {
    "ValueError": ValueError,
    "OSError": OSError,
    "FileNotFoundError": FileNotFoundError,
    "FileExistsError": FileExistsError,
    "ImportError": ImportError,  # of the function itself: a mistake of the caller's, not of the file's
}


def _serve() -> None:
    """The child: reads the request, limits itself, answers. Prints of the function go nowhere."""
    request = json.load(sys.stdin.buffer)
    pipe = os.dup(1)
    os.set_inheritable(pipe, False)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    _limit(request["seconds"], request["memory"], request["held"], request["writes"])
    sys.path[:] = request["path"]
    answer = json.dumps(_answer(request["function"], request["arguments"])).encode()
    with os.fdopen(pipe, "wb") as file:
        file.write(answer)


def _limit(seconds: float, memory: int, held: int, writes: int | None) -> None:
    import resource

    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_DATA: held,
        resource.RLIMIT_CPU: max(1, math.ceil(seconds)),
        resource.RLIMIT_FSIZE: resource.RLIM_INFINITY if writes is None else writes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            most = hard if most == resource.RLIM_INFINITY else min(most, hard)
        try:
            later = 1 if kind == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else 0
            resource.setrlimit(kind, (most, most + later))  # SIGXCPU first, which says what it is; SIGKILL does not
        except ValueError:
            if sys.platform != "darwin":  # which refuses RLIMIT_AS
                raise
    signal.alarm(math.ceil(PATIENCE * seconds) + 2)  # for a child whose parent was killed


def _answer(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": _found(function)(**arguments)}
    except MemoryError:
        return {"error": "MemoryError"}
    except BaseException as error:  # whatever it is must not end the child without a word
        kind = next((name for name, known in ERRORS.items() if type(error) is known), None)
        if isinstance(error, OSError):
            kind = "MemoryError" if error.errno == errno.ENOMEM else kind or "OSError"
        elif isinstance(error, ValueError):
            kind = "ValueError"
        return {"error": kind or type(error).__name__, "text": str(error)[:TEXT]}


def _found(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    _serve()
