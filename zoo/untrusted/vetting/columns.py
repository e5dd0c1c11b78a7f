"""A column of a shard from others: where it is stored, of which type and how large; its attributes; then its data."""

import math
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t, h5z

from zoo.untrusted.json import is_plain
from zoo.untrusted.vetting.about import About
from zoo.untrusted.vetting.types import check_type

ATTRIBUTES = 64  # of a shard, of a column
ATTRIBUTE_BYTES = 16 * 2**20  # zoo.json's parts stand in each shard
CHUNK_BYTES = 16 * 2**20
FREE_BYTES, RATIO = 64 * 2**20, 1000  # a column larger than the one may not be larger than its storage times the other
PLACE_BYTES = 16  # that say where a text stands in the file
TEXT = 10_000  # characters in a row of a text column
ROWS_AT_ONCE = 256  # of a text column: its rows may be long, which is known only when they are read
AXES = {"weights": 2, "trajectory": 3}  # of the columns that readers map into memory
FILTERS = (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)


def column_of(path: Path, root: h5g.GroupID, name: str, about: About) -> h5d.DatasetID:
    """The column of that name, opened. Raises ValueError where its storage, filters, type or size are not allowed."""
    column = h5d.open(root, name.encode())
    plan = column.get_create_plist()
    layout, filters = plan.get_layout(), [plan.get_filter(number)[0] for number in range(min(plan.get_nfilters(), 32))]
    if layout == h5d.VIRTUAL:
        raise ValueError(f"{path}: column {name} is a virtual data set, which reads other files")
    if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
        raise ValueError(f"{path}: column {name} has the unknown layout {layout}")
    if plan.get_external_count():
        raise ValueError(f"{path}: column {name} is stored in another file (external storage)")
    if name in AXES and (layout != h5d.CONTIGUOUS or filters):
        raise ValueError(f"{path}: column {name} must be contiguous and not compressed, as it is mapped into memory")
    if unknown := [number for number in filters if number not in FILTERS]:
        raise ValueError(f"{path}: column {name} needs the filter {unknown[0]}; allowed are gzip, shuffle and fletcher32")
    if len(filters) > len(FILTERS):
        raise ValueError(f"{path}: column {name} has {len(filters)} filters")
    check_attributes(path, column, name)
    check_type(path, name, column.get_type(), is_text=name in about.text, is_built=about.is_built)
    if column.get_space().get_simple_extent_type() != h5s.SIMPLE:
        raise ValueError(f"{path}: column {name} is a scalar or empty")
    _storage(path, name, column, plan)
    return column


def bytes_each(column: h5d.DatasetID) -> int:
    """The bytes of an entry in a file; of a text, which stands elsewhere, of its place."""
    kind = column.get_type()
    return PLACE_BYTES if kind.get_class() == h5t.STRING else kind.get_size()


def _storage(path: Path, name: str, column: h5d.DatasetID, plan: h5p.PropDCID) -> None:
    """Refuses bombs: columns that claim more than the file holds."""
    bytes_, stored = math.prod(column.shape) * bytes_each(column), column.get_storage_size()
    size = path.stat().st_size
    if plan.get_layout() == h5d.CHUNKED:
        chunk = math.prod(plan.get_chunk()) * bytes_each(column)
        if chunk > CHUNK_BYTES:
            raise ValueError(f"{path}: column {name} has chunks of {chunk:,} bytes; {CHUNK_BYTES:,} are allowed")
        if stored > size or bytes_ > max(FREE_BYTES, RATIO * stored):
            raise ValueError(f"{path}: column {name} claims {bytes_:,} bytes out of {stored:,} stored")
        return
    offset = column.get_offset() if plan.get_layout() == h5d.CONTIGUOUS else 0
    if stored != bytes_ or offset is None or offset + bytes_ > size:
        raise ValueError(f"{path}: column {name} claims {bytes_:,} bytes, of which the file holds {stored:,} at most")


def check_attributes(path: Path, owner: Any, name: str) -> int:
    """The bytes that the attributes of a shard or a column take in a reader's memory.

    Raises ValueError for an attribute that is neither text nor a number, or too long, and where there are too many.
    """
    count = h5a.get_num_attrs(owner)
    if count > ATTRIBUTES:
        raise ValueError(f"{path}: {name} has {count:,} attributes; {ATTRIBUTES} are allowed")
    opened = [h5a.open(owner, index=number) for number in range(count)]
    return sum(_bytes_of(one, f"{path}: the attribute {_shown(one.name)} of {name}") for one in opened)


def _shown(name: bytes) -> str:
    return repr(name.decode(errors="backslashreplace")[:100])


def _bytes_of(attribute: h5a.AttrID, label: str) -> int:
    kind = attribute.get_type().get_class()
    if kind not in (h5t.STRING, h5t.INTEGER, h5t.FLOAT):
        raise ValueError(f"{label} is neither text nor a number")
    if attribute.get_space().get_simple_extent_type() != h5s.SCALAR or attribute.get_storage_size() > ATTRIBUTE_BYTES:
        raise ValueError(f"{label} is not a single value, or too long")
    _ = attribute.dtype  # raises where a reader could make nothing of it
    if kind != h5t.STRING or not attribute.get_type().is_variable_str():
        return attribute.get_storage_size()
    value = np.empty((), h5py.string_dtype())
    attribute.read(value)
    text: bytes = value.item()
    if len(text) > ATTRIBUTE_BYTES:
        raise ValueError(f"{label} has {len(text):,} bytes")
    return sys.getsizeof(text.decode(errors="surrogateescape"))  # many may name the same bytes of the file


def read_through(path: Path, name: str, column: h5d.DatasetID, *, most: int) -> int:
    """Reads a column once, so that whatever is wrong with its data shows here; returns its bytes in a reader's memory.

    Raises ValueError for texts that could do harm or take more than `most` bytes, and whatever HDF5 raises of damaged
    data.
    """
    values, held = h5py.Dataset(column), 0
    is_text = isinstance(column.get_type(), h5t.TypeStringID)
    step = ROWS_AT_ONCE if is_text else max(1, 2**22 // max(1, math.prod(column.shape[1:])))
    for start in range(0, column.shape[0], step):
        part = values[start : start + step]
        if is_text and (wrong := [row for row, text in enumerate(part, start) if not _is_text(text)]):
            raise ValueError(f"{path}: column {name}, row {wrong[0]}: no plain utf-8 text of at most {TEXT:,} bytes")
        held += part.nbytes + (sum(sys.getsizeof(text.decode()) for text in part) if is_text else 0)
        if held > most:  # of texts this shows only now: a million rows may all name the same one
            raise ValueError(f"{path}: column {name} unpacks to more bytes than the {most:,} that are left for it")
    return held


def _is_text(text: bytes) -> bool:
    try:
        return len(text) <= TEXT and is_plain(text.decode())
    except UnicodeDecodeError:
        return False
