"""The graph of nets of one layout: a node a channel, an edge a pair of channels that a kernel joins."""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, INPUT, Unit, units_of

ROLES = ("bias", "scale", "shift")  # numbers that a channel gets from each unit that writes it; 0 where there is none


@dataclass(frozen=True)
class Graph:
    """What all nets of one layout share: nodes, edges, and which unit each edge and each written channel belongs to.

    Nodes are the channels of the `spaces`, in this order: of the input, of each channel space, of the classes. A residual
    stream is one space, so its nodes are shared by all units that write it; `written` and `unit_of_written` have an entry
    for each output channel of each unit, in order: the node that it is added to, and the number of the unit. Edges run
    from the channel read (`source`) to the one written (`target`), unit by unit, and in a unit as in its weight [out, in];
    `offsets` has how many numbers each carries, 9 of a 3 x 3 kernel.
    """

    units: tuple[Unit, ...]
    spaces: dict[str, slice]
    source: Int[Tensor, " edge"]
    target: Int[Tensor, " edge"]
    unit: Int[Tensor, " edge"]
    offsets: Int[Tensor, " edge"]
    written: Int[Tensor, " channel"]
    unit_of_written: Int[Tensor, " channel"]

    @property
    def nodes(self) -> int:
        """How many there are."""
        return max(part.stop for part in self.spaces.values())

    @property
    def degree(self) -> Int[Tensor, " node"]:
        """The edges that end in each node."""
        return torch.bincount(self.target, minlength=self.nodes)

    def nodes_of(self, space: str) -> Int[Tensor, " node"]:
        """The nodes of a space."""
        return torch.arange(self.spaces[space].start, self.spaces[space].stop)

    def kernels(self, tensors: dict[str, Float[Tensor, "net ..."]]) -> list[Float[Tensor, "net edge offset"]]:
        """What the edges of each unit carry: its weight times the square root of its fan-in, so that 1 is a usual size.

        Weights are drawn at about that size (He et al. 2015, arXiv 1502.01852) for any width; no net is looked at for it.
        """
        return [
            tensors[unit.weight.name].reshape(-1, unit.weight.shape[0] * unit.weight.shape[1], unit.offsets)
            * sqrt(unit.weight.size / unit.weight.shape[0])
            for unit in self.units
        ]

    def channels(self, tensors: dict[str, Float[Tensor, "net ..."]]) -> Float[Tensor, "net channel 3"]:
        """Bias, scale and shift of each output channel of each unit, as in `written`; 0 where a unit has none."""
        return torch.cat([torch.stack(self._vectors(unit, tensors), dim=-1) for unit in self.units], dim=1)

    def _vectors(self, unit: Unit, tensors: dict[str, Tensor]) -> list[Float[Tensor, "net channel"]]:
        none = tensors[unit.weight.name].new_zeros(len(tensors[unit.weight.name]), unit.weight.shape[0])
        return [tensors[unit.vectors[role].name] if role in unit.vectors else none for role in ROLES]


@lru_cache(maxsize=64)
def graph_of(layout: Layout) -> Graph:
    """The graph of nets of this layout. Raises ValueError as `units_of`, and where units do not fit together."""
    units = units_of(layout)
    sizes = {INPUT: next((unit.weight.shape[1] for unit in units if unit.reads == INPUT), 0)}
    sizes |= {unit.writes: unit.weight.shape[0] for unit in units if unit.writes != CLASSES}
    sizes |= {unit.writes: unit.weight.shape[0] for unit in units if unit.writes == CLASSES}
    if not sizes[INPUT] or CLASSES not in sizes:
        raise ValueError("a graph of a net needs a unit that reads its input and one that writes its classes; found none")
    starts = torch.tensor([0, *sizes.values()]).cumsum(0).tolist()
    spaces = {name: slice(start, start + size) for (name, size), start in zip(sizes.items(), starts, strict=False)}
    _check(units, sizes)
    pairs = [torch.cartesian_prod(_range(spaces[unit.writes]), _range(spaces[unit.reads])) for unit in units]
    target, source = torch.cat(pairs).unbind(dim=1)
    number = torch.arange(len(units))
    edges, written = torch.tensor([len(part) for part in pairs]), [_range(spaces[unit.writes]) for unit in units]
    return Graph(
        units,
        spaces,
        source,
        target,
        unit=number.repeat_interleave(edges),
        offsets=torch.tensor([unit.offsets for unit in units]).repeat_interleave(edges),
        written=torch.cat(written),
        unit_of_written=number.repeat_interleave(torch.tensor([len(part) for part in written])),
    )


def _check(units: tuple[Unit, ...], sizes: dict[str, int]) -> None:
    for unit in units:
        expected = sizes[unit.writes], sizes.get(unit.reads)
        if unit.weight.shape[:2] != expected:
            raise ValueError(
                f"{unit.weight.name} is {list(unit.weight.shape)}; expected [{unit.writes}, {unit.reads}] = {[*expected]}: "
                "all units that name a space must have its channels, and a space that is read must be written"
            )


def _range(part: slice) -> Int[Tensor, " node"]:
    return torch.arange(part.start, part.stop)
