"""The zoo.json of a zoo from others: what readers take sizes and names from."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.untrusted.json import read_json
from zoo.untrusted.vetting.tensors import is_counts

NAME = 1000  # characters in a tensor's name


@dataclass(frozen=True)
class About:
    """What zoo.json says of the shards: the weights of a net, the checkpoints of a trajectory, the columns of words.

    `is_built`: the zoo has a spec, as others trained none.
    """

    weights: int
    checkpoints: int
    text: frozenset[str]
    is_built: bool


def read_about(path: Path) -> About:
    """What zoo.json says of the shards. Raises ValueError naming the file where readers could not go by it."""
    about = read_json(path, below=path.parent)
    text = about.get("text", [])
    if not isinstance(text, list) or not all(isinstance(name, str) for name in text):
        raise ValueError(f"{path}: `text` must be a list of names of columns")
    is_built = "imported" not in about  # as readers decide it
    spec = about.get("spec" if is_built else "imported")
    epochs = spec.get("trajectory", []) if isinstance(spec, dict) else None
    if not isinstance(epochs, list):
        raise ValueError(f"{path}: must have a `spec` or `imported`, whose `trajectory`, if there is one, is a list")
    return About(weights_of(path, about), len(epochs), frozenset(text), is_built)


def weights_of(path: Path, about: dict[str, Any]) -> int:
    """The number of weights a net that zoo.json describes: readers reserve memory by it. Raises ValueError."""
    entries, end = about.get("layout"), 0
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: `layout` must be a list of tensors")
    for entry in entries:
        shape, offset = (entry.get("shape", ""), entry.get("offset")) if isinstance(entry, dict) else ("", None)
        if not is_counts(shape) or len(shape) > 8 or offset != end or type(offset) is not int:
            raise ValueError(f"{path}: `layout` must have a shape and an offset for each tensor, one after the other")
        if 0 in shape or not _is_named(entry, len(shape)):
            raise ValueError(f"{path}: `layout` must have a name, a role and axes for each tensor, and none without entries")
        end += math.prod(shape)
    if len({entry["name"] for entry in entries}) < len(entries):
        raise ValueError(f"{path}: `layout` has two tensors of one name")
    return end


def _is_named(entry: dict[str, Any], axes: int) -> bool:
    """Whether an entry says what it is by texts, and for each axis in one, or by null, what runs over it and acts on it."""
    words = [entry.get("axes"), *(entry[name] for name in ("scales", "mixes") if name in entry)]
    texts = [entry.get("name"), entry.get("role"), *([entry["sized"]] if "sized" in entry else [])]
    for spaces in words:
        if not isinstance(spaces, list) or len(spaces) != axes:
            return False
        texts += [space for space in spaces if space is not None]
    return all(isinstance(text, str) and 0 < len(text) <= NAME for text in texts)
