"""Straight lines between nets: loss and accuracy along them, and the barriers that these show."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from zoo.nets.blueprint import Blueprint
from zoo.seeds import stream
from zoo.tasks.images import ImageSet
from zoo.training.measure import evaluate

POINTS = 25  # on a line, both ends included; the number of Lim et al. 2024, arXiv 2405.20231
MOST_POINTS, MOST_IMAGES = 201, 10_000  # settings of others must not take days
WEIGHTS_AT_ONCE = 2**23  # of all nets on lines that are run together: 32 MB in float32
NETS_AT_ONCE = 64  # more are slower, since each then has few images at a time


@dataclass(frozen=True)
class Pictures:
    """Images [image, channel, height, width] in units of 0 to 255, their labels, and what normalises each channel."""

    images: UInt8[Tensor, "image channel height width"]
    labels: Int[Tensor, " image"]
    mean: Float[Tensor, " channel"]
    std: Float[Tensor, " channel"]


def some(images: ImageSet, part: str, count: int) -> Pictures:
    """The same `count` images of a part (`train` or `test`) each time, without augmentation; all where there are fewer."""
    pictures, labels = getattr(images, part), getattr(images, f"{part}_labels")
    chosen = torch.randperm(len(pictures), generator=stream("landscape", part))[:count].sort().values
    return Pictures(pictures[chosen], labels[chosen], images.mean, images.std)


@dataclass(frozen=True)
class Curves:
    """The mean cross-entropy (nats) and the accuracy (0 to 1) at equally spaced points of lines, both ends included."""

    loss: Float[np.ndarray, "line point"]
    accuracy: Float[np.ndarray, "line point"]


def check_points(points: int) -> None:
    """Raises ValueError unless so many points include both ends and the middle."""
    if points < 3 or points % 2 == 0:
        raise ValueError(f"{points} points; take an odd number from 3 on, so that the middle of the line is one of them")


def lines(
    blueprint: Blueprint,
    starts: Float[Tensor, "line weight"],
    ends: Float[Tensor, "line weight"],
    pictures: Pictures,
    *,
    points: int = POINTS,
) -> Curves:
    """Loss and accuracy of the nets (1 - t) start + t end, for `points` values of t from 0 to 1.

    All nets run in float32, a bounded number together. Raises ValueError on an even number of points, and where entries
    that are not trained differ between the two ends, as they do for nets of different families or seeds.
    """
    check_points(points)
    shared = ~blueprint.trained
    if not torch.equal(starts[:, shared], ends[:, shared]):
        raise ValueError("the two ends of a line differ in entries that are not trained; take nets of one family and seed")
    found = [
        evaluate(blueprint, nets, pictures.images, pictures.labels, mean=pictures.mean, std=pictures.std)
        for nets in _nets(starts.float(), ends.float(), torch.linspace(0, 1, points))
    ]
    accuracy, loss = (np.concatenate(part).reshape(len(starts), points) for part in zip(*found, strict=True))
    return Curves(np.where(np.isfinite(loss), loss, np.nan), accuracy)


def _nets(starts: Tensor, ends: Tensor, times: Tensor) -> Iterator[Float[Tensor, "net weight"]]:
    """The nets at these points of each line, line by line, as many together as are quick and fit into memory."""
    line, time = torch.arange(len(starts)).repeat_interleave(len(times)), times.repeat(len(starts))
    at_once = max(1, min(NETS_AT_ONCE, WEIGHTS_AT_ONCE // starts.shape[1]))
    for rows, now in zip(line.split(at_once), time.split(at_once), strict=True):
        yield torch.lerp(starts[rows], ends[rows], now.unsqueeze(1))


def barriers(curves: Curves) -> dict[str, Float[np.ndarray, " line"]]:
    """How much worse a line is than its ends; positive where it is worse.

    `barrier_mid` is the loss in the middle less the mean of both ends (Frankle et al. 2020, arXiv 1912.05671);
    `barrier_max` the largest excess over the straight line between the ends' losses (Entezari et al. 2022, arXiv
    2110.06296), at least 0. `accuracy_barrier_mid` and `_max` are the same of the error, 1 - accuracy.
    """
    names = {"barrier": curves.loss, "accuracy_barrier": 1 - curves.accuracy}
    found = {}
    for name, worse in names.items():
        times = np.linspace(0, 1, worse.shape[1])
        excess = worse - (1 - times) * worse[:, :1] - times * worse[:, -1:]
        found[f"{name}_mid"], found[f"{name}_max"] = excess[:, worse.shape[1] // 2], excess.max(axis=1)
    return found
