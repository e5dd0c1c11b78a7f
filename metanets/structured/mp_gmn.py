"""Matrix-product GMN (Ma et al. 2026), for the layers of any layout."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.structured.layers import States, Tensors, embeddings, kernel, key, read, started
from metanets.structured.matrix_product import MatrixProduct, perceptron, told
from zoo.nets.layout import Layout
from zoo.nets.units import CLASSES, Unit, units_of


class MPGMN(nn.Module):
    """A state for each output channel of each layer, updated by matrix products along the net, several times over.

    The forward variant: it predicts the same of a net and of any wider one that duplicates channels and computes the same,
    bit for bit but for rounding, and its parameters do not depend on the width. States start from bias or norm and from an
    embedding of the layer. Here layers are updated in the net's order, so that one pass leads from the inputs to the
    classes however deep the net is; Ma et al. update all at once. The read-out sees the classes' states alone.
    """

    def __init__(self, layout: Layout, width: int = 32, passes: int = 2) -> None:
        super().__init__()
        self.units = units_of(layout)
        self.inputs, self.places = embeddings(self.units, width)
        self.first = nn.ModuleDict({key(unit): nn.Linear(len(unit.vectors), width) for unit in self.units if unit.vectors})
        self.products = nn.ModuleList(MatrixProduct(self.units, width) for _ in range(passes))
        self.updates = nn.ModuleList(perceptron(2 * width + 2, width, width) for _ in range(passes))
        self.head = ClassHead(width)

    def forward(self, batch: Tensors) -> Float[Tensor, " net"]:
        """A number a net."""
        states = {unit.name: started(batch, unit, self.places, self.first) for unit in self.units}
        for product, update in zip(self.products, self.updates, strict=True):
            for unit in self.units:
                made = product(kernel(batch, unit), read(states, unit, self.units, self.inputs))
                state = states[unit.name]
                states[unit.name] = state + update(torch.cat([told(state), told(made)], dim=2))
        return self.head(states, self.units)


class ClassHead(nn.Module):
    """One number of a net, from the states of its classes: their mean and mean square, so of any number of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.LayerNorm(2 * width), perceptron(2 * width, width, 1))

    def forward(self, states: States, units: tuple[Unit, ...]) -> Float[Tensor, " net"]:
        """A number a net, of the states of these units."""
        classes = torch.cat([states[unit.name] for unit in units if unit.writes == CLASSES], dim=1)
        return self.head(torch.cat([classes.mean(dim=1), classes.square().mean(dim=1)], dim=1)).squeeze(1)
