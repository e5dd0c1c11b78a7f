"""Aligning nets: the order of channels in which one net comes nearest to another."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import Layout, Taps, views
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


@torch.no_grad()
def align_by_activations(
    net: Blueprint,
    one: Float[Tensor, "net weight"],
    other: Float[Tensor, "net weight"],
    inputs: Float[Tensor, "image channel height width"],
    group: Group,
) -> Element:
    """As `align`, by what channels do: each space gets the order in which its activations on `inputs` are most alike.

    The likeness of two channels is the correlation of their activations behind the nonlinearity, over images and pixels,
    summed over all places that write the space (Li et al. 2016, Convergent learning, arXiv 1511.07543; Ainsworth et al.
    2023, arXiv 2209.04836, section 3.1). One assignment a space finds the best order. 256 normalised images are enough; but
    channels that never fire on them cannot be told apart, and come in any order. Raises ValueError where this package
    cannot run the nets.
    """
    orders: dict[str, list[Tensor]] = {space: [] for space in group.orders}
    for pair in zip(one, other, strict=True):
        taps: Taps = {}
        both = torch.stack(pair)
        net.to(both.device, both.dtype).logits(both, inputs.to(both).expand(2, *inputs.shape), taps)
        for space, found in orders.items():
            total = sum(a @ b.T for a, b in (_standard(tap) for tap in taps[space]))
            assert isinstance(total, Tensor)
            found.append(_matched(total.cpu()))
    return Element({space: torch.stack(found) for space, found in orders.items() if found})


def _standard(activations: Float[Tensor, "net channel sample"]) -> Float[Tensor, "net channel sample"]:
    """Each channel with mean 0 and norm 1 over the samples; 0 where it is constant."""
    centred = activations.double() - activations.double().mean(dim=2, keepdim=True)
    norms = centred.norm(dim=2, keepdim=True)
    return centred / torch.where(norms == 0, 1.0, norms)


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
            found = _matched(likeness)
            rows = torch.arange(len(found))
            gain = (likeness[rows, found] - likeness[rows, orders[space]]).sum()
            if gain > GAIN * likeness.abs().max():
                orders[space], gained = found, True
        if not gained:
            break
    return orders


def _matched(likeness: Float[Tensor, "channel channel"]) -> Int[Tensor, " channel"]:
    """For each channel of one net its own of the other, so that the sum of their likenesses is the largest."""
    from scipy.optimize import linear_sum_assignment  # here: half a second that no process need wait for to read a zoo

    return torch.from_numpy(linear_sum_assignment(likeness.numpy(), maximize=True)[1])


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
