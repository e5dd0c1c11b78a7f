"""Zoos from strangers: those of this package pass, altered files, links and pipes do not; and a zoo is vetted once."""

import json
import os
import shutil
import time
from pathlib import Path

import h5py
import mutations
import numpy as np
import pytest
import safetensors.torch
import torch
from strangers import SHARD, UTF8, about, nets, refusal, refusal_of_child, sign, travelling

import zoo
from zoo.dataset import vet
from zoo.storage.manifest import read_manifest
from zoo.untrusted import files as opener
from zoo.untrusted import vetting
from zoo.untrusted.vetting.manifests import ABOUT, FIXED, MANIFEST


@pytest.fixture
def copy(standard, tmp_path):
    return travelling(standard, tmp_path / "zoo")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own cache"))


def test_zoos_of_this_package_pass(standard, asymmetric, copy):
    vet.vet(copy)
    for folder in (standard, asymmetric):
        vet.vet(folder, local=True)
    found = vetting.check(str(copy))
    assert found["nets"] == len(zoo.open(copy))
    assert found["files"] == len(read_manifest(copy))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 5},
        {"name": ""},
        {"name": "x" * 2000},
        {"role": None},
        {"axes": 5},
        {"axes": []},
        {"axes": [{"a": 1}] * 4},
        {"shape": [0], "axes": [None]},
        {"scales": ["P0"] * 3},
        {"mixes": "M"},
        {"scales": [1, None, None, None]},
        {"sized": 3},
    ],
)
def test_a_layout_that_readers_die_of_is_refused(copy, wrong):
    entries = json.loads((copy / ABOUT).read_text())["layout"]
    about(copy, layout=[{**entries[0], **wrong}, *entries[1:]])
    assert "zoo.json: `layout` must have" in refusal(copy)


def test_two_tensors_of_one_name_are_refused(copy):
    entries = json.loads((copy / ABOUT).read_text())["layout"]
    about(copy, layout=[*entries[:-1], {**entries[-1], "name": entries[0]["name"]}])
    assert "`layout` has two tensors of one name" in refusal(copy)


@pytest.mark.parametrize(("name", "shape"), [("x.F_mat", [3]), ("x.F_mat", [2, 3]), ("other", [3, 3])])
def test_beside_the_fixed_entries_are_square_matrices_only(copy, name, shape):
    tensors = safetensors.torch.load((copy / FIXED).read_bytes())
    (copy / FIXED).write_bytes(safetensors.torch.save({**tensors, name: torch.ones(shape)}))
    sign(copy)
    assert f"fixed.safetensors: tensor '{name}' has shape {shape}" in refusal(copy)


@pytest.mark.parametrize("trained", ["", "eJwDAAAAAAE=", "no base64"])
def test_a_mask_that_is_none_is_said_to_be_damaged(copy, trained):
    about(copy, trained=trained)
    with pytest.raises(ValueError, match=r"zoo\.json or fixed\.safetensors is damaged"):
        zoo.open(copy)


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
    spec = json.loads((copy / ABOUT).read_text())["spec"] | {"trajectory": [0, 1]}
    about(copy, text=["activation"], spec=spec)
    vet.vet(copy)
    about(copy, text=[])
    assert "column activation has a type (string)" in refusal(copy)


def test_a_shard_that_hangs_its_reader_is_refused(copy, tmp_path, monkeypatch):
    """The look is replaced by one that never ends: what makes HDF5 itself hang differs by its version."""
    slow = tmp_path / "slow_look.py"
    slow.write_text("def check(folder, local):\n    while True:\n        pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("zoo.dataset.vet.CHECK", "slow_look:check")
    monkeypatch.setattr("zoo.dataset.vet.SECONDS", 0.5)
    assert "limit of 0.5" in refusal_of_child(copy)


@pytest.mark.parametrize("entry", ["", "."])
def test_code_in_the_zoos_folder_is_not_run_by_who_stands_in_it(copy, tmp_path, monkeypatch, entry):
    """In a notebook, modules are looked for in the working directory too, and first."""
    for name in ("h5py", "safetensors", "numpy", "hashlib"):
        (copy / f"{name}.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')\n")
    monkeypatch.chdir(copy)
    monkeypatch.syspath_prepend(entry)
    vet.vet(Path())
    assert not (tmp_path / "marker").exists()


def test_random_damage_is_refused_cleanly_or_harmless(copy):
    good = mutations.samples(copy)
    for kind in ("shard", "zoo.json", "manifest", "safetensors"):
        data, known = good[kind]
        found = mutations.run(kind, data, 300, seed=0, about=known)
        assert sum(found.values()) == 300
        assert not [outcome for outcome in found if outcome.startswith("raised")], kind
        assert found["refused"] > 50


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


# Files that are none.


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
    assert opener.read_bytes(copy / ABOUT, 10**6) == (copy / ABOUT).read_bytes()
    for path, found in ((copy / ABOUT, "such a file has 10 at most"), (copy, "no plain file"), (copy / "none", "No such")):
        with pytest.raises(ValueError, match=found):
            opener.read_bytes(path, 10)


@pytest.mark.parametrize("name", vetting.LOCAL)
def test_what_is_trusted_where_a_zoo_was_made_does_not_come_from_others(copy, name):
    (copy / name).mkdir()
    assert f"{name}: is trusted where a zoo was made" in refusal(copy)
    vet.vet(copy, local=True)


# Vetted once.


def test_a_zoo_is_vetted_once_and_again_when_it_changes(copy, monkeypatch):
    calls = []
    monkeypatch.setattr("zoo.dataset.vet.child.call", lambda *arguments, **keywords: calls.append(arguments))
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
    with pytest.raises(ValueError, match="expected `sha256  name`"):
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
    monkeypatch.setattr("zoo.dataset.vet.child.call", None)
    vet.remember(copy)
    vet.once(copy)
    with pytest.raises(TypeError):
        vet.once(standard)


def test_without_a_place_to_remember_a_zoo_is_vetted_every_time(copy, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr("zoo.dataset.vet.child.call", lambda *arguments, **keywords: calls.append(arguments))
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
