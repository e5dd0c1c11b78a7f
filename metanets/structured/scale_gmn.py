"""ScaleGMN (Kalogeropoulos et al. 2024, arXiv 2406.10685) with states of single edges, for the layers of any layout."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from metanets.structured.layers import Tensors, embeddings, kernel, key, read
from metanets.structured.matrix_product import perceptron, told
from metanets.structured.mp_gmn import ClassHead
from metanets.structured.mp_scale_gmn import Equivariant, behind, scaled_start, unscaled, updates
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, Unit, units_of

EDGES_AT_ONCE = 2**17  # of all nets together: each has some 60 states that training keeps, half a gigabyte at width 16


class ScaleGMN(nn.Module):
    """A state for each channel and for each edge, a pair of an output and an input channel with its kernel between.

    What an edge tells channel i of channel j is E((W e_ij) * (V x_j)), with E(x) = (G x) * MLP(x / |x|) (eqs. 9 and 12); it
    is summed over j, and then e_ij becomes (U e_ij) * MLP(x_i / |x_i|, x_j / |x_j|). Scales multiply x_i and x_j, and divide
    e_ij by that of j, so predictions stay under them, under permutations, and here also under sizes of weights before norms:
    channels are updated as in `MPScaleGMN`, which says what norms and residual streams change.

    The forward variant alone: the public code of the bidirectional one is not equivariant, since it never takes the
    reciprocal of edges back, and repaired it meets NaN on small weights (Ma et al. 2026). States have 16 numbers and two
    passes, where the paper has 128 and four, so that a fit takes minutes; and layers are updated in the net's order.
    """

    def __init__(self, layout: Layout, width: int = 16, passes: int = 2) -> None:
        super().__init__()
        self.units, self.width = units_of(layout), width
        self.edges = sum(unit.weight.size // unit.offsets for unit in self.units)
        self.inputs, self.places = embeddings(self.units, width)
        self.starts = nn.ModuleDict(
            {key(unit): nn.Linear(len(behind(unit)), width, bias=False) for unit in self.units if behind(unit)}
        )
        self.shifts = nn.ParameterDict({key(unit): torch.randn(width) for unit in self.units if unit.bias is not None})
        self.kernels = nn.ParameterDict(
            {str(count): torch.randn(count, width) / sqrt(count) for count in sorted({unit.offsets for unit in self.units})}
        )
        self.told = nn.ModuleList(Told(width) for _ in range(passes))
        self.turns = nn.ModuleList(Turn(width) for _ in range(passes - 1))  # nothing reads edges behind the last pass
        self.classes = nn.ModuleList(perceptron(2 * width + 2, width, width) for _ in range(passes))
        self.normed, self.scaled = updates(self.units, width, passes)
        self.head = ClassHead(width)

    def forward(self, batch: Tensors) -> Float[Tensor, " net"]:
        """A number a net. Many edges are gone through a few nets at a time, and once more for the gradient."""
        nets, some = len(batch[self.units[0].weight.name]), max(1, EDGES_AT_ONCE // self.edges)
        if nets <= some:
            return self.of_some(batch)
        parts = [{name: tensor[i : i + some] for name, tensor in batch.items()} for i in range(0, nets, some)]
        return torch.cat([checkpoint(self.of_some, part, use_reentrant=False, preserve_rng_state=False) for part in parts])

    def of_some(self, batch: Tensors) -> Float[Tensor, " net"]:
        """The same, all nets at once."""
        states = {unit.name: scaled_start(batch, unit, self.places, self.starts, self.width) for unit in self.units}
        edges = {unit.name: kernel(batch, unit) @ self.kernels[str(unit.offsets)] for unit in self.units}
        for number, told_by in enumerate(self.told):
            for unit in self.units:
                source, state = read(states, unit, self.units, self.inputs), states[unit.name]
                made = told_by(edges[unit.name], source)
                if unit.bias is not None:
                    made = made + batch[unit.bias.name].unsqueeze(2) * self.shifts[key(unit)]
                states[unit.name] = state + self.update(number, unit, state, made)
                if number < len(self.turns):
                    edges[unit.name] = self.turns[number](edges[unit.name], states[unit.name], source)
        return self.head(states, self.units)

    def update(self, number: int, unit: Unit, state: Tensor, made: Tensor) -> Float[Tensor, "net out number"]:
        """What is added to a state, given what its edges told."""
        if unit.writes == CLASSES:
            return self.classes[number](torch.cat([told(state), told(made)], dim=2))
        place = self.places[key(unit)].expand(*state.shape[:2], -1)
        if behind(unit):
            return self.normed[number](state, unscaled(made, over=(1, 2)), place)
        return self.scaled[number](torch.cat([state, made], dim=2), place)


class Told(nn.Module):
    """What edges tell the channels that they lead to: the sum over j of E((W e_ij) * (V x_j))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.edge, self.source = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.message = Equivariant(width)

    def forward(
        self, edges: Float[Tensor, "net out in number"], source: Float[Tensor, "net source number"]
    ) -> Float[Tensor, "net out number"]:
        """The sums, of states of edges and of the channels that they come from."""
        return self.message(self.edge(edges) * self.source(source).unsqueeze(1)).sum(dim=2)


class Turn(nn.Module):
    """What an edge becomes: (U e_ij) * MLP(x_i / |x_i|, x_j / |x_j|), of which the two channels' parts are added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.edge, self.source = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.target = nn.Linear(width, width)
        self.factor = nn.Sequential(nn.SiLU(), nn.Linear(width, width))

    def forward(
        self,
        edges: Float[Tensor, "net out in number"],
        target: Float[Tensor, "net out number"],
        source: Float[Tensor, "net source number"],
    ) -> Float[Tensor, "net out in number"]:
        """The new states, of those of the channels that edges lead to and come from."""
        ends = self.target(unscaled(target, over=(2,))).unsqueeze(2) + self.source(unscaled(source, over=(2,))).unsqueeze(1)
        return self.edge(edges) * self.factor(ends)
