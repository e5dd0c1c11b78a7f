"""Image tasks: which there are, and reading their images through `datasets`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from zoo.untrusted import parquet

Part = tuple[UInt8[Tensor, "_ channel height width"], Int[Tensor, " _"]]  # images and their labels


@dataclass(frozen=True)
class ImageTask:
    """Where an image task comes from: its hub address (None: embedded), columns, shape, normalisation, and its size.

    `test_images` are those that it was published with; of an embedded one its spec says how many there are.
    `mean` and `std` are in units of 0 to 255 and hold for colour images; None: computed from the training images.
    """

    hub: str | None
    config: str | None
    image: str
    label: str
    classes: int
    size: int
    channels: int
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    test_images: int | None = None


# CIFAR-10's constants are those of the paper's official code; its std is smaller than that of the pixels (62 to 67).
TASKS = {
    "digits": ImageTask(None, None, "image", "label", 10, 8, 1),
    "cifar10": ImageTask(
        "uoft-cs/cifar10", None, "img", "label", 10, 32, 3, (125.307, 122.961, 113.8575), (51.5865, 50.847, 51.255), 10_000
    ),
    "cifar100": ImageTask("uoft-cs/cifar100", None, "img", "fine_label", 100, 32, 3, test_images=10_000),
    "mnist": ImageTask("ylecun/mnist", None, "image", "label", 10, 28, 1, test_images=10_000),
    "fashion_mnist": ImageTask("zalando-datasets/fashion_mnist", None, "image", "label", 10, 28, 1, test_images=10_000),
    "svhn": ImageTask("ufldl-stanford/svhn", "cropped_digits", "image", "label", 10, 32, 3, test_images=26_032),
}

IMAGE_CACHE = Path("data/images")  # where downloads go, under the working directory


def read(name: str, path: Path | None, *, download: bool) -> dict[str, Part]:
    """The task's `train` and `test` images through `datasets`, from the folder or from the hub.

    Raises FileNotFoundError where there is no source, ValueError where images or labels are not what the task has.
    """
    task = TASKS[name]
    if path is None and not download:
        raise FileNotFoundError(
            f"{name} is not embedded: give --images FOLDER with its Parquet files in the hub's layout, or --download"
        )
    given = [] if path is None else sorted(path.glob("**/*.parquet"))
    if path is not None and not given:
        raise FileNotFoundError(f"{path}: no Parquet files there; expected {name} in the hub's layout ({task.hub})")
    for file in given:
        parquet.check(file, file)
    return {split: _decoded(_rows(task, path, split), task, f"{path or task.hub}, {split}") for split in ("train", "test")}


def _rows(task: ImageTask, path: Path | None, split: str) -> Any:
    import datasets

    where = task.hub if path is None else str(path)
    try:
        if path is None:
            rows = datasets.load_dataset(task.hub, task.config, split=split, cache_dir=str(IMAGE_CACHE))
        else:
            rows = datasets.load_dataset(str(path), split=split, streaming=True)  # streaming: nothing is copied
    except (OSError, ValueError) as error:  # datasets' and the hub's own errors derive from these
        raise ValueError(f"{where}: cannot load the {split} images: {error}") from error
    columns = list(rows.features or [])
    missing = {task.image, task.label} - set(columns)
    if missing:
        raise ValueError(f"{where}, {split}: no column {' or '.join(sorted(missing))}; found {', '.join(columns)}")
    return rows.cast_column(task.image, datasets.Image())


def _decoded(rows: Any, task: ImageTask, where: str) -> Part:
    images: list[np.ndarray] = []
    labels: list[int] = []
    for image, label in _pixels(rows, task, where):
        shape = image.shape
        if shape != (task.size, task.size, *[task.channels] * (task.channels > 1)):
            raise ValueError(
                f"{where}: image {len(images)} has shape {shape}, expected {task.size} x {task.size} "
                f"with {task.channels} channel(s)"
            )
        if not isinstance(label, int) or not 0 <= label < task.classes:
            raise ValueError(f"{where}: image {len(labels)} has label {label!r}, expected 0 to {task.classes - 1}")
        images.append(image)
        labels.append(label)
    if not images:
        raise ValueError(f"{where}: no images")
    stacked = torch.from_numpy(np.stack(images)).view(len(images), task.size, task.size, task.channels)
    return stacked.permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def _pixels(rows: Any, task: ImageTask, where: str) -> Iterator[tuple[np.ndarray, Any]]:
    try:
        for row in rows:
            if row[task.image] is None:
                raise ValueError("an image is missing")
            yield np.asarray(row[task.image], dtype=np.uint8), row[task.label]
    except (OSError, ValueError, KeyError) as error:  # Pillow and Arrow on damaged data
        raise ValueError(f"{where}: cannot read the images: {error}") from error
