"""Parquet files from strangers: read through in a child with limits before anything else reads them.

The footer, and each page, says how large it becomes: 32 kB can ask for gigabytes, which Arrow reserves before it finds out.
One child looks at all files of a process, as it takes half a second to start and a few milliseconds a file.
"""

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from zoo.messages import plain
from zoo.untrusted.child import few_variables, module_path

MEMORY, COPIES = 2**30, 8  # addresses: for Arrow and small files; and so many times the file's own size
SECONDS, BYTES_A_SECOND = 20.0, 5e6  # of wall clock a file; a tenth of what Arrow does
FILE_BYTES = 2**33  # at most
FOOTER = 2**20  # bytes, where this process reads one: thousands of groups of rows take a minute and gigabytes
CHILD = Path(__file__).resolve().with_name("parquet_child.py")

_lock = threading.Lock()
_children: dict[int, subprocess.Popen[bytes]] = {}  # the child of this process, by the process's number: forks have none


def opened(data: bytes, where: object, **options: Any) -> Any:
    """The file of these bytes as pyarrow's ParquetFile, of which the footer is read, and nothing else yet.

    Raises ValueError where the footer is longer than FOOTER bytes, and pyarrow's errors where it is damaged.
    """
    import pyarrow.parquet

    length = int.from_bytes(data[-8:-4], "little")
    if length > min(FOOTER, len(data)):
        raise ValueError(f"{plain(where)}: a footer of {length:,} bytes; at most {FOOTER:,} are read")
    return pyarrow.parquet.ParquetFile(
        pyarrow.BufferReader(data), thrift_string_size_limit=10**6, thrift_container_size_limit=10**5, **options
    )


def counted(about: Any) -> tuple[set[int], int]:
    """How many rows there are by the file's word, by its groups' and by each column's, and the bytes unpacked.

    What is read goes by these: in a right file it is one number.
    """
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    rows = {about.num_rows, sum(group.num_rows for group in groups)}
    rows |= {sum(group.column(number).num_values for group in groups) for number in range(about.num_columns)}
    return rows, sum(group.total_byte_size for group in groups)


def check(file: Path | bytes, where: object) -> None:
    """Reads every row of a Parquet file, or of its bytes, once in the child; `where` is what messages name.

    Raises ValueError where it is damaged, or takes more memory or time than a file of its size should.
    """
    size = len(file) if isinstance(file, bytes) else file.stat().st_size
    seconds, memory = SECONDS + size / BYTES_A_SECOND, MEMORY + COPIES * size
    request = {"memory": memory, "bytes": size, "path": None if isinstance(file, bytes) else str(file.absolute())}
    if size > FILE_BYTES:
        raise ValueError(f"{plain(where)}: has {size:,} bytes; a Parquet file may have {FILE_BYTES:,}")
    with _lock:
        answer = _asked(json.dumps(request).encode() + b"\n" + (file if isinstance(file, bytes) else b""), seconds)
    if answer is None:
        limits = f"{memory:,} bytes of memory or {seconds:.0f} s"
        raise ValueError(f"{plain(where)}: reading it takes more than the limits of {limits}; its footer may lie")
    if answer["error"]:
        raise ValueError(f"{plain(where)}: no Parquet file that can be read ({plain(answer['error'])})")


def _asked(request: bytes, seconds: float) -> dict[str, str] | None:
    """What the child answers; None where it ended or is late, and is ended then."""
    process = _children.get(os.getpid()) or _started()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
        answer, deadline = bytearray(), time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0 and selector.select(left):
                part = os.read(process.stdout.fileno(), 2**16)
                answer += part
                if answer.endswith(b"\n"):
                    return dict(json.loads(answer))
                if not part:
                    break
    except BrokenPipeError:
        pass
    except BaseException:  # Ctrl-C: an answer that nobody waited for must not be the next one's
        _end()
        raise
    _end()
    return None


def _started() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", str(CHILD), json.dumps(module_path())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=few_variables(),
        start_new_session=True,
    )
    _children.clear()
    _children[os.getpid()] = process
    return process


@atexit.register
def _end() -> None:
    process = _children.pop(os.getpid(), None)
    if process is not None:
        process.kill()
        process.communicate()
