"""Charges of nets: what gradient flow conserves, one number for each continuous symmetry, read off the layout.

Noether's theorem for training: where the loss does not change along a symmetry, the gradient is orthogonal to it, and a
quadratic form of the weights stays as it was at the start (Kunin et al. 2021, arXiv 2012.04728; Zhao et al. 2023, arXiv
2210.17216). It holds for steps that are infinitely small; with weight decay of rate d the charge is e^(-2 d t) of itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.nets.layout import Layout, views
from zoo.symmetry.canonical import sides, squares
from zoo.symmetry.group import Group, acting

Charges = dict[str, Float[Tensor, "net ..."]]  # scale space, mix or size -> its charges
SUMMARY = ("mean", "sd", "min", "max")  # over the channels of a space


def charges(weights: Float[Tensor, "net weight"], layout: Layout, group: Group) -> Charges:
    """The charges of the nets in float64, under the names that the group has; `weights` are whole vectors.

    A scale space has one a channel, [net, channel]: the sum of squares of what writes it, less that of what reads it. A mix
    has P P' - S S' for each head, [net, head, k, k], of what it multiplies (P) and what its inverse does (S). A size has
    the sum of squares of its tensors, [net]: 0 or more. ResNet8 of width 1 has 224 + 9. Permutations have none.
    """
    layout, found = acting(layout), weights.double()
    named: Charges = {space: squares(found, layout, space, 1) - squares(found, layout, space, -1) for space in group.scales}
    for space in group.mixes:
        multiplied, divided = sides(found, layout, space)
        named[space] = multiplied @ multiplied.mT - divided @ divided.mT
    tensors = views(found, layout)
    for name in dict.fromkeys(group.sizes):
        parts = [tensors[entry.name].flatten(1).square().sum(dim=1) for entry in layout if entry.sized == name]
        named[name] = torch.stack(parts).sum(dim=0)
    return named


def distance(one: Charges, other: Charges, names: list[str]) -> Float[Tensor, " net"]:
    """The mean of |Q - Q'| over all charges of these names, of which there is one at least; 0 where all were conserved."""
    return torch.cat([(one[name] - other[name]).abs().reshape(len(one[name]), -1) for name in names], dim=1).mean(dim=1)


def summaries(found: Charges, group: Group) -> dict[str, tuple[Float[Tensor, " net"], str]]:
    """SUMMARY of each scale space's and mix's charges, and each size's charge: a column each, and what it is in words.

    The order of channels changes none of them (of mixes: of heads).
    """
    columns = {}
    for name, values in found.items():
        numbers = values.reshape(len(values), -1)
        if name in group.sizes:
            columns[f"size_{_plain(name)}"] = (numbers[:, 0], f"sum of squares of {name}")
            continue
        each = (numbers.mean(dim=1), numbers.std(dim=1, correction=0), *numbers.aminmax(dim=1))
        for what, value in zip(SUMMARY, each, strict=True):
            columns[f"charge_{_plain(name)}_{what}"] = (value, f"{what} over the charges of {name}")
    return columns


def _plain(name: str) -> str:
    """The name in a-z, 0-9 and _, as a column's must be: `layer1.0.conv1.weight` is layer1_0_conv1."""
    return "".join(c if c.isalnum() else "_" for c in name.removesuffix(".weight").lower())
