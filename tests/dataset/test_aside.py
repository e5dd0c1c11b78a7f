"""A new zoo that is written aside: whole and vetted under its name, or not there at all."""

import shutil

import pytest

import zoo
from zoo.dataset.aside import aside


def test_a_zoo_gets_its_name_when_it_is_whole_and_leaves_nothing_beside_it(standard, tmp_path):
    (tmp_path / ".new.making" / "left").mkdir(parents=True)  # by a run that was killed
    with aside(tmp_path / "new", "making") as place:
        assert not [*place.iterdir()]
        shutil.copytree(
            standard, place / "zoo", ignore=lambda _, names: {"plan.json", "units", "cache", "derived"} & {*names}
        )
        assert not (tmp_path / "new").exists()
    assert len(zoo.open(tmp_path / "new")) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_what_fails_or_is_no_zoo_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="on the way"), aside(tmp_path / "new", "making"):
        raise RuntimeError("on the way")
    with pytest.raises((ValueError, OSError)), aside(tmp_path / "new", "making") as place:
        (place / "zoo").mkdir()
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_there_is_never_written_to(tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(FileExistsError, match="give a new folder to --out"), aside(tmp_path / "new", "making"):
        pass
    assert not [*(tmp_path / "new").iterdir()]
