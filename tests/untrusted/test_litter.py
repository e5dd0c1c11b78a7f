"""What file managers and office programs leave in folders, and what only looks like it."""

from pathlib import PurePath

import pytest

from zoo.untrusted.litter import inside, is_litter


@pytest.mark.parametrize(
    "path", ["__MACOSX/a/._0.pt", ".DS_Store", "a/._b.csv", "~$nets.csv", ".~lock.nets.csv#", "a/Thumbs.db", "desktop.ini"]
)
def test_litter_is_known_by_its_name_also_in_folders(path):
    assert is_litter(PurePath(path))


@pytest.mark.parametrize("path", ["a/0.pt", "nets.csv", "_a.pt", ".hidden/0.pt", "MACOSX/0.pt", "a~$b.csv"])
def test_other_names_are_kept(path):
    assert not is_litter(PurePath(path))


def test_a_folder_below_one_of_such_a_name_is_the_users_own_word(tmp_path):
    folder = tmp_path / "__MACOSX" / "nets"
    folder.mkdir(parents=True)
    for name in ("b.csv", "a.csv", "._a.csv"):
        (folder / name).write_text("")
    assert inside(folder, "*.csv") == [folder / "a.csv", folder / "b.csv"]
