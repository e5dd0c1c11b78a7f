"""The manifest: which files make up a zoo, and their SHA-256. Written last: without it there is no zoo."""

from pathlib import Path

from zoo import files, shards
from zoo.untrusted import vetting
from zoo.untrusted.vetting.manifests import MANIFEST, MANIFEST_BYTES


def read_manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the zoo, by its path in the folder; a stranger's, too, before it is vetted.

    Raises ValueError where it is no plain file, has too many bytes, or a malformed line.
    """
    vetting.plain_file(folder, MANIFEST)
    digests = {}
    for line in vetting.read_bytes(folder / MANIFEST, MANIFEST_BYTES).decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        path = Path(name)
        if len(digest) != 64 or not name or not name.isprintable() or path.is_absolute() or ".." in path.parts:
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
