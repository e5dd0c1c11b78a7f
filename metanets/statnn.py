"""StatNN: a small network on statistics of each weight tensor (Unterthiner et al. 2020, arXiv 2002.11448)."""

from jaxtyping import Float
from torch import Tensor, nn


class StatNN(nn.Module):
    """Two hidden layers of 256, each with ReLU then LayerNorm: 119,297 parameters for 203 statistics."""

    def __init__(self, inputs: int, *, hidden: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Linear(inputs, hidden), nn.ReLU(), nn.LayerNorm(hidden)),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.LayerNorm(hidden)),
            nn.Linear(hidden, 1),
        )

    def forward(self, inputs: Float[Tensor, "net statistic"]) -> Float[Tensor, " net"]:
        """One prediction for each net."""
        return self.layers(inputs).squeeze(-1)
