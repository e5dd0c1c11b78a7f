"""The weights of trials: the state dict of a checkpoint, what all of a zoo's are like, and their numbers in our order."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from zoo.importers.infer_layout import shapes_of, unlike
from zoo.importers.modelzoos.trials import Trial
from zoo.messages import plain_line, some_numbers
from zoo.nets.layout import Layout, Shapes, shapes_in, total
from zoo.untrusted import readers

COUNTER = "num_batches_tracked"  # of BatchNorm: a whole number
LAYER = re.compile(r"module_list\.[0-9]+\.")  # nets with dropout have more layers, so other numbers, and the same tensors


@dataclass(frozen=True)
class Looked:
    """What the files of a trial's weights are like; `fault` says which of them is of another shape than the one used."""

    trial: Trial
    used: int
    shapes: Shapes
    fault: str
    diverged: bool
    counters: int
    read: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The file of the net's weights."""
        return self.trial.checkpoints[self.used]


def look(trial: Trial, epoch: int | None, wanted: set[int] | None) -> Looked:
    """Reads each file that is used, once: what is damaged must be known before anything is written.

    `wanted` are the checkpoints of the trajectory, None: all. Raises ValueError naming the file that is no state dict.
    """
    used = trial.used(epoch)
    tensors, counters = _state(trial.checkpoints[used])
    shapes, fault = shapes_of(tensors), ""
    diverged = not all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    others = [number for number in trial.checkpoints if number != used and (wanted is None or number in wanted)]
    for number in others:
        found = shapes_of(_state(trial.checkpoints[number])[0])
        fault = fault or _unlike(trial.checkpoints[number], found, trial.checkpoints[used], shapes)
    paths = [trial.checkpoints[number] for number in (used, *others)]
    read = (trial.folder / "params.json", trial.folder / "result.json", *paths)
    return Looked(trial, used, shapes, fault, diverged, counters, read)


def _state(path: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors of real numbers in a state dict, and how many counters it has beside."""
    value = readers.tensors(path)
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{path}: expected a state dict, found {type(value).__name__} of {len(value) if value else 0}")
    counters = 0
    tensors: dict[str, Tensor] = {}
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(
                f"{path}: {plain_line(str(name))} is {type(tensor).__name__}; a state dict holds tensors by name only"
            )
        if name.rpartition(".")[2] == COUNTER:
            counters += 1
        elif not tensor.is_floating_point() or not tensor.numel():
            raise ValueError(f"{path}: {plain_line(name)} is {tensor.dtype} {tuple(tensor.shape)}; expected real numbers")
        else:
            tensors[name] = tensor
    if not tensors:
        raise ValueError(f"{path}: a state dict without weights")
    return tensors, counters


def _unlike(path: Path, shapes: Shapes, first: Path, expected: Shapes) -> str:
    """Which tensor is not there, or not of the shape, as in the first file; empty where all are alike."""
    if _plan(shapes) == _plan(expected):
        return ""
    return unlike(path, shapes, first, expected) or f"{path}: its tensors stand in another order than in {first}"


def _plan(shapes: Shapes) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes in their order, without the numbers of layers, which say how many have no tensors."""
    return [(LAYER.sub("module_list.", name), shape) for name, shape in shapes.items()]


def check_alike(looked: list[Looked]) -> None:
    """Raises ValueError naming the first file of weights that is not like those of the first trial."""
    first = looked[0]
    for one in looked:
        if fault := _unlike(one.path, one.shapes, first.path, first.shapes) or one.fault:
            raise ValueError(
                f"{fault}; nets of a zoo are of one architecture: keep the trials of each in a folder of its own"
            )


def steps(looked: list[Looked], wanted: set[int] | None) -> tuple[int, ...]:
    """The checkpoints of the trajectory. Raises ValueError where no trial has one that is wanted."""
    found = {number for one in looked for number in one.trial.checkpoints}
    if missing := (wanted or set()) - found:
        raise ValueError(f"no trial has checkpoint {min(missing)}, which trajectory names; there are {some_numbers(found)}")
    return tuple(sorted(found if wanted is None else wanted))


def vector(path: Path, layout: Layout) -> np.ndarray:
    """The weights in a file. Raises ValueError where its tensors are no longer those of the layout."""
    tensors, _ = _state(path)
    if _plan(shapes_of(tensors)) != _plan(shapes_in(layout)):
        raise ValueError(f"{path} changed while it was read")
    values = np.empty(total(layout), np.float32)
    for entry, tensor in zip(layout, tensors.values(), strict=True):  # names differ by the numbers of layers
        values[entry.slice] = tensor.float().reshape(-1).numpy()  # logical order, for any strides
    return values
