"""The manifest of a zoo from others: a zoo's own files, the shards numbered without holes."""

import re
from pathlib import Path

from zoo.untrusted.files import read_bytes
from zoo.untrusted.manifest import MANIFEST, MANIFEST_BYTES, digests_of

ABOUT, FIXED = "zoo.json", "fixed.safetensors"
SHARD = re.compile(r"data/(train|validation|test)-([0-9]{5})-of-([0-9]{5})\.h5")


def manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file by its path, out of MANIFEST.sha256. Raises ValueError where a line is no zoo's."""
    path = folder / MANIFEST
    digests = digests_of(read_bytes(path, MANIFEST_BYTES, below=folder), path)
    if others := [name for name in digests if name not in (ABOUT, FIXED) and not SHARD.fullmatch(name)]:
        expected = f"{ABOUT}, {FIXED}, data/SPLIT-00000-of-00001.h5"
        raise ValueError(f"{path}: {others[0]!r} is no file of a zoo; expected {expected}")
    _check_numbers(path, list(digests))
    if missing := [name for name in (ABOUT, FIXED) if name not in digests]:
        raise ValueError(f"{path}: does not name {missing[0]}")
    return digests


def _check_numbers(path: Path, names: list[str]) -> None:
    """Raises ValueError where the shards of a split are not numbered without holes, or there are none."""
    numbers: dict[str, list[int]] = {}
    for split, number, of in (match.groups() for name in names if (match := SHARD.fullmatch(name))):
        numbers.setdefault(split, []).append(int(number) if int(number) < int(of) else -1)
    if any(sorted(found) != list(range(len(found))) for found in numbers.values()) or not numbers:
        raise ValueError(f"{path}: the shards that it names are not numbered 0, 1, 2... in each split")
