import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import mutations
import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from zoo.untrusted import readers, tables
from zoo.untrusted.json import read_json


class Evil:
    """Whose pickle, when it is loaded, makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def saved(path: Path, value: object, *, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def refusal(function, path: Path, **options: object) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        function(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


# .pt


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pt_file_comes_back_as_plain_values(tmp_path, legacy):
    state = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=nn.Parameter(torch.ones(2)), n=torch.tensor(3))
    value = (state, {"accuracy": 61.5, 3: [None, True, "text"]}, torch.Size([2]))
    found = readers.tensors(saved(tmp_path / "a.pt", value, legacy=legacy))
    assert type(found[0]) is dict
    assert {name: tensor.tolist() for name, tensor in found[0].items()} == {n: t.tolist() for n, t in state.items()}
    assert all(type(tensor) is torch.Tensor and not tensor.requires_grad for tensor in found[0].values())
    assert found[1:] == ({"accuracy": 61.5, 3: [None, True, "text"]}, (2,))


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", ["a.pt", "a.pkl", "a.npy"])
def test_a_plain_pickle_is_not_executed(tmp_path, name, protocol):
    (tmp_path / name).write_bytes(pickle.dumps(Evil(tmp_path / "marker"), protocol))
    refusal(readers.array if name == "a.npy" else readers.tensors, tmp_path / name)
    assert not (tmp_path / "marker").exists()
    with (tmp_path / name).open("rb") as file:
        pickle.Unpickler(file).load()
    assert (tmp_path / "marker").exists()  # the attack is a real one


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pt_file_with_code_is_not_executed_and_the_advice_is_not_to(tmp_path, legacy):
    path = saved(tmp_path / "a.pt", {"a": torch.ones(2), "b": Evil(tmp_path / "marker")}, legacy=legacy)
    message = refusal(readers.tensors, path)
    assert "made by running code" in message
    assert "mkdir" in message
    assert "weights_only" not in message
    assert not (tmp_path / "marker").exists()


def test_a_variable_cannot_allow_code(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    refusal(readers.tensors, saved(tmp_path / "a.pt", Evil(tmp_path / "marker")))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "value",
    [
        nn.Linear(2, 2),
        np.ones(3),
        np.str_("text"),
        np.dtype("f4"),
        np.datetime64("2020"),
        np.longdouble(1.5),
        np.complex64(1),
        np.void(b"ab"),
        Path("a"),
        {1, 2},
        b"bytes",
        1j,
        torch.float32,
        torch.device("cpu"),
        {(1, 2): 3},
        {None: 1},
        torch.ones(2, dtype=torch.complex64),
        torch.eye(3).to_sparse(),
        torch.ones(2, device="meta"),
    ],
    ids=lambda value: str(type(value)),
)
def test_anything_but_tensors_numbers_and_text_is_refused(tmp_path, value):
    refusal(readers.tensors, saved(tmp_path / "a.pt", {"a": value}))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "a quantized tensor"),
        (lambda: torch.eye(3).to_sparse(), "a sparse or nested tensor (sparse_coo)"),
        (lambda: torch.eye(3).to_sparse_csr(), "a sparse or nested tensor (sparse_csr)"),
        (lambda: torch.ones(2, device="meta"), "a tensor without data (meta)"),
        (lambda: torch.ones(2, dtype=torch.complex64), "a tensor of torch.complex64"),
    ],
)
def test_tensors_that_are_no_block_of_numbers_are_refused_by_their_name(tmp_path, tensor, said):
    path = saved(tmp_path / "a.pt", {"state_dict": {"fc.weight": torch.ones(2), "fc.mask": tensor()}})
    assert f"state_dict.fc.mask is {said}" in refusal(readers.tensors, path)


@pytest.mark.parametrize("legacy", [False, True])
def test_an_expanded_tensor_is_the_tensor_that_it_shows(tmp_path, legacy):
    slopes = torch.arange(3.0)[:, None].expand(3, 200)
    found = readers.tensors(saved(tmp_path / "a.pt", {"a": slopes}, legacy=legacy))["a"]
    assert torch.equal(found, slopes)
    assert found.is_contiguous()


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_larger_than_what_is_stored_are_refused(tmp_path, legacy):
    path = saved(tmp_path / "a.pt", {"a": torch.zeros(1).expand(10**9)}, legacy=legacy)
    assert path.stat().st_size < 3000
    assert "claim 4,000,000,000 bytes" in refusal(readers.tensors, path)


def test_many_tensors_of_one_storage_are_refused(tmp_path):
    base = torch.zeros(2**20)
    readers.tensors(saved(tmp_path / "a.pt", [base[:] for _ in range(8)]))
    assert "claim" in refusal(readers.tensors, saved(tmp_path / "b.pt", [base[:] for _ in range(40)]))


def test_lists_that_grow_exponentially_or_deeply_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "VALUES", 1000)
    value: object = 1
    for _ in range(15):
        value = [value] * 10
    assert "more than 1,000 values" in refusal(readers.tensors, saved(tmp_path / "a.pt", value))
    value = 1
    for _ in range(30):
        value = [value]
    assert "nested more than 16" in refusal(readers.tensors, saved(tmp_path / "b.pt", value))
    value = []
    value.append(value)
    assert "nested more than 16" in refusal(readers.tensors, saved(tmp_path / "c.pt", value))


def repacked(source: Path, target: Path, change) -> Path:
    """The zip archive again, each part as `change` (name, bytes) gives it: name, bytes, and how it is packed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            for part, data, packed in change(name, old.read(name)):
                new.writestr(part, data, compress_type=packed)
    return target


def test_a_pt_file_with_packed_parts_strange_paths_or_lies_is_refused(tmp_path):
    good, stored = saved(tmp_path / "a.pt", {"a": torch.zeros(1000)}), zipfile.ZIP_STORED
    path = tmp_path / "b.pt"
    repacked(good, path, lambda name, data: [(name, data, zipfile.ZIP_DEFLATED)])
    assert "is compressed" in refusal(readers.tensors, path)
    repacked(good, path, lambda name, data: [(name, data, stored), (f"../{name}", data, stored)])
    assert "part with the path ../" in refusal(readers.tensors, path)
    data = good.read_bytes()
    start = data.index(b"PK\x01\x02")
    path.write_bytes(data[: start + 20] + struct.pack("<II", 10**7, 10**7) + data[start + 28 :])
    assert "claim more bytes" in refusal(readers.tensors, path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_pt_file_with_a_part_twice_or_too_many_is_refused(tmp_path, monkeypatch):
    good, stored = saved(tmp_path / "a.pt", {"a": torch.zeros(3)}), zipfile.ZIP_STORED
    path = repacked(good, tmp_path / "b.pt", lambda name, data: [(name, data, stored)] * 2)
    assert "two of one name" in refusal(readers.tensors, path)
    monkeypatch.setattr(readers, "PARTS", 2)
    assert "more than 2" in refusal(readers.tensors, good)


def test_a_large_pickle_in_a_pt_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "PICKLE_BYTES", 1000)
    assert "data.pkl has" in refusal(readers.tensors, saved(tmp_path / "a.pt", ["x" * 2000]))


def test_a_tensor_beyond_its_file_is_refused(tmp_path):
    """The pickle says ten times as many entries as the storage has."""
    good = saved(tmp_path / "a.pt", {"a": torch.zeros(1000)})
    more = (10_000).to_bytes(2, "little")

    def lie(name, data):
        return [(name, data.replace(b"M\xe8\x03", b"M" + more), zipfile.ZIP_STORED)]

    assert refusal(readers.tensors, repacked(good, tmp_path / "b.pt", lie))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no pickle", b"\x80\x02."])
def test_what_is_no_pt_file_is_refused(tmp_path, data):
    (tmp_path / "a.pt").write_bytes(data)
    refusal(readers.tensors, tmp_path / "a.pt")


# .safetensors


def test_safetensors_come_back_and_damaged_ones_do_not(tmp_path):
    path = tmp_path / "a.safetensors"
    data = safetensors.numpy.save({"a": np.arange(6, dtype="f4"), "b": np.ones((2, 2), "i8")}, {"note": "x"})
    path.write_bytes(data)
    assert readers.safetensors(path)["a"].tolist() == [0, 1, 2, 3, 4, 5]
    for cut in (0, 7, 8, 50, len(data) - 1):
        path.write_bytes(data[:cut])
        refusal(readers.safetensors, path)
    path.write_bytes(data.replace(b'"F32"', b'"C64"'))
    assert "has dtype 'C64'" in refusal(readers.safetensors, path)


# .npy


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i8", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_mapped_as_it_was_saved(tmp_path, dtype, order):
    values = np.asarray(np.arange(6).reshape(2, 3), dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    found = readers.array(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert not found.flags.writeable


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(2, [("a", "f4")]),
        np.zeros(2, "S3"),
        np.zeros(2, "U3"),
        np.zeros(2, "c8"),
        np.zeros(2, "M8[s]"),
        np.zeros(2, np.longdouble),
        np.zeros(2, "V4"),
    ],
    ids=lambda values: str(values.dtype),
)
def test_arrays_of_anything_but_numbers_are_refused(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    assert "expected plain numbers" in refusal(readers.array, tmp_path / "a.npy")


def test_an_array_of_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([Evil(tmp_path / "marker")]), allow_pickle=True)
    assert "expected plain numbers" in refusal(readers.array, tmp_path / "a.npy")
    assert not (tmp_path / "marker").exists()


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(text)) + text + data


FIELDS = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"


@pytest.mark.parametrize(
    "data",
    [
        npy(FIELDS % "(3,)", bytes(11)),
        npy(FIELDS % "(3,)", bytes(13)),
        npy(FIELDS % "(1000000000000,)"),
        npy(FIELDS % "(-3,)", bytes(12)),
        npy(FIELDS % "(-1, -3)", bytes(12)),
        npy(FIELDS % "(0,)"),
        npy(FIELDS % "(99999999999999999999999999,)"),
        npy(FIELDS % "('a',)", bytes(4)),
        npy(FIELDS % "(1,)" + " " * 20_000, bytes(4)),
        npy("{'descr': '<f4', 'fortran_order': False}", bytes(4)),
        npy("__import__('os').mkdir('MARKER')", bytes(4)),
        npy("(" * 5000, bytes(4)),
        npy("-" * 9000 + "1", bytes(4)),
        npy(FIELDS % "(1,)", bytes(4), b"\x09\x00"),
        b"\x93NUMPY",
        b"",
    ],
)
def test_headers_that_lie_are_refused(tmp_path, data):
    (tmp_path / "a.npy").write_bytes(data.replace(b"MARKER", str(tmp_path / "marker").encode()))
    refusal(readers.array, tmp_path / "a.npy")
    assert not (tmp_path / "marker").exists()


# JSON


def test_json_comes_back_and_nan_where_it_is_allowed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": [1, 2.5, null], "ü": {"b": "x\\n"}}')
    assert read_json(path) == {"a": [1, 2.5, None], "ü": {"b": "x\n"}}
    path.write_text('{"a": 1}\n\n{"a": NaN, "b": -Infinity}\n')
    found, broken_off = readers.json_lines(path, nan=True)
    assert not broken_off
    assert found[0] == {"a": 1}
    assert np.isnan(found[1]["a"])
    assert found[1]["b"] == -np.inf
    assert "line 3" in refusal(readers.json_lines, path)


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', "[1]", "{", "NaN", '{"a": 1e999}', '{"a":' * 5000, '{"a": "\\u0007"}', "\xff"]
)
def test_json_that_could_do_harm_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("latin1"))
    refusal(read_json, tmp_path / "a.json")
    refusal(readers.json_lines, tmp_path / "a.json")


def test_json_has_a_size_limit(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": "x" * 100}))
    assert "has 109 bytes; such a file has 100 at most" in refusal(read_json, tmp_path / "a.json", most=100)


# All.

READERS = [readers.tensors, readers.safetensors, readers.array, tables.read, read_json, readers.json_lines]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_pipes_folders_and_missing_files_are_refused_at_once(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        assert "is no plain file" in refusal(reader, path)
    with pytest.raises((FileNotFoundError, ValueError), match=r"[Nn]o such file"):
        reader(tmp_path / "none")


@pytest.mark.parametrize("kind", mutations.HEAVY)
def test_random_damage_is_refused_cleanly_or_harmless(standard, kind):
    data, known = mutations.samples(standard)[kind]
    found = mutations.run(kind, data, 300, seed=0, about=known)
    assert sum(found.values()) == 300
    assert not [outcome for outcome in found if outcome.startswith("raised")]
    assert found["refused"] > 50
