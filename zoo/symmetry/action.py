"""Random elements acting on nets, as training on moved nets and the symmetry report use them."""

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.nets.layout import Layout
from zoo.symmetry.element import act, draw
from zoo.symmetry.group import Group, Spaces


def permuted(
    weights: Float[Tensor, "net weight"], layout: Layout, rng: torch.Generator, *, spaces: Spaces
) -> Float[Tensor, "net weight"]:
    """The nets with the channels of `spaces` in another order: a random one for each net and space."""
    return act(weights, layout, draw(Group(spaces, {}, {}, ()), len(weights), rng))


def rescaled(
    weights: Float[Tensor, "net weight"], layout: Layout, rng: torch.Generator, *, spaces: Spaces, largest: float = 2.0
) -> Float[Tensor, "net weight"]:
    """The nets with each channel of the scale `spaces` multiplied by a number of its own, and divided by it where it is read."""
    return act(weights, layout, draw(Group({}, spaces, {}, ()), len(weights), rng, largest=largest))
