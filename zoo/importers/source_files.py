"""The folder that a zoo is read from: where in it the zoo begins, and the digests of the files that were read."""

from pathlib import Path

from zoo.messages import plain_line
from zoo.storage import files
from zoo.untrusted.files import sha256
from zoo.untrusted.litter import inside

LISTED = 100  # files with a digest each; of more, one of all


def unwrapped(path: Path, *, unless: str = "") -> Path:
    """The folder, or the one that is all there is in it, as in many archives; `unless` the former has that name in it."""
    while path.is_dir() and len(parts := inside(path)) == 1 and parts[0].is_dir() and not parts[0].is_symlink():
        if parts[0].name == unless:
            break
        path = parts[0]
    return path


def digests(sources: dict[str, Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name; of more than a hundred one of all: of the lines `sha256  name`, sorted."""
    found = {plain_line(name): sha256(path) for name, path in sources.items()}
    if len(found) <= LISTED:
        return found
    lines = sorted(f"{digest}  {name}\n" for name, digest in found.items())
    return {f"{len(lines)} files": files.hash_of("".join(lines).encode())}
