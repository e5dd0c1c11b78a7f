"""Importing zoos of others: which kinds there are, and how one is read without trusting it."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from zoo.dataset.aside import aside
from zoo.importers.asymmetric_networks.importer import asymmetric_networks
from zoo.importers.modelzoos.importer import modelzoos
from zoo.importers.small_cnn_zoo.importer import small_cnn_zoo
from zoo.importers.source_zoo import Foreign, write
from zoo.importers.state_dicts.importer import state_dicts
from zoo.messages import choose, unknown
from zoo.storage import files
from zoo.untrusted import archives, child
from zoo.untrusted.files import plain_files

IMPORTERS: dict[str, Callable[..., Foreign]] = {  # kind -> function of (folder or file, *, options as texts)
    "small-cnn-zoo": small_cnn_zoo,
    "modelzoos": modelzoos,
    "asymmetric-networks": asymmetric_networks,
    "state-dicts": state_dicts,
}

MEMORY = 12 * 2**30  # address space beside the source's size: importing torch maps several GiB, uses few hundred MiB
SECONDS, BYTES_A_SECOND = 120.0, 2e6  # at most so long, and so much more for a large source; ten times what it takes


def import_zoo(kind: str, path: Path | str, folder: Path | str, *, options: Mapping[str, str] | None = None) -> Path:
    """Writes the zoo at `path`, a folder or an archive, in our format to `folder`; returns the folder.

    `options` are the keyword arguments of the kind's function in IMPORTERS, as texts. Everything foreign is read in a
    process of its own, with limits on time and memory, and nothing of it is executed; what was written is vetted before
    the folder gets its name, so a folder that is there is whole. No link in `path` is followed; `cp -rL` makes a copy
    without. Raises ValueError naming the file at fault,
    FileNotFoundError where there is none, FileExistsError where `folder` exists.
    """
    path, folder = Path(path).expanduser(), Path(folder).expanduser()
    given = (options or {}).items()
    options = {name: str(Path(text).expanduser()) if text.startswith("~/") else text for name, text in given}
    known = list(inspect.signature(choose(IMPORTERS, kind, "kind of zoo")).parameters)[1:]
    for name in options:
        if name not in known:
            raise ValueError(unknown(f"option of {kind}", name, known))
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    path = path.resolve() if path.name in ("", "..") else path  # a zoo is called as its folder, and has tables beside it
    with aside(folder, "importing") as place:
        source = path if path.is_dir() or not archives.is_archive(path) else archives.unpack(path, place / "source")
        _ = list(plain_files(source)) if source.is_dir() else []  # raises where a link stands
        size = files.size_of(source)
        child.call(
            "zoo.importers.import_zoo:write_zoo",
            {"kind": kind, "source": str(source), "folder": str(place / "zoo"), "options": options},
            seconds=SECONDS + size / BYTES_A_SECOND,
            memory=MEMORY + 2 * size,
        )
    return folder


def write_zoo(*, kind: str, source: str, folder: str, options: dict[str, str]) -> None:
    """What runs in the limited process."""
    Path(folder).mkdir()
    write(IMPORTERS[kind](Path(source), **options), Path(folder))
