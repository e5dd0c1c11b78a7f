"""Building the zoos of a size: those that are whole are kept, and those that were stopped go on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import zoo as zoos
from benchmark.reference.reference import EMBEDDED, Entry, Reference
from benchmark.reference.status import ZooStatus, connected, zoo_status
from zoo.jobs.main_guard import end_if_starting
from zoo.jobs.status import Status
from zoo.landscape import connect as room
from zoo.landscape.material import images_of
from zoo.training import machine


def build(
    reference: Reference,
    size: str,
    folder: Path | str,
    *,
    only: Sequence[str] = (),
    final: bool = False,
    images_folder: Path | str | None = None,
    download: bool = False,
    workers: int = 1,
    device: str = "cpu",
    command: str = "",
    progress: Callable[[str, Status], None] = lambda name, status: None,
    report: Callable[[str], None] = lambda line: None,
) -> list[ZooStatus]:
    """Builds a size's zoos, each in a folder of its name in `folder`; returns what became of each.

    `only` names some of them, which may be final ones where `final` says so. The other options are those of `zoo.build`; the
    images are those of all zoos that need any. Before anything is trained it raises ValueError on an unknown size or name,
    on a final zoo without `final`, and where there is no such device, or no images, or images that no zoo needs; and
    FileExistsError where a folder holds the zoo of another spec. A damaged zoo is left as it is, and one whose build fails
    unfinished: the `note` of each says why, and the others are built.
    """
    end_if_starting()
    machine.ready(device)
    folder = Path(folder).expanduser()
    entries = reference.zoos_named(size, only, final=final)
    _check_images(entries, size, images_folder, download=download)
    found = {entry.name: zoo_status(entry, folder) for entry in entries}
    if others := [one for one in found.values() if one.state == "of another spec"]:
        told = "; ".join(f"{one.folder} ({one.note})" for one in others)
        raise FileExistsError(
            f"zoos of other specs than {reference.name}'s: {told}; move them away, or give another --folder"
        )
    for entry in entries:
        one = found[entry.name]
        if one.state not in ("whole", "damaged"):
            report(f"{entry.name}: {one.line()}; building {entry.nets} nets")
            images = images_folder if entry.images else None
            try:
                zoos.build(
                    entry.loaded(),
                    one.folder,
                    images_folder=images,
                    download=download and entry.images is not None,
                    workers=workers,
                    device=device,
                    report=partial(progress, entry.name),
                )
                _connect(entry, one.folder, images, command, download=download)
                one = zoo_status(entry, folder)
            except (RuntimeError, ValueError, OSError) as error:
                one = replace(zoo_status(entry, folder), note=f"its build failed: {' '.join(str(error).split())}")
            found[entry.name] = one
        report(f"{entry.name}: {one.line()}" + f", {one.bytes}" * bool(one.bytes))
    return list(found.values())


def _check_images(entries: Sequence[Entry], size: str, folder: Path | str | None, *, download: bool) -> None:
    """Raises where images are missing or not needed."""
    needed = {entry.name: entry.images for entry in entries if entry.images}
    if needed and folder is None and not download:
        kinds = ", ".join(sorted({*needed.values()}))
        digits = " ".join(f"--only {entry.name}" for entry in entries if entry.name not in needed)
        raise FileNotFoundError(
            f"{', '.join(needed)}: no images of {kinds}; give --images FOLDER, or --download; without: {digits or 'none'}"
        )
    if not needed and folder is not None:
        raise ValueError(f"{folder}: all of these zoos are of {EMBEDDED}, which are embedded; leave --images away")
    if folder is not None and not Path(folder).expanduser().is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of images")


def _connect(entry: Entry, folder: Path, images: Path | str | None, command: str, *, download: bool) -> None:
    """Connects the pairs that tasks on pairs need, as `metazoo connect` does, with nothing removed."""
    made = zoos.open(folder)
    if entry.connect is None or connected(made, entry):
        return
    settings = entry.connect.settings()
    image_set = images_of(made, folder=images, download=download)
    found = room.connect(made, image_set, pairs=entry.connect.pairs, remove=("none",), settings=settings)
    room.keep(made, found, settings, command)
