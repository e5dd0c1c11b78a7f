"""Calls a function in a child process with little memory, little time and no secrets: for files from strangers.

The child runs this file alone, and so does not load the rest of the package (seconds, gigabytes of addresses).
"""

import contextlib
import errno
import importlib
import importlib.util
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "TMPDIR")  # of the environment: no tokens
SET = {
    "HDF5_PLUGIN_PRELOAD": "::",  # HDF5 must not load filters, which are libraries, from wherever a variable says
    "OMP_NUM_THREADS": "1",  # every thread reserves addresses, which are limited
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
ANSWER_BYTES = 64 * 2**20  # an answer is a few numbers; a child gone wild must not fill the parent's memory
PATIENCE = 6  # times the limit of processor time is that of the wall clock: other work may hold the machine
TEXT = 1000  # characters of a message that are kept
ERRORS: dict[str, type[Exception]] = {
    "ValueError": ValueError,
    "OSError": OSError,
    "FileNotFoundError": FileNotFoundError,
    "FileExistsError": FileExistsError,
    "ImportError": ImportError,  # of the function itself: a mistake of the caller's, not of the file's
}


def call(
    function: str, arguments: dict[str, Any], *, seconds: float, memory: int, writes: int | None = None, subject: str = ""
) -> Any:
    """What `package.module:function`, or `path/to/file.py:function`, returns for these arguments; both sides are JSON.

    A file given by its path is run alone, without its package, which is quick and small; so is a package given by its
    `__init__.py`, whose parts are then imported by relative names. The child gets `seconds` of processor time, PATIENCE
    times that of wall clock, `memory` bytes of addresses (not on macOS, which has no such limit), and `writes` bytes in a
    file that it writes (None: as many as there is room for). Whatever it started ends with it, also on Ctrl-C. `subject`
    is what messages name: the file read.

    Raises ValueError and OSError as the function does, with control characters escaped, and ValueError naming the
    limit, signal or error that ended it otherwise; OSError where processes cannot be limited, as on Windows.
    """
    if importlib.util.find_spec("resource") is None:
        raise OSError("files from others are read in a process with limits, which Windows lacks: use WSL, Linux or macOS")
    request = {"function": function, "arguments": arguments, "seconds": seconds, "memory": memory, "writes": writes}
    request["path"] = _path()
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(request).encode())
        file.seek(0)
        answer, code = _run(file, time.monotonic() + PATIENCE * seconds)
    name = plain(subject or function)
    if answer is None or code in (-signal.SIGXCPU, -signal.SIGALRM):
        raise ValueError(f"{name}: reading it takes more than the limit of {seconds:g} s; it may be made to hang a reader")
    if len(answer) > ANSWER_BYTES:
        raise ValueError(f"{name}: the process that read it answers without end")
    try:
        found = json.loads(answer)
    except ValueError:
        raise ValueError(f"{name}: the process that read it {_ended(code)}; the file is damaged or hostile") from None
    if "error" not in found:
        return found["result"]
    if found["error"] == "MemoryError":
        raise ValueError(f"{name}: reading it takes more than the limit of {memory:,} bytes of memory")
    if found["error"] in ERRORS:
        raise ERRORS[found["error"]](plain(found["text"]))
    raise ValueError(f"{name}: cannot be read ({plain(found['error'])}: {plain(found['text'])})")


def _path() -> list[str]:
    """Where the child looks for modules: as this process does, but never in the working directory, and in this package.

    Who works in a notebook looks there first, and may have gone into the stranger's folder, in which lies an `h5py.py`.
    """
    places = [Path(place).resolve() for place in sys.path if Path(place).is_absolute()]
    return [str(place) for place in (*places, Path(__file__).resolve().parent.parent)]


def plain(text: object) -> str:
    """The text on one line, control characters escaped, so that a name out of a file cannot steer a terminal."""
    line = str(text)
    line = line if len(line) <= TEXT else f"{line[:TEXT]}..."
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def _run(request: IO[bytes], deadline: float) -> tuple[bytes | None, int]:
    """What the child answers, None where it is late, and how it ended (minus the signal)."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).resolve())],
        stdin=request,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in KEPT if name in os.environ} | SET,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        answer = _received(process.stdout, deadline)
    finally:  # the pipe's end means that the child is exiting, so that this no longer changes how
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
    return answer, process.returncode


def _received(pipe: IO[bytes], deadline: float) -> bytes | None:
    answer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                part = os.read(pipe.fileno(), 2**16)
                answer += part
                if not part or len(answer) > ANSWER_BYTES:
                    return bytes(answer)
    return None


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed by the system, as for lack of memory"
    if code < 0:
        return f"crashed ({signal.Signals(-code).name})"
    return f"gave no answer that can be read (exit status {code})"


def _serve() -> None:
    """The child: reads the request, limits itself, answers. Prints of the function go nowhere."""
    request = json.load(sys.stdin.buffer)
    pipe = os.dup(1)
    os.set_inheritable(pipe, False)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    _limit(request["seconds"], request["memory"], request["writes"])
    sys.path[:] = request["path"]
    answer = json.dumps(_answer(request["function"], request["arguments"])).encode()
    with os.fdopen(pipe, "wb") as file:
        file.write(answer)


def _limit(seconds: float, memory: int, writes: int | None) -> None:
    import resource

    wanted = {
        resource.RLIMIT_AS: memory,
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
        return {"error": kind or type(error).__name__, "text": str(error)[: 2 * TEXT]}


def _found(function: str) -> Callable[..., Any]:
    place, _, name = function.rpartition(":")
    if not place.endswith(".py"):
        return getattr(importlib.import_module(place), name)
    file = Path(place)
    about = importlib.util.spec_from_file_location(file.parent.name if file.stem == "__init__" else file.stem, file)
    if about is None or about.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(about)
    sys.modules[about.name] = module  # dataclasses look their module up, and a package's parts look for it
    about.loader.exec_module(module)
    return getattr(module, name)


if __name__ == "__main__":
    _serve()
