"""Folders that another may have laid, with links in them: no command reads, writes or deletes what these lead to."""

import contextlib
import shutil
from pathlib import Path

import pytest
from conftest import small

import zoo
from benchmark.scoring.score import score
from metanets import Training

QUICK = Training(epochs=1, batch=8, learning_rates=(1e-3,))
SECRET = b"precious"


@pytest.fixture
def home(tmp_path) -> Path:
    """What is not the command's: a file under every name that a command might look for."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("00000.json", "00000.lease", "00000.failed.json", "images.safetensors", "seed-0.json", "kept.h5"):
        (folder / name).write_bytes(SECRET)
    return folder


def untouched(home: Path) -> bool:
    return len(list(home.iterdir())) == 6 and all(path.read_bytes() == SECRET for path in home.iterdir())


@pytest.mark.parametrize("name", ["units", "data"])
def test_building_in_a_folder_with_a_link(home, tmp_path, name):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / name).symlink_to(home)
    with pytest.raises((FileExistsError, ValueError, RuntimeError), match="link"):
        zoo.build(small(nets=16), tmp_path / "zoo", workers=1)
    assert untouched(home)


@pytest.mark.parametrize("name", ["units", "data"])
def test_overwriting_and_working_in_a_begun_zoo_with_a_link(home, tmp_path, name):
    zoo.build(small(nets=16), tmp_path / "zoo", workers=0)
    shutil.rmtree(tmp_path / "zoo" / name, ignore_errors=True)
    (tmp_path / "zoo" / name).symlink_to(home)
    for act in (
        lambda: zoo.work(tmp_path / "zoo"),
        lambda: zoo.build(small(nets=16), tmp_path / "zoo", workers=1),
        lambda: zoo.build(small(nets=16), tmp_path / "zoo", workers=0, overwrite=True),
    ):
        with contextlib.suppress(FileExistsError, ValueError, RuntimeError):
            act()
        assert untouched(home)


def test_scoring_keeps_no_features_through_a_linked_cache(standard, home, tmp_path):
    folder = shutil.copytree(standard, tmp_path / "zoo", ignore=shutil.ignore_patterns("cache"))
    (folder / "cache").symlink_to(home)
    score([folder], ["statnn"], "test_accuracy", out=tmp_path / "out", seeds=1, training=QUICK)
    assert untouched(home)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_scoring_into_results_with_a_linked_folder(standard, home, tmp_path, depth):
    (path,) = score([standard], ["mean"], "test_accuracy", out=tmp_path / "out", seeds=1, training=QUICK)
    place = tmp_path / "out" / Path(*path.relative_to(tmp_path / "out").parts[:depth])
    shutil.rmtree(place)
    place.symlink_to(home)
    with pytest.raises((FileExistsError, ValueError), match="link"):
        score([standard], ["mean"], "test_accuracy", out=tmp_path / "out", seeds=1, training=QUICK, overwrite=True)
    assert untouched(home)
