"""The network of the hybrid: matrix-product layers both ways, read out at every layer, and features beside them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.inputs.layers import FEATURES
from metanets.structured.layers import Tensors, embeddings, kernel, key, read, started
from metanets.structured.matrix_product import MatrixProduct, perceptron, told, turned
from zoo.nets.layout import Layout
from zoo.nets.units import Unit, units_of

SMALLEST = 1e-6  # of a mean square whose logarithm is read out


class Hybrid(nn.Module):
    """States as in `MPGMN`, updated along the net and back, twice; all layers are read out, and `features` beside them.

    Weights are those of nets in canonical form, of root mean square 1, and are divided by the root of the fan-in.
    """

    def __init__(self, layout: Layout, features: int, width: int = 32, passes: int = 2, hidden: int = 64) -> None:
        super().__init__()
        self.units = units_of(layout)
        self.inputs, self.places = embeddings(self.units, width)
        self.first = nn.ModuleDict({key(unit): nn.Linear(len(unit.vectors), width) for unit in self.units if unit.vectors})
        self.along, self.back = (
            nn.ModuleList(Step(self.units, width, back=back) for _ in range(passes)) for back in (False, True)
        )
        numbers = 2 * width * len(self.units)
        self.read_out = nn.Sequential(nn.LayerNorm(numbers), nn.Dropout(0.2), nn.Linear(numbers, hidden))
        self.features = nn.Sequential(nn.Dropout(0.2), nn.Linear(features, hidden))
        self.head = nn.Sequential(nn.SiLU(), nn.Dropout(0.2), perceptron(hidden, hidden, 1))

    def forward(self, batch: Tensors) -> Float[Tensor, " net"]:
        """A number a net."""
        states = {unit.name: started(batch, unit, self.places, self.first) for unit in self.units}
        kernels = {unit.name: kernel(batch, unit) / (unit.weight.size / unit.weight.shape[0]) ** 0.5 for unit in self.units}
        backward = {name: turned(weight) for name, weight in kernels.items()}
        for along, back in zip(self.along, self.back, strict=True):
            for unit in self.units:
                found = read(states, unit, self.units, self.inputs)
                states[unit.name] = along(states[unit.name], [(kernels[unit.name], found)])
            for unit in reversed(self.units):
                readers = [other.name for other in self.units if other.reads == unit.writes]
                states[unit.name] = back(states[unit.name], [(backward[name], states[name]) for name in readers])
        means = [states[unit.name].mean(dim=1) for unit in self.units]
        sizes = [(states[unit.name].square().mean(dim=1) + SMALLEST).log() for unit in self.units]
        out = self.read_out(torch.cat([*means, *sizes], dim=1)) + self.features(batch[FEATURES])
        return self.head(out).squeeze(1)


class Step(nn.Module):
    """A state, and what is added to it: a perceptron of it and of the sum of matrix products with other states."""

    def __init__(self, units: tuple[Unit, ...], width: int, *, back: bool) -> None:
        super().__init__()
        self.product, self.update = MatrixProduct(units, width, back=back), perceptron(2 * width + 2, width, width)

    def forward(
        self, state: Float[Tensor, "net channel number"], read: list[tuple[Tensor, Tensor]]
    ) -> Float[Tensor, "net channel number"]:
        """`read` has pairs of a weight and the states that it reads; without any the state stays."""
        if not read:
            return state
        made = torch.stack([self.product(weight, found) for weight, found in read]).sum(dim=0)
        return state + self.update(torch.cat([told(state), told(made)], dim=2))
