"""Derived columns from strangers: bounded alone and together, no links, few words; `vet` and every opening refuse others."""

import json
import os
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from strangers import travelling

import zoo
from zoo.dataset import derived, vet
from zoo.storage.manifest import MANIFEST
from zoo.untrusted.files import sha256

NETS = 64


@pytest.fixture
def copy(standard, tmp_path):
    return travelling(standard, tmp_path / "zoo")


def put(folder, columns=None, *, name="height.parquet", note=None, **options):
    """Writes a file of these columns as a stranger may: with a right note, but for `note`."""
    columns = {"index": np.arange(NETS), "height": np.ones(NETS)} if columns is None else columns
    told = {"format": derived.FORMAT, "zoo": sha256(folder / MANIFEST), "analysis": "a-1", "command": "", "settings": {}}
    told |= {"meanings": dict.fromkeys(columns, "a number"), **(note or {})}
    path = folder / "derived" / name
    path.parent.mkdir(exist_ok=True)
    table = pyarrow.table(columns).replace_schema_metadata({derived.NOTE: json.dumps(told)})
    with pyarrow.parquet.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table)
        if not options.get("store_schema", True):
            writer.add_key_value_metadata({derived.NOTE: json.dumps(told)})
    return path


def refused(folder, *what):
    """Both ways to read it say so, on one line."""
    for read in (vet.report, zoo.open):
        with pytest.raises(ValueError, match=what[0]) as caught:
            read(folder)
        assert all(text in str(caught.value) for text in what[1:])
        assert str(caught.value).isprintable()


def test_a_right_file_is_read_and_vet_says_what_it_holds(copy):
    put(copy)
    put(copy, {"i": [0], "j": [1], "remove": ["none"], "b": [0.5]}, name="pairs.parquet", note={"zoo": "0" * 64})
    assert "height: height of 64 nets, by a-1; pairs: b of 1 pairs, by a-1, of another zoo" in vet.report(copy)
    assert zoo.open(copy).columns["height"].sum() == NETS


BAD = {
    "words": ({"index": np.arange(NETS), "height": ["tall"] * NETS}, "is string, expected double"),
    "twice": ({"index": [0, 0], "height": [1.0, 1.0]}, "stands there twice"),
    "nobody": ({"index": pyarrow.array([0, None]), "height": [1.0, 1.0]}, "without a number"),
    "infinite": ({"index": [0, 1], "height": [1.0, np.inf]}, "not finite"),
    "no keys": ({"height": [1.0]}, "expected index, or i and j"),
    "our name": ({"index": [0], "weights": [1.0]}, "that zoos and releases use"),
    "long word": ({"i": [0], "j": [1], "remove": ["x" * 101], "b": [0.5]}, "different ones of 100 bytes"),
    "many words": ({"i": [0] * 65, "j": [1] * 65, "remove": list(map(str, range(65))), "b": [0.5] * 65}, "at most 64"),
    "shape": ({"index": [0], "height": pyarrow.array([[1.0]])}, "expected double"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_column_of_numbers_is_refused(copy, bad):
    columns, what = BAD[bad]
    refused(put(copy, columns).parent.parent, r"height\.parquet", what)


NOTES = {
    "format": ({"format": "metazoo-derived-9"}, "this release reads"),
    "zoo": ({"zoo": "abc"}, "its note does not fit its schema: zoo: "),
    "more": ({"run": "rm"}, "its note does not fit its schema: run: "),
    "meaning": ({"meanings": {}}, "has no meaning"),
    "long": ({"meanings": {"height": "x" * 1001}}, "its note does not fit its schema: meanings.height: "),
    "deep": ({"settings": json.loads('{"a":' * 40 + "1" + "}" * 40)}, "nested"),
}


@pytest.mark.parametrize("bad", NOTES)
def test_a_note_is_read_strictly(copy, bad):
    note, what = NOTES[bad]
    put(copy, note=note)
    refused(copy, r"height\.parquet", what)


def test_damage_and_other_files_are_named(copy):
    path = put(copy)
    path.write_bytes(path.read_bytes()[:-20])
    refused(copy, r"height\.parquet: no derived columns", "delete it")
    path.rename(path.with_name("Height.txt"))
    refused(copy, r"Height\.txt: expected a file of derived columns")


def test_few_bytes_that_become_many_numbers_are_refused_before_they_are_read(copy, monkeypatch):
    rows = 300_000
    zeros = {f"c{number}": np.zeros(rows) for number in range(60)}
    path = put(copy, {"index": np.arange(rows), **zeros}, compression="zstd")
    assert path.stat().st_size < 2_500_000
    monkeypatch.setattr(derived, "NUMBERS", 10**7)
    monkeypatch.setattr(derived.parquet, "check", None)
    with pytest.raises(ValueError, match="18,300,000 numbers"):
        derived.parse(path, path.read_bytes(), numbers=derived.NUMBERS)


def test_a_long_footer_is_refused_before_it_is_read(copy):
    path = put(copy)
    table = pyarrow.parquet.read_table(path)
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(150):
            writer.write_table(table, row_group_size=1)  # 64 rows, each with its own description
    refused(copy, r"height\.parquet", "a footer of", "at most 1,048,576 are read")


@pytest.mark.parametrize("name", ["i", "target", "prediction", "split"])
def test_columns_are_not_called_as_those_of_records_and_releases(copy, name):
    put(copy, {"index": np.arange(NETS), name: np.ones(NETS)})
    refused(copy, r"height\.parquet")


def test_two_files_of_pairs_with_one_column_are_not_both_shown(copy):
    for name in ("a", "b"):
        put(copy, {"i": [0], "j": [1], "remove": ["none"], "apart": [0.5]}, name=f"{name}.parquet")
    assert list(zoo.open(copy).derived) == ["a"]
    assert zoo.open(copy).left_aside == ("b: the zoo has a column apart of pairs already",)


def test_files_are_bounded_together(copy, monkeypatch):
    for name in "abc":
        put(copy, {"index": np.arange(NETS), name: np.ones(NETS)}, name=f"{name}.parquet")
    monkeypatch.setattr(derived, "NUMBERS", 5 * NETS)
    refused(copy, r"c\.parquet", "all files together")
    monkeypatch.setattr(derived, "NUMBERS", 6 * NETS)
    assert len(derived.read_all(copy)) == 3
    monkeypatch.setattr(derived, "BYTES", 2 * (copy / "derived" / "a.parquet").stat().st_size + 100)
    refused(copy, r"c\.parquet")
    monkeypatch.setattr(derived, "FILES", 2)
    refused(copy, "at most 2 are read")


def test_a_word_repeated_many_times_is_read_once(copy):
    rows = 100_000
    words = pyarrow.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["x" * 1000])
    columns = {"i": np.zeros(rows, np.int64), "j": np.arange(rows), "remove": words, "b": np.ones(rows)}
    path = put(copy, columns, note={"meanings": {"b": "a number"}}, store_schema=False)
    pool, before = pyarrow.proxy_memory_pool(pyarrow.default_memory_pool()), pyarrow.default_memory_pool()
    pyarrow.set_memory_pool(pool)
    try:
        with pytest.raises(ValueError, match="different ones of 100 bytes"):
            derived.parse(path, path.read_bytes())
    finally:
        pyarrow.set_memory_pool(before)
    assert pool.max_memory() < 20 * 10**6  # the words alone would be 100 MB


@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_no_link_is_followed_and_no_pipe_waited_for(copy, tmp_path, kind):
    path = put(copy)
    if kind == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        moved = path if kind == "file" else path.parent
        shutil.move(moved, tmp_path / "moved")
        moved.symlink_to(tmp_path / "moved")
    refused(copy, "no folder" if kind == "folder" else "derived")
