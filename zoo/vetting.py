"""Looks at a zoo's files as a stranger may have made them, before anything else reads them.

`zoo.vet` runs `check` in a limited child. This file stands alone (standard library, numpy, h5py, safetensors), so that
the child is small; and what it does not know, it refuses. Every message names the file and the object in it.
"""

import hashlib
import json
import math
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import safetensors
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5p, h5s, h5t, h5z

MANIFEST, ABOUT, FIXED = "MANIFEST.sha256", "zoo.json", "fixed.safetensors"
LOCAL = ("plan.json", "units", "cache")  # what `build` and `score` keep beside a zoo and trust
SHARD = re.compile(r"data/(train|validation|test)-([0-9]{5})-of-([0-9]{5})\.h5")
LINE = re.compile(r"([0-9a-f]{64})  (.*)", re.DOTALL)
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,127}")
MANIFEST_BYTES, ABOUT_BYTES, FIXED_BYTES = 2**20, 16 * 2**20, 2**30
HEADER_BYTES = 2**20  # of a safetensors file
DEPTH, VALUES = 32, 10**6  # of a JSON text: how deeply nested, how many
OBJECTS, ATTRIBUTES = 512, 64  # of a shard, of an object of it
ATTRIBUTE_BYTES = 16 * 2**20  # zoo.json's parts stand in each shard
CHUNK_BYTES = 16 * 2**20
FREE_BYTES, RATIO = 64 * 2**20, 1000  # a column larger than the one may not be larger than its storage times the other
COLUMNS_BYTES = 2 * 2**30  # all columns of a shard but its weights
PLACE_BYTES = 16  # that say where a text stands in the file
TEXT = 10_000  # characters in a row of a text column
ROWS_AT_ONCE = 256  # of a text column: its rows may be long, which is known only when they are read
FLOATS = (h5t.IEEE_F16LE, h5t.IEEE_F32LE, h5t.IEEE_F64LE)
SIGNED = (h5t.STD_I8LE, h5t.STD_I16LE, h5t.STD_I32LE, h5t.STD_I64LE)
UNSIGNED = (h5t.STD_U8LE, h5t.STD_U16LE, h5t.STD_U32LE, h5t.STD_U64LE)
FILTERS = (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)
AXES = {"weights": 2, "trajectory": 3}  # of the columns that readers map into memory
LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "an external link, to another file"}
TENSORS = {"F32": 4, "F16": 2}


def check(folder: str, *, local: bool = False) -> dict[str, int]:
    """How many files, bytes, nets and columns a zoo from others has; all of them are as this package writes them.

    `local` allows what stands beside a zoo where it was made. Raises ValueError naming what is refused.
    """
    place = Path(folder)
    if not local and (extra := [name for name in LOCAL if os.path.lexists(place / name)]):
        raise ValueError(f"{place / extra[0]}: is trusted where a zoo was made, so a zoo from others has none; delete it")
    digests = manifest(place)
    sizes = {name: _plain_file(place, name) for name in digests}
    for name, digest in digests.items():
        with (place / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise ValueError(f"{place / name}: its bytes are not those that {MANIFEST} lists; fetch the zoo again")
    about = _about(place / ABOUT)
    weights = _layout(place / ABOUT, about)
    fixed = tensors_header(place / FIXED, TENSORS, most=FIXED_BYTES)
    if fixed.get("fixed") != [weights]:
        raise ValueError(f"{place / FIXED}: tensor fixed has shape {fixed.get('fixed')}, {ABOUT} describes [{weights}]")
    shards = [name for name in digests if SHARD.fullmatch(name)]
    found = [_shard(place / name, weights, set(about.get("text", []))) for name in shards]
    columns = {tuple(sorted(names)) for _, names in found}
    if len(columns) > 1:
        raise ValueError(f"{place}: its shards do not all have the same columns")
    nets = sum(count for count, _ in found)
    return {"files": len(digests), "bytes": sum(sizes.values()), "nets": nets, "columns": len(columns.pop())}


def manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file by its path, out of MANIFEST.sha256. Raises ValueError where a line is no zoo's."""
    _plain_file(folder, MANIFEST)
    path = folder / MANIFEST
    lines = _decoded(path, read_bytes(path, MANIFEST_BYTES)).removesuffix("\n").split("\n")
    digests: dict[str, str] = {}
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{path}: the line {line[:100]!r} is no `sha256  path`")
        digest, name = match.groups()
        if name not in (ABOUT, FIXED) and not SHARD.fullmatch(name):
            raise ValueError(f"{path}: {name[:200]!r} is no file of a zoo: {ABOUT}, {FIXED}, data/SPLIT-00000-of-00001.h5")
        if name in digests:
            raise ValueError(f"{path}: {name} stands there twice")
        digests[name] = digest
    numbers: dict[str, list[int]] = {}
    for split, number, of in (match.groups() for name in digests if (match := SHARD.fullmatch(name))):
        numbers.setdefault(split, []).append(int(number) if int(number) < int(of) else -1)
    if any(sorted(found) != list(range(len(found))) for found in numbers.values()) or not numbers:
        raise ValueError(f"{path}: the shards that it names are not numbered 0, 1, 2... in each split")
    if missing := [name for name in (ABOUT, FIXED) if name not in digests]:
        raise ValueError(f"{path}: does not name {missing[0]}")
    return digests


def _plain_file(folder: Path, name: str) -> int:
    """The size of a file; neither it nor the folders down to it, below the zoo's, may be links."""
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


def read_bytes(path: Path, most: int) -> bytes:
    """A plain file's bytes. Raises ValueError where it is something else, cannot be read, or has more than `most`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would be waited for
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{path}: is no plain file")
        if about.st_size > most:
            raise ValueError(f"{path}: has {about.st_size:,} bytes; such a file has {most:,} at most")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def _decoded(path: Path | str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no UTF-8 text ({error})") from None


def strict_json(path: Path | str, data: bytes, *, nan: bool = False) -> dict[str, Any]:
    """The JSON object in these bytes of a file, without names that stand twice, control characters or deep nesting.

    `nan` allows NaN and infinities, which Python writes and JSON does not have. Raises ValueError naming the file.
    """
    constant = float if nan else _refused
    try:
        value = json.loads(
            _decoded(path, data),
            object_pairs_hook=_unique,
            parse_constant=constant,
            parse_float=float if nan else _finite,
            parse_int=_digits,
        )
    except RecursionError:
        raise ValueError(f"{path}: no JSON that can be read: nested too deeply") from None
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith(str(path)) else f"{path}: no strict JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(value).__name__}")
    _bounded(path, value)
    return value


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no finite number")


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _refused(text)


def _digits(text: str) -> int:
    if len(text) > 20:  # beyond 64 bits, which nothing here counts; and long ones take long
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice!r} stands twice in one object")
    return value


def _bounded(path: Path | str, value: Any) -> None:
    level, values = [value], 0
    for _ in range(DEPTH):
        for text in level:
            if isinstance(text, str) and not is_plain(text):
                raise ValueError(f"{path}: the text {text[:100]!r} has control characters")
        values += len(level)
        level = [inner for outer in level for inner in _inside(outer)]
        if values + len(level) > VALUES:
            raise ValueError(f"{path}: more than {VALUES:,} values")
        if not level:
            return
    raise ValueError(f"{path}: nested more than {DEPTH} deep")


def _inside(value: Any) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []


def is_plain(text: str) -> bool:
    """Whether a text has no control characters but tab and line breaks, and can be encoded."""
    return text.isprintable() or not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r" for c in text)


def _about(path: Path) -> dict[str, Any]:
    about = strict_json(path, read_bytes(path, ABOUT_BYTES))
    text = about.get("text", [])
    if not isinstance(text, list) or not all(isinstance(name, str) for name in text):
        raise ValueError(f"{path}: `text` must be a list of names of columns")
    return about


def _layout(path: Path, about: dict[str, Any]) -> int:
    """The number of weights that zoo.json describes: readers reserve memory by it."""
    entries, end = about.get("layout"), 0
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: `layout` must be a list of tensors")
    for entry in entries:
        shape, offset = (entry.get("shape", ""), entry.get("offset")) if isinstance(entry, dict) else ("", None)
        if not _counts(shape) or len(shape) > 8 or offset != end or type(offset) is not int:
            raise ValueError(f"{path}: `layout` must have a shape and an offset for each tensor, one after the other")
        end += math.prod(shape)
    return end


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(x) is int and 0 <= x < 2**40 for x in value)


def tensors_header(path: Path, dtypes: dict[str, int], *, most: int) -> dict[str, list[int]]:
    """The shape of each tensor of a safetensors file, its whole header checked. Raises ValueError naming the tensor.

    `dtypes` gives the bytes of an entry of those that may stand there. The tensors fill the file without gaps.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or size > most or length > min(HEADER_BYTES, size - 8):
            raise ValueError(f"{path}: {size:,} bytes with a header of {length:,}: damaged, or no safetensors file")
        header = strict_json(path, file.read(length))
    header.pop("__metadata__", None)
    shapes, places = {}, []
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"{path}: tensor {name!r} must have a dtype, a shape and data_offsets")
        shape, place = entry["shape"], entry["data_offsets"]
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in dtypes:
            raise ValueError(f"{path}: tensor {name!r} has dtype {entry['dtype']!r}, expected one of {', '.join(dtypes)}")
        bytes_ = math.prod(shape) * dtypes[entry["dtype"]] if _counts(shape) and len(shape) <= 8 else -1
        if not _counts(place) or len(place) != 2 or place[1] - place[0] != bytes_:
            raise ValueError(f"{path}: tensor {name!r} of shape {shape} does not fit its place {place}")
        shapes[name] = shape
        places.append(tuple(place))
    ends = [0, *(end for _, end in sorted(places))]
    if [start for start, _ in sorted(places)] != ends[:-1] or ends[-1] != size - 8 - length:
        raise ValueError(f"{path}: its tensors overlap, leave gaps, or do not end with the file")
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            names = set(opened.keys())
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: {error}") from None
    if names != shapes.keys():
        raise ValueError(f"{path}: its header can be read in two ways")
    return shapes


def _shard(path: Path, weights: int, text: set[str]) -> tuple[int, list[str]]:
    """How many nets a shard has, and its columns. Looks at every object before it reads any data."""
    try:
        file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=_access())
        try:
            return _nets(path, file, weights, text)
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


def _nets(path: Path, file: h5f.FileID, weights: int, text: set[str]) -> tuple[int, list[str]]:
    if file.get_create_plist().get_userblock():
        raise ValueError(f"{path}: has a user block in front of the HDF5 data")
    root = h5g.open(file, b"/")
    _attributes(path, root, "/")
    columns = {name: _column(path, root, name, text) for name in _names(path, root)}
    for name, column in columns.items():
        axes = AXES.get(name, 2 if name.startswith("trajectory_") else 1)
        if len(column.shape) != axes or column.shape[0] != columns.get("weights", column).shape[0] or 0 in column.shape:
            raise ValueError(f"{path}: column {name} has shape {column.shape}, expected {axes} axes, and a row a net")
        if name in AXES and column.shape[-1] != weights:
            raise ValueError(f"{path}: column {name} has {column.shape[-1]:,} weights a net, {ABOUT} says {weights:,}")
        if name in AXES and (column.get_type().get_class() != h5t.FLOAT or column.get_type().get_size() > 4):
            raise ValueError(f"{path}: column {name} must be float16 or float32")
    if "weights" not in columns:
        raise ValueError(f"{path}: has no column weights")
    others = {name: column for name, column in columns.items() if name not in AXES}
    if sum(math.prod(column.shape) * _each(column) for column in others.values()) > COLUMNS_BYTES:
        raise ValueError(f"{path}: its columns have more than {COLUMNS_BYTES:,} bytes")
    for name, column in others.items():
        _read(path, name, column)
    return columns["weights"].shape[0], list(columns)


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


def _column(path: Path, root: h5g.GroupID, name: str, text: set[str]) -> h5d.DatasetID:
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
    _attributes(path, column, name)
    _type(path, name, column.get_type(), is_text=name in text)
    if column.get_space().get_simple_extent_type() != h5s.SIMPLE:
        raise ValueError(f"{path}: column {name} is a scalar or empty")
    _storage(path, name, column, plan)
    return column


def _type(path: Path, name: str, found: h5t.TypeID, *, is_text: bool) -> None:
    if isinstance(found, h5t.TypeStringID) and found.is_variable_str() and found.get_cset() == h5t.CSET_UTF8 and is_text:
        return
    if isinstance(found, h5t.TypeEnumID) and found.get_nmembers() == 2 and found.get_super().equal(h5t.STD_I8LE):
        members = {found.get_member_name(number): found.get_member_value(number) for number in range(2)}
        if members == {b"FALSE": 0, b"TRUE": 1}:
            return
    if not any(found.equal(number) for number in (*FLOATS, *SIGNED, *UNSIGNED)):
        kind = type(found).__name__.removeprefix("Type").removesuffix("ID").lower()
        also = "or utf-8 text, as zoo.json names it in `text`" if isinstance(found, h5t.TypeStringID) else "or bool"
        raise ValueError(f"{path}: column {name} has a type ({kind}) that is not allowed; expected numbers {also}")


def _each(column: h5d.DatasetID) -> int:
    """The bytes of an entry in a file; of a text, which stands elsewhere, of its place."""
    kind = column.get_type()
    return PLACE_BYTES if kind.get_class() == h5t.STRING else kind.get_size()


def _storage(path: Path, name: str, column: h5d.DatasetID, plan: h5p.PropDCID) -> None:
    """Refuses bombs: columns that claim more than the file holds."""
    bytes_, stored = math.prod(column.shape) * _each(column), column.get_storage_size()
    size = path.stat().st_size
    if plan.get_layout() == h5d.CHUNKED:
        chunk = math.prod(plan.get_chunk()) * _each(column)
        if chunk > CHUNK_BYTES:
            raise ValueError(f"{path}: column {name} has chunks of {chunk:,} bytes; {CHUNK_BYTES:,} are allowed")
        if stored > size or bytes_ > max(FREE_BYTES, RATIO * stored):
            raise ValueError(f"{path}: column {name} claims {bytes_:,} bytes out of {stored:,} stored")
        return
    offset = column.get_offset() if plan.get_layout() == h5d.CONTIGUOUS else 0
    if stored != bytes_ or offset is None or offset + bytes_ > size:
        raise ValueError(f"{path}: column {name} claims {bytes_:,} bytes, of which the file holds {stored:,} at most")


def _attributes(path: Path, owner: Any, name: str) -> None:
    """Attributes may be texts and numbers, few and short."""
    count = h5a.get_num_attrs(owner)
    if count > ATTRIBUTES:
        raise ValueError(f"{path}: {name} has {count:,} attributes; {ATTRIBUTES} are allowed")
    for number in range(count):
        attribute = h5a.open(owner, index=number)
        label = f"{path}: the attribute {attribute.name.decode(errors='backslashreplace')[:100]!r} of {name}"
        kind = attribute.get_type().get_class()
        if kind not in (h5t.STRING, h5t.INTEGER, h5t.FLOAT):
            raise ValueError(f"{label} is neither text nor a number")
        if attribute.get_space().get_simple_extent_type() != h5s.SCALAR or attribute.get_storage_size() > ATTRIBUTE_BYTES:
            raise ValueError(f"{label} is not a single value, or too long")
        if kind == h5t.STRING and attribute.get_type().is_variable_str():
            value = np.empty((), h5py.string_dtype())
            attribute.read(value)
            if len(value[()]) > ATTRIBUTE_BYTES:
                raise ValueError(f"{label} has {len(value[()]):,} bytes")


def _read(path: Path, name: str, column: h5d.DatasetID) -> None:
    """Reads a column once, so that whatever is wrong with its data shows here; and looks at texts."""
    values = h5py.Dataset(column)
    is_text = isinstance(column.get_type(), h5t.TypeStringID)
    step = ROWS_AT_ONCE if is_text else max(1, 2**22 // max(1, math.prod(column.shape[1:])))
    for start in range(0, column.shape[0], step):
        part = values[start : start + step]
        if is_text and (wrong := [row for row, text in enumerate(part, start) if not _is_text(text)]):
            raise ValueError(f"{path}: column {name}, row {wrong[0]}: no plain utf-8 text of at most {TEXT:,} bytes")


def _is_text(text: bytes) -> bool:
    try:
        return len(text) <= TEXT and is_plain(text.decode())
    except UnicodeDecodeError:
        return False
