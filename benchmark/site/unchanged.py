"""Whether a site is still the one that would be written: nothing that it is made of, nor of its files, has changed.

It needs the standard library only, so that a site that stays as it is takes a second at most.
"""

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from zoo.storage import files
from zoo.untrusted.files import read_bytes
from zoo.untrusted.json import read_json

ROOT = Path(__file__).parents[2]
CODE = ("benchmark", "metanets", "zoo")  # whose files make a site
SOURCES = (".py", ".cpp", ".h", ".html", ".css", ".js", ".json", ".toml")
LIBRARIES = ("jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "scipy")
GENERATOR = '<meta name="generator" content="metazoo page">'  # marks a site that --overwrite may replace
KEPT = "pages"  # in the user's cache folder: for each site's folder, what its files were and what they were made of
MOST_BYTES = 2**30  # of a file that is compared


def stamp(results: Path, zoo_folders: list[Path], project: str | None = None) -> str:
    """A hash of all that a site is made of: the records and what lies beside them, the zoos, the code and its libraries.

    Of records and zoos it goes by the names, sizes and times of files, so that they are not read.
    """
    lines = [f"{name} {_version(name)}" for name in LIBRARIES] + [f"project {project}"]
    lines += (
        f"{path.relative_to(ROOT)} {_hash(path, ROOT)}"
        for name in CODE
        for path in _files(ROOT / name)
        if path.suffix in SOURCES
    )
    for folder in (results, *zoo_folders):
        about = ((path, path.lstat()) for path in _files(folder))
        lines += (f"{path} {told.st_size} {told.st_mtime_ns} {told.st_ctime_ns} {told.st_ino}" for path, told in about)
    return files.hash_of("\n".join(map(repr, lines)).encode())


def is_unchanged(out: Path, made_of: str) -> bool:
    """Whether the folder holds a site made of that `stamp`, and all its files are as they were written."""
    try:
        kept = read_json(_place(out), below=files.cache())
        found = {str(path.relative_to(out)): _hash(path, out) for path in _files(out)}
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a user without a home
        return False
    return kept == {"made_of": made_of, "files": found} and "index.html" in found


def keep(out: Path, made_of: str, made: dict[str, bytes]) -> None:
    """Keeps what the files of a site were made of, where the user's cache folder can be written."""
    told = {"made_of": made_of, "files": {name: files.hash_of(data) for name, data in made.items()}}
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        files.write(_place(out), files.to_json(told), below=files.cache(), durable=False)


def _place(out: Path) -> Path:
    return files.cache() / KEPT / f"{files.hash_of(os.fsencode(out.resolve()))[:32]}.json"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _files(folder: Path) -> Iterator[Path]:
    """All files and links below a folder, in order; no link is followed."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        linked = [name for name in folders if (Path(here) / name).is_symlink()]
        for name in sorted(names + linked):
            yield Path(here) / name


def _hash(path: Path, below: Path) -> str:
    """That of a plain file's bytes; of what cannot be read, and so is in no site, that it is there."""
    try:
        return files.hash_of(read_bytes(path, MOST_BYTES, below=below))
    except (OSError, ValueError):
        return "not read"
