"""Bringing the files of an order into a staging folder: what is there already is kept, what breaks off goes on."""

import errno
import hashlib
import os
import shutil
from pathlib import Path

from zoo.hub.remote import CHUNK
from zoo.hub.remote_manifest import Order, Report
from zoo.storage import files
from zoo.storage.manifest import MANIFEST
from zoo.untrusted.files import sha256

BREAKS = 5  # of a connection in a row, with nothing received in between


def receive(order: Order, staging: Path, report: Report) -> None:
    """Brings the files, each whole and right, and the manifest last; nothing else is left in the folder.

    Raises OSError where the disk is too small, ValueError where bytes are twice wrong, and as the remote does.
    """
    _check_room(order, staging)
    for number, name in enumerate(order.digests, start=1):
        report(f"{number} of {len(order.digests)}: {order.prefix}{name}, {order.sizes[name]:,} bytes")
        _bring(order, name, staging / name)
    files.write(staging / MANIFEST, order.manifest)
    _tidy(order, staging)


def _check_room(order: Order, staging: Path) -> None:
    """Raises OSError where the disk has not the room for what is still to come."""
    here = sum(part.stat().st_size for name in order.digests for part in _both(staging / name) if part.is_file())
    needed, free = sum(order.sizes.values()) - here, shutil.disk_usage(staging).free
    if needed > free:
        where = staging.parent
        raise OSError(
            errno.ENOSPC, f"{order.remote.where} needs {needed:,} bytes more, {where} has {free:,} free; make room"
        )


def _both(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + ".part")


def _bring(order: Order, name: str, path: Path) -> None:
    """Brings one file to `path`, whole and right, unless it is there. Raises ValueError where twice it comes wrong."""
    whole, part = _both(path)
    if whole.is_file() and sha256(whole) == order.digests[name]:
        return
    whole.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        found = _received(order, name, part)
        if found == order.digests[name]:
            part.rename(whole)
            files.sync_folder(whole.parent)
            return
        part.unlink()
    raise ValueError(
        f"{order.remote.where}/{order.prefix}{name}: received SHA-256 {found}, {MANIFEST} says {order.digests[name]}; "
        "twice wrong, so it is damaged there or on the way: publish it again, or fetch another revision"
    )


def _received(order: Order, name: str, part: Path) -> str:
    """The SHA-256 of `part` after all that lacks has been added to it; a broken connection is taken up again."""
    digest, size, breaks = hashlib.sha256(), order.sizes[name], 0
    with part.open("a+b") as file:
        if file.tell() > size:
            file.truncate(0)
        file.seek(0)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        while (start := file.tell()) < size and breaks < BREAKS:
            try:
                for chunk in order.remote.read(order.prefix + name, commit=order.commit, start=start):
                    chunk = chunk[: size - file.tell()]
                    file.write(chunk)
                    digest.update(chunk)
                    if file.tell() == size:
                        break
            except ConnectionError:
                if file.tell() == start and breaks == BREAKS - 1:
                    raise
            breaks = 0 if file.tell() > start else breaks + 1
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _tidy(order: Order, staging: Path) -> None:
    """Removes what a killed fetch of another revision has left in the staging folder."""
    wanted = {staging / name for name in (*order.digests, MANIFEST)}
    for path in list(staging.rglob("*")):
        if path.is_file() and path not in wanted:
            path.unlink()
