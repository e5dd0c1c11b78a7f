"""Corrupted images: the same corrupted version of each for all nets of a zoo."""

from dataclasses import replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from zoo.seeds import stream
from zoo.tasks.images import ImageSet

# Of values from 0 to 1: severity 5 of Hendrycks and Dietterich 2019 (arXiv 1903.12261) on ImageNet. Theirs for CIFAR is 0.1.
DEVIATION = 0.38
AT_ONCE = 4096  # images, as floats


def with_noise(
    images: UInt8[Tensor, "image channel height width"], rng: torch.Generator
) -> UInt8[Tensor, "image channel height width"]:
    """The images under Gaussian noise (Hendrycks and Dietterich 2019), cut off at black and white, rounded."""
    noisy = (
        part + 255 * DEVIATION * torch.randn(part.shape, generator=rng).to(part.device) for part in images.split(AT_ONCE)
    )
    return torch.cat([part.clamp(0, 255).round().byte() for part in noisy])


def doubled(images: ImageSet, seed: int) -> ImageSet:
    """The same with corrupted versions behind the training images: of image k of n it is image n + k."""
    corrupted = with_noise(images.train, stream(seed, "corrupted images"))
    labels = images.train_labels.repeat(2)
    return replace(images, train=torch.cat([images.train, corrupted]), train_labels=labels)
