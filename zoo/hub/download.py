"""Downloading a zoo into a staging folder: what is there already is kept, what breaks off goes on.

The staging folder may lie in a stranger's: in it no link is followed.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

from zoo.hub.remote_manifest import RemoteManifest, Report
from zoo.hub.store import CHUNK
from zoo.storage import files
from zoo.storage.manifest import MANIFEST
from zoo.untrusted.files import LINKED, parent, plain_files, remove, sha256

BREAKS = 5  # of a connection in a row, with nothing downloaded in between
CONNECTIONS = 1000  # for a file, at most
PART = ".part"  # ends the name of a file that is not whole yet


def download(wanted: RemoteManifest, staging: Path, report: Report) -> None:
    """Downloads the files, each whole and right, and writes the manifest last; nothing else is left in the folder.

    Raises OSError where the disk is too small, ValueError where bytes are twice wrong, and as the remote does.
    """
    _tidy(wanted, staging)
    _check_room(wanted, staging)
    for number, name in enumerate(wanted.digests, start=1):
        report(f"{number} of {len(wanted.digests)}: {wanted.prefix}{name}, {wanted.sizes[name]:,} bytes")
        _bring(wanted, name, staging)
    files.write(staging / MANIFEST, wanted.manifest, below=staging)


def _tidy(wanted: RemoteManifest, staging: Path) -> None:
    """Removes what a killed fetch of another revision has left in the staging folder. Raises ValueError at a link."""
    kept = {staging / f"{name}{end}" for name in wanted.digests for end in ("", PART)}
    for path in list(plain_files(staging)):
        if path not in kept:
            remove(path, staging)


def _check_room(wanted: RemoteManifest, staging: Path) -> None:
    """Raises OSError where the disk has not the room for what is still to come."""
    here = sum(path.lstat().st_size for path in plain_files(staging))
    needed, free = sum(wanted.sizes.values()) - here, shutil.disk_usage(staging).free
    if needed > free:
        where = f"{wanted.remote.where} needs {needed:,} bytes more, {staging.parent} has {free:,} free; make room"
        raise OSError(errno.ENOSPC, where)


def _bring(wanted: RemoteManifest, name: str, staging: Path) -> None:
    """Brings one file, whole and right, unless it is there. Raises ValueError where twice it comes wrong."""
    path, digest = staging / name, wanted.digests[name]
    if path.is_file() and sha256(path, staging) == digest:
        return
    for _ in range(2):
        with parent(path, staging, make=True) as (folder, last):
            with _appended(path.with_name(last + PART), folder) as file:
                found = _downloaded(wanted, name, file)
            if found == digest:
                os.rename(last + PART, last, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
                return
            os.unlink(last + PART, dir_fd=folder)
    raise ValueError(
        f"{wanted.remote.where}/{wanted.prefix}{name}: downloaded SHA-256 {found}, {MANIFEST} says {digest}; "
        "twice wrong, so it is damaged there or on the way: publish it again, or fetch another revision"
    )


@contextmanager
def _appended(path: Path, folder: int) -> Iterator[BufferedRandom]:
    """A file in its open folder, to be read and added to; durable afterwards. Raises OSError where it is a link."""
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        descriptor = os.open(path.name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        said = "is a link, and links are not followed here; delete it" if error.errno in LINKED else error.strerror
        raise OSError(error.errno, f"{path} {said}") from None
    with os.fdopen(descriptor, "a+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _downloaded(wanted: RemoteManifest, name: str, file: BufferedRandom) -> str:
    """The SHA-256 of `file` after all that lacks has been added to it; a broken connection is taken up again."""
    digest, size, breaks, connections = hashlib.sha256(), wanted.sizes[name], 0, 0
    if file.seek(0, os.SEEK_END) > size:
        file.truncate(0)
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    while (start := file.tell()) < size and breaks < BREAKS and connections < CONNECTIONS:
        connections += 1
        try:
            for chunk in wanted.remote.read(wanted.prefix + name, commit=wanted.commit, start=start):
                chunk = chunk[: size - file.tell()]
                file.write(chunk)
                digest.update(chunk)
                if file.tell() == size:
                    break
        except ConnectionError:
            if file.tell() == start and breaks == BREAKS - 1:
                raise
        breaks = 0 if file.tell() > start else breaks + 1
    return digest.hexdigest()
