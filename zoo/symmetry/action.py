"""The symmetries of nets: permutations and positive scalings of their channels, which change weights but no logit.

Both follow from the layout's channel spaces. For a standard ResNet8 of width 1 these are six, with 224 channels:
16! 16! 32! 32! 64! 64! permutations and 224 scalings. Scalings are exact for ReLU and any other activation with
f(a x) = a f(x), where norms stand right after convolutions.
"""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.nets.layout import Entry, Layout, views
from zoo.symmetry.group import Spaces, check_known
from zoo.symmetry.sample import uniform


def permuted(
    weights: Float[Tensor, "net weight"], layout: Layout, rng: torch.Generator, *, spaces: Spaces
) -> Float[Tensor, "net weight"]:
    """The nets with the channels of `spaces` in another order: a random one for each net and space.

    `weights` are whole vectors, fixed entries included, and stay as they are. A part of the nets after another, with
    one `rng`, gives the same as all at once, and is faster: on one core 0.3 to 0.6 ms a net of 78,042 weights in parts
    of 8 to 64 nets, twice as long for 1,000 at once. Raises ValueError as `check_known` does.
    """
    check_known(layout)
    orders = {space: draw.argsort(dim=1).to(weights.device) for space, draw in uniform(len(weights), rng, spaces).items()}
    moved, nets = torch.empty_like(weights), torch.arange(len(weights), device=weights.device).unsqueeze(1)
    for entry, tensor in zip(layout, views(weights, layout).values(), strict=True):
        for axis, space in enumerate(entry.axes, start=1):
            if space in orders:
                tensor = tensor.movedim(axis, 1)[nets, orders[space]].movedim(1, axis)
        moved[:, entry.slice] = tensor.flatten(1)
    return moved


def rescaled(
    weights: Float[Tensor, "net weight"], layout: Layout, rng: torch.Generator, *, spaces: Spaces, largest: float = 2.0
) -> Float[Tensor, "net weight"]:
    """The nets with each channel of `spaces` multiplied by a number of its own, and divided by it where it is read.

    The numbers are log-uniform from 1 / `largest` to `largest`. All else is as in `permuted`.
    """
    check_known(layout)
    draws = uniform(len(weights), rng, spaces).items()
    logs = {space: (draw.double() * 2 - 1) * log(largest) for space, draw in draws}  # float32 loses 5e-8 of each product
    normed = {space for entry in layout if entry.role == "scale" for space in entry.axes}
    moved = weights.clone()
    for entry, tensor in zip(layout, views(moved, layout).values(), strict=True):
        for axis, space in enumerate(entry.axes):
            if space in logs:
                powers = (logs[space] * _power(entry, axis, normed=space in normed)).exp().to(moved)
                tensor.mul_(powers.unflatten(1, [-1 if other == axis else 1 for other in range(len(entry.shape))]))
    return moved


def _power(entry: Entry, axis: int, *, normed: bool) -> int:
    """The power of a channel's number that multiplies this tensor: -1 where it reads the channel, 1 where it writes it.

    The norms write a normed space, as many as there are: a residual stream has several. What is before a norm is 0:
    its output would be normed away. Without norms the weights and biases write.
    """
    if entry.role in ("scale", "shift"):
        return 1
    return -1 if axis == 1 else 0 if normed else 1
