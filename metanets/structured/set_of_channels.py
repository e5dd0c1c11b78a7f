"""A set encoder over channels: attention among the channels of each layer, then among layers (SNE)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets.structured.layers import Tensors, key, places, vectors
from metanets.structured.sizes import sized
from zoo.nets.layout import Layout
from zoo.nets.units import Unit, units_of


class SetOfChannels(nn.Module):
    """A token for each output channel of each layer: its weights, with its bias, scale and shift, by a map of the layer.

    As in set-based neural network encoding (SNE; Andreis et al. 2024, arXiv 2305.16625): attention within each layer,
    then, of what is pooled over a layer, over layers. A token is a whole output channel, as in SANE (Schürholt et al. 2024,
    arXiv 2406.09997), where SNE has pieces of a layer; and SNE's loss by which it learns to be invariant is left out.
    Not invariant to permutations of channels: the order of a layer's output channels says nothing, but the weights within
    a token come in the order of its input channels.
    """

    def __init__(self, layout: Layout, width: int = 64, blocks: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.units = units_of(layout)
        numbers = {unit: unit.weight.size // unit.weight.shape[0] + len(unit.vectors) for unit in self.units}
        self.first = nn.ModuleDict({key(unit): nn.Linear(numbers[unit], width) for unit in self.units})
        self.places = places(self.units, width)
        self.sizes = nn.BatchNorm1d(len(layout), affine=False)  # standardises, by the training nets
        self.within, self.over = (nn.Sequential(*(block(width, heads) for _ in range(blocks))) for _ in range(2))
        self.pool = nn.Linear(2 * width, width)
        self.layers = nn.Parameter(0.3 * torch.randn(len(self.units), width))
        ends = 2 * width + len(layout)
        self.head = nn.Sequential(nn.LayerNorm(ends), nn.Linear(ends, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, batch: Tensors) -> Float[Tensor, " net"]:
        """A number a net."""
        tensors, sizes = sized(batch)
        tokens = {unit.name: self.token(tensors, unit) for unit in self.units}
        pooled: dict[str, Tensor] = {}
        for count in {token.shape[1] for token in tokens.values()}:  # layers of equally many channels at once
            names = [name for name, token in tokens.items() if token.shape[1] == count]
            found = self.within(torch.cat([tokens[name] for name in names]))
            pooled |= dict(zip(names, _means_and_sizes(found).chunk(len(names)), strict=True))
        layers = self.pool(torch.stack([pooled[unit.name] for unit in self.units], dim=1)) + self.layers
        ends = torch.cat([_means_and_sizes(self.over(layers)), self.sizes(sizes)], dim=1)
        return self.head(ends).squeeze(1)

    def token(self, tensors: Tensors, unit: Unit) -> Float[Tensor, "net out number"]:
        """A token for each output channel of the unit; classes are told apart."""
        weight, found = tensors[unit.weight.name].flatten(2), vectors(tensors, unit)
        given = weight if found is None else torch.cat([weight, found], dim=2)
        return self.first[key(unit)](given) + self.places[key(unit)]


def block(width: int, heads: int) -> nn.TransformerEncoderLayer:
    """Attention and a perceptron, each added to what is normalised before it (Xiong et al. 2020, arXiv 2002.04745)."""
    return nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.1, batch_first=True, norm_first=True)


def _means_and_sizes(tokens: Float[Tensor, "net token number"]) -> Float[Tensor, "net more"]:
    """Mean and mean square over tokens."""
    return torch.cat([tokens.mean(dim=1), tokens.square().mean(dim=1)], dim=1)
