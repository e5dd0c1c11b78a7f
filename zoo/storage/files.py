"""Files that are whole or absent: written aside, made durable, then given their name."""

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zoo.untrusted.files import parent

TEMPORARY = ".*.tmp"  # what a killed process may leave behind


def write(path: Path, data: bytes, *, below: Path | None = None, durable: bool = True) -> None:
    """Writes `data` to `path` so that a crash at any moment leaves the old file or the new one, never a part.

    The folders between `below` and the file are made, and none of them may be a link: it is then in `below` that the file
    lies. Raises FileExistsError where one is, and OSError naming the path and the bytes needed where the disk is full or
    the folder not writable; the temporary file is removed then. What need not be `durable` is not waited for.
    """
    with _aside(path, data, below, durable=durable) as (folder, aside, name):
        os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)


def publish(path: Path, data: bytes, *, below: Path | None = None) -> bool:
    """Writes a new file like `write`, unless it is there already: of many processes, on any machines, one gets True."""
    with _aside(path, data, below) as (folder, aside, name):
        try:
            os.link(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileExistsError:
            return False
        finally:
            os.unlink(aside, dir_fd=folder)
    return True


@contextmanager
def _aside(path: Path, data: bytes, below: Path | None, *, durable: bool = True) -> Iterator[tuple[int, str, str]]:
    """A durable file of these bytes beside `path`: their folder, opened, and both names in it.

    The folder is made durable after the file has got its name.
    """
    with parent(path, below, make=below is not None) as (folder, name):
        aside = f".{name}.{uuid.uuid4().hex[:12]}.tmp"
        try:
            created = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=folder)
            with os.fdopen(created, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            yield folder, aside, name
            if durable:
                os.fsync(folder)
        except BaseException as error:  # Ctrl-C too
            with suppress(OSError):  # a disk that fails may refuse this as well; what is said is why there is no file
                os.unlink(aside, dir_fd=folder)
            if isinstance(error, OSError):
                raise OSError(error.errno, f"cannot write {path} ({len(data):,} bytes needed): {error.strerror}") from error
            raise


def sync_folder(folder: Path) -> None:
    """Makes durable which names a folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder for one writer on this machine; the lock goes with the process, however it ends.

    Raises BlockingIOError where another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, f"another build is at work in {folder}; wait for it, or stop it") from None
    finally:
        os.close(descriptor)


@contextmanager
def workplace(folder: Path) -> Iterator[None]:
    """Makes a folder for work in progress unless a stopped process left it, and holds it as `locked` does.

    Raises FileExistsError where it is a link or holds one, as a stranger's folder around it may: what is written and
    deleted in it would be so elsewhere.
    """
    _refuse_link(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        for path in folder.rglob("*"):
            _refuse_link(path)
        yield


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise FileExistsError(f"{path} is a link, where only what a stopped command has left may lie; delete the link")


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder."""
    return sum(part.stat().st_size for part in (path.rglob("*") if path.is_dir() else [path]) if part.is_file())


def write_json(path: Path, value: Any, *, below: Path | None = None) -> None:
    """Writes a JSON file, whole or not at all."""
    write(path, to_json(value), below=below)


def to_json(value: Any) -> bytes:
    """A value as the bytes of a JSON file."""
    return (json.dumps(value, indent=1) + "\n").encode()


def hash_of(data: bytes) -> str:
    """The SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def cache() -> Path:
    """Where compiled code is kept: `metazoo` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metazoo"
