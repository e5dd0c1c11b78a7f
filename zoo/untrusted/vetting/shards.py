"""An HDF5 shard from others: every object in it is looked at before any data is read."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from h5py import h5d, h5f, h5g, h5l, h5o, h5p

from zoo.untrusted.vetting.about import About
from zoo.untrusted.vetting.columns import AXES, bytes_each, check_attributes, column_of, read_through
from zoo.untrusted.vetting.manifests import ABOUT
from zoo.untrusted.vetting.types import kind_of

COLUMN = re.compile(r"[a-z][a-z0-9_]{0,127}")
OBJECTS = 512
COLUMNS_BYTES = 2 * 2**30  # in memory, all that readers do not map: columns and attributes
LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "an external link, to another file"}


@dataclass(frozen=True)
class Shard:
    """What a shard holds: the type of each column by name.

    `held` are the bytes that a reader has in memory, beside the columns that it maps.
    """

    name: str
    nets: int
    columns: dict[str, str]
    held: int


def shard(path: Path, about: About) -> Shard:
    """What a shard holds; `about` is what zoo.json says of it.

    Looks at every object before it reads any data. Raises ValueError naming the object that is refused.
    """
    try:
        file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=_access())
        try:
            return _nets(path, file, about)
        finally:
            file.close()
    except MemoryError:
        raise
    except Exception as error:  # of damaged files HDF5 and h5py raise whatever comes
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: is damaged or no shard ({error})") from None


def _access() -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_file_locking(False, True)  # a read-only file system may have no locks
    return access


def _nets(path: Path, file: h5f.FileID, about: About) -> Shard:
    if file.get_create_plist().get_userblock():
        raise ValueError(f"{path}: has a user block in front of the HDF5 data")
    root = h5g.open(file, b"/")
    held = check_attributes(path, root, "/")
    columns = {name: column_of(path, root, name, about) for name in _names(path, root)}
    for name, column in columns.items():
        _check_shape(path, name, column, nets=columns.get("weights", column).shape[0], about=about)
    if "weights" not in columns:
        raise ValueError(f"{path}: has no column weights")
    if curves := [name for name in columns if name.startswith("trajectory_") and "trajectory" not in columns]:
        raise ValueError(f"{path}: column {curves[0]} is of checkpoints, but there is no column trajectory")
    others = {name: column for name, column in columns.items() if name not in AXES}
    if sum(math.prod(column.shape) * bytes_each(column) for column in others.values()) > COLUMNS_BYTES:
        raise ValueError(f"{path}: its columns have more than {COLUMNS_BYTES:,} bytes")
    for name, column in others.items():
        held += read_through(path, name, column, most=COLUMNS_BYTES - held)
    kinds = {name: kind_of(column.get_type()) for name, column in columns.items()}
    return Shard(path.name, columns["weights"].shape[0], kinds, held)


def _check_shape(path: Path, name: str, column: h5d.DatasetID, *, nets: int, about: About) -> None:
    axes = AXES.get(name, 2 if name.startswith("trajectory_") else 1)
    if len(column.shape) != axes or column.shape[0] != nets or 0 in column.shape:
        raise ValueError(f"{path}: column {name} has shape {column.shape}, expected {axes} axes, and a row a net")
    if name in AXES and column.shape[-1] != about.weights:
        raise ValueError(f"{path}: column {name} has {column.shape[-1]:,} weights a net, {ABOUT} says {about.weights:,}")
    if name.startswith("trajectory") and axes > 1 and column.shape[1] != about.checkpoints:
        raise ValueError(f"{path}: column {name} has {column.shape[1]:,} checkpoints, {ABOUT} says {about.checkpoints:,}")


def _names(path: Path, root: h5g.GroupID) -> list[str]:
    """The names in the root group: columns, each linked to directly, and once."""
    if root.get_num_objs() > OBJECTS:
        raise ValueError(f"{path}: holds {root.get_num_objs():,} objects; a shard has {OBJECTS} at most")
    links: dict[bytes, int] = {}
    root.links.iterate(lambda name, info: links.update({name: info.type}), info=True)
    seen: dict[int, str] = {}
    for raw, kind in links.items():
        name = raw.decode(errors="backslashreplace")
        if kind != h5l.TYPE_HARD:
            raise ValueError(f"{path}: {name!r} is {LINKS.get(kind, 'a link of an unknown kind')}; a shard has no links")
        about = h5o.get_info(root, raw)
        if about.type != h5o.TYPE_DATASET:
            raise ValueError(f"{path}: {name!r} is a group or a named type; a shard holds columns only")
        if about.addr in seen:
            raise ValueError(f"{path}: {name!r} and {seen[about.addr]!r} are one object")
        if not COLUMN.fullmatch(name):
            raise ValueError(f"{path}: {name!r} is no name of a column: small letters, digits and _ only")
        seen[about.addr] = name
    return list(seen.values())
