"""A safetensors file from others: its whole header, before any tensor is read."""

import math
from pathlib import Path
from typing import Any

import safetensors

from zoo.untrusted.json import strict_json

FIXED_BYTES = 2**30  # of a zoo's fixed.safetensors
HEADER_BYTES = 2**20
TENSORS = {"F32": 4, "F16": 2}  # bytes of an entry, of the types that a zoo's file may have


def tensors_header(path: Path, dtypes: dict[str, int], *, most: int) -> dict[str, list[int]]:
    """The shape of each tensor of a safetensors file, its whole header checked. Raises ValueError naming the tensor.

    `dtypes` gives the bytes of an entry of those that may stand there. The tensors fill the file without gaps.
    """
    header, behind = _header(path, most)
    header.pop("__metadata__", None)
    shapes, places = {}, []
    for name, entry in header.items():
        shapes[name], place = _shape_and_place(path, name, entry, dtypes)
        places.append(place)
    ends = [0, *(end for _, end in sorted(places))]
    if [start for start, _ in sorted(places)] != ends[:-1] or ends[-1] != behind:
        raise ValueError(f"{path}: its tensors overlap, leave gaps, or do not end with the file")
    if _names(path) != shapes.keys():
        raise ValueError(f"{path}: its header can be read in two ways")
    return shapes


def _header(path: Path, most: int) -> tuple[dict[str, Any], int]:
    """The JSON in front of the tensors, and how many bytes there are behind it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or size > most or length > min(HEADER_BYTES, size - 8):
            raise ValueError(f"{path}: {size:,} bytes with a header of {length:,}: damaged, or no safetensors file")
        return strict_json(path, file.read(length)), size - 8 - length


def _shape_and_place(path: Path, name: str, entry: Any, dtypes: dict[str, int]) -> tuple[list[int], tuple[int, int]]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{path}: tensor {name!r} must have a dtype, a shape and data_offsets")
    shape, place = entry["shape"], entry["data_offsets"]
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in dtypes:
        raise ValueError(f"{path}: tensor {name!r} has dtype {entry['dtype']!r}, expected one of {', '.join(dtypes)}")
    bytes_ = math.prod(shape) * dtypes[entry["dtype"]] if is_counts(shape) and len(shape) <= 8 else -1
    if not is_counts(place) or len(place) != 2 or place[1] - place[0] != bytes_:
        raise ValueError(f"{path}: tensor {name!r} of shape {shape} does not fit its place {place}")
    return shape, (place[0], place[1])


def _names(path: Path) -> set[str]:
    """The names of the tensors as readers find them."""
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            return set(opened.keys())
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: {error}") from None


def is_counts(value: Any) -> bool:
    """Whether a value is a list of whole numbers that can be sizes or places."""
    return isinstance(value, list) and all(type(x) is int and 0 <= x < 2**40 for x in value)
