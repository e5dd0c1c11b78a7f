"""The manifest: which files make up a zoo, and their SHA-256. Written last: without it there is no zoo."""

from collections.abc import Iterator
from pathlib import Path

from zoo.storage import files, shards
from zoo.untrusted import vetting
from zoo.untrusted.vetting.manifests import ABOUT, FIXED, MANIFEST, MANIFEST_BYTES


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


def check_bytes(folder: Path) -> Iterator[str]:
    """A line for each file of the manifest that is missing, a link, or not what was written. Raises as `read_manifest`."""
    if not (folder / MANIFEST).exists():
        yield f"{folder}: no {MANIFEST}"
        return
    digests = read_manifest(folder)
    for name in (ABOUT, FIXED):
        if name not in digests:
            yield f"{folder / MANIFEST}: no line for {name}"
    for name, digest in digests.items():
        if problem := _altered(folder, name, digest):
            yield problem


def _altered(folder: Path, name: str, digest: str) -> str:
    if not (folder / name).is_file():
        return f"{folder / name}: missing"
    try:
        vetting.plain_file(folder, name)  # links are not followed: they may lead to what has no end
    except ValueError as error:
        return str(error)
    return "" if files.sha256(folder / name) == digest else f"{folder / name}: altered: its SHA-256 is not the manifest's"
