import contextlib
import dataclasses
import fcntl
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SHARED, small

import zoo
from zoo.spec.draws import split_of
from zoo.spec.spec import to_json
from zoo.storage.manifest import MANIFEST, read_manifest

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
BUILD = """
import sys
import zoo
if __name__ == "__main__":
    zoo.build(zoo.load(sys.argv[2]), sys.argv[1], workers=2)
"""


def content(folder: Path) -> dict[str, bytes]:
    """What the manifest covers, byte for byte."""
    return {name: (folder / name).read_bytes() for name in [*read_manifest(folder), MANIFEST]}


def script(folder: Path, text: str = BUILD, **changes: object) -> list[str | Path]:
    """A command that builds the small zoo in a process of its own, which imports nothing of the tests."""
    code, spec = folder.parent / "build.py", folder.parent / "spec.json"
    code.write_text(text)
    spec.write_text(json.dumps(to_json(small(**changes))))
    return [sys.executable, code, folder, spec]


def start(folder: Path, **changes: object) -> subprocess.Popen:
    return subprocess.Popen(script(folder, **changes), env=ENVIRONMENT)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_this_process_and_two_workers_give_the_same_bytes(tmp_path, monkeypatch, request, precision):
    monkeypatch.setattr("zoo.jobs.plan.NETS_A_UNIT", 16)
    here = zoo.build(small(precision=precision), tmp_path / "here")
    request.getfixturevalue("processes")
    assert content(zoo.build(small(precision=precision), tmp_path / "workers", workers=2)) == content(here)


@pytest.mark.parametrize("moment", ["units/00000.json", "units/00000.*.h5", "data/train-00000-of-00001.h5", MANIFEST])
def test_a_killed_build_goes_on_to_the_same_bytes(standard, tmp_path, moment):
    folder = tmp_path / "zoo"
    process = start(folder)
    while not list(folder.glob(moment)) and process.poll() is None:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    receipts = {path: path.read_bytes() for path in folder.glob("units/*.json")}
    assert content(zoo.build(small(), folder, workers=2)) == content(standard)
    assert all(path.read_bytes() == data for path, data in receipts.items()), "a finished unit was trained again"
    assert not list(folder.glob("**/*.tmp"))
    assert not list(folder.glob("units/*.h5"))


def test_an_extended_zoo_keeps_its_shards_and_has_the_nets_of_one_built_at_once(tmp_path):
    folder = zoo.build(small(nets=24), tmp_path / "zoo", workers=2)
    before = content(folder)
    zoo.build(small(nets=40), folder, workers=2)
    after = content(folder)
    assert {name: after[name] for name in before if name != MANIFEST} == {n: b for n, b in before.items() if n != MANIFEST}
    extended, whole = zoo.open(folder), zoo.open(zoo.build(small(nets=40), tmp_path / "whole", workers=2))
    assert len(extended) == len(whole) == 40
    assert (extended.columns["split"] == whole.columns["split"]).all()
    assert (extended.columns["learning_rate"] == whole.columns["learning_rate"]).all()
    np.testing.assert_allclose(extended.columns["train_loss"], whole.columns["train_loss"], atol=0.05)
    assert zoo.build(small(nets=24), folder) == folder  # fewer nets than there are: nothing to do
    assert content(folder) == after


def test_the_nets_a_unit_are_kept_from_the_first_build(tmp_path, monkeypatch):
    folder = zoo.build(small(nets=16), tmp_path / "zoo")
    monkeypatch.setattr("zoo.jobs.plan.STACKED", 1)
    plan = json.loads((folder / "plan.json").read_text())
    zoo.build(small(nets=20), folder)
    assert json.loads((folder / "plan.json").read_text()) == {**plan, "extents": [16, 20]}


def test_row_i_of_every_family_has_the_same_hyper_parameters_and_split(standard, asymmetric):
    one, other = zoo.open(standard).columns, zoo.open(asymmetric).columns
    for column in ("seed", "learning_rate", "weight_decay", "label_smoothing", "epochs", "split"):
        assert (one[column] == other[column]).all()


def test_shards_hold_their_split_in_order(standard):
    spec = small()
    for name in read_manifest(standard):
        if name.startswith("data/"):
            columns = zoo.storage.shards.read(standard / name).columns
            assert [split_of(spec, int(i)) for i in columns["index"]] == [Path(name).name.split("-")[0]] * len(
                columns["index"]
            )
            assert (np.diff(columns["index"]) > 0).all()


def test_many_small_shards_hold_the_same_nets_as_one(standard, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("zoo.jobs.build"), "SHARD_BYTES", 20_000)
    many, one = zoo.open(zoo.build(small(), tmp_path / "zoo")), zoo.open(standard)
    assert len(many.parts["train"]) > 3
    assert (many.nets("train").weights == one.nets("train").weights).all()
    assert {name.split("-of-")[1] for name in read_manifest(many.folder) if "train" in name} == {
        f"{len(many.parts['train']):05}.h5"
    }


def test_float16_zoos_store_half_and_measure_what_they_store(tmp_path):
    folder = zoo.build(small(nets=16, dtype="float16"), tmp_path / "zoo")
    assert zoo.open(folder).arrays("train")[0].dtype == np.float16
    assert zoo.verify(folder, nets=3) == []


def test_weights_that_float16_cannot_hold_are_refused(tmp_path):
    wild = small("w_asymmetric", nets=4, dtype="float16", net__kappa=1e6)
    with pytest.raises(RuntimeError, match=r"failed 3 times(?s:.)*do not fit into float16"):
        zoo.build(wild, tmp_path / "zoo")


def test_diverged_nets_are_kept_flagged_and_counted(tmp_path):
    wild = small(nets=12, recipe__learning_rate=(1e18, 1e19), recipe__epochs=(2, 2))
    made = zoo.open(zoo.build(wild, tmp_path / "zoo"))
    assert len(made) == 12
    gone = made.columns[made.columns["diverged"]]
    assert len(gone) > 0
    assert gone["test_accuracy"].isna().all()
    assert sum(len(made.nets(split)) for split in made.parts) == 12 - len(gone)
    assert sum(len(made.nets(split, diverged=True)) for split in made.parts) == 12


def test_another_spec_is_refused_field_by_field_unless_overwritten(tmp_path):
    folder = zoo.build(small(nets=8), tmp_path / "zoo")
    before = content(folder)
    with pytest.raises(FileExistsError, match=r"recipe.peak_epoch: 1.0 there, 2.0 asked for"):
        zoo.build(small(nets=8, recipe__peak_epoch=2), folder)
    assert content(folder) == before
    zoo.build(small(nets=8, recipe__peak_epoch=2), folder, overwrite=True)
    assert zoo.open(folder).spec.recipe.peak_epoch == 2


def test_overwriting_a_zoo_leaves_what_else_lies_beside_it(tmp_path):
    folder = zoo.build(small(nets=8), tmp_path / "zoo")
    (folder / "notes.txt").write_text("mine")
    zoo.build(small(nets=8, seed=1), folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert zoo.open(folder).spec.seed == 1


def test_a_folder_with_other_things_is_left_alone_even_with_overwrite(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"thesis\.tex"):
            zoo.build(small(), tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_second_build_in_the_same_folder_is_refused(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(BlockingIOError, match="another build is at work"):
            zoo.build(small(), tmp_path)
    finally:
        os.close(descriptor)


def test_a_unit_whose_bytes_changed_is_refused_then_trained_again(standard, tmp_path):
    folder = tmp_path / "zoo"
    process = start(folder)
    while not (folder / "units" / "00000.json").exists() and process.poll() is None:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    rows = next(folder.glob("units/00000.*.h5"))
    data = bytearray(rows.read_bytes())
    data[-9] ^= 1
    rows.write_bytes(data)
    with pytest.raises(ValueError, match="not what was written"):
        zoo.build(small(), folder, workers=2)
    assert content(zoo.build(small(), folder, workers=2)) == content(standard)


def test_other_images_are_refused_when_a_build_goes_on(tmp_path, monkeypatch):
    folder = zoo.build(small(nets=8), tmp_path / "zoo")
    real = zoo.tasks.images.load

    def darker(*args, **kwargs):
        made = real(*args, **kwargs)
        return dataclasses.replace(made, train=made.train // 2)

    monkeypatch.setattr("zoo.tasks.images.load", darker)
    with pytest.raises(ValueError, match="begun with other images"):
        zoo.build(small(nets=16), folder)


def test_a_full_disk_is_a_clean_error_and_the_build_goes_on_after_it(standard, tmp_path):
    folder = tmp_path / "zoo"
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n" + BUILD
    done = subprocess.run(script(folder, limited), env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "bytes needed" in done.stderr
    assert not list(folder.glob("**/*.tmp"))
    assert not (folder / MANIFEST).exists()
    assert content(zoo.build(small(), folder, workers=2)) == content(standard)


def workers_of(process: subprocess.Popen) -> list[int]:
    """The worker processes that a build has started so far."""
    with contextlib.suppress(FileNotFoundError):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return []


def test_a_killed_worker_is_replaced(standard, tmp_path):
    folder = tmp_path / "zoo"
    process = start(folder)
    while not (holders := list(folder.glob("units/*.lease"))) and process.poll() is None:
        time.sleep(0.01)
    os.kill(json.loads(holders[0].read_text())["holder"]["pid"], signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert content(folder) == content(standard)


def test_a_build_whose_workers_are_killed_again_and_again_gives_up(tmp_path):
    process = start(tmp_path / "zoo", nets=512)
    killed: set[int] = set()
    while process.poll() is None:
        for pid in set(workers_of(process)) - killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.01)
    assert process.returncode == 1
    assert 3 <= len(killed) <= 6


@pytest.mark.skipif(not (SHARED / "masks").is_dir(), reason="the paper's masks are not at hand (../shared/masks)")
def test_the_papers_masks_make_a_zoo_with_60634_trained_entries(tmp_path):
    images = {"task": "digits", "train": 64, "test": 32, "held_out": 0.0}
    spec = zoo.spec.parse({"name": "masks", "nets": 1, "images": images, "net": {"family": "w_asymmetric"}})
    with pytest.raises(ValueError, match="conv_f"):  # grey images: another first convolution
        zoo.build(spec, tmp_path / "zoo", masks_folder=SHARED / "masks")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_trajectories_begin_with_the_initial_net_and_end_with_the_trained_one(tmp_path, precision):
    spec = small(nets=24, trajectory=(0, 1, 3), precision=precision)
    made = zoo.open(zoo.build(spec, tmp_path / "zoo", workers=2))
    assert zoo.verify(made.folder, nets=3) == []
    for split in made.parts:
        frame = made.columns[made.columns["split"] == split]
        points, curves = np.concatenate(made.trajectories(split)), made.curves(split)
        assert points.shape == (len(frame), 3, len(made.blueprint.trained))
        for row, seed, epochs in zip(points, frame["seed"], frame["epochs"], strict=True):
            assert np.array_equal(row[0], made.blueprint.effective(made.blueprint.initial(seed)[None])[0].numpy())
            assert np.isnan(row[2]).all() == (epochs < 3)
        ended = (frame["epochs"] == 1).to_numpy()
        assert np.array_equal(curves["test_accuracy"][ended, 1], frame["test_accuracy"].to_numpy()[ended])
        assert curves["train_loss"][:, 0].mean() > np.nanmean(curves["train_loss"][:, 2])


def test_a_zoo_with_trajectories_has_the_nets_of_one_without(standard, tmp_path):
    made, plain = zoo.open(zoo.build(small(trajectory=(0,)), tmp_path / "zoo", workers=2)), zoo.open(standard)
    assert (made.nets("train").weights == plain.nets("train").weights).all()
    assert plain.trajectories("train") == []
    assert plain.curves("train") == {}
