"""The plan: how a zoo's nets are cut into units. Decided once, so that any number of machines can work at it."""

from itertools import pairwise
from pathlib import Path

from zoo.dataset import not_a_zoo
from zoo.jobs.units import Unit
from zoo.nets.layout import Layout
from zoo.spec.spec import Spec
from zoo.storage import files
from zoo.storage.manifest import held
from zoo.tasks import images
from zoo.training import machine
from zoo.untrusted.json import read_json

PLAN = "plan.json"
STACKED = 2**20  # values in the first activations of all nets of a unit: where PyTorch is fastest on a CPU
STEP_BYTES = 100  # a GPU's memory for each such value in a step: 23 (bfloat16) to 79 counted, and room for libraries
NETS_A_UNIT = 64  # at most: a killed worker loses no more than these


def nets_a_unit(spec: Spec, layout: Layout, device: str = "cpu") -> int:
    """How many nets a unit has: as many as PyTorch trains fastest together on a CPU, or as a GPU has room for."""
    size = spec.images.size or images.TASKS[spec.images.task].size
    first_stage = layout[0].shape[0]
    stacked = STACKED if device == "cpu" else machine.free_bytes(device) // STEP_BYTES
    return min(NETS_A_UNIT, max(1, stacked // (spec.recipe.batch * size**2 * first_stage)))


def extend(folder: Path, spec: Spec, layout: Layout, device: str = "cpu") -> None:
    """Plans the spec's nets behind those that are planned already; units once planned stay as they are."""
    extents = _extents(folder)
    reach = max([spec.nets, *extents])
    if reach not in extents:
        size = read_json(folder / PLAN, below=folder)["nets_a_unit"] if extents else nets_a_unit(spec, layout, device)
        files.write_json(folder / PLAN, {"nets_a_unit": size, "extents": [*extents, reach]}, below=folder)


def _extents(folder: Path) -> list[int]:
    """How many nets the zoo was to have after each build that began so far."""
    return read_json(folder / PLAN, below=folder)["extents"] if (folder / PLAN).exists() else []


def units(folder: Path) -> list[Unit]:
    """The units whose nets are in no shard yet. Raises FileNotFoundError where nothing is planned."""
    if not (folder / PLAN).is_file():
        not_a_zoo.check(folder)
        raise FileNotFoundError(f"{folder} has no {PLAN}; `metazoo build SPEC --out {folder} --workers 0` makes one")
    size, done = read_json(folder / PLAN, below=folder)["nets_a_unit"], held(folder)
    edges = [
        (start, min(start + size, stop))
        for low, stop in pairwise([0, *_extents(folder)])
        for start in range(low, stop, size)
    ]
    planned = [Unit(number, start, stop) for number, (start, stop) in enumerate(edges)]
    return [unit for unit in planned if unit.start >= done]
