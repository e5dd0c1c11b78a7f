"""Files that may be hostile, read with care, and JSON in them.

Sizes are looked at before contents, links are not followed, and what cannot be read is a ValueError that names the file.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from zoo.untrusted import vetting

_Loaded = TypeVar("_Loaded")


def read_bytes(path: Path, most: int) -> bytes:
    """A file's bytes. Raises ValueError where it is a link, no plain file, cannot be read, or has more than `most` bytes."""
    return vetting.read_bytes(path, most, links=False)


def read_json(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON object in these bytes of the file at `path`. Raises ValueError naming it on anything else.

    Stricter than `json.loads`: a name twice in an object, NaN and numbers beyond a float's or 64 bits' range are refused.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite, parse_int=_digits
        )
    except RecursionError:
        raise ValueError(f"{path} is damaged: not JSON that can be read, nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, found {type(value).__name__}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def _digits(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:  # beyond 64 bits, which nothing here counts
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def validated(path: Path, validate: Callable[..., _Loaded], value: dict[str, Any]) -> _Loaded:
    """The value as `validate`, a TypeAdapter's `validate_json`, has it. Raises ValueError naming the fields at fault."""
    try:
        return validate(json.dumps(value))
    except RecursionError:
        raise ValueError(f"{path} is damaged: nested too deeply") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()[:5])
        raise ValueError(f"{path} does not fit its schema: {faults}") from None
