"""Records of the format before: `metazoo-record-2`, with other words for what `metazoo-record-3` says."""

from pathlib import Path
from typing import Any

SCHEMA = "metazoo-record-2"
LATER = {  # what came with version 3, and where
    "": ("metazoo", "augment", "enforced", "cost"),
    "task": ("derived", "pairs", "facts"),
    "metanet": ("baseline", "reads", "code"),
}


def upgraded(path: Path, value: dict[str, Any], schema: str) -> dict[str, Any]:
    """The record as one of version 3: `floor` was its word for baseline, `tuned.training.permute` for augment.

    Raises ValueError where it has fields that came later; all else is left to the schema of version 3.
    """
    for part, names in LATER.items():
        held = value.get(part) if part else value
        if found := [name for name in names if isinstance(held, dict) and name in held]:
            raise ValueError(f"{path} does not fit its schema: {part + '.' * bool(part)}{found[0]}: unexpected in {SCHEMA}")
    metanet, tuned = value.get("metanet"), value.get("tuned")
    if isinstance(metanet, dict) and "floor" in metanet:
        value = {**value, "metanet": {("baseline" if k == "floor" else k): v for k, v in metanet.items()}}
    training = tuned.get("training") if isinstance(tuned, dict) else None
    if isinstance(tuned, dict) and isinstance(training, dict) and isinstance(training.get("permute"), bool):
        rest = {name: choice for name, choice in training.items() if name != "permute"}
        augment = ["permutation"] if training["permute"] else []
        value = {**value, "tuned": {**tuned, "training": rest}, "augment": augment}
    return {**value, "schema": schema}
