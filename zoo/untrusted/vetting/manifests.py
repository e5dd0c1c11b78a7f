"""The manifest of a zoo from others: a zoo's own files, each named once, the shards numbered without holes."""

import re
from pathlib import Path

from .plain_files import plain_file, read_bytes
from .texts import decoded

MANIFEST, ABOUT, FIXED = "MANIFEST.sha256", "zoo.json", "fixed.safetensors"
MANIFEST_BYTES = 2**20
SHARD = re.compile(r"data/(train|validation|test)-([0-9]{5})-of-([0-9]{5})\.h5")
LINE = re.compile(r"([0-9a-f]{64})  (.*)", re.DOTALL)


def manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file by its path, out of MANIFEST.sha256. Raises ValueError where a line is no zoo's."""
    plain_file(folder, MANIFEST)
    path = folder / MANIFEST
    digests: dict[str, str] = {}
    for line in decoded(path, read_bytes(path, MANIFEST_BYTES)).removesuffix("\n").split("\n"):
        name, digest = _entry(path, line)
        if name in digests:
            raise ValueError(f"{path}: {name} stands there twice")
        digests[name] = digest
    _check_numbers(path, list(digests))
    if missing := [name for name in (ABOUT, FIXED) if name not in digests]:
        raise ValueError(f"{path}: does not name {missing[0]}")
    return digests


def _entry(path: Path, line: str) -> tuple[str, str]:
    """The name and the SHA-256 that stand in a line."""
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{path}: the line {line[:100]!r} is no `sha256  path`")
    digest, name = match.groups()
    if name not in (ABOUT, FIXED) and not SHARD.fullmatch(name):
        raise ValueError(f"{path}: {name[:200]!r} is no file of a zoo: {ABOUT}, {FIXED}, data/SPLIT-00000-of-00001.h5")
    return name, digest


def _check_numbers(path: Path, names: list[str]) -> None:
    """Raises ValueError where the shards of a split are not numbered without holes, or there are none."""
    numbers: dict[str, list[int]] = {}
    for split, number, of in (match.groups() for name in names if (match := SHARD.fullmatch(name))):
        numbers.setdefault(split, []).append(int(number) if int(number) < int(of) else -1)
    if any(sorted(found) != list(range(len(found))) for found in numbers.values()) or not numbers:
        raise ValueError(f"{path}: the shards that it names are not numbered 0, 1, 2... in each split")
