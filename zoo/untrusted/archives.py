"""Unpacking archives from strangers: into a fresh folder, plain files only, in a child with limits."""

import errno
import os
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from zoo.untrusted import child
from zoo.untrusted.litter import is_litter

MEMBERS = 500_000  # files and folders
BYTES = 256 * 2**30  # unpacked
FREE_BYTES, RATIO = 2**30, 200  # what is larger than the one may not be larger than the archive times the other
PATH_BYTES, PART_BYTES, DEPTH = 1000, 255, 32  # of a member's path: what every file system takes
MEMORY = 2**31  # a decompressor's dictionary, and the list of the members
SECONDS, BYTES_A_SECOND = 60.0, 1e6  # of the archive; a tenth of what the slowest decompressor does
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".zip")
TAIL_BYTES = 2**20  # behind the last member; tar pads to blocks
Member = tuple[str, int, Any]  # path, bytes, the content as an open file; None: a folder


def is_archive(path: Path) -> bool:
    """Whether a file is named like an archive that `unpack` reads."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.lower().endswith(".pth.tar")  # a net of PyTorch


def unpack(archive: Path, into: Path, *, most: int = BYTES) -> Path:
    """Unpacks a tar (also .gz, .xz, .bz2) or zip archive into the new folder `into`, and returns that.

    Files get the user's own rights and dates of today; what macOS and office programs leave beside them is left out.
    Raises FileExistsError where `into` exists, and ValueError naming the member where one is no plain file or folder, has a
    path that is not below the archive's root or clashes with another's, or where they claim more than `most` bytes or too
    many for the archive's size. Nothing is left then.
    """
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: no such archive")
    if os.path.lexists(into):
        raise FileExistsError(f"{into} exists; give a new folder to unpack {archive.name} into")
    into.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{into.name}.", suffix=".tmp", dir=into.parent))
    try:
        child.call(
            "zoo.untrusted.archives:extract",
            {"archive": str(archive.absolute()), "folder": str(aside / "new"), "most": most},
            seconds=SECONDS + archive.stat().st_size / BYTES_A_SECOND,
            memory=MEMORY,
            writes=most,
            subject=str(archive),
        )
        (aside / "new").rename(into)
    finally:
        shutil.rmtree(aside)
    return into


def extract(*, archive: str, folder: str, most: int) -> int:
    """What runs in the child: unpacks into the new folder, and returns the number of files."""
    path, root = Path(archive), Path(folder)
    root.mkdir()
    size, total, files = path.stat().st_size, 0, 0
    seen: dict[str, tuple[str, bool]] = {}
    try:
        for name, bytes_, content in _members(path):
            parts = _parts(path, name)
            total += bytes_
            if bytes_ < 0 or total > most or total > max(FREE_BYTES, RATIO * size):
                raise ValueError(f"{path}: unpacks to more than {total:,} bytes, from {size:,}; a bomb?")
            _claim(path, parts, seen, is_folder=content is None)
            if not is_litter(PurePosixPath(*parts)):
                _write(path, root.joinpath(*parts), bytes_, content)
                files += content is not None
    except MemoryError:
        raise
    except Exception as error:  # damaged archives raise whatever comes
        about_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)  # not a checksum or a place
        if about_disk or str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: is damaged, or no archive that can be read ({type(error).__name__}: {error})") from None
    return files


def _members(path: Path) -> Iterator[Member]:
    with path.open("rb") as file:
        start = file.read(4)
    return _zipped(path) if start in (b"PK\x03\x04", b"PK\x05\x06") else _tarred(path)


def _tarred(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for member in archive:
            if not (member.isreg() or member.isdir()) or member.issparse():
                kind = "a link" if member.islnk() or member.issym() else "a device, a pipe or a sparse file"
                raise ValueError(f"{path}: {member.name!r} is {kind}; an archive holds plain files and folders only")
            yield member.name, member.size, archive.extractfile(member) if member.isreg() else None
        if archive.fileobj is not None and len(archive.fileobj.read(TAIL_BYTES + 1)) > TAIL_BYTES:
            raise ValueError(f"{path}: goes on for more than {TAIL_BYTES:,} bytes behind its last member")


def _zipped(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > member.is_dir():
                raise ValueError(f"{path}: {member.filename!r} is a link or a device; an archive holds plain files only")
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{path}: {member.filename!r} is encrypted, or packed in a way that is not supported")
            if member.orig_filename != member.filename:
                raise ValueError(f"{path}: {member.orig_filename!r} has a NUL or a separator in its name")
            if member.is_dir():
                yield member.filename, member.file_size, None
            else:
                with archive.open(member) as content:
                    yield member.filename, member.file_size, content


def _parts(path: Path, name: str) -> list[str]:
    """The path of a member, which must lie below the archive's root, on any system: nothing like `C:` either."""
    parts = [part for part in name.rstrip("/").split("/") if part != "."]
    if name.startswith("/") or "\\" in name or ".." in parts or "" in parts[:-1] or any(part[1:2] == ":" for part in parts):
        raise ValueError(f"{path}: {name!r} is no path below the archive's own folder")
    if not all(char.isprintable() for char in name):
        raise ValueError(f"{path}: {name!r} has control characters, or is no UTF-8")
    if len(name.encode()) > PATH_BYTES or len(parts) > DEPTH or any(len(part.encode()) > PART_BYTES for part in parts):
        raise ValueError(f"{path}: {name[:100]!r}... is too long or too deep a path")
    return [part for part in parts if part]


def _claim(path: Path, parts: list[str], seen: dict[str, tuple[str, bool]], *, is_folder: bool) -> None:
    """Refuses two members of one path, also where they differ in case or in how Unicode writes a character.

    The path of the archive's own folder is a folder's.
    """
    if not parts and not is_folder:
        raise ValueError(f"{path}: one of its files is called like the archive's own folder, `.` or nothing")
    for depth in range(1, len(parts) + 1):
        name, folder = "/".join(parts[:depth]), depth < len(parts) or is_folder
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
        there = seen.get(key)
        if there is not None and (there != (name, folder) or not folder):
            raise ValueError(f"{path}: {name!r} and {there[0]!r} are one path on some systems")
        seen[key] = (name, folder)
    if len(seen) > MEMBERS:
        raise ValueError(f"{path}: has more than {MEMBERS:,} files and folders")


def _write(path: Path, target: Path, bytes_: int, content: Any) -> None:
    if content is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file, 2**20)
        if file.tell() != bytes_:
            raise ValueError(f"{path}: is cut off or damaged in {target.name!r}")
