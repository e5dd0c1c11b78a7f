"""Units: the nets trained together, the atom of work, of resuming and of commit."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float

from zoo.dataset import zoo_json
from zoo.nets.blueprint import Blueprint
from zoo.seeds import net_seed
from zoo.spec.draws import drawn
from zoo.spec.spec import Spec
from zoo.storage import files, shards
from zoo.tasks.images import ImageSet
from zoo.training import native
from zoo.training.machine import CPU, environment, one_thread_that_keeps_its_memory
from zoo.training.measure import measure
from zoo.training.train import train
from zoo.untrusted.files import opened, remove, sha256
from zoo.untrusted.json import read_json

CURVES = ("test_accuracy", "test_loss", "train_accuracy", "train_loss")  # measured at each checkpoint of a trajectory
IMAGES = "images.safetensors"  # the task's images, beside the units while a zoo is built, for every worker to map
ATTEMPTS = 3  # that a unit gets in a build: errors that pass, such as a lack of memory, rarely come three times
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

    def receipt(self, folder: Path) -> Path:
        """The receipt, written after the rows are durable: the first one wins, and rows without one do not exist."""
        return folder / "units" / f"{self.number:05}.json"

    def rows(self, folder: Path, sha256: str) -> Path:
        """The file of rows with that digest: a shard of all splits, kept until the zoo's shards are written.

        It is named by its content, so that two workers which train one unit never write to one file.
        """
        return folder / "units" / f"{self.number:05}.{sha256[:12]}.h5"

    def failures(self, folder: Path) -> Path:
        """The file of the unit's failed attempts, with their tracebacks."""
        return folder / "units" / f"{self.number:05}.failed.json"

    def is_done(self, folder: Path) -> bool:
        """Whether the receipt is there and its rows have the size it says; their bytes are checked when they are read."""
        if not self.receipt(folder).exists():
            return False
        receipt = read_json(self.receipt(folder), below=folder)
        rows = self.rows(folder, receipt.get("sha256", ""))
        return (
            rows.exists() and receipt.get("bytes") == rows.stat().st_size and receipt.get("nets") == [self.start, self.stop]
        )

    def read(self, folder: Path) -> shards.Shard:
        """The unit's rows, their bytes checked. On a mismatch they are thrown away, so that the next build redoes them."""
        digest = read_json(self.receipt(folder), below=folder)["sha256"]
        rows = self.rows(folder, digest)
        if sha256(rows, folder) != digest:
            remove(self.receipt(folder), folder)
            remove(rows, folder)
            raise ValueError(f"{rows} is not what was written there; run the build again to train it anew")
        return shards.read(rows)

    def commit(self, folder: Path, data: bytes, about: dict[str, Any]) -> None:
        """Makes the rows durable, then their receipt. Where another worker was faster its rows stay, and these go."""
        digest = files.hash_of(data)
        files.write(self.rows(folder, digest), data, below=folder)
        receipt = {"nets": [self.start, self.stop], "bytes": len(data), "sha256": digest, **about}
        if not files.publish(self.receipt(folder), files.to_json(receipt), below=folder):
            other = read_json(self.receipt(folder), below=folder).get("sha256")
            if other != digest:
                remove(self.rows(folder, digest), folder)
                print(
                    f"metazoo: unit {self.number} was trained twice, with different results (another processor, or other "
                    f"versions); the first one stays",
                    file=sys.stderr,
                )

    def attempts(self, folder: Path) -> list[str]:
        """Why earlier attempts at this unit failed."""
        path = self.failures(folder)
        return read_json(path, below=folder, controls=True)["attempts"] if path.exists() else []

    def has_failed(self, folder: Path) -> bool:
        """Whether the unit failed so often that no worker tries it again in this build."""
        return len(self.attempts(folder)) >= ATTEMPTS

    def note_failure(self, folder: Path, why: str) -> None:
        """Notes one more failed attempt."""
        files.write_json(self.failures(folder), {"attempts": [*self.attempts(folder), why]}, below=folder)


def present(folder: Path) -> set[str]:
    """The names of the files beside the units: one listing, where asking for each would be slow on a network."""
    return {entry.name for entry in os.scandir(folder / "units")} if (folder / "units").is_dir() else set()


class Workshop:
    """What a worker needs to train any unit of the zoo in `folder`, read once."""

    def __init__(self, folder: Path, device: torch.device = CPU) -> None:
        one_thread_that_keeps_its_memory()
        self.folder = folder
        self.about = zoo_json.read(folder)
        with opened(folder / "units" / IMAGES, folder) as file:
            self.images = ImageSet(**safetensors.torch.load(file.read())).to(device)
        self.attributes = zoo_json.shard_attributes(self.about)

    def make(self, unit: Unit, after_epoch: Callable[[int], None]) -> None:
        """Trains and measures the unit, then commits it: rows first, receipt last."""
        begun = time.time()
        spec, blueprint = self.about.built, self.about.blueprint
        trained = train(spec, blueprint, self.images, unit.nets, after_epoch=after_epoch)
        stored, targets = measured(spec, blueprint, trained.weights, self.images)
        seeds = [net_seed(spec.seed, index) for index in unit.nets]
        draws = [drawn(spec.recipe, seed=seed) for seed in seeds]
        columns = {
            "index": np.array(unit.nets, np.int64),
            "seed": np.array(seeds, np.int64),
            **{name: np.array([values[name] for values in draws]) for name in draws[0]},
            **targets,
            **_trajectory(spec, blueprint, trained.trajectory, self.images),
        }
        about = {
            "seconds": round(time.time() - begun, 3),
            "epochs": int(columns["epochs"].sum()),
            "begun": round(begun),
            "environment": environment(self.images.train.device),
            "engine": "native" if native.serves(blueprint, spec.precision, self.images.train.device) else "torch",
        }
        unit.commit(self.folder, shards.image(stored, columns, self.attributes), about)


def _trajectory(
    spec: Spec, blueprint: Blueprint, weights: Float[torch.Tensor, "net checkpoint weight"], images: ImageSet
) -> dict[str, np.ndarray]:
    """The columns of a zoo with trajectories: the weights as they are stored, and the curves of these."""
    if not spec.trajectory:
        return {}
    stored = weights.half() if spec.dtype == "float16" else weights
    points = [measure(blueprint, point.float(), images) for point in stored.unbind(1)]
    curves = {f"{shards.TRAJECTORY}_{name}": np.stack([point[name] for point in points], axis=1) for name in CURVES}
    return {shards.TRAJECTORY: stored.cpu().numpy(), **curves}


def measured(
    spec: Spec, blueprint: Blueprint, weights: torch.Tensor, images: ImageSet
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The weights as they are stored, and the targets of just these stored weights.

    Raises ValueError where float16 overflows or costs a net more accuracy than HALF_TOLERANCE.
    """
    if spec.dtype == "float32":
        return weights.cpu().numpy(), measure(blueprint, weights, images)
    half = weights.half()
    if (weights.isfinite() & ~half.isfinite()).any():
        raise ValueError(f"weights up to {weights.abs().max():.3g} do not fit into float16; build with dtype=float32")
    targets, exact = measure(blueprint, half.float(), images), measure(blueprint, weights, images)
    lost = np.abs(targets["test_accuracy"] - exact["test_accuracy"])
    if np.nanmax(lost, initial=0) > HALF_TOLERANCE + 3 / len(images.test):
        raise ValueError(f"float16 changes a net's test accuracy by {np.nanmax(lost):.3f}; build with dtype=float32")
    return half.cpu().numpy(), targets
