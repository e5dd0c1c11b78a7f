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

TEMPORARY = ".*.tmp"  # what a killed process may leave behind


def write(path: Path, data: bytes) -> None:
    """Writes `data` to `path` so that a crash at any moment leaves the old file or the new one, never a part.

    Raises OSError naming the path and the bytes needed where the disk is full or the folder not writable; the
    temporary file is removed then.
    """
    with _aside(path, data) as aside:
        aside.replace(path)


def publish(path: Path, data: bytes) -> bool:
    """Writes a new file like `write`, unless it is there already: of many processes, on any machines, one gets True."""
    with _aside(path, data) as aside:
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        finally:
            aside.unlink()
    return True


@contextmanager
def _aside(path: Path, data: bytes) -> Iterator[Path]:
    """A durable file of these bytes beside `path`; the folder is made durable after it has got its name."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield aside
        sync_folder(path.parent)
    except BaseException as error:  # Ctrl-C too
        with suppress(OSError):  # a disk that fails may refuse this as well; what is said is why there is no file
            aside.unlink(missing_ok=True)
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


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file, whole or not at all."""
    write(path, to_json(value))


def to_json(value: Any) -> bytes:
    """A value as the bytes of a JSON file."""
    return (json.dumps(value, indent=1) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises ValueError naming the file where it is something else."""
    try:
        value = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, found {type(value).__name__}")
    return value


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(data: bytes) -> str:
    """The SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def cache() -> Path:
    """Where compiled code is kept: `metazoo` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metazoo"
