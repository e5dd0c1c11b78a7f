"""The zoo.json of a zoo from others: what readers take sizes and names from."""

import math
from pathlib import Path
from typing import Any

from zoo.untrusted.json import read_json
from zoo.untrusted.vetting.tensors import is_counts


def read_about(path: Path) -> dict[str, Any]:
    """The JSON object of zoo.json; its `text`, if there is one, is a list of names. Raises ValueError naming the file."""
    about = read_json(path, below=path.parent)
    text = about.get("text", [])
    if not isinstance(text, list) or not all(isinstance(name, str) for name in text):
        raise ValueError(f"{path}: `text` must be a list of names of columns")
    return about


def weights_of(path: Path, about: dict[str, Any]) -> int:
    """The number of weights a net that zoo.json describes: readers reserve memory by it. Raises ValueError."""
    entries, end = about.get("layout"), 0
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: `layout` must be a list of tensors")
    for entry in entries:
        shape, offset = (entry.get("shape", ""), entry.get("offset")) if isinstance(entry, dict) else ("", None)
        if not is_counts(shape) or len(shape) > 8 or offset != end or type(offset) is not int:
            raise ValueError(f"{path}: `layout` must have a shape and an offset for each tensor, one after the other")
        end += math.prod(shape)
    return end
