"""Whether a zoo from others is safe to read: looked at once, in a child with limits, and remembered."""

import functools
import hashlib
import json
import os
from pathlib import Path

import h5py

from zoo import untrusted
from zoo.dataset import derived, not_a_zoo
from zoo.storage import files
from zoo.storage.files import cache
from zoo.untrusted import child, vetting
from zoo.untrusted.files import sha256

CHECK = "zoo.untrusted.vetting:check"
MEMORY = 2**30
SECONDS, BYTES_A_SECOND = 10.0, 50e6  # a tenth of what a disk and SHA-256 do


def vet(folder: Path, *, local: bool = False) -> None:
    """Raises ValueError naming what it refuses in a zoo from others; changes nothing.

    Every file must be the manifest's, byte for byte, and hold what this package writes and nothing else (SECURITY.md
    lists it); so must derived columns beside it. `local` allows what `build` and `score` keep beside a zoo and trust: only
    for zoos that were made here.
    """
    sizes = [(folder / name).lstat().st_size for name in vetting.manifest(folder) if os.path.lexists(folder / name)]
    child.call(
        CHECK,
        {"folder": str(folder), "local": local},
        seconds=SECONDS + sum(sizes) / BYTES_A_SECOND,
        memory=MEMORY,
        writes=0,
        subject=str(folder),
    )
    derived.read_all(folder)


def report(folder: Path) -> str:
    """Vets a zoo, also one of the user's own where it was built, or is being built; returns what was seen of it.

    Raises FileNotFoundError where there is no zoo, and as `vet` does.
    """
    not_a_zoo.check(folder)
    kept = [name for name in vetting.LOCAL if os.path.lexists(folder / name)]
    if kept and not os.path.lexists(folder / vetting.MANIFEST):
        return f"{folder}: a zoo that is still being built, as {kept[0]} says; nothing in it was vetted, as it is not whole"
    vet(folder, local=bool(kept))
    beside = (
        f". Beside it lie {' and '.join(kept)}, which `build` and `score` keep where a zoo was made, and trust: they were "
        f"not looked at. If the zoo came from others, delete them"
    )
    added = [
        f"{one}{'' if one.note.zoo == sha256(folder / vetting.MANIFEST) else ', of another zoo'}"
        for one in derived.read_all(folder)
    ]
    columns = f". {derived.FOLDER}/ has columns of numbers that analyses added: {'; '.join(added)}" * bool(added)
    return f"{folder}: nothing in the zoo but a zoo, and its bytes are its manifest's" + columns + beside * bool(kept)


def once(folder: Path, *, local: bool = False) -> None:
    """Vets a zoo unless it was vetted, or remembered, as it is now; costs a millisecond then. Raises as `vet` does."""
    before = _marker(folder)
    if before is None or not before.exists():
        vet(folder, local=local)
        if before is not None and before == _marker(folder):  # else it changed meanwhile
            _mark(before)


def remember(folder: Path) -> None:
    """Notes that a zoo, as it is now, needs no vetting: for zoos that this program has itself just written."""
    marker = _marker(folder)
    if marker is not None:
        _mark(marker)


def _marker(folder: Path) -> Path | None:
    """The file that says that the zoo was vetted, named by all that tells whether it changed since.

    None where the zoo cannot be told, or there is no place to keep it.
    """
    try:
        stats = [(name, (folder / name).lstat()) for name in vetting.manifest(folder)]
        about = [(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in stats]
        text = (folder / vetting.MANIFEST).read_text()
        key = json.dumps([str(folder.resolve()), text, about, _rules()])
        return cache() / "vetted" / hashlib.sha256(key.encode()).hexdigest()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a user without a home
        return None


def _mark(marker: Path) -> None:
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        files.write(marker, b"")
    except OSError:
        pass  # it will be vetted again


@functools.cache
def _rules() -> str:
    """What zoos are vetted by: stricter rules, or another HDF5, make them be vetted again."""
    texts = [path.read_bytes() for path in sorted(Path(untrusted.__file__).parent.rglob("*.py"))]
    return f"{files.hash_of(b''.join(texts))} {h5py.version.hdf5_version}"
