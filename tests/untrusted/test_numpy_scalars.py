"""Numbers of numpy in .pt files: plain numbers are read, and nothing else of numpy is made or called."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from zoo.untrusted import readers
from zoo.untrusted.numpy_scalars import NumberType, number

NUMBERS = [np.float64(0.1), np.float32(0.5), np.float16(2), np.int64(-(2**40)), np.uint8(200), np.bool_(True), np.int8(-3)]
PLAIN = (3, "<", None, None, None, -1, -1, 0)  # the state of a dtype of plain numbers


def body(value: object) -> bytes:
    """The opcodes that make a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def called(name: str, *arguments: bytes) -> bytes:
    """The opcodes that call a function with what these opcodes make."""
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def forged(path: Path, opcodes: bytes) -> Path:
    """A .pt file whose pickle is these opcodes."""
    torch.save({"a": 1}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, b"\x80\x02" + opcodes + b"." if name.endswith("data.pkl") else data)
    return path


def scalar(module: str, code: object, state: object, data: object) -> bytes:
    dtype = called("numpy.dtype", body(code), body(False), body(True)) + body(state) + b"b"
    return called(f"{module}.scalar", dtype, body(data))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: str(value.dtype))
def test_a_number_of_numpy_is_the_plain_number(tmp_path, value, legacy):
    torch.save({"best": value}, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    found = readers.tensors(tmp_path / "a.pt")["best"]
    assert (type(found), found) == (type(value.item()), value.item())


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_old_and_new_numpy_and_both_byte_orders_are_read(tmp_path, module, order):
    state = (3, order, None, None, None, -1, -1, 0)
    path = forged(tmp_path / "a.pt", scalar(module, "f8", state, np.array(0.1, f"{order}f8").tobytes()))
    assert readers.tensors(path) == 0.1


@pytest.mark.parametrize(
    ("code", "state", "data"),
    [
        ("O8", PLAIN, b"12345678"),
        ("O8", PLAIN, {"any": "object"}),
        ("f8", PLAIN, b"1234567"),  # too short
        ("f8", PLAIN, b"123456789"),  # too long
        ("f8", PLAIN, "12345678"),
        ("V8", PLAIN, b"12345678"),
        ("M8", PLAIN, b"12345678"),
        ("f16", PLAIN, bytes(16)),
        ("f8,f8", PLAIN, bytes(16)),
        (("f8", (2,)), PLAIN, bytes(16)),
        ({"names": ["a"], "formats": ["O"]}, PLAIN, bytes(8)),
        ("f8", (3, "<", None, ("a",), {"a": 1}, -1, -1, 0), bytes(8)),  # a structure
        ("f8", (3, "<", ("f8", (10**9,)), None, None, -1, -1, 0), bytes(8)),  # of many
        ("f8", (3, "<"), bytes(8)),
        ("f8", (3, "O", None, None, None, -1, -1, 0), bytes(8)),
        ("f8", {"code": "O"}, bytes(8)),
        ("f8", [], bytes(8)),
    ],
)
def test_what_only_looks_like_a_number_of_numpy_is_refused(tmp_path, code, state, data):
    path = forged(tmp_path / "a.pt", scalar("numpy._core.multiarray", code, state, data))
    with pytest.raises(ValueError, match=r"a\.pt: .*numpy"):
        readers.tensors(path)


@pytest.mark.parametrize(
    "opcodes",
    [
        called("numpy.dtype", body("f8")),  # a dtype by itself
        b"cnumpy\ndtype\n",
        b"cnumpy._core.multiarray\nscalar\n",
        called("numpy._core.multiarray.scalar", body("f8"), body(bytes(8))),  # no dtype
        called("numpy._core.multiarray.scalar"),
        b"cnumpy\ndtype\n)\x81",  # made without its arguments
        called("numpy._core.multiarray.scalar", b"cnumpy\ndtype\n)\x81", body(bytes(8))),
        b"cnumpy._core.multiarray\nscalar\n)\x81",
        b"cnumpy\ndtype\n" + body({"code": "O"}) + b"b",  # the state of the class
    ],
)
def test_the_parts_of_such_a_number_are_no_values(tmp_path, opcodes):
    with pytest.raises(ValueError, match=r"a\.pt"):
        readers.tensors(forged(tmp_path / "a.pt", opcodes))


@pytest.mark.parametrize(
    "name",
    ["numpy.core.multiarray._reconstruct", "numpy.load", "numpy.ndarray", "numpy.frombuffer", "os.mkdir", "builtins.eval"],
)
def test_no_other_function_is_called(tmp_path, name):
    path = forged(tmp_path / "a.pt", called(name, body(str(tmp_path / "marker"))))
    with pytest.raises(ValueError, match=r"a\.pt: (holds objects that are made by running code|is damaged)"):
        readers.tensors(path)
    assert not (tmp_path / "marker").exists()


def test_nothing_more_can_be_called_after_a_file_was_read(tmp_path):
    before = torch.serialization.get_safe_globals()
    torch.save({"best": np.float64(1)}, tmp_path / "a.pt")
    readers.tensors(tmp_path / "a.pt")
    assert set(torch.serialization.get_safe_globals()) == set(before)


@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: str(value.dtype))
def test_the_stand_ins_make_what_numpy_makes_of_its_own_pickle(value):
    function, (dtype, data) = value.__reduce__()
    _, arguments, state = dtype.__reduce__()
    kind = NumberType(*arguments)
    kind.__setstate__(state)
    assert number(kind, data) == function(dtype, data)
