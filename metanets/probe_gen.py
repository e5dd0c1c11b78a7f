"""ProbeGen: what nets answer to learnt probes (Kahana, Horwitz, Shuval & Hoshen 2025, arXiv 2410.10811)."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import ceil, log2
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.fit import by_gradient, restored
from metanets.inputs.runnable import IMAGE, runner_of
from metanets.metanet import Examples, Fit, Fitted, Predict, Training
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, units_of

# Batches of 32, a rate of 3e-4 that a cosine takes to 0, as published. A second rate, since zoos have hundreds of nets and
# there are fewer steps: validation R² on digits nets with 3e-4, 1e-3, 3e-3 is .82, .88, .87. The target is standardised, and
# the gradient clipped, since nothing bounds logits.
RECIPE = {"batch": 32, "learning_rates": (3e-4, 1e-3), "schedule": "cosine", "clip": 1.0, "standardise": True}

LATENT = 32  # numbers that stand for a probe
NARROWEST = 16  # channels before the last layer of the generator; twice as many before each doubling of the size
LARGEST = 512  # pixels of a side of the images of a probe that was saved


class ProbeGen(nn.Module):
    """Runs each net on probes that are learnt with the rest, and reads the logits out with a perceptron.

    Probes come of latents by a linear generator that all share, and end in tanh. 128 of them are published; here there are
    64, since each costs a run of each net: of ResNet8s, forward and backward on one core, 8 ms a net at 16 pixels and half
    the width, 1.5 ms at 8 pixels and a quarter. Logits stand by probe and class, as they are; no symmetry moves them.
    It reads the function. Predicts for nets of any width, with images and classes as those that it was trained on.
    """

    def __init__(self, layout: Layout, image: tuple[int, int, int], *, probes: int = 64, hidden: int = 256) -> None:
        super().__init__()
        self.run, self.image = runner_of(layout), image
        self.latents = nn.Parameter(torch.randn(probes, LATENT, 1, 1))
        self.generator = generator(image)
        classes = sum(unit.weight.shape[0] for unit in units_of(layout) if unit.writes == CLASSES)
        sizes = [probes * classes, *[hidden] * 5]
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.read_out = nn.Sequential(*layers, nn.Linear(hidden, 1))

    def forward(self, batch: dict[str, Float[Tensor, "net ..."]]) -> Float[Tensor, " net"]:
        """A number a net. Raises ValueError where these nets' images are of another size."""
        if (found := tuple(batch[IMAGE].shape[1:])) != self.image:
            raise ValueError(f"these nets are run on images of {[*found]}, and the probes learnt are of {[*self.image]}")
        return self.read_out(self.answers(batch, self.probes()).flatten(1)).squeeze(1)

    def probes(self) -> Float[Tensor, "probe channel height width"]:
        """The probes, in the units of normalised images: from -1 to 1."""
        height, width = self.image[1:]
        return self.generator(self.latents)[..., :height, :width].tanh()

    def answers(
        self, batch: dict[str, Tensor], probes: Float[Tensor, "probe channel height width"]
    ) -> Float[Tensor, "net probe cls"]:
        """Each net's logits."""
        return self.run(batch, probes)


def generator(image: tuple[int, int, int]) -> nn.Sequential:
    """Transposed convolutions with nothing between them: from 1 x 1 to 4 x 4, doubled until images fit, then a 3 x 3 one.

    At 32 pixels the published one: 128, 64, 32, 16 channels. At other sizes there are as many layers as it takes.
    """
    channels, *sides = image
    doublings = max(0, ceil(log2(max(sides) / 4)))
    wide = [NARROWEST * 2**power for power in range(doublings, -1, -1)]
    layers = [nn.ConvTranspose2d(LATENT, wide[0], 4)]
    layers += [nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(wide)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(NARROWEST, channels, 3, padding=1))


def fit_probe_gen(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Trains a `ProbeGen` for images of the size that the nets are run on."""
    image = tuple(train.features[IMAGE].shape[1:])
    fitted = by_gradient(partial(ProbeGen, image=image))(train, validation, training=training, seed=seed, chosen=chosen)
    of_module = fitted.tensors
    assert of_module is not None
    return replace(fitted, tensors=lambda: {**of_module(), "image": torch.tensor(image)})


def restored_probe_gen(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts as the module did. Raises ValueError where the tensors do not say how large its images are."""
    image = tensors.get("image", torch.empty(0))
    if image.shape != (3,) or image.dtype != torch.int64 or not 1 <= int(image.min()) <= int(image.max()) <= LARGEST:
        raise ValueError(f"`image` is no channels, height and width from 1 to {LARGEST}")
    return restored(partial(ProbeGen, image=tuple(image.tolist())), tensors, layout)


PROBES_LEARNT = Fit(fit_probe_gen, restored_probe_gen)
