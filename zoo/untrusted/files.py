"""Files in a folder that another may have laid: opened below a root, following no link.

What is read, written or deleted in a folder must lie in it. The root (`below`) is the user's own word, and may be a link;
below it each folder is opened through the one above (`dir_fd`) with O_NOFOLLOW, so that a link is refused wherever it
stands, also one that is laid meanwhile. It needs the standard library only, so that limited children load it quickly.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY
LINKED = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)  # what systems answer where a link stands, and none is followed


class LinkedError(FileExistsError):
    """A link, or what is no folder, stands where a folder below a root should."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)  # as it was given, so that it can be handed on between processes
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is a link or no folder, and links are not followed here; delete it"


@contextmanager
def parent(path: Path, below: Path | None = None, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The folder in which `path` stands, opened, and the path's name there; None for `below` is that folder itself.

    With `make` the folders down to it are made. Raises LinkedError where a link, or what is no folder, stands in their
    place, ValueError where the path is not below the root, and OSError as the system does.
    """
    below = path.parent if below is None else below
    if path == below or ".." in path.relative_to(below).parts:
        raise ValueError(f"{path} is not below {below}")
    *folders, name = path.relative_to(below).parts
    if make:
        below.mkdir(parents=True, exist_ok=True)
    here, reached = os.open(below, FOLDER), below
    try:
        for part in folders:
            reached = reached / part
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=here)
            try:
                inner = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=here)
            except OSError as error:
                if error.errno in LINKED:
                    raise LinkedError(reached) from None
                raise OSError(error.errno, error.strerror, str(reached)) from None
            os.close(here)
            here = inner
        yield here, name
    finally:
        os.close(here)


@contextmanager
def opened(path: Path, below: Path | None = None) -> Iterator[BufferedReader]:
    """A plain file, to read. Links are followed where `below` is None: the path is the user's own word then.

    Raises ValueError where it, or a folder down to it, is a link or something else, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK  # a pipe would be waited for
    try:
        if below is None:
            descriptor = os.open(path, flags)
        else:
            with parent(path, below) as (folder, name):
                descriptor = os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        raise ValueError(_unread(path, error)) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no plain file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _unread(path: Path, error: OSError) -> str:
    if error.errno in LINKED or isinstance(error, LinkedError):
        place = error.path if isinstance(error, LinkedError) else path
        return f"{place}: a symbolic link; only plain files are read here, and links are not followed"
    return str(error) if error.strerror is None else f"{path}: {error.strerror}"


def size(path: Path, below: Path | None = None) -> int:
    """The bytes of a plain file. Raises as `opened` does."""
    with opened(path, below) as file:
        return os.fstat(file.fileno()).st_size


def read_bytes(path: Path, most: int, *, below: Path | None = None) -> bytes:
    """A plain file's bytes. Raises ValueError where there are more than `most`, and as `opened` does."""
    with opened(path, below) as file:
        held = os.fstat(file.fileno()).st_size
        if held > most:
            raise ValueError(f"{path} has {held:,} bytes; such a file has {most:,} at most")
        return file.read(most)


def sha256(path: Path, below: Path | None = None) -> str:
    """The SHA-256 of a plain file's bytes. Raises as `opened` does."""
    with opened(path, below) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path, below: Path) -> None:
    """Deletes a file, or a link itself, if it is there. Raises as `parent` does."""
    with suppress(FileNotFoundError), parent(path, below) as (folder, name):
        os.unlink(name, dir_fd=folder)


def plain_files(root: Path) -> Iterator[Path]:
    """All plain files below a folder, in order of their paths. Raises ValueError where a link or anything else stands."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*names, *(part for part in folders if (Path(folder) / part).is_symlink())]):
            path = Path(folder) / name
            if not stat.S_ISREG(path.lstat().st_mode):
                raise ValueError(f"{path}: a link, or no plain file; only plain files may lie here")
            yield path
