"""Neural functional networks (NFN; Zhou et al. 2023, arXiv 2302.14040), tied over residual streams, with norms."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.structured.layers import Tensors, kernel, key, vectors
from metanets.structured.sizes import sized
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, INPUT, Unit, units_of

Pairs = dict[str, Float[Tensor, "net _ _ number"]]  # unit -> numbers of each pair of an output and an input channel
Vectors = dict[str, Float[Tensor, "net _ number"]]  # unit -> numbers of each output channel, where it has any vectors
Roles = list[tuple[str, list[str]]]  # kind of mean, and the units over which it is taken


class NFN(nn.Module):
    """Equivariant linear maps of all weights at once with ReLU between, then means over each layer and a perceptron.

    With `own_axes` inputs and classes are no channels that could be permuted (their NFN-HNP): all weights of one output
    channel from the inputs, or of one input channel to the classes, are numbers of one pair, and maps tell them apart.
    Otherwise inputs and classes are channels like others (their NFN-NP), told apart by embeddings if `embedded`.
    A pair has `width` numbers, where the paper has 16 for each offset of a kernel.
    """

    def __init__(
        self,
        layout: Layout,
        width: int = 16,
        layers: int = 3,
        hidden: int = 64,
        *,
        own_axes: bool = True,
        embedded: bool = True,
    ) -> None:
        super().__init__()
        self.units, self.own_axes = units_of(layout), own_axes
        bears = [unit for unit in self.units if unit.vectors]
        into = {unit: unit.weight.shape[1] if own_axes and unit.reads == INPUT else 1 for unit in self.units}
        out = {unit: unit.weight.shape[0] if own_axes and unit.writes == CLASSES else 1 for unit in self.units}
        self.first = nn.ModuleDict({key(u): nn.Linear(u.offsets * into[u] * out[u], width) for u in self.units})
        self.first_vectors = nn.ModuleDict({key(u): nn.Linear(len(u.vectors) * out[u], width) for u in bears})
        self.places = nn.ParameterDict()
        for unit in self.units if embedded and not own_axes else ():
            if unit.reads == INPUT:
                self.places[f"{key(unit)}/in"] = 0.3 * torch.randn(unit.weight.shape[1], width)
            if unit.writes == CLASSES:
                self.places[f"{key(unit)}/out"] = 0.3 * torch.randn(unit.weight.shape[0], 1, width)
        self.sizes = nn.BatchNorm1d(len(layout), affine=False)  # standardises, by the training nets
        self.layers = nn.ModuleList(Equivariant(self.units, width, others=len(layout)) for _ in range(layers))
        numbers = width * (len(self.units) + len(bears)) + len(layout)
        self.head = nn.Sequential(nn.LayerNorm(numbers), nn.Linear(numbers, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, batch: Tensors) -> Float[Tensor, " net"]:
        """A number a net."""
        tensors, sizes = sized(batch)
        sizes = self.sizes(sizes)
        pairs, found = self.start(tensors)
        for layer in self.layers:
            pairs, found = layer(pairs, found, sizes)
            pairs, found = ({name: part.relu() for name, part in parts.items()} for parts in (pairs, found))
        return self.head(torch.cat([totals(pairs, found), sizes], dim=1)).squeeze(1)

    def axes(self, weight: Float[Tensor, "net out in offset"], unit: Unit) -> Float[Tensor, "net _ _ number"]:
        """The weight, with inputs and classes among the numbers of a pair where they have their own axes."""
        if self.own_axes and unit.reads == INPUT:
            weight = weight.flatten(2).unsqueeze(2)
        if self.own_axes and unit.writes == CLASSES:
            weight = weight.transpose(1, 2).flatten(2).unsqueeze(1)
        return weight

    def start(self, tensors: Tensors) -> tuple[Pairs, Vectors]:
        """The first numbers of each pair and of each output channel."""
        pairs, found = Pairs(), Vectors()
        for unit in self.units:
            name = key(unit)
            pairs[unit.name] = self.first[name](self.axes(kernel(tensors, unit), unit))
            if (given := vectors(tensors, unit)) is not None:
                own = self.own_axes and unit.writes == CLASSES
                found[unit.name] = self.first_vectors[name](given.flatten(1).unsqueeze(1) if own else given)
            for place in (f"{name}/in", f"{name}/out"):
                if place in self.places:
                    pairs[unit.name] = pairs[unit.name] + self.places[place]
            if f"{name}/out" in self.places and unit.name in found:
                found[unit.name] = found[unit.name] + self.places[f"{name}/out"].squeeze(1)
        return pairs, found


class Equivariant(nn.Module):
    """A linear map of numbers of pairs and of channels to others, which permutations of channels may pass (Zhou et al.).

    A pair gets maps of its own numbers, of means over its row and over its column, of what stands beside these two
    channels (see `roles`), and of the means of all layers and the numbers behind them; a channel the same without a column.
    With one layer writing and one reading each space it is the paper's map, for residual streams what that becomes where
    neighbours are all layers that read or write a stream. Maps from one layer's pairs to another's that join the same two
    spaces are left out.
    """

    def __init__(self, units: tuple[Unit, ...], width: int, *, others: int) -> None:
        super().__init__()
        self.keys = {unit.name: key(unit) for unit in units}
        self.out = {unit.name: roles(unit, units, reads=False) for unit in units}
        self.into = {unit.name: roles(unit, units, reads=True) for unit in units}
        whole = width * (len(units) + sum(bool(unit.vectors) for unit in units)) + others
        self.pairs, self.vectors = nn.ModuleDict(), nn.ModuleDict()
        for unit in units:
            out, into = width * len(self.out[unit.name]), width * len(self.into[unit.name])
            self.pairs[key(unit)] = Summed((width, out, into, whole), width)
            if unit.vectors:
                self.vectors[key(unit)] = Summed((out, whole), width)

    def forward(self, pairs: Pairs, vectors: Vectors, others: Float[Tensor, "net other"]) -> tuple[Pairs, Vectors]:
        """The other numbers of pairs and channels."""
        means = {
            "rows": {name: part.mean(dim=2) for name, part in pairs.items()},
            "columns": {name: part.mean(dim=1) for name, part in pairs.items()},
            "vectors": vectors,
        }
        whole = torch.cat([totals(pairs, vectors), others], dim=1).unsqueeze(1)  # net 1 number
        made, own = Pairs(), Vectors()
        for name, part in pairs.items():
            out, into = (beside(means, found[name]) for found in (self.out, self.into))
            place = self.keys[name]
            made[name] = self.pairs[place](part, out.unsqueeze(2), into.unsqueeze(1), whole.unsqueeze(1))
            if name in vectors:
                own[name] = self.vectors[place](out, whole)
        return made, own


class Summed(nn.Linear):
    """A linear map of several parts, each along other axes: their maps are summed, initialised as one map would be."""

    def __init__(self, inputs: tuple[int, ...], outputs: int) -> None:
        super().__init__(sum(inputs), outputs)
        self.inputs = inputs

    def forward(self, *parts: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The sum, of the shape that all parts have when they are stretched."""
        maps = self.weight.split(self.inputs, dim=1)
        *rest, small = (part @ one.mT for part, one in zip(parts, maps, strict=True))
        small = small + self.bias
        for part in reversed(rest):  # those that are the same for many come first
            small = small + part
        return small


def roles(unit: Unit, units: tuple[Unit, ...], *, reads: bool) -> Roles:
    """What stands along a unit's output channels (or along those that it `reads`): kinds of means, and of which units.

    First its own; then, where other units read or write the space, means over them: of their rows and of their vectors if
    they write it, of their columns if they read it. Inputs and classes are no space that units share.
    """
    space = unit.reads if reads else unit.writes
    shared = () if space in (INPUT, CLASSES) else units
    writers = [other for other in shared if other.writes == space and (reads or other != unit)]
    readers = [other for other in shared if other.reads == space and (not reads or other != unit)]
    own = [("columns", [unit])] if reads else [("rows", [unit]), ("vectors", [unit])]
    found = [*own, ("rows", writers), ("vectors", writers), ("columns", readers)]
    having = [(kind, [other.name for other in group if kind != "vectors" or other.vectors]) for kind, group in found]
    return [(kind, names) for kind, names in having if names]


def beside(means: dict[str, dict[str, Tensor]], found: Roles) -> Float[Tensor, "net channel number"]:
    """The means of these roles side by side."""
    parts = [[means[kind][name] for name in names] for kind, names in found]
    return torch.cat([part[0] if len(part) == 1 else torch.stack(part).mean(dim=0) for part in parts], dim=2)


def totals(pairs: Pairs, vectors: Vectors) -> Float[Tensor, "net total"]:
    """The means over all pairs of each unit, and over all channels that have vectors."""
    return torch.cat(
        [*(part.mean(dim=(1, 2)) for part in pairs.values()), *(v.mean(dim=1) for v in vectors.values())], dim=1
    )
