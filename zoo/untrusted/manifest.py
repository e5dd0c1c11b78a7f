"""The lines of a manifest: the SHA-256 of each file by its name, which may be a stranger's; every manifest is read here.

It needs the standard library only, so that limited children load it quickly.
"""

import re
from pathlib import PurePosixPath

MANIFEST = "MANIFEST.sha256"
MANIFEST_BYTES = 2**20  # of a zoo, at most
NAMES = 100_000  # in any manifest, at most
LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^\n]+)")
PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,149}(?<!\.)"  # of a path: no hidden ones, and the same on every file system
NAME = re.compile(rf"{PART}(/{PART}){{0,7}}")


def digests_of(data: bytes, where: object) -> dict[str, str]:
    """The SHA-256 of each name in the bytes of a manifest.

    Raises ValueError naming `where` for lines that are no `sha256  name`, and names that are not plain: absolute, `..`,
    hidden, drive letters, backslashes, control characters, two that differ in case only, a file that is another's folder.
    """
    digests: dict[str, str] = {}
    lines = data.decode("ascii", errors="replace").split("\n")
    if lines.pop() or len(lines) > NAMES:
        raise ValueError(f"{where} is damaged: it has {len(lines):,} lines, the last not ended or more than {NAMES:,}")
    folded: set[str] = set()
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None or not NAME.fullmatch(match["name"]) or match["name"].endswith(".part"):
            raise ValueError(
                f"{where} is damaged: refused {line[:200]!r}; expected `sha256  name` with a plain relative name"
            )
        name = match["name"]
        if name.lower() in folded:
            raise ValueError(f"{where} is damaged: refused: {name} stands there twice, or as one file on some file systems")
        folded.add(name.lower())
        digests[name] = match["digest"]
    if both := folded & {str(folder) for name in folded for folder in PurePosixPath(name).parents}:
        raise ValueError(f"{where} is damaged: refused: {min(both)}, both file and folder, is one file on some file systems")
    return digests
