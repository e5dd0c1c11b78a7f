"""Matrix-product ScaleGMN (Ma et al. 2026; Kalogeropoulos et al. 2024): blind to the scales of channels as well."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.structured.layers import Tensors, embeddings, kernel, key, read
from metanets.structured.matrix_product import MatrixProduct, perceptron, told
from metanets.structured.mp_gmn import ClassHead
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, Unit, units_of

SMALLEST = 1e-20  # of a mean square by whose root states are divided: far below those of trained weights, and not 0


class MPScaleGMN(nn.Module):
    """As `MPGMN`, with states that a positive scale of a channel multiplies, as it multiplies what writes the channel.

    Before a norm Z is divided by its root mean square over the layer: the size of the weight, which the norm takes out, and
    the state is what norm's scale and shift make of it. Without a norm state and Z have the scale of the row, and go through
    E(x) = (G x) * MLP(x / |x|) (Kalogeropoulos et al. 2024, eq. 9). So predictions stay under the scales of all channels and
    the sizes of weights before norms, but for SMALLEST, and under widenings as `MPGMN`'s. Classes have no scale.
    """

    def __init__(self, layout: Layout, width: int = 32, passes: int = 2) -> None:
        super().__init__()
        self.units = units_of(layout)
        self.inputs, self.places = embeddings(self.units, width)
        self.first, self.shifts = nn.ModuleDict(), nn.ParameterDict()
        for unit in self.units:
            if behind(unit):
                self.first[key(unit)] = nn.Linear(len(behind(unit)), width, bias=False)
            if unit.bias is not None:
                self.shifts[key(unit)] = torch.randn(width)
        self.products = nn.ModuleList(MatrixProduct(self.units, width) for _ in range(passes))
        self.updates = nn.ModuleList(perceptron(2 * width + 2, width, width) for _ in range(passes))  # of classes
        self.normed, self.scaled = updates(self.units, width, passes)
        self.head = ClassHead(width)
        self.width = width

    def forward(self, batch: Tensors) -> Float[Tensor, " net"]:
        """A number a net."""
        states = {unit.name: scaled_start(batch, unit, self.places, self.first, self.width) for unit in self.units}
        for number, product in enumerate(self.products):
            for unit in self.units:
                made = product(kernel(batch, unit), read(states, unit, self.units, self.inputs))
                if unit.bias is not None:
                    made = made + batch[unit.bias.name].unsqueeze(2) * self.shifts[key(unit)]
                state, place = states[unit.name], self.places[key(unit)]
                states[unit.name] = state + self.update(number, unit, state, made, place)
        return self.head(states, self.units)

    def update(self, number: int, unit: Unit, state: Tensor, made: Tensor, place: Tensor) -> Float[Tensor, "net out number"]:
        """What is added to a state, given what was `made` of the states read."""
        if unit.writes == CLASSES:
            return self.updates[number](torch.cat([told(state), told(made)], dim=2))
        place = place.expand(*state.shape[:2], -1)
        if behind(unit):
            return self.normed[number](state, unscaled(made, over=(1, 2)), place)
        return self.scaled[number](torch.cat([state, made], dim=2), place)


class Equivariant(nn.Module):
    """E(x) = (G x) * MLP(x / |x|, y), for y that no scale moves: a scale of x multiplies it."""

    def __init__(self, inputs: int, *, invariant: int = 0, outputs: int | None = None) -> None:
        super().__init__()
        outputs = outputs or inputs
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.weights = perceptron(inputs + invariant, outputs, outputs)

    def forward(
        self, scaled: Float[Tensor, "net ... number"], *invariant: Float[Tensor, "net ... _"]
    ) -> Float[Tensor, "net ... out"]:
        """x of which the result has the scale, and the parts of y."""
        return self.linear(scaled) * self.weights(torch.cat([unscaled(scaled, over=(-1,)), *invariant], dim=-1))


def scaled_start(
    tensors: Tensors, unit: Unit, places: nn.ParameterDict, first: nn.ModuleDict, width: int
) -> Float[Tensor, "net out number"]:
    """The state of a unit before anything is read: what its norm has; of classes their embedding; or else 0."""
    nets, out = tensors[unit.weight.name].shape[:2]
    if unit.writes == CLASSES:
        return places[key(unit)].expand(nets, -1, -1)
    if not behind(unit):
        return tensors[unit.weight.name].new_zeros(nets, out, width)
    return first[key(unit)](torch.stack([tensors[name] for name in behind(unit)], dim=2))


def updates(units: tuple[Unit, ...], width: int, passes: int) -> tuple[nn.ModuleList, nn.ModuleList]:
    """What is added to states before a norm, and without one, in each pass; empty where there are no such units."""
    normed = [bool(behind(unit)) for unit in units if unit.writes != CLASSES]
    before = [Equivariant(width, invariant=2 * width) for _ in range(passes * any(normed))]
    without = [Equivariant(2 * width, invariant=width, outputs=width) for _ in range(passes * (not all(normed)))]
    return nn.ModuleList(before), nn.ModuleList(without)


def unscaled(states: Float[Tensor, "net ... number"], *, over: tuple[int, ...]) -> Float[Tensor, "net ... number"]:
    """Divided by their root mean square over these axes."""
    return states * (states.square().mean(dim=over, keepdim=True) + SMALLEST).rsqrt()


def behind(unit: Unit) -> list[str]:
    """The names of a norm's scale and shift behind the unit."""
    return [entry.name for entry in (unit.scale, unit.shift) if entry is not None]
