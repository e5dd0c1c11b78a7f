"""The images of a task as uint8 tensors, as a spec asks for them, and their augmentation as batched functions.

All images of a task live in one tensor on the device; there is no loader and no worker (as in airbench).
"""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass as checked
from torch import Tensor

from zoo.booleans import no_booleans
from zoo.messages import choose
from zoo.seeds import stream
from zoo.tasks.image_tasks import TASKS, Part, read

LUMA = (0.299, 0.587, 0.114)  # grey of red, green, blue: ITU-R BT.601, as in Pillow's mode L


@checked(frozen=True, config=ConfigDict(extra="forbid", strict=False, allow_inf_nan=False))
class Images:
    """The image task and which of its images are used."""

    task: str = "digits"
    size: Annotated[int, Field(ge=4, le=256)] | None = None  # pixels a side after area resize; None: as they are
    grey: bool = False
    train: Annotated[int, Field(ge=1)] | None = None  # training images, held-out ones included; None: all
    test: Annotated[int, Field(ge=1)] | None = None  # test images; None: all
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.1  # share of the training images kept for validation accuracy
    seed: int = 0  # of the subsets and the held-out images

    _numbers = no_booleans

    @field_validator("task")
    @classmethod
    def _known_task(cls, task: str) -> str:
        choose(TASKS, task, "image task")
        return task


def shape_of(images: Images) -> tuple[int, int, int]:
    """[channel, height, width] of these images."""
    task = TASKS[images.task]
    size = images.size or task.size
    return 1 if images.grey else task.channels, size, size


@dataclass(frozen=True)
class ImageSet:
    """A task's images, [image, channel, height, width], with labels, in three parts; `held_out` may be empty.

    `mean` and `std` per channel normalise the inputs (units of 0 to 255).
    """

    train: UInt8[Tensor, "train channel height width"]
    train_labels: Int[Tensor, " train"]
    held_out: UInt8[Tensor, "held_out channel height width"]
    held_out_labels: Int[Tensor, " held_out"]
    test: UInt8[Tensor, "test channel height width"]
    test_labels: Int[Tensor, " test"]
    mean: Float[Tensor, " channel"]
    std: Float[Tensor, " channel"]
    classes: Int[Tensor, ""]

    def tensors(self) -> dict[str, Tensor]:
        """Every field by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to(self, device: torch.device) -> "ImageSet":
        """The same on another device."""
        return ImageSet(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def digest(self) -> str:
        """The SHA-256 of all images and labels, with which a resumed build knows that it has the same ones."""
        digest = hashlib.sha256()
        for name, tensor in self.tensors().items():
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


def load(spec: Images, *, path: Path | str | None = None, download: bool = False) -> ImageSet:
    """The images that the spec asks for, from `path` (a folder of Parquet files in the hub's layout) or the hub.

    `digits` is embedded and needs neither. Raises FileNotFoundError where there is no source, ValueError where images
    or labels are not what the task has.
    """
    task = TASKS[spec.task]
    if task.hub is None:
        if path is not None:
            raise ValueError(f"{spec.task} is embedded: it takes no --images, found {path}")
        (images, labels), (test, test_labels) = _digits(spec)
    else:
        parts = read(spec.task, None if path is None else Path(path).expanduser(), download=download)
        (images, labels), (test, test_labels) = (
            _subset(*parts[split], count, f"{split} images", stream("images", spec.seed, split))
            for split, count in (("train", spec.train), ("test", spec.test))
        )
    images, test = (_resized(_greyed(part, spec), spec) for part in (images, test))
    if task.mean is not None and task.std is not None and not spec.grey:
        mean, std = torch.tensor(task.mean), torch.tensor(task.std)
    else:
        mean, std = _mean_and_std(images)
    keep = len(images) - round(spec.held_out * len(images))
    order = torch.randperm(len(images), generator=stream("images", spec.seed, "held_out"))
    kept, held = order[:keep].sort().values, order[keep:].sort().values
    return ImageSet(
        images[kept], labels[kept], images[held], labels[held], test, test_labels, mean, std, torch.tensor(task.classes)
    )


def _mean_and_std(images: UInt8[Tensor, "image channel height width"]) -> tuple[Tensor, Tensor]:
    """Of each channel over all pixels, from counts of the 256 values: exact, and without a copy as floats."""
    values = torch.arange(256, dtype=torch.float64)
    counts = torch.stack([plane.reshape(-1).bincount(minlength=256) for plane in images.unbind(1)]).double()
    total = counts.sum(dim=1)
    mean = counts @ values / total
    squares = (counts * (values - mean.unsqueeze(1)) ** 2).sum(dim=1)
    return mean.float(), (squares / (total - 1)).sqrt().float()


def _digits(spec: Images) -> tuple[Part, Part]:
    """scikit-learn's 1,797 digits, shuffled by the spec's seed; the test images come from the end."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.from_numpy(np.round(data.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(data.target).long()
    order = torch.randperm(len(images), generator=stream("images", spec.seed, "digits"))
    test = spec.test or len(images) // 4
    train = spec.train or len(images) - test
    if train + test > len(images):
        raise ValueError(f"digits has {len(images)} images; {train} for training and {test} for test are too many")
    return (images[order[:train]], labels[order[:train]]), (images[order[-test:]], labels[order[-test:]])


def _subset(images: Tensor, labels: Tensor, count: int | None, what: str, rng: torch.Generator) -> Part:
    if count is None:
        return images, labels
    if count > len(images):
        raise ValueError(f"the spec asks for {count} {what}, but there are {len(images)}")
    chosen = torch.randperm(len(images), generator=rng)[:count].sort().values
    return images[chosen], labels[chosen]


def _greyed(images: Tensor, spec: Images) -> Tensor:
    if not spec.grey or images.shape[1] == 1:
        return images
    luma = torch.tensor(LUMA).view(1, 3, 1, 1)
    return torch.cat([(part * luma).sum(1, keepdim=True).round().byte() for part in images.split(4096)])


def _resized(images: Tensor, spec: Images) -> Tensor:
    """Area resize: each new pixel is the mean of the pixels that it covers, rounded."""
    if spec.size is None or spec.size == images.shape[-1]:
        return images
    size = (spec.size, spec.size)
    return torch.cat([F.interpolate(p.float(), size=size, mode="area").round().byte() for p in images.split(4096)])
