"""DMC: 1-D convolutions along the vector of weights (Eilertsen et al. 2020, arXiv 2002.05688)."""

from jaxtyping import Float
from torch import Tensor, nn

CHANNELS = (2, 4, 8, 16, 32, 64, 64, 64, 64, 64)
POOLED_AFTER = (1, 2, 3, 4, 5, 6, 8, 10)  # convolutions that are followed by a max-pool of 2
KERNEL = 5  # without padding: 78,042 weights leave 297 positions, as in the official code
SHORTEST = 2044  # weights that leave one position


class DMC(nn.Module):
    """Ten convolutions with ReLU, BatchNorm and pooling, a read-out at each position, their mean, a second read-out.

    The version of Lim et al. 2024: 105,357 parameters for any number of weights from 2,044 on.
    """

    def __init__(self, weights: int, *, hidden: int = 64) -> None:
        super().__init__()
        if weights < SHORTEST:
            raise ValueError(f"DMC needs {SHORTEST} weights for its ten convolutions and pools; these nets have {weights}")
        layers: list[nn.Module] = []
        for number, (into, out) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False), start=1):
            layers += [nn.Conv1d(into, out, KERNEL), nn.ReLU(), nn.BatchNorm1d(out)]
            if number in POOLED_AFTER:
                layers.append(nn.MaxPool1d(2))
        self.convolutions = nn.Sequential(*layers)
        self.at_positions = nn.Sequential(nn.Linear(CHANNELS[-1], hidden), nn.LayerNorm(hidden), nn.ReLU())
        self.read_out = nn.Sequential(nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, " net"]:
        """One prediction for each net."""
        features = self.convolutions(weights.unsqueeze(1))  # net channel position
        return self.read_out(self.at_positions(features.mT).mean(dim=1)).squeeze(-1)
