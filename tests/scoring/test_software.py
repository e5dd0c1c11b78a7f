"""What records say of the metazoo that scored."""

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError

import pytest

from benchmark.scoring import software
from metazoo import __version__


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Lets metazoo lie in a folder, with a file, in a repository of its own."""
    if shutil.which("git") is None:
        pytest.skip("no git here")
    home = tmp_path / "home"
    (home / "zoo").mkdir(parents=True)
    (home / "zoo/part.py").write_text("A = 1\n")
    git = ["git", "-C", str(home), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    software.software.cache_clear()
    yield lambda folder: (monkeypatch.setattr(software, "HOME", folder), software.software.cache_clear())
    software.software.cache_clear()


def test_a_checkout_without_changes_has_its_commit(at, tmp_path):
    home = tmp_path / "home"
    head = subprocess.run(["git", "-C", str(home), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    at(home)
    assert software.software().commit == head.stdout.strip()
    (home / "mine.py").write_text("a file that git does not know\n")
    at(home)
    assert software.software().commit == head.stdout.strip()
    (home / "zoo/part.py").write_text("A = 2\n")
    at(home)
    assert software.software().commit is None


def test_the_repository_that_a_users_project_lies_in_is_not_ours(at, tmp_path):
    at(tmp_path / "home/zoo")
    assert software.software().commit is None
    at(tmp_path)
    assert software.software().commit is None


def test_the_version_is_that_which_is_installed(at, tmp_path, monkeypatch):
    at(tmp_path)
    assert software.software().version == __version__

    def none(_):
        raise PackageNotFoundError

    monkeypatch.setattr(software, "version", none)
    at(tmp_path)
    assert software.software() is None
