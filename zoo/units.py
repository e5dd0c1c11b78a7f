"""Units: the nets trained together, the atom of work, of resuming and of commit."""

import ctypes
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from zoo import description, files, shards
from zoo.images import ImageSet
from zoo.nets import Blueprint
from zoo.recipe import draw
from zoo.spec import Spec
from zoo.streams import net_seed
from zoo.train import measure, train

IMAGES = "images.safetensors"  # the task's images, beside the units while a zoo is built, for every worker to map
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's mallopt names
HALF_TOLERANCE = 0.002  # the accuracy that storing in float16 may cost a net, beyond 3 images


@dataclass(frozen=True)
class Unit:
    """Nets `start` to `stop` - 1 of a zoo."""

    number: int
    start: int
    stop: int

    @property
    def nets(self) -> range:
        """The indices of the unit's nets."""
        return range(self.start, self.stop)

    def rows(self, folder: Path) -> Path:
        """The file of the unit's rows: a shard that holds all splits, kept until the zoo's shards are written."""
        return folder / "units" / f"{self.number:05}.h5"

    def receipt(self, folder: Path) -> Path:
        """The receipt, written after the rows are durable; rows without it do not exist."""
        return folder / "units" / f"{self.number:05}.json"

    def is_done(self, folder: Path) -> bool:
        """Whether the receipt is there and its rows have the size it says; their bytes are checked when they are read."""
        if not (self.receipt(folder).exists() and self.rows(folder).exists()):
            return False
        receipt = files.read_json(self.receipt(folder))
        return receipt.get("bytes") == self.rows(folder).stat().st_size and receipt.get("nets") == [self.start, self.stop]

    def read(self, folder: Path) -> shards.Shard:
        """The unit's rows, their bytes checked. On a mismatch they are thrown away, so that the next build redoes them."""
        if files.sha256(self.rows(folder)) != files.read_json(self.receipt(folder)).get("sha256"):
            self.receipt(folder).unlink()
            raise ValueError(f"{self.rows(folder)} is not what was written there; run the build again to train it anew")
        return shards.read(self.rows(folder))


class Workshop:
    """What a worker needs to train any unit of the zoo in `folder`, read once."""

    def __init__(self, folder: Path) -> None:
        one_thread_that_keeps_its_memory()
        self.folder = folder
        self.about = description.read(folder)
        self.images = ImageSet(**safetensors.torch.load_file(folder / "units" / IMAGES))
        self.attributes = description.shard_attributes(self.about)

    def make(self, unit: Unit, after_epoch: Callable[[int], None]) -> None:
        """Trains and measures the unit, then commits it: rows first, receipt last."""
        begun = time.time()
        spec, blueprint = self.about.spec, self.about.blueprint
        weights = train(spec, blueprint, self.images, unit.nets, after_epoch=after_epoch).weights
        stored, targets = measured(spec, blueprint, weights, self.images)
        seeds = [net_seed(spec.seed, index) for index in unit.nets]
        draws = [draw(spec.recipe, seed=seed) for seed in seeds]
        columns = {
            "index": np.array(unit.nets, np.int64),
            "seed": np.array(seeds, np.int64),
            **{name: np.array([values[name] for values in draws]) for name in draws[0]},
            **targets,
        }
        data = shards.image(stored, columns, self.attributes)
        files.write(unit.rows(self.folder), data)
        receipt = {
            "nets": [unit.start, unit.stop],
            "bytes": len(data),
            "sha256": files.hash_of(data),
            "seconds": round(time.time() - begun, 3),
            "epochs": int(columns["epochs"].sum()),
            "begun": round(begun),
            "environment": environment(),
        }
        files.write_json(unit.receipt(self.folder), receipt)


def measured(
    spec: Spec, blueprint: Blueprint, weights: torch.Tensor, images: ImageSet
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The weights as they are stored, and the targets of just these stored weights.

    Raises ValueError where float16 overflows or costs a net more accuracy than HALF_TOLERANCE.
    """
    if spec.dtype == "float32":
        return weights.numpy(), measure(blueprint, weights, images)
    half = weights.half()
    if (weights.isfinite() & ~half.isfinite()).any():
        raise ValueError(f"weights up to {weights.abs().max():.3g} do not fit into float16; build with dtype=float32")
    targets, exact = measure(blueprint, half.float(), images), measure(blueprint, weights, images)
    lost = np.abs(targets["test_accuracy"] - exact["test_accuracy"])
    if np.nanmax(lost, initial=0) > HALF_TOLERANCE + 3 / len(images.test):
        raise ValueError(f"float16 changes a net's test accuracy by {np.nanmax(lost):.3f}; build with dtype=float32")
    return half.numpy(), targets


def environment() -> dict[str, Any]:
    """What the numbers depend on besides the spec."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def one_thread_that_keeps_its_memory() -> None:
    """One thread a worker: equal bytes for any number of workers, and no time lost between threads on small tensors.

    glibc gives large blocks back at once, so that each step faults all its pages in again (a ReLU runs four times
    slower); it is told to keep them. Other allocators ignore or lack the call.
    """
    torch.set_num_threads(1)
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, 2**30)
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
