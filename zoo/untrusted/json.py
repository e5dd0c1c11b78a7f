"""JSON that may be a stranger's: UTF-8 that can be read in one way only, with bounds; every JSON file is read here.

It needs the standard library only, so that limited children load it quickly.
"""

import json
import math
import unicodedata
from pathlib import Path
from typing import Any

from zoo.untrusted.files import read_bytes
from zoo.untrusted.texts import decoded

JSON_BYTES = 16 * 2**20
DEPTH, VALUES = 32, 10**6  # of a JSON text: how deeply nested, how many


def read_json(
    path: Path, *, below: Path | None = None, most: int = JSON_BYTES, nan: bool = False, controls: bool = False
) -> dict[str, Any]:
    """The JSON object in a plain file. Raises ValueError as `read_bytes` and `strict_json` do."""
    return strict_json(path, read_bytes(path, most, below=below), nan=nan, controls=controls)


def strict_json(path: Path | str, data: bytes, *, nan: bool = False, controls: bool = False) -> dict[str, Any]:
    """The JSON object in these bytes of a file, without names that stand twice, control characters or deep nesting.

    `nan` allows NaN and infinities, which Python writes and JSON does not have; `controls` any characters, where every
    text is escaped before it is shown. Raises ValueError naming the file.
    """
    try:
        value = json.loads(
            decoded(path, data),
            object_pairs_hook=_unique,
            parse_constant=float if nan else _refused,
            parse_float=float if nan else _finite,
            parse_int=_digits,
        )
    except RecursionError:
        raise ValueError(f"{path} is damaged: not JSON that can be read, nested too deeply") from None
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith(str(path)) else f"{path} is damaged: not JSON ({said})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, found {type(value).__name__}")
    _bounded(path, value, controls=controls)
    return value


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no finite number")


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _refused(text)


def _digits(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:  # nothing here counts so far; and long ones take long
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice!r} stands twice in one object")
    return value


def _bounded(path: Path | str, value: Any, *, controls: bool) -> None:
    level, values = [value], 0
    for _ in range(DEPTH):
        for text in level:
            if isinstance(text, str) and not controls and not is_plain(text):
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
