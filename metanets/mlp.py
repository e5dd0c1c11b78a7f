"""MLP on the flat vector of weights (Lim et al. 2024, arXiv 2405.20231)."""

from jaxtyping import Float
from torch import Tensor, nn


class MLP(nn.Module):
    """Linear, ReLU, LayerNorm, Linear: sees every weight in its place, so it is blind to no symmetry of the net.

    4,994,945 parameters for the 78,042 weights of a ResNet8, 3,880,833 for the 60,634 of a W-asymmetric one.
    """

    def __init__(self, weights: int, *, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(weights, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, 1))

    def forward(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, " net"]:
        """One prediction for each net."""
        return self.layers(weights).squeeze(-1)
