"""Calls a function in a child process with little memory, little time and no secrets: for files from strangers.

The child runs `child_main.py` alone, and so does not load the rest of the package (seconds, gigabytes of addresses).
"""

import contextlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import psutil

from zoo.messages import plain
from zoo.untrusted.child_main import ERRORS, PATIENCE

KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "TMPDIR")  # of the environment: no tokens
SET = {
    "HDF5_PLUGIN_PRELOAD": "::",  # HDF5 must not load filters, which are libraries, from wherever a variable says
    "OMP_NUM_THREADS": "1",  # every thread reserves addresses, which are limited
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
CGROUP = Path("/sys/fs/cgroup")
ANSWER_BYTES = 64 * 2**20  # an answer is a few numbers; a child gone wild must not fill the parent's memory


def call(
    function: str, arguments: dict[str, Any], *, seconds: float, memory: int, writes: int | None = None, subject: str = ""
) -> Any:
    """What `package.module:function` returns for these arguments; both sides are JSON.

    The child imports that module and what it imports: what is to be quick and small must not import PyTorch. It gets
    `seconds` of processor time, PATIENCE times that of wall clock, `memory` bytes of addresses, files that it maps
    included, and no more of its own than the machine has (neither on macOS, which has no such limits), and `writes` bytes
    in a file that it writes (None: as many as there is room for). Whatever it started ends with it, also on Ctrl-C.
    `subject` is what messages name: the file read.

    Raises ValueError and OSError as the function does, with control characters escaped, and ValueError naming the
    limit, signal or error that ended it otherwise; OSError where processes cannot be limited, as on Windows.
    """
    if importlib.util.find_spec("resource") is None:
        raise OSError("files from others are read in a process with limits, which Windows lacks: use WSL, Linux or macOS")
    request = {"function": function, "arguments": arguments, "seconds": seconds, "memory": memory, "writes": writes}
    request["held"] = min(memory, machine_memory())
    request["path"] = module_path()
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


def few_variables() -> dict[str, str]:
    """The environment of a process that is not trusted: a few of this one's variables, and no tokens."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | SET


def machine_memory() -> int:
    """The bytes of memory that this process can have: the machine's, or its control group's where that has less."""
    found = [psutil.virtual_memory().total]
    for place in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # none, or `max`
            found.append(int((CGROUP / place).read_text()))
    return min(found)


def module_path() -> list[str]:
    """Where the child looks for modules: as this process does, but never in the working directory, and in this package.

    Who works in a notebook looks there first, and may have gone into the stranger's folder, in which lies an `h5py.py`.
    """
    places = [Path(place).resolve() for place in sys.path if Path(place).is_absolute()]
    return [str(place) for place in (*places, Path(__file__).resolve().parents[2])]


def _run(request: IO[bytes], deadline: float) -> tuple[bytes | None, int]:
    """What the child answers, None where it is late, and how it ended (minus the signal)."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).resolve().with_name("child_main.py"))],
        stdin=request,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=few_variables(),
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
