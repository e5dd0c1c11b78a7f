"""The child's side of `parquet.py`: reads one Parquet file after another within limits. It is run alone, by its path."""

import json
import os
import resource
import sys

if __name__ == "__main__":
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others reserve addresses, which are limited
    sys.path[:] = json.loads(sys.argv[1])  # where the parent looks for modules

import pyarrow
import pyarrow.parquet

STRING_BYTES, THINGS = 10**6, 10**5  # in a footer, as whoever reads predictions allows
TEXT = 2000  # characters of an error that are handed on
CPU_SECONDS = 3600  # for a child whose parent was killed while it read


def main() -> None:
    """Answers each request by a line: a request is a line of JSON, with the file's bytes behind it where it has no path."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    pyarrow.set_cpu_count(1)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        data = None if request["path"] else sys.stdin.buffer.read(request["bytes"])
        _limit(request["memory"])
        answer = {"error": fault(request["path"] if data is None else pyarrow.BufferReader(data))}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def _limit(memory: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard))
    except ValueError:
        if sys.platform != "darwin":  # which refuses RLIMIT_AS
            raise


def fault(source: object) -> str:
    """What is wrong with the file; nothing where all its rows are read, a row group at a time, as its readers do."""
    try:
        with pyarrow.parquet.ParquetFile(
            source, thrift_string_size_limit=STRING_BYTES, thrift_container_size_limit=THINGS
        ) as file:
            for number in range(file.num_row_groups):
                file.read_row_group(number, use_threads=False)
    except MemoryError:
        return "reading it takes more than the limit of memory; its footer may lie"
    except BaseException as error:  # Arrow raises whatever comes on strange bytes
        return f"{type(error).__name__}: {error}"[:TEXT]
    return ""


if __name__ == "__main__":
    main()
