"""The canonical form: one net of all those that scales, mixes and sizes make of each other."""

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.nets.layout import Layout, views
from zoo.symmetry.element import Element, act, act_with, lined
from zoo.symmetry.group import Group, acting, heads_axis, mixed, powers

SWEEPS, CLOSE = 1000, 1e-12  # of balancing, at most; the change of a logarithm below which it has ended


def canonical(weights: Float[Tensor, "net weight"], layout: Layout, group: Group) -> Float[Tensor, "net weight"]:
    """The nets in canonical form, in float64: a function of their orbits under the group's scales, mixes and sizes.

    Where norms write a scale space, what they write has norm 1 in each channel. In other spaces what writes a channel has
    the norm of what reads it. Each mix makes the two sides equal, diagonal and descending. Then each sized tensor has root
    mean square 1. What the nets compute stays, but for the norms' epsilon. The order of channels is left as it is: to
    sort them would be discontinuous; see `align`. A channel of zeros stays one.
    """
    layout, found = acting(layout), weights.double()
    for space in group.mixes:
        found = _balanced(found, layout, space)
    normed, others = _written_by_norms(layout, group)
    found = act(found, layout, Element(scales={space: -_log_norms(found, layout, space, 1) for space in normed}))
    for _ in range(SWEEPS if others else 0):
        largest = 0.0
        for space in others:
            writers, readers = (_log_norms(found, layout, space, power) for power in (1, -1))
            logs = torch.where((writers == 0) | (readers == 0), 0.0, (readers - writers) / 2)
            found = act(found, layout, Element(scales={space: logs}))
            largest = max(largest, float(logs.abs().max()))
        if largest < CLOSE:
            break
    return act(found, layout, Element(sizes={name: -logs for name, logs in log_sizes(found, layout, group).items()}))


def log_sizes(weights: Float[Tensor, "net weight"], layout: Layout, group: Group) -> dict[str, Float[Tensor, " net"]]:
    """The logarithm of each sized tensor's root mean square, which the canonical form leaves out; 0 of a tensor of zeros."""
    named, tensors, layout = dict.fromkeys(group.sizes), views(weights.double(), layout), acting(layout)
    found = {}
    for name in named:
        parts = [tensors[entry.name].flatten(1) for entry in layout if entry.sized == name]
        found[name] = _log(torch.cat(parts, dim=1).square().mean(dim=1)) / 2
    return found


def _written_by_norms(layout: Layout, group: Group) -> tuple[list[str], list[str]]:
    """The free scale spaces that norms write, and the others."""
    norms = {space for entry in layout if entry.role == "scale" for space, power, _ in powers(entry) if power > 0}
    return [space for space in group.scales if space in norms], [space for space in group.scales if space not in norms]


def _log_norms(weights: Tensor, layout: Layout, space: str, side: int) -> Float[Tensor, "net channel"]:
    """The logarithm of the norm of all that writes (1) or reads (-1) each channel of a space; 0 where that is nothing."""
    return _log(squares(weights, layout, space, side)) / 2


def squares(weights: Tensor, layout: Layout, space: str, side: int) -> Float[Tensor, "net channel"]:
    """The sum of squares of all that a scale space multiplies (side 1) or divides (-1) at each of its channels.

    `layout` says all that acts, as `acting` has it.
    """
    total: Tensor | float = 0.0
    for entry, tensor in zip(layout, views(weights, layout).values(), strict=True):
        for name, power, axis in powers(entry):
            if name == space and power == side:
                found = tensor.movedim(axis + 1, 1).square()
                total = total + found.reshape(*found.shape[:2], -1).sum(dim=2)
    assert isinstance(total, Tensor)
    return total


def _log(found: Tensor) -> Tensor:
    return torch.where(found > 0, found, 1.0).log()


def _balanced(weights: Tensor, layout: Layout, space: str) -> Float[Tensor, "net weight"]:
    """The nets with a mix such that what it multiplies (P) and divides (S) has equal, diagonal, descending squares.

    X = A'A solves X P X = S: the geometric mean of P^-1 and S (Bhatia 2007, Positive Definite Matrices, 4.1.3). Signs are
    such that the sum of the cubes of each row of the multiplied side is positive. A direction that one side does not use
    is 0 on both: then no element gets there, but a sequence of them does.
    """
    p, s = (side @ side.mT for side in sides(weights, layout, space))
    half, back = _root(p, 0.5), _root(p, -0.5)
    a = _root(back @ _root(half @ s @ half, 0.5) @ back, 0.5)
    a = torch.linalg.eigh(a @ p @ a.mT)[1].flip(-1).mT @ a
    signs = (a @ sides(weights, layout, space)[0]).pow(3).sum(dim=3, keepdim=True).sign()
    a = torch.where(signs == 0, 1.0, signs) * a
    return act_with(weights, layout, {space: (a, torch.linalg.pinv(a, rtol=1e-7).mT)})


def sides(
    weights: Tensor, layout: Layout, space: str
) -> tuple[Float[Tensor, "net head k _"], Float[Tensor, "net head k _"]]:
    """All that a mix multiplies, and all that its inverse does, as rows of k for each head; `layout` as in `squares`."""
    found: dict[int, list[Tensor]] = {1: [], -1: []}
    for entry, tensor in zip(layout, views(weights, layout).values(), strict=True):
        for name, power, axis in mixed(entry):
            if name == space:
                found[power].append(lined(tensor, axis, heads_axis(entry, axis)).flatten(3))
    return torch.cat(found[1], dim=3), torch.cat(found[-1], dim=3)


def _root(matrices: Tensor, power: float) -> Tensor:
    """A power of positive semidefinite matrices; of what is zero in them, zero."""
    values, vectors = torch.linalg.eigh(matrices)
    smallest = values.amax(dim=-1, keepdim=True) * 1e-14
    powered = torch.where(values > smallest, values.clamp(min=1e-300).pow(power), 0.0)
    return vectors @ torch.diag_embed(powered) @ vectors.mT
