"""Shards from strangers: every attack is refused by the name of what is wrong, before data is read."""

import os
import shutil
import struct
import subprocess
import sys
import time

import h5py
import mutations
import numpy as np
import pytest
from attacks_by_objects import BY_OBJECTS, linked_out, loop, stored_outside, strange_name, virtual, weights_stored_outside
from attacks_by_sizes import BY_SIZES, blosc, huge_chunk, packed_zeros, sparse_terabyte
from strangers import SECRET, SHARD, UTF8, about, nets, refusal, refusal_of_child, sign, travelling

from zoo.untrusted import child, vetting
from zoo.untrusted.vetting import columns, shards

ATTACKS = BY_OBJECTS | BY_SIZES


@pytest.fixture
def copy(standard, tmp_path):
    return travelling(standard, tmp_path / "zoo")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_by_a_shard_is_refused_by_name(copy, tmp_path, attack):
    with h5py.File(copy / SHARD, "r+") as file:
        attack(file, tmp_path / "secret")
    sign(copy)
    began = time.monotonic()
    message = refusal(copy)
    assert ATTACKS[attack] in message
    assert SHARD in message
    assert SECRET.decode() not in message
    assert message.isprintable()
    assert time.monotonic() - began < 10


def test_columns_and_attributes_have_a_size_limit(copy, monkeypatch):
    with h5py.File(copy / SHARD) as file:
        size = sum(file[name].size * file[name].dtype.itemsize for name in file if name != "weights")
    with monkeypatch.context() as patch:
        patch.setattr(shards, "COLUMNS_BYTES", size - 1)
        assert "its columns have more than" in refusal(copy)
    monkeypatch.setattr(columns, "ATTRIBUTE_BYTES", 100)
    assert "the attribute 'layout' of / has" in refusal(copy)


def repeated_text(folder, characters):
    """Lets every row of every shard name one text, which stands there once."""
    for path in (folder / "data").iterdir():
        with h5py.File(path, "r+") as file:
            file.create_dataset("rows", (nets(file),), UTF8, chunks=(1,), compression="gzip", fillvalue="x" * characters)
    about(folder, text=["rows"])


def test_a_text_that_stands_once_counts_as_often_as_it_is_read(copy, monkeypatch):
    repeated_text(copy, columns.TEXT)
    size = (copy / SHARD).stat().st_size
    with h5py.File(copy / SHARD) as file:
        assert nets(file) * columns.TEXT > size
    with monkeypatch.context() as patch:
        patch.setattr(shards, "COLUMNS_BYTES", size)
        assert "column rows unpacks to more bytes" in refusal(copy)
    monkeypatch.setattr(vetting, "UNPACKED_BYTES", 0)  # of all shards together: no more than the files
    assert "the columns of its shards unpack to more than" in refusal(copy)


def test_columns_that_the_files_hold_may_be_large(copy, monkeypatch):
    monkeypatch.setattr(vetting, "UNPACKED_BYTES", 0)
    assert vetting.check(str(copy))["nets"] == 64


def test_an_attribute_that_stands_once_counts_as_often_as_it_is_read(copy, monkeypatch):
    long, count = 1_234_567, 20
    with h5py.File(copy / SHARD, "r+") as file:
        file.attrs["whole"] = "x" * long
        for number in range(count):
            file.attrs[f"part{number:02}"] = "x" * (100_000 + number)
    data = bytearray((copy / SHARD).read_bytes())
    place = data.index(struct.pack("<I", long), data.index(b"whole\0"))  # a length, then where in the file
    for number in range(count):
        other = data.index(struct.pack("<I", 100_000 + number), data.index(f"part{number:02}".encode()))
        data[other : other + 16] = data[place : place + 16]
    (copy / SHARD).write_bytes(data)
    with h5py.File(copy / SHARD) as file:
        assert len(file.attrs["part19"]) == long  # the attack is a real one
    sign(copy)
    monkeypatch.setattr(shards, "COLUMNS_BYTES", 3 * long)
    assert "unpack" in refusal(copy)


def test_an_attribute_that_no_reader_understands_is_refused(copy):
    with h5py.File(copy / SHARD, "r+") as file:
        file.attrs["strange"] = "text"
    data = bytearray((copy / SHARD).read_bytes())
    place = data.index(b"\x19\x01\x01\0", data.index(b"strange\0"))  # a text of any length, in UTF-8
    data[place + 2] = 9  # in an encoding that there is not
    (copy / SHARD).write_bytes(data)
    sign(copy)
    assert "encoding" in refusal(copy)


@pytest.mark.parametrize("attack", [stored_outside, weights_stored_outside, linked_out, virtual])
def test_a_file_that_a_shard_points_to_is_not_even_opened(copy, tmp_path, attack):
    """A pipe in its place would make whoever opens it wait for ever, until the time limit."""
    secret = tmp_path / "secret"
    with h5py.File(copy / SHARD, "r+") as file:
        attack(file, secret)
    sign(copy)
    secret.unlink()
    os.mkfifo(secret)
    assert ATTACKS[attack] in refusal_of_child(copy)


@pytest.mark.parametrize("attack", [strange_name, sparse_terabyte, huge_chunk, loop, packed_zeros])
def test_the_child_says_what_the_look_says(copy, tmp_path, attack):
    with h5py.File(copy / SHARD, "r+") as file:
        attack(file, tmp_path / "secret")
    sign(copy)
    assert refusal_of_child(copy) == refusal(copy)


PLUGIN = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open("MARKER", O_CREAT | O_WRONLY, 0600)); }
int H5PLget_plugin_type(void) { return 0; }
const void *H5PLget_plugin_info(void) { return 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_no_filter_plugin_is_loaded(copy, tmp_path, monkeypatch):
    marker, plugins = tmp_path / "loaded", tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "evil.c").write_text(PLUGIN.replace("MARKER", str(marker)))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", plugins / "libevil.so", plugins / "evil.c"], check=True)
    with h5py.File(copy / SHARD, "r+") as file:
        blosc(file, None)
        file["rows"].id.write_direct_chunk((0,), bytes(16))
    sign(copy)
    monkeypatch.setenv("HDF5_PLUGIN_PATH", str(plugins))
    assert "filter 32001" in refusal_of_child(copy)
    read = {"path": str(copy / SHARD), "name": "rows"}
    with pytest.raises((ValueError, OSError), match=r"."):  # even of a reader that does not look
        child.call(f"{mutations.__file__}:read_column", read, seconds=30.0, memory=2**30)
    assert not marker.exists()
    code = f"import h5py; h5py.File({str(copy / SHARD)!r})['rows'][()]"
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False)
    assert marker.exists()  # the attack is a real one


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"x" * (columns.TEXT + 1), "row 0: no plain utf-8 text"),
        (b"\x1b[2J", "row 0: no plain utf-8 text"),
        (b"\xff", "row 0: no plain utf-8 text"),
    ],
)
def test_texts_that_could_do_harm_are_refused(copy, text, found):
    for path in (copy / "data").iterdir():
        with h5py.File(path, "r+") as file:
            column = file.create_dataset("rows", (nets(file),), UTF8)
            column[:] = "good"
            if path == copy / SHARD:
                column[0] = text
    about(copy, text=["rows"])
    assert found in refusal(copy)


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", "damaged or no shard"), (b"no HDF5", "damaged or no shard"), (b"\x89HDF\r\n\x1a\n", "damaged or no shard")],
)
def test_a_file_that_is_no_shard_is_refused(copy, data, found):
    (copy / SHARD).write_bytes(data)
    sign(copy)
    assert found in refusal(copy)


def test_a_user_block_is_refused(copy):
    with h5py.File(copy / SHARD, "w", userblock_size=512) as file:
        file["weights"] = np.zeros(3)
    sign(copy)
    assert "user block" in refusal(copy)


def test_shards_with_different_columns_are_refused(copy):
    with h5py.File(copy / SHARD, "r+") as file:
        file["more"] = np.zeros(nets(file))
    sign(copy)
    assert "same columns" in refusal(copy)
