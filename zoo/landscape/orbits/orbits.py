"""On the orbit of a net under its group all nets compute the same; on the straight line between two of them they do not."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from zoo.nets.blueprint import Blueprint
from zoo.symmetry import Element, act, at
from zoo.tasks.images import ImageSet
from zoo.training.measure import evaluate


def along_orbit(
    blueprint: Blueprint, weights: Float[Tensor, "net weight"], element: Element, images: ImageSet, times: Sequence[float]
) -> Float[np.ndarray, "net time"]:
    """The mean cross-entropy (nats) on the test images of each net moved by exp(t log g), where g is its element.

    Time 0 is the net, 1 the net moved by the element. Constant up to rounding (and a norm's epsilon, for sizes), where
    `along_chord` between the same two ends is not. Raises ValueError where no orbit leads to the element, as `at` does.
    """
    return _losses(blueprint, [act(weights, blueprint.layout, at(element, time)) for time in times], images)


def along_chord(
    blueprint: Blueprint, weights: Float[Tensor, "net weight"], element: Element, images: ImageSet, times: Sequence[float]
) -> Float[np.ndarray, "net time"]:
    """The same on the straight line from each net (time 0) to the net moved by its element (1)."""
    moved = act(weights, blueprint.layout, element)
    return _losses(blueprint, [weights.lerp(moved, time) for time in times], images)


def _losses(blueprint: Blueprint, points: list[Tensor], images: ImageSet) -> Float[np.ndarray, "net time"]:
    found = [
        evaluate(blueprint, nets, images.test, images.test_labels, mean=images.mean, std=images.std)[1] for nets in points
    ]
    return np.stack(found, axis=1)
