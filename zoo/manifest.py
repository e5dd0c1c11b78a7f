"""The manifest: which files make up a zoo, and their SHA-256. Written last: without it there is no zoo."""

from pathlib import Path

from zoo import files, shards

MANIFEST = "MANIFEST.sha256"


def read_manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the zoo, by its path in the folder. Raises ValueError on a malformed line."""
    digests = {}
    for line in (folder / MANIFEST).read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = Path(name)
        if len(digest) != 64 or not name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{folder / MANIFEST} is damaged: {line[:100]!r}; expected `sha256  path in the zoo`")
        digests[name] = digest
    return digests


def write_manifest(folder: Path, names: list[str]) -> None:
    """Hashes these files and writes the manifest of them."""
    lines = [f"{files.sha256(folder / name)}  {name}\n" for name in names]
    files.write(folder / MANIFEST, "".join(lines).encode())


def held(folder: Path) -> int:
    """How many nets the shards of the manifest hold: they always end where a build did."""
    if not (folder / MANIFEST).exists():
        return 0
    names = [name for name in read_manifest(folder) if name.startswith("data/")]
    return sum(len(shards.read(folder / name).weights) for name in names)
