"""The zoo.json of a zoo from others: what readers take sizes and names from."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.untrusted.json import read_json
from zoo.untrusted.vetting.tensors import is_counts


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
        end += math.prod(shape)
    return end
