"""The opener: what is read, written or deleted below a folder lies in it, whatever links another has laid there."""

import contextlib
import os
from pathlib import Path

import pytest

from zoo.storage import files
from zoo.untrusted import files as opener

SECRET = b"precious"


@pytest.fixture
def root(tmp_path) -> Path:
    """A folder with a file two folders down; beside it one that is none of its business."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/file").write_bytes(b"here")
    (tmp_path / "home/b").mkdir(parents=True)
    for name in ("file", "b/file"):
        (tmp_path / "home" / name).write_bytes(SECRET)
    return tmp_path / "root"


@pytest.fixture(params=["a", "a/b", "a/b/file"])
def linked(request, root) -> Path:
    """The same, with a link in the place of one of the folders or of the file."""
    place = root / request.param
    place.rename(root.parent / "moved")
    target = root.parent / {"a": "home", "a/b": "home", "a/b/file": "home/file"}[request.param]
    place.symlink_to(os.path.relpath(target, place.parent))
    return root


def path(root: Path) -> Path:
    return root / "a/b/file"


READERS = {
    "read_bytes": lambda root: opener.read_bytes(path(root), 100, below=root),
    "size": lambda root: opener.size(path(root), root),
    "sha256": lambda root: opener.sha256(path(root), root),
    "opened": lambda root: opener.opened(path(root), root).__enter__(),
    "plain_files": lambda root: list(opener.plain_files(root)),
}
WRITERS = {
    "write": lambda root: files.write(path(root), b"new", below=root),
    "publish": lambda root: files.publish(path(root).with_name("new"), b"new", below=root),
    "write_json": lambda root: files.write_json(path(root), {}, below=root),
    "remove": lambda root: opener.remove(path(root), root),
}


def untouched(root: Path) -> bool:
    home = root.parent / "home"
    found = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
    return found == {"file": SECRET, "b/file": SECRET}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_nothing_is_read_through_a_link(linked, read):
    with pytest.raises(ValueError, match="link") as caught:
        read(linked)
    assert SECRET.decode() not in str(caught.value)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_nothing_is_written_or_deleted_through_a_link(linked, write):
    if (linked / "a").is_symlink() or (linked / "a/b").is_symlink():
        with pytest.raises(FileExistsError, match="a symbolic link"):
            write(linked)
    else:  # a link in the file's own place gives way to the file, or goes itself
        write(linked)
    assert untouched(linked)


def test_without_links_all_is_as_one_would_expect(root):
    assert opener.read_bytes(path(root), 4, below=root) == b"here"
    assert opener.size(path(root), root) == 4
    assert opener.sha256(path(root), root) == files.hash_of(b"here")
    assert list(opener.plain_files(root)) == [path(root)]
    files.write(root / "c/d/new", b"new", below=root)
    assert (root / "c/d/new").read_bytes() == b"new"
    assert not files.publish(root / "c/d/new", b"other", below=root)
    opener.remove(root / "c/d/new", root)
    opener.remove(root / "c/d/new", root)
    opener.remove(root / "nowhere/new", root)
    assert list(opener.plain_files(root)) == [path(root)]


def test_the_root_is_the_users_own_word_and_may_be_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert opener.read_bytes(tmp_path / "link/a/b/file", 4, below=tmp_path / "link") == b"here"
    files.write(tmp_path / "link/new", b"new", below=tmp_path / "link")
    assert (root / "new").read_bytes() == b"new"
    assert opener.read_bytes(path(tmp_path / "link"), 4) == b"here"


def test_a_path_outside_the_root_is_a_mistake_of_the_callers(root):
    with pytest.raises(ValueError, match="not in the subpath"):
        opener.read_bytes(root.parent / "home/file", 100, below=root)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "nothing", "a large file"])
def test_what_is_no_small_plain_file_is_refused_at_once(root, kind):
    path(root).unlink()
    if kind == "a pipe":
        os.mkfifo(path(root))
    elif kind == "a folder":
        path(root).mkdir()
    elif kind == "a large file":
        path(root).write_bytes(b"x" * 101)
    said = {"nothing": "No such file", "a large file": "such a file has 100 at most"}.get(kind, "is no plain file")
    for below in (root, None):
        with pytest.raises(ValueError, match=said):
            opener.read_bytes(path(root), 100, below=below)


def test_no_descriptor_is_left_open(root, linked):
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    for act in (*READERS.values(), *WRITERS.values()):
        with contextlib.suppress(ValueError, FileExistsError):
            act(linked)
    assert opened() == before
