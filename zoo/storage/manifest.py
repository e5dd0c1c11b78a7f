"""The manifest: which files make up a zoo, and their SHA-256. Written last: without it there is no zoo."""

from collections.abc import Iterator
from pathlib import Path

from zoo.storage import files, shards
from zoo.untrusted.files import read_bytes, sha256
from zoo.untrusted.manifest import MANIFEST, MANIFEST_BYTES, digests_of
from zoo.untrusted.vetting.manifests import ABOUT, FIXED


def read_manifest(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the zoo, by its path in the folder; a stranger's, too, before it is vetted.

    Raises ValueError as `read_bytes` and `digests_of` do.
    """
    return digests_of(read_bytes(folder / MANIFEST, MANIFEST_BYTES, below=folder), folder / MANIFEST)


def write_manifest(folder: Path, names: list[str]) -> None:
    """Hashes these files and writes the manifest of them."""
    lines = [f"{sha256(folder / name, folder)}  {name}\n" for name in names]
    files.write(folder / MANIFEST, "".join(lines).encode(), below=folder)


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
        found = sha256(folder / name, folder)  # links are not followed: they may lead to what has no end
    except ValueError as error:
        return str(error)
    return "" if found == digest else f"{folder / name}: altered: its SHA-256 is not the manifest's"
