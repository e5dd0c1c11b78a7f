"""Parquet files from strangers: what claims more than it is takes a child's memory or time, and never this process's."""

import io
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from benchmark.records.predictions import from_parquet, to_parquet
from zoo.tasks import image_tasks
from zoo.untrusted import child, parquet, parquet_child

FRAME = pd.DataFrame({"index": [0, 1], "split": ["validation", "test"], "target": [0.5, 0.25], "prediction": [0.5, 0.5]})
COUNTS = {"validation": 1, "test": 1}


def written(table: pa.Table, **options: object) -> bytes:
    memory = io.BytesIO()
    pq.write_table(table, memory, **options)
    return memory.getvalue()


def repeated() -> bytes:
    """One number a hundred million times; the row group is read at once."""
    return written(pa.table({"x": pa.array(np.zeros(10**8, np.int64))}), row_group_size=10**8, compression="zstd")


def lying_page(data: bytes) -> bytes:
    """Two texts whose page says that it unpacks to two gigabytes: a byte of its header, a variable-length number."""
    place = data.index(b"PAR1") + 4
    header = bytearray(data[place : place + 40])
    first = header.index(0x15, 2)  # the second field: how many bytes the page unpacks to
    length = next(n for n in range(1, 6) if header[first + n] < 0x80)
    much = (0x7FFFFFF0 << 1).to_bytes(5, "little")
    number, varint = int.from_bytes(much, "little"), bytearray()
    while number >= 0x80:
        varint.append(number & 0x7F | 0x80)
        number >>= 7
    varint.append(number)
    return data[: place + first + 1] + bytes(varint[:length]) + data[place + first + 1 + length :]


def grown() -> int:
    """The most memory that this process had at once, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_whole_files_pass_by_path_and_by_bytes(tmp_path):
    data = to_parquet(FRAME)
    (tmp_path / "a.parquet").write_bytes(data)
    parquet.check(data, "a")
    parquet.check(tmp_path / "a.parquet", "a")
    assert parquet_child.fault(pa.BufferReader(data)) == ""
    assert parquet_child.fault(pa.BufferReader(data[:-1])).startswith("ArrowInvalid")
    assert from_parquet(tmp_path / "a.parquet", data, COUNTS).equals(FRAME)


@pytest.mark.parametrize("form", ["bytes", "path"])
def test_a_small_file_of_many_rows_takes_the_childs_memory_only(tmp_path, monkeypatch, form):
    monkeypatch.setattr(parquet, "MEMORY", 700 * 2**20)
    data = repeated()
    assert len(data) < 500_000  # and 800 MB in memory
    (tmp_path / "x.parquet").write_bytes(data)
    before = grown()
    with pytest.raises(ValueError, match=r"x\.parquet: .*more than the limit"):
        parquet.check(data if form == "bytes" else tmp_path / "x.parquet", tmp_path / "x.parquet")
    assert grown() - before < 2**27
    parquet.check(to_parquet(FRAME), "the next one")


@pytest.mark.parametrize(
    "damage", [lambda d: b"", lambda d: d[:-9], lambda d: b"PAR1" + d[9:], lying_page, lambda d: b"x" * 99]
)
def test_a_damaged_file_is_refused_by_name_and_the_next_is_read(damage):
    with pytest.raises(ValueError, match="the file: "):
        parquet.check(damage(to_parquet(FRAME)), "the file")
    parquet.check(to_parquet(FRAME), "the next one")


def test_a_file_that_hangs_its_reader_is_given_up(monkeypatch, tmp_path):
    monkeypatch.setattr(parquet, "SECONDS", 0.5)
    os.mkfifo(tmp_path / "x")
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"more than the limits of .* or 0 s|or 1 s"):
        parquet.check(tmp_path / "x", "x")
    assert time.monotonic() - began < 10
    monkeypatch.undo()
    parquet.check(to_parquet(FRAME), "the next one")


def test_many_files_take_one_child():
    data = to_parquet(FRAME)
    parquet.check(data, "a")
    (process,) = parquet._children.values()
    began = time.monotonic()
    for _ in range(50):
        parquet.check(data, "a")
    assert list(parquet._children.values()) == [process]
    assert (time.monotonic() - began) / 50 < 0.1  # starting one takes half a second


def test_the_child_ends_with_its_process():
    code = (
        "from zoo.untrusted import parquet; import io, pyarrow as pa, pyarrow.parquet as pq; m = io.BytesIO();"
        "pq.write_table(pa.table({'a': [1]}), m); parquet.check(m.getvalue(), 'a');"
        "print(next(iter(parquet._children.values())).pid, flush=True); import os; os._exit(1)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(int(done.stdout))


def test_a_folder_of_images_is_looked_through_before_it_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MEMORY", 700 * 2**20)
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(repeated())
    before = grown()
    with pytest.raises(ValueError, match=r"train-00000-of-00001\.parquet: .*more than the limit"):
        image_tasks.read("mnist", tmp_path, download=False)
    assert grown() - before < 2**28


def test_a_child_has_no_more_memory_than_the_machine(monkeypatch, tmp_path):
    assert 0 < child.machine_memory() <= psutil.virtual_memory().total
    (tmp_path / "memory.max").write_text(f"{3 * 2**28}\n")
    monkeypatch.setattr(child, "CGROUP", tmp_path)
    assert child.machine_memory() == 3 * 2**28
    assert child.call("children:data_limit", {}, seconds=9.0, memory=2**34) == 3 * 2**28
    assert child.call("children:data_limit", {}, seconds=9.0, memory=2**29) == 2**29
    (tmp_path / "memory.max").write_text("max\n")
    assert child.machine_memory() == psutil.virtual_memory().total
