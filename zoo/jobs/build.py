"""Building a zoo: plan, units, shards, manifest.

A zoo's folder while it is built and after:

    zoo.json             what it is: format, spec, layout, which entries are trained, columns
    fixed.safetensors    the fixed values and gates that all nets share
    plan.json            how many nets make a unit, and how far each build reached
    units/               a receipt for each unit; until the shards are written also its rows, and the images
    data/SPLIT-*.h5      the shards
    MANIFEST.sha256      of zoo.json, fixed.safetensors and the shards; written last: without it there is no zoo
"""

import dataclasses
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch

from zoo.dataset import not_a_zoo, vet, zoo_json
from zoo.dataset.zoo_json import Description
from zoo.jobs import plan
from zoo.jobs.main_guard import end_if_starting
from zoo.jobs.mask_files import read_masks
from zoo.jobs.plan import PLAN
from zoo.jobs.status import Status
from zoo.jobs.units import IMAGES, Unit
from zoo.jobs.workers import check_failures, run
from zoo.nets.asymmetric import masks_digest
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import total
from zoo.spec.columns import SPLITS
from zoo.spec.draws import split_of
from zoo.spec.resolve import blueprint, layout_of
from zoo.spec.spec import Spec, to_json
from zoo.storage import files, shards
from zoo.storage.manifest import MANIFEST, held, read_manifest, write_manifest
from zoo.tasks import images
from zoo.training import machine, native
from zoo.training.data import check_images
from zoo.untrusted.files import remove

TEMPORARY = (files.TEMPORARY, f"*/{files.TEMPORARY}")
OURS = {zoo_json.FILE, zoo_json.FIXED, PLAN, MANIFEST, "units", "data"}
SHARD_BYTES = 256 * 2**20  # weights a shard at most: few files, and each is written from memory


def build(
    spec: Spec,
    folder: Path | str,
    *,
    images_folder: Path | str | None = None,
    download: bool = False,
    masks_folder: Path | str | None = None,
    workers: int = 1,
    ray: str | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    report: Callable[[Status], None] = lambda status: None,
) -> Path:
    """Makes, resumes or extends the zoo of this spec in `folder`; returns the folder.

    `images_folder` holds Parquet files, `masks_folder` the paper's mask files (see `images.load`, `read_masks`). A
    build that was stopped in any way goes on behind its last finished unit. `workers` are processes on this machine, or
    tasks on the Ray cluster at the address `ray`, and train on `device` (`cpu` or `cuda`); with 0 the folder is only
    prepared for others (`zoo.work`), and a second call writes the shards. Raises FileExistsError where the folder holds
    something else (with `overwrite` an old zoo is removed, but nothing else), BlockingIOError where another build is at
    work in it, RuntimeError where units failed or
    the script that calls this has no main guard, ValueError where there is no such device.
    """
    end_if_starting()
    folder = Path(folder).expanduser()
    if workers and ray is None:
        machine.ready(device)
    masks = None
    if masks_folder is not None:
        masks = read_masks(masks_folder, layout_of(spec))
        spec = dataclasses.replace(spec, net=dataclasses.replace(spec.net, masks_sha256=masks_digest(masks)))
    shared = blueprint(spec, masks)
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder):
        if not (folder / zoo_json.FILE).exists():
            _check_empty(folder)
        elif overwrite:
            not_a_zoo.check(folder)
            _remove(folder)
        else:
            _check_same(folder, spec)
        if spec.nets <= held(folder):
            _tidy(folder)
            return folder
        about = _prepared(folder, spec, shared, images_folder, device, download=download)
        units = plan.units(folder)
        if workers and not all(unit.is_done(folder) for unit in units):
            _train(folder, workers, ray, device, report)
        missing = sum(not unit.is_done(folder) for unit in units)
        if not missing:
            _write_shards(folder, about, units)
            vet.remember(folder)
            _tidy(folder)
        elif workers:
            raise RuntimeError(f"{folder}: {missing} unit(s) that were done are gone; run the same command again")
    return folder


def _prepared(
    folder: Path, spec: Spec, shared: Blueprint, images_folder: Path | str | None, device: str, *, download: bool
) -> Description:
    """Writes all that a worker needs, and clears away what earlier workers left."""
    image_set = images.load(spec.images, path=images_folder, download=download)
    check_images(spec.recipe, image_set)
    about = Description(spec, shared, image_set.digest())
    _begin(folder, about)
    plan.extend(folder, spec, shared.layout, device)
    files.write(folder / "units" / IMAGES, safetensors.torch.save(image_set.tensors()), below=folder)
    for unit in plan.units(folder):
        remove(unit.failures(folder), folder)
        if not unit.is_done(folder):
            remove(unit.receipt(folder), folder)  # of rows that are gone
    return about


def _train(folder: Path, workers: int, ray: str | None, device: str, report: Callable[[Status], None]) -> None:
    if ray is None:
        native.missing()  # compiles the engine, where it is not yet, before many workers would
        run(folder, workers=workers, device=device, report=report)
    else:
        from zoo.jobs.ray import run_on_ray

        run_on_ray(folder, ray, workers=workers, device=device, report=report)
    check_failures(folder)


def _remove(folder: Path) -> None:
    """Removes a zoo's own files, the manifest first, so that a half-removed zoo is not taken for a whole one."""
    paths = [folder / MANIFEST, *folder.glob("data/*.h5"), *folder.glob("units/[0-9]*"), folder / PLAN]
    for path in [*paths, folder / zoo_json.FIXED, folder / zoo_json.FILE]:
        remove(path, folder)


def _check_empty(folder: Path) -> None:
    """Raises FileExistsError where the folder holds anything but what a build that was stopped early leaves."""
    others = sorted(p.name for p in folder.iterdir() if p.name not in OURS and not p.name.endswith(".tmp"))
    if others:
        raise FileExistsError(f"{folder} holds other things ({', '.join(others[:5])}); give a new folder to --out")


def _check_same(folder: Path, spec: Spec) -> None:
    """Raises FileExistsError where the folder holds the zoo of another spec, begun or whole."""
    found, wanted = (_flat(to_json(s)) for s in (zoo_json.read(folder, nets=spec.nets).built, spec))
    differing = [
        f"{field}: {found[field]} there, {wanted[field]} asked for" for field in found if found[field] != wanted[field]
    ]
    if differing:
        lines = "\n  ".join(differing)
        raise FileExistsError(f"{folder} holds a zoo of another spec; give a new folder, or --overwrite\n  {lines}")


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    pairs = [(_flat(v, f"{prefix}{k}.") if isinstance(v, dict) else {f"{prefix}{k}": v}) for k, v in value.items()]
    return {key: item for pair in pairs for key, item in pair.items()}


def _begin(folder: Path, about: Description) -> None:
    """Writes what the zoo is, unless it stands there already; then the images must be the same."""
    if not (folder / zoo_json.FILE).exists():
        zoo_json.write(folder, about)
    elif (found := zoo_json.read(folder).images_sha256) != about.images_sha256:
        raise ValueError(
            f"{folder} was begun with other images (sha256 {found[:12]}..., now {about.images_sha256[:12]}...); "
            f"give --images the ones from the first time"
        )


def _write_shards(folder: Path, about: Description, units: list[Unit]) -> None:
    """Writes the units' nets, split by split and in order, behind the shards that are there; the manifest last.

    A shard's `of` counts the shards of its split when it was written; a later extension adds more and leaves it.
    """
    attributes = zoo_json.shard_attributes(about)
    names = list(read_manifest(folder)) if (folder / MANIFEST).exists() else [zoo_json.FILE, zoo_json.FIXED]
    indices = [index for unit in units for index in unit.nets]
    row_bytes = total(about.blueprint.layout) * np.dtype(about.spec.dtype).itemsize * (1 + len(about.spec.trajectory))
    for split in SPLITS:
        members = [index for index in indices if split_of(about.built, index) == split]
        before = sum(name.startswith(f"data/{split}-") for name in names)
        count = ceil(len(members) * row_bytes / SHARD_BYTES)
        for number, chosen in enumerate(np.array_split(members, count) if count else [], start=before):
            name = f"data/{split}-{number:05}-of-{before + count:05}.h5"
            weights, columns = _gather(folder, units, chosen)
            files.write(folder / name, shards.image(weights, columns, attributes), below=folder)
            names.append(name)
    write_manifest(folder, names)


def _gather(folder: Path, units: list[Unit], chosen: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The rows of the chosen nets out of the units that hold them."""
    weights, columns = [], []
    for unit in units:
        rows = chosen[(chosen >= unit.start) & (chosen < unit.stop)] - unit.start
        if len(rows):
            part, values = unit.read(folder).rows(rows)
            weights.append(part)
            columns.append(values)
    return np.concatenate(weights), {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}


def _tidy(folder: Path) -> None:
    """Removes what the shards now hold; the receipts stay, as the record of how the nets were made."""
    for pattern in (f"units/{IMAGES}", "units/*.h5", "units/*.lease*", "units/*.failed.json", *TEMPORARY):
        for path in folder.glob(pattern):
            remove(path, folder)
