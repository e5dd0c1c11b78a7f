"""Plain files of a folder from others: no links, pipes or devices, and no larger than allowed."""

import os
import stat
from pathlib import Path


def plain_file(folder: Path, name: str) -> int:
    """The size of a file. Raises ValueError where it, or a folder down to it below the zoo's, is a link or no plain file."""
    path = folder
    for part in name.split("/"):
        path = path / part
        try:
            about = path.lstat()
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from None
        if stat.S_ISLNK(about.st_mode):
            raise ValueError(f"{path}: a symbolic link; a zoo holds plain files only")
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{path}: is no plain file")
    return about.st_size


def read_bytes(path: Path, most: int, *, links: bool = True) -> bytes:
    """A plain file's bytes. Raises ValueError where it is something else, cannot be read, or has more than `most`.

    So it does where the file is a link and `links` are not followed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))  # no wait for a pipe
    except OSError as error:
        advice = "" if links else "; expected a plain file, and links are not followed"
        raise ValueError(f"{path}: {error.strerror}{advice}") from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise ValueError(f"{path} is no plain file")
    with os.fdopen(descriptor, "rb") as file:
        if about.st_size > most:
            raise ValueError(f"{path} has {about.st_size:,} bytes; such a file has {most:,} at most")
        return file.read(most)
