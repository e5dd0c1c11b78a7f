"""DeepSets over the single weights of a net (Zaheer et al. 2017, arXiv 1703.06114)."""

from math import asinh

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo import Nets

# The nodes lie at SCALE * sinh(u), u evenly spaced: 0.00014 apart around 0, 0.7% apart for large weights, up to LARGEST,
# where the embedding has saturated, since LayerNorm takes the size out of a single number. So many that predictions
# differ from the exact ones by less than 1e-4 (measured: 2e-5 on digits nets, 2e-9 to 1e-6 on normal weights).
NODES, SCALE, LARGEST = 4095, 0.02, 1e4
COUNTED_AT_ONCE = 2**22  # weights: bounds the memory of `distribution`


def nodes() -> Float[Tensor, " node"]:
    """The fixed weights at which the embedding is evaluated, in rising order; the middle one is 0."""
    reach = asinh(LARGEST / SCALE)
    return torch.linspace(-reach, reach, NODES, dtype=torch.float64).sinh() * SCALE


def distribution(nets: Nets) -> Float[Tensor, "net node"]:
    """How each net's weights lie between the nodes: a weight counts for the two nodes beside it, the nearer one more.

    With it the mean of any function over a net's weights is (to linear interpolation) a product with the function's
    values at the nodes. Rows add up to 1; weights beyond the last node count for it.
    """
    grid, spacing = nodes(), nodes().diff()
    rows = []
    for part in nets.weights.split(max(1, COUNTED_AT_ONCE // nets.weights.shape[1])):
        weights = part.double().clamp(grid[0], grid[-1])
        left = torch.bucketize(weights, grid[1:-1], right=True)
        share = (weights - grid[left]) / spacing[left]
        row = torch.zeros(len(part), NODES, dtype=torch.float64)
        row.scatter_add_(1, left, 1 - share).scatter_add_(1, left + 1, share)
        rows.append((row / part.shape[1]).float())
    return torch.cat(rows)


class DeepSets(nn.Module):
    """Embeds each weight by itself, takes the mean over all, and reads that out: blind to the order of the weights.

    The version of Lim et al. 2024: 8,897 parameters for any number of weights. A weight goes through a function of
    one variable, so the mean is an integral of that function against the net's `distribution`, which is what this
    module takes; with `exact=True` it takes the weights themselves, dozens of times slower, as the reference.
    """

    def __init__(self, inputs: int, *, hidden: int = 64, exact: bool = False) -> None:
        super().__init__()
        if not exact and inputs != NODES:
            raise ValueError(f"DeepSets takes a distribution over {NODES} nodes, found {inputs}; weights need exact=True")

        def layer(into: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(into, hidden), nn.LayerNorm(hidden), nn.ReLU())

        self.embed = layer(1)
        self.read_out = nn.Sequential(layer(hidden), layer(hidden), nn.Linear(hidden, 1))
        self.register_buffer("nodes", None if exact else nodes().float().unsqueeze(1), persistent=False)

    def forward(self, inputs: Float[Tensor, "net _"]) -> Float[Tensor, " net"]:
        """One prediction for each net."""
        mean = self.embed(inputs.unsqueeze(-1)).mean(dim=1) if self.nodes is None else inputs @ self.embed(self.nodes)
        return self.read_out(mean).squeeze(-1)
