"""Elements of the group: drawing them, acting with them, undoing them. All that depends on chance is in `draw`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.nets.layout import Entry, Layout, views
from zoo.symmetry.group import KINDS, Group, acting, heads_axis, mixed, order_of, powers
from zoo.symmetry.sample import uniform

CONDITION = 30.0  # of a mix, at most: beyond it, float32 loses too much
SPREAD = 0.3  # standard deviation of a drawn mix around the identity


@dataclass(frozen=True)
class Element:
    """One element for each net: first scales, mixes and sizes act, then channels are put into another order.

    `orders`: space -> [net, channel], position -> the channel that comes there. `scales`: space -> [net, channel] and
    `sizes`: name -> [net], as natural logarithms. `mixes`: space -> [net, head, k, k]. What is not named stays.
    """

    orders: Mapping[str, Int[Tensor, "net channel"]] = field(default_factory=dict)
    scales: Mapping[str, Float[Tensor, "net channel"]] = field(default_factory=dict)
    mixes: Mapping[str, Float[Tensor, "net head k k"]] = field(default_factory=dict)
    sizes: Mapping[str, Float[Tensor, " net"]] = field(default_factory=dict)


def draw(group: Group, nets: int, rng: torch.Generator, *, kinds: tuple[str, ...] = KINDS, largest: float = 2.0) -> Element:
    """A random element for each net: orders uniform, scales and sizes log-uniform from 1 / `largest` to `largest`.

    Mixes are I + SPREAD N(0, 1), drawn again where their condition is above CONDITION. Orders and scales of a part of the
    nets after another, with one `rng`, are those of all at once where only one of the kinds is drawn.
    """
    part = group.only(kinds)
    orders = {space: numbers.argsort(dim=1) for space, numbers in uniform(nets, rng, part.orders).items()}
    scales = {space: _logs(numbers, largest) for space, numbers in uniform(nets, rng, part.scales).items()}
    sizes = {name: _logs(found[:, 0], largest) for name, found in uniform(nets, rng, dict.fromkeys(part.sizes, 1)).items()}
    return Element(orders, scales, {space: _mix(nets, *size, rng) for space, size in part.mixes.items()}, sizes)


def _logs(numbers: Tensor, largest: float) -> Tensor:
    return (numbers.double() * 2 - 1) * log(largest)  # float32 loses 5e-8 of each product


def _mix(nets: int, heads: int, k: int, rng: torch.Generator) -> Float[Tensor, "net head k k"]:
    def drawn() -> Tensor:
        return torch.eye(k, dtype=torch.float64) + SPREAD * torch.randn(nets, heads, k, k, generator=rng).double()

    found = drawn()
    while (bad := torch.linalg.cond(found) > CONDITION).any():
        found[bad] = drawn()[bad]
    return found


def act(weights: Float[Tensor, "net weight"], layout: Layout, element: Element) -> Float[Tensor, "net weight"]:
    """The nets moved by their elements; `weights` are whole vectors, fixed entries included, and stay as they are.

    Exponents are added up in float64, and there is one `exp` a tensor. A part of the nets after another is faster than all
    at once: on one core 0.3 to 0.6 ms a net of 78,042 weights in parts of 8 to 64 nets.
    """
    moved, nets = torch.empty_like(weights), torch.arange(len(weights), device=weights.device).unsqueeze(1)
    layout = acting(layout)
    mixes = {space: (a.to(weights), torch.linalg.inv(a).mT.to(weights)) for space, a in element.mixes.items()}
    for entry, tensor in zip(layout, views(weights, layout).values(), strict=True):
        exponents = _exponents(entry, element, weights)
        if exponents is not None:
            tensor = tensor * exponents.exp().to(weights)
        tensor = _mixed(tensor, entry, mixes)
        for axis, name in enumerate(entry.axes, start=1):
            if name is not None and name in element.orders:
                order = element.orders[name].to(weights.device)
                tensor = tensor.movedim(axis, 1)[nets, order].movedim(1, axis)
        moved[:, entry.slice] = tensor.flatten(1)
    return moved


def _exponents(entry: Entry, element: Element, weights: Tensor) -> Float[Tensor, "net ..."] | None:
    """The logarithms of what multiplies the tensor, broadcast over its shape; None where nothing does."""
    found = None
    for space, power, axis in powers(entry):
        if space in element.scales:
            shape = [-1 if other == axis else 1 for other in range(len(entry.shape))]
            logs = power * element.scales[space].to(weights.device).unflatten(1, shape)
            found = logs if found is None else found + logs
    if entry.sized in element.sizes:
        logs = element.sizes[entry.sized].to(weights.device).reshape(-1, *[1] * len(entry.shape))
        found = logs if found is None else found + logs
    return found


def act_with(weights: Tensor, layout: Layout, mixes: Mapping[str, tuple[Tensor, Tensor]]) -> Float[Tensor, "net weight"]:
    """The nets with these matrices along what each mix multiplies, and those along what it divides: inverses or not."""
    tensors = zip(layout, views(weights, layout).values(), strict=True)
    return torch.cat([_mixed(tensor, entry, mixes).flatten(1) for entry, tensor in tensors], dim=1)


def _mixed(tensor: Tensor, entry: Entry, mixes: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
    for space, power, axis in mixed(entry):
        if space in mixes:
            heads = heads_axis(entry, axis)
            rows = lined(tensor, axis, heads)
            rows = (mixes[space][power < 0] @ rows.flatten(3)).reshape(rows.shape)
            tensor = rows.squeeze(1).movedim(1, axis + 1) if heads is None else rows.movedim((1, 2), (heads + 1, axis + 1))
    return tensor


def lined(tensor: Tensor, axis: int, heads: int | None) -> Float[Tensor, "net head k ..."]:
    """The tensor with the axis of the heads, of which there is one where it has none, and the mixed axis first."""
    if heads is None:
        return tensor.movedim(axis + 1, 1).unsqueeze(1)
    return tensor.movedim((heads + 1, axis + 1), (1, 2))


def inverse(element: Element, layout: Layout) -> Element:
    """What undoes the element: act(act(w, g), inverse(g)) = w."""
    back = {space: order.argsort(dim=1) for space, order in element.orders.items()}
    scales = {space: -logs for space, logs in _carried(element.scales, element.orders, layout).items()}
    mixes = {space: torch.linalg.inv(a) for space, a in _carried(element.mixes, element.orders, layout).items()}
    return Element(back, scales, mixes, {name: -logs for name, logs in element.sizes.items()})


def compose(second: Element, first: Element, layout: Layout) -> Element:
    """One element that does what both do: act(w, compose(g, h)) = act(act(w, h), g)."""
    back = {space: order.argsort(dim=1) for space, order in first.orders.items()}
    scales, mixes = _carried(second.scales, back, layout), _carried(second.mixes, back, layout)  # as before `first` reorders
    both = first.orders.keys() & second.orders.keys()
    orders = {**first.orders, **second.orders}
    orders |= {space: first.orders[space].gather(1, second.orders[space]) for space in both}
    products = {space: mixes[space] @ first.mixes[space] for space in first.mixes.keys() & mixes.keys()}
    return Element(orders, _sum(first.scales, scales), {**first.mixes, **mixes, **products}, _sum(first.sizes, second.sizes))


def _carried(found: Mapping[str, Tensor], orders: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """What scale spaces or mixes have for each channel [net, channel, ...], where channels come in these orders."""
    along = order_of(acting(layout))
    taken = {space: orders.get(along.get(space, "")) for space in found}
    return {
        space: numbers if (order := taken[space]) is None else numbers[torch.arange(len(order)).unsqueeze(1), order]
        for space, numbers in found.items()
    }


def _sum(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {**one, **other, **{name: one[name] + other[name] for name in one.keys() & other.keys()}}


def at(element: Element, time: float) -> Element:
    """The point at `time` of the one-parameter orbit from the identity (0) to the element (1): exp(t log g).

    Raises ValueError where the element permutes, since no path joins two orders, or where a mix has no real logarithm.
    """
    if element.orders:
        raise ValueError("an element that permutes channels lies on no path from the identity; leave its orders out")
    mixes = {space: _power(matrices, time) for space, matrices in element.mixes.items()}
    scales = {space: time * logs for space, logs in element.scales.items()}
    return Element({}, scales, mixes, {name: time * logs for name, logs in element.sizes.items()})


def _power(matrices: Float[Tensor, "net head k k"], time: float) -> Float[Tensor, "net head k k"]:
    values, vectors = torch.linalg.eig(matrices)
    if ((values.real <= 0) & (values.imag.abs() < 1e-12)).any():
        raise ValueError("a mix with an eigenvalue that is not positive has no real logarithm, so no path leads to it")
    return (vectors @ torch.diag_embed(values.log().mul(time).exp()) @ torch.linalg.inv(vectors)).real
