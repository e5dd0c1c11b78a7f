"""Zoos from strangers: every attack is refused by the name of what is wrong, before data is read."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import mutations
import numpy as np
import pytest
import safetensors.numpy
from h5py import h5a, h5d, h5p, h5s, h5t, h5z

import zoo
from zoo import files, limited, vet, vetting
from zoo.manifest import read_manifest
from zoo.vetting import about as about_file
from zoo.vetting import columns, plain_files, shards, tensors, texts
from zoo.vetting.manifests import ABOUT, FIXED, MANIFEST

SHARD = "data/test-00000-of-00001.h5"
SECRET = b"the-contents-of-a-private-file!!"
UTF8 = h5py.string_dtype()


@pytest.fixture
def copy(standard, tmp_path):
    """What travels of a zoo."""
    return shutil.copytree(standard, tmp_path / "zoo", ignore=lambda folder, names: {*vetting.LOCAL} & {*names})


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own cache"))


def sign(folder: Path) -> None:
    """Makes the manifest agree with the files, as an attacker would."""
    lines = [f"{files.sha256(folder / name)}  {name}\n" for name in read_manifest(folder)]
    (folder / MANIFEST).write_text("".join(lines))


def refusal(folder: Path) -> str:
    """What is said of a zoo that is refused. The look itself, here: a child for each of hundreds would take long."""
    with pytest.raises(ValueError, match=r".") as caught:
        vetting.check(str(folder))
    return limited.plain(caught.value)


def refusal_of_child(folder: Path) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        vet.vet(folder)
    return str(caught.value)


def about(folder: Path, **changes: object) -> None:
    """Changes fields of zoo.json."""
    value = json.loads((folder / ABOUT).read_text()) | changes
    (folder / ABOUT).write_text(json.dumps(value))
    sign(folder)


def low(file: h5py.File, name: str, kind: h5t.TypeID, shape: tuple[int, ...], plan: h5p.PropDCID | None = None) -> None:
    """A data set of any type and plan, made by HDF5's own functions; its data is never written."""
    h5d.create(file.id, name.encode(), kind, h5s.create_simple(shape), plan)


def planned(**settings: tuple[object, ...]) -> h5p.PropDCID:
    plan = h5p.create(h5p.DATASET_CREATE)
    for name, arguments in settings.items():
        getattr(plan, name)(*arguments)
    return plan


def nets(file: h5py.File) -> int:
    return len(file["weights"])


def test_zoos_of_this_package_pass(standard, asymmetric, copy):
    vet.vet(copy)
    for folder in (standard, asymmetric):
        vet.vet(folder, local=True)
    found = vetting.check(str(copy))
    assert found["nets"] == len(zoo.open(copy))
    assert found["files"] == len(read_manifest(copy))


def test_a_zoo_with_text_curves_and_packed_columns_passes(copy):
    def more(file: h5py.File) -> None:
        count = nets(file)
        file.create_dataset("activation", data=["relu", "tänh\n"] * (count // 2) + [""] * (count % 2), dtype=UTF8)
        file.create_dataset("packed", data=np.arange(count), chunks=(2,), compression="gzip", shuffle=True, fletcher32=True)
        file["flag"] = np.ones(count, bool)
        file["trajectory"] = np.zeros((count, 2, file["weights"].shape[1]), "f4")
        file["trajectory_test_loss"] = np.zeros((count, 2), "f2")
        file.attrs["number"] = 3.5
        file["seed"].attrs["unit"] = "none"

    for path in (copy / "data").iterdir():
        with h5py.File(path, "r+") as file:
            more(file)
    about(copy, text=["activation"])
    vet.vet(copy)
    about(copy, text=[])
    assert "column activation has a type (string)" in refusal(copy)


# Attacks on a shard: what is done to an open file (`secret` is a path beside the zoo), and what the refusal says.


def linked_out(file, secret):
    with h5py.File(secret, "w") as other:
        other["column"] = np.frombuffer(SECRET, "u1")
    file["stolen"] = h5py.ExternalLink(str(secret), "/column")


def linked_out_in_place(file, secret):
    del file["seed"]
    linked_out(file, secret)
    file.move("stolen", "seed")


def linked_out_in_the_middle(file, secret):
    with h5py.File(secret, "w") as other:
        other["group/column"] = np.frombuffer(SECRET, "u1")
    file["middle"] = h5py.ExternalLink(str(secret), "/group")
    file["alias"] = h5py.SoftLink("/middle/column")


def linked_out_in_a_group(file, secret):
    file.create_group("inner")["stolen"] = h5py.ExternalLink(str(secret), "/column")


def virtual(file, secret):
    with h5py.File(secret, "w") as other:
        other["column"] = np.zeros(nets(file))
    layout = h5py.VirtualLayout((nets(file),), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "column", (nets(file),))
    file.create_virtual_dataset("stolen", layout)


def stored_outside(file, secret):
    secret.write_bytes(SECRET * 100)
    file.create_dataset("stolen", (nets(file),), "u1", external=[(str(secret), 0, nets(file))])


def weights_stored_outside(file, secret):
    shape = file["weights"].shape
    del file["weights"]
    secret.write_bytes(SECRET * 100_000)
    file.create_dataset("weights", shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def loop(file, secret):
    file["loop"] = file["/"]


def loop_of_groups(file, secret):
    file.create_group("inner")["back"] = file["/"]


def twins(file, secret):
    file["twin"] = file["seed"]


def crowd(file, secret):
    for number in range(shards.OBJECTS):
        file[f"c{number}"] = h5py.SoftLink("/weights")


def compound(file, secret):
    file["rows"] = np.zeros(nets(file), [("a", "f4"), ("b", "i4")])


def references(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.ref_dtype)


def regions(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.regionref_dtype)


def ragged(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.vlen_dtype(np.float32))


def opaque(file, secret):
    file["rows"] = np.zeros(nets(file), "V8")


def fixed_bytes(file, secret):
    file["rows"] = np.zeros(nets(file), "S8")


def unnamed_text(file, secret):
    file.create_dataset("rows", data=["a"] * nets(file), dtype=UTF8)


def colours(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.enum_dtype({"RED": 0, "GREEN": 1}, "i1"))


def swapped_bool(file, secret):
    file.create_dataset("rows", (nets(file),), h5py.enum_dtype({"FALSE": 1, "TRUE": 0}, "i1"))


def big_endian(file, secret):
    file["rows"] = np.zeros(nets(file), ">f4")


def complex_numbers(file, secret):
    file["rows"] = np.zeros(nets(file), "c8")


def long_double(file, secret):
    low(file, "rows", h5t.IEEE_F128LE, (nets(file),))


def subarrays(file, secret):
    low(file, "rows", h5t.array_create(h5t.IEEE_F32LE, (3,)), (nets(file),))


def committed(file, secret):
    file["kind"] = np.dtype("f4")


def scalar(file, secret):
    file["rows"] = 1.0


def empty(file, secret):
    file["rows"] = h5py.Empty("f4")


def short(file, secret):
    file["rows"] = np.zeros(nets(file) - 1)


def wide(file, secret):
    file["rows"] = np.zeros((nets(file), 2))


def many_axes(file, secret):
    file["rows"] = np.zeros((nets(file),) + (1,) * 31)


def sparse_terabyte(file, secret):
    low(file, "rows", h5t.IEEE_F64LE, (2**37,))


def packed_terabyte(file, secret):
    file.create_dataset("rows", (2**37,), "f8", chunks=(1024,), compression="gzip")


def packed_zeros(file, secret):
    data = file.create_dataset("rows", (2**27,), "i1", chunks=(2**23,), compression="gzip", compression_opts=9)
    data[:] = 0


def huge_chunk(file, secret):
    file.create_dataset("rows", (nets(file),), "f8", maxshape=(None,), chunks=(2**27,))


def past_the_end(file, secret):
    del file["weights"]
    low(file, "weights", h5t.IEEE_F32LE, (2**20, 2**20))


def blosc(file, secret):
    low(file, "rows", h5t.IEEE_F32LE, (nets(file),), planned(set_chunk=((nets(file),),), set_filter=(32001, 1)))


def lzf(file, secret):
    file.create_dataset("rows", data=np.zeros(nets(file)), compression="lzf")


def scale_offset(file, secret):
    file.create_dataset("rows", data=np.zeros(nets(file), int), scaleoffset=True)


def many_filters(file, secret):
    plan = planned(set_chunk=((nets(file),),))
    for _ in range(4):
        plan.set_filter(h5z.FILTER_DEFLATE, 0, (1,))
    low(file, "rows", h5t.IEEE_F32LE, (nets(file),), plan)


def chunked_weights(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file.create_dataset("weights", data=weights, chunks=(1, weights.shape[1]))


def double_weights(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file["weights"] = weights.astype("f8")


def whole_weights(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file["weights"] = weights.astype("i4")


def no_weights(file, secret):
    del file["weights"]


def other_width(file, secret):
    weights = file["weights"][()]
    del file["weights"]
    file["weights"] = weights[:, 1:]


def no_nets(file, secret):
    for name, column in [(name, file[name][:0]) for name in file]:
        del file[name]
        file[name] = column


def many_attributes(file, secret):
    for number in range(columns.ATTRIBUTES + 1):
        file["seed"].attrs[f"a{number}"] = 1


def reference_attribute(file, secret):
    file.attrs["rows"] = file["seed"].ref


def ragged_attribute(file, secret):
    h5a.create(file.id, b"rows", h5t.vlen_create(h5t.IEEE_F32LE), h5s.create(h5s.SCALAR))


def array_attribute(file, secret):
    file.attrs["rows"] = np.zeros(1000)


def strange_name(file, secret):
    file["..\x1b[2J"] = np.zeros(nets(file))


ATTACKS = {
    linked_out: "'stolen' is an external link",
    linked_out_in_place: "'seed' is an external link",
    linked_out_in_the_middle: "'alias' is a soft link",
    linked_out_in_a_group: "'inner' is a group",
    virtual: "column stolen is a virtual data set",
    stored_outside: "column stolen is stored in another file",
    weights_stored_outside: "column weights is stored in another file",
    loop: "'loop' is a group",
    loop_of_groups: "'inner' is a group",
    twins: "'twin' and 'seed' are one object",
    crowd: "objects; a shard has 512 at most",
    compound: "column rows has a type (compound)",
    references: "column rows has a type (reference)",
    regions: "column rows has a type (reference)",
    ragged: "column rows has a type (vlen)",
    opaque: "column rows has a type (opaque)",
    fixed_bytes: "column rows has a type (string)",
    unnamed_text: "column rows has a type (string)",
    colours: "column rows has a type (enum)",
    swapped_bool: "column rows has a type (enum)",
    big_endian: "column rows has a type (float)",
    complex_numbers: "column rows has a type (compound)",
    long_double: "column rows has a type (float)",
    subarrays: "column rows has a type (array)",
    committed: "'kind' is a group or a named type",
    scalar: "column rows is a scalar or empty",
    empty: "column rows is a scalar or empty",
    short: "column rows has shape",
    wide: "column rows has shape",
    many_axes: "column rows has shape",
    sparse_terabyte: "column rows claims 1,099,511,627,776 bytes",
    packed_terabyte: "column rows claims 1,099,511,627,776 bytes",
    packed_zeros: "column rows claims 134,217,728 bytes",
    huge_chunk: "column rows has chunks of 1,073,741,824 bytes",
    past_the_end: "column weights claims 4,398,046,511,104 bytes",
    blosc: "column rows needs the filter 32001",
    lzf: "column rows needs the filter 32000",
    scale_offset: "column rows needs the filter 6",
    many_filters: "column rows has 4 filters",
    chunked_weights: "column weights must be contiguous",
    double_weights: "column weights must be float16 or float32",
    whole_weights: "column weights must be float16 or float32",
    no_weights: "has no column weights",
    other_width: "weights a net",
    no_nets: "claims 0 bytes",
    many_attributes: "seed has 65 attributes",
    reference_attribute: "attribute 'rows' of / is neither text nor a number",
    ragged_attribute: "attribute 'rows' of / is neither text nor a number",
    array_attribute: "attribute 'rows' of / is not a single value",
    strange_name: r"is no name of a column",
}


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


def test_a_shard_that_hangs_its_reader_is_refused(copy, tmp_path, monkeypatch):
    """The look is replaced by one that never ends: what makes HDF5 itself hang differs by its version."""
    slow = tmp_path / "slow.py"
    slow.write_text("def check(folder, local):\n    while True:\n        pass\n")
    monkeypatch.setattr("zoo.vet.vetting.__file__", str(slow))
    monkeypatch.setattr("zoo.vet.SECONDS", 0.5)
    assert "limit of 0.5" in refusal_of_child(copy)


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
        limited.call(f"{mutations.__file__}:read_column", read, seconds=30.0, memory=2**30)
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


# Bytes that are not the manifest's.


@pytest.mark.parametrize("where", [0, 9, 100, 700, 0.25, 0.5, 0.75, 0.999])
@pytest.mark.parametrize("name", [SHARD, ABOUT, FIXED])
def test_a_flipped_bit_in_any_region_is_found_and_the_file_named(copy, name, where):
    data = bytearray((copy / name).read_bytes())
    data[int(where * len(data)) if isinstance(where, float) else where] ^= 16
    (copy / name).write_bytes(data)
    assert name in refusal(copy)


@pytest.mark.parametrize("where", [0, 30, 64, 65, 66, 70, -1])
def test_a_flipped_bit_in_the_manifest_is_found(copy, where):
    data = bytearray((copy / MANIFEST).read_bytes())
    data[where] ^= 1
    (copy / MANIFEST).write_bytes(data)
    assert str(copy) in refusal(copy)


@pytest.mark.parametrize("name", [SHARD, ABOUT, FIXED, MANIFEST])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_refused_signed_or_not(copy, name, share):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: int(share * len(data))])
    assert str(copy) in refusal(copy)
    if name != MANIFEST:
        sign(copy)
        assert name in refusal(copy)


def test_swapped_shards_are_refused(copy):
    other = copy / SHARD.replace("test", "train")
    (copy / SHARD).rename(copy / "aside")
    other.rename(copy / SHARD)
    (copy / "aside").rename(other)
    assert "not those that MANIFEST.sha256 lists" in refusal(copy)


def test_shards_with_different_columns_are_refused(copy):
    with h5py.File(copy / SHARD, "r+") as file:
        file["more"] = np.zeros(nets(file))
    sign(copy)
    assert "same columns" in refusal(copy)


# The manifest, and paths.


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "data/../../secret",
        "/etc/passwd",
        "data\\test-00000-of-00001.h5",
        "C:zoo.json",
        "Zoo.json",
        "data/Test-00000-of-00001.h5",
        "data/test-00000-of-00001.h5/x",
        "data//test-00000-of-00001.h5",
        "./zoo.json",
        "data/test-0000\u0660-of-00001.h5",
        "data/\x1b[2J.h5",
        "zoo.json\r",
        "zoo.json ",
        "README.md",
        "plan.json",
        "",
    ],
)
def test_paths_that_are_no_zoos_are_refused(copy, tmp_path, name):
    (tmp_path / "secret").write_bytes(SECRET)
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_bytes(f"{text}{files.hash_of(SECRET)}  {name}\n".encode())
    message = refusal(copy)
    assert "is no file of a zoo" in message
    assert message.isprintable()


def test_a_name_twice_a_missing_name_and_holes_in_the_numbers_are_refused(copy):
    lines = (copy / MANIFEST).read_text().splitlines(keepends=True)
    (copy / MANIFEST).write_text("".join([*lines, lines[0]]))
    assert "stands there twice" in refusal(copy)
    (copy / MANIFEST).write_text("".join(line for line in lines if FIXED not in line))
    assert f"does not name {FIXED}" in refusal(copy)
    (copy / MANIFEST).write_text("".join(lines[:2]))
    assert "not numbered" in refusal(copy)
    (copy / MANIFEST).write_text("".join(lines).replace("test-00000-of-00001", "test-00001-of-00002"))
    assert "not numbered" in refusal(copy)
    (copy / MANIFEST).write_text("".join(lines).replace("test-00000-of-00001", "test-00000-of-00000"))
    assert "not numbered" in refusal(copy)
    (copy / MANIFEST).write_text("".join(lines) * 10_000)
    assert "bytes; such a file has" in refusal(copy)
    (copy / MANIFEST).unlink()
    assert "No such file" in refusal(copy)


@pytest.mark.parametrize("name", [SHARD, ABOUT, FIXED, MANIFEST, "data"])
def test_symbolic_links_are_refused(copy, tmp_path, name):
    (copy / name).rename(tmp_path / "moved")
    (copy / name).symlink_to(tmp_path / "moved")
    assert f"{name}: a symbolic link" in refusal(copy)


@pytest.mark.parametrize("name", [SHARD, ABOUT, FIXED, MANIFEST])
def test_pipes_and_folders_are_refused_at_once(copy, name):
    (copy / name).unlink()
    os.mkfifo(copy / name)
    assert "no plain file" in refusal_of_child(copy)
    (copy / name).unlink()
    (copy / name).mkdir()
    assert "no plain file" in refusal(copy)


def test_a_file_is_read_only_where_it_is_plain_and_small_enough(copy):
    assert plain_files.read_bytes(copy / ABOUT, 10**6) == (copy / ABOUT).read_bytes()
    for path, found in ((copy / ABOUT, "such a file has 10 at most"), (copy, "no plain file"), (copy / "none", "No such")):
        with pytest.raises(ValueError, match=found):
            plain_files.read_bytes(path, 10)


@pytest.mark.parametrize("name", vetting.LOCAL)
def test_what_is_trusted_where_a_zoo_was_made_does_not_come_from_others(copy, name):
    (copy / name).mkdir()
    assert f"{name}: is trusted where a zoo was made" in refusal(copy)
    vet.vet(copy, local=True)


# zoo.json and fixed.safetensors.


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e999}', "1e999 is no finite number"),
        (f'{{"a": {"9" * 5000}}}', "a whole number of 5000 digits"),
        (deep(texts.DEPTH + 1), "nested more than"),
        (deep(100_000), "nested"),
        ("[" * 100_000, "nested"),
        ('{"a": "\\u001b[2J"}', "control characters"),
        ('{"\\ud800": 1}', "control characters"),
        ('{"a": 1}\x00', "no strict JSON"),
        ("[]", "expected a JSON object, found list"),
        ("", "no strict JSON"),
        ('{"a": [' + "1," * 1000 + "1]}", "more than 1,000 values"),
        ('{"a": "' + "x" * about_file.ABOUT_BYTES + '"}', "such a file has"),
    ],
)
def test_json_that_could_do_harm_is_refused(copy, text, found, monkeypatch):
    monkeypatch.setattr(texts, "VALUES", 1000)
    (copy / ABOUT).write_text(text)
    sign(copy)
    message = refusal(copy)
    assert found in message
    assert str(copy / ABOUT) in message


def test_json_that_is_no_utf8_is_refused(copy):
    (copy / ABOUT).write_bytes(b'{"a": "\xff"}')
    sign(copy)
    assert "no UTF-8" in refusal(copy)


@pytest.mark.parametrize(
    "entry",
    [
        {"shape": [10**15], "offset": 0},
        {"shape": [2**39, 2**39], "offset": 0},
        {"shape": [-5], "offset": 0},
        {"shape": [True], "offset": 0},
        {"shape": [1.0], "offset": 0},
        {"shape": [1] * 9, "offset": 0},
        {"shape": [1], "offset": 1},
        {"shape": [1], "offset": False},
        {"shape": "10", "offset": 0},
        {"offset": 0},
        "entry",
    ],
)
def test_a_layout_that_claims_other_sizes_than_the_files_is_refused(copy, entry):
    about(copy, layout=[entry])
    message = refusal(copy)
    assert "`layout` must" in message or f"{ABOUT} describes" in message
    about(copy, layout=[])
    assert "`layout` must" in refusal(copy)


def test_names_of_text_columns_must_be_names(copy):
    about(copy, text={"seed": 1})
    assert "`text` must be a list" in refusal(copy)


def tensors_file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: str = "F32", shape: object = (1,), place: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "no safetensors"),
        (tensors_file({}, length=2**63), "header of"),
        (tensors_file({}, length=10), "header of"),
        (tensors_file(b" " * (tensors.HEADER_BYTES + 1)), "header of"),
        (tensors_file(b'{"a":1,"a":1}'), "stands twice"),
        (tensors_file(b"[]"), "expected a JSON object"),
        (tensors_file({"a": 1}), "tensor 'a' must have a dtype"),
        (tensors_file({"a": entry("I64", [1], [0, 8])}, bytes(8)), "has dtype 'I64'"),
        (tensors_file({"a": entry(shape=[2])}, bytes(4)), "does not fit its place"),
        (tensors_file({"a": entry(shape=[-1], place=[4, 0])}, bytes(4)), "does not fit its place"),
        (tensors_file({"a": entry(shape=[2**40, 2**40], place=[0, 2**62])}), "does not fit its place"),
        (tensors_file({"a": entry(), "b": entry()}, bytes(4)), "overlap"),
        (tensors_file({"a": entry(place=[4, 8])}, bytes(8)), "gaps"),
        (tensors_file({"a": entry()}, bytes(3)), "do not end with the file"),
        (tensors_file({"a": entry()}, bytes(5)), "do not end with the file"),
        (safetensors.numpy.save({"fixed": np.zeros(7, "f4")}), "tensor fixed has shape [7]"),
        (safetensors.numpy.save({"other": np.zeros(7, "f4")}), "tensor fixed has shape None"),
    ],
)
def test_tensors_that_could_do_harm_are_refused(copy, data, found):
    (copy / FIXED).write_bytes(data)
    sign(copy)
    message = refusal(copy)
    assert found in message
    assert FIXED in message


# Vetted once.


def test_a_zoo_is_vetted_once_and_again_when_it_changes(copy, monkeypatch):
    calls = []
    monkeypatch.setattr("zoo.vet.limited.call", lambda *arguments, **keywords: calls.append(arguments))
    for _ in range(3):
        vet.once(copy)
    assert len(calls) == 1
    os.utime(copy / SHARD)
    vet.once(copy)
    assert len(calls) == 2
    data = (copy / SHARD).read_bytes()
    times = (copy / SHARD).stat()
    (copy / "same").write_bytes(data)
    os.utime(copy / "same", ns=(times.st_atime_ns, times.st_mtime_ns))
    (copy / "same").replace(copy / SHARD)  # another file with the same name, size and time
    vet.once(copy)
    assert len(calls) == 3
    lines = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(f"x{lines[1:]}")
    with pytest.raises(ValueError, match="is no `sha256  path`"):
        vet.once(copy)
    (copy / MANIFEST).write_text(lines)
    vet.once(shutil.copytree(copy, copy.with_name("other")))
    assert len(calls) == 4


def test_a_refused_zoo_is_refused_every_time(copy):
    (copy / SHARD).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(ValueError, match="not those that"):
            vet.once(copy)


def test_a_remembered_zoo_is_not_vetted(standard, copy, monkeypatch):
    monkeypatch.setattr("zoo.vet.limited.call", None)
    vet.remember(copy)
    vet.once(copy)
    with pytest.raises(TypeError):
        vet.once(standard)


def test_without_a_place_to_remember_a_zoo_is_vetted_every_time(copy, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr("zoo.vet.limited.call", lambda *arguments, **keywords: calls.append(arguments))
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        vet.once(copy)
    vet.remember(copy)
    assert len(calls) == 2


def test_a_known_zoo_costs_next_to_nothing(copy):
    vet.once(copy)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        vet.once(copy)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.005


def test_random_damage_is_refused_cleanly_or_harmless(copy):
    good = mutations.samples(copy)
    for kind in ("shard", "zoo.json", "manifest", "safetensors"):
        data, known = good[kind]
        found = mutations.run(kind, data, 300, seed=0, about=known)
        assert sum(found.values()) == 300
        assert not [outcome for outcome in found if outcome.startswith("raised")], kind
        assert found["refused"] > 50
