"""A reference that is built in seconds, as a TOML file."""

import json
from pathlib import Path
from typing import Any

from conftest import SMALL

NETS = 40
SPLIT = [0.4, 0.3, 0.3]  # so that there are enough of each in so few nets


def entry(name: str, **changes: Any) -> dict[str, Any]:
    """A zoo of the small spec."""
    fields = {name: value for name, value in SMALL.items() if name != "nets"} | {"split": SPLIT}
    start = {"name": name, "size": "tiny", "role": "develop", "spec": "digits-resnet8-standard", "nets": NETS, "seed": 0}
    return start | {"set": fields | changes.pop("set", {})} | changes


def task(name: str, track: str, *zoos: str, **options: Any) -> dict[str, Any]:
    """A task of one seed."""
    return {"name": name, "track": track, "zoos": [*zoos], "seeds": 1} | options


def reference(zoos: list[dict[str, Any]], tasks: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A whole reference of one size."""
    training = {"epochs": 1, "batch": 8, "learning_rates": [1e-3]}
    sizes = {"tiny": {"megabytes": 20, "training": training}}
    return {"name": "reference-small", "sizes": sizes, "zoos": zoos, "tasks": tasks} | changes


def written(path: Path, value: dict[str, Any]) -> Path:
    """The file of these values."""
    path.write_text("\n".join(f"{name} = {_toml(part)}" for name, part in value.items()))
    return path


def _toml(value: Any) -> str:
    """A value in TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_toml(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def of_a_small_zoo(path: Path) -> Path:
    """The file of a reference of one zoo, which is the tests' `standard`, and one task."""
    fields = {name: value for name, value in SMALL.items() if name != "nets"}
    one = entry("digits-resnet8-standard", nets=SMALL["nets"]) | {"set": fields}
    return written(path, reference([one], [task("in-zoo", "in zoo", "digits-resnet8-standard")]))
