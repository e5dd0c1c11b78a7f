"""The manifest, zoo.json and fixed.safetensors of strangers' zoos: what could do harm is refused by name."""

import json

import numpy as np
import pytest
import safetensors.numpy
from strangers import SECRET, about, refusal, sign, travelling

from zoo.storage import files
from zoo.untrusted import json as texts
from zoo.untrusted.vetting import tensors
from zoo.untrusted.vetting.manifests import ABOUT, FIXED, MANIFEST


@pytest.fixture
def copy(standard, tmp_path):
    return travelling(standard, tmp_path / "zoo")


# The manifest.


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
    assert "is no file of a zoo" in message or ("is damaged: refused" in message and str(copy / MANIFEST) in message)
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


# zoo.json.


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
        ('{"a": 1}\x00', "not JSON"),
        ("[]", "expected a JSON object, found list"),
        ("", "not JSON"),
        ('{"a": [' + "1," * 1000 + "1]}", "more than 1,000 values"),
        ('{"a": "' + "x" * texts.JSON_BYTES + '"}', "such a file has"),
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


# fixed.safetensors.


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
