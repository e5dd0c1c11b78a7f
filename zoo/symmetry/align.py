"""Aligning nets: the order of channels in which one net comes nearest to another."""

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from zoo.nets.layout import Layout, views
from zoo.seeds import stream
from zoo.symmetry.element import Element
from zoo.symmetry.group import Group

SWEEPS, GAIN = 100, 1e-12  # at most; what a new order must gain


def align(
    one: Float[Tensor, "net weight"], other: Float[Tensor, "net weight"], layout: Layout, group: Group, *, seed: int = 0
) -> Element:
    """For each net of `other` the order of its channels that brings it near to the net of `one` in the same row.

    Weight matching: spaces are gone through in random order, each given the order with the largest inner product of the
    weights, all else being as it is, until nothing is gained (Ainsworth, Hayase & Srinivasa 2023, Git Re-Basin,
    arXiv 2209.04836, algorithm 1). A local optimum: the best order of all spaces at once is NP-hard to find. The seed
    determines the orders of the spaces, for each row on its own.
    """
    rows = [_aligned(one[[i]], other[[i]], layout, group, stream(seed, "align", i)) for i in range(len(one))]
    return Element({space: torch.stack([row[space] for row in rows]) for space in group.orders} if rows else {})


def _aligned(one: Tensor, other: Tensor, layout: Layout, group: Group, rng: torch.Generator) -> dict[str, Tensor]:
    """The order of each space for a single pair."""
    spaces = list(group.orders)
    orders = {space: torch.arange(size) for space, size in group.orders.items()}
    mine, theirs = ({name: tensor[0].double() for name, tensor in views(net, layout).items()} for net in (one, other))
    for _ in range(SWEEPS):
        gained = False
        for number in torch.randperm(len(spaces), generator=rng).tolist():
            space = spaces[number]
            likeness = _likeness(mine, theirs, layout, space, orders)
            found = torch.from_numpy(linear_sum_assignment(likeness.numpy(), maximize=True)[1])
            rows = torch.arange(len(found))
            gain = (likeness[rows, found] - likeness[rows, orders[space]]).sum()
            if gain > GAIN * likeness.abs().max():
                orders[space], gained = found, True
        if not gained:
            break
    return orders


def _likeness(
    mine: dict[str, Tensor], theirs: dict[str, Tensor], layout: Layout, space: str, orders: dict[str, Tensor]
) -> Float[Tensor, "channel channel"]:
    """The inner product of each channel of one net with each of the other, whose other spaces are in these orders.

    It is summed over all tensors on whose axes the space is.
    """
    total: Tensor | float = 0.0
    for entry in layout:
        for axis, name in enumerate(entry.axes):
            if name == space:
                tensor = theirs[entry.name]
                for other, along in enumerate(entry.axes):
                    if other != axis and along in orders:
                        tensor = tensor.index_select(other, orders[along])
                a, b = (part.movedim(axis, 0).reshape(part.shape[axis], -1) for part in (mine[entry.name], tensor))
                total = total + a @ b.T
    assert isinstance(total, Tensor)
    return total
