"""DeepSets over the single weights of a net (Zaheer et al. 2017, arXiv 1703.06114)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

EMBEDDED_AT_ONCE = 2**20  # weights: 64 hidden values of each in 256 MB


class DeepSets(nn.Module):
    """Embeds each weight by itself, takes the mean over all, and reads that out: blind to the order of the weights.

    The version of Lim et al. 2024: 8,897 parameters for any number of weights.
    """

    def __init__(self, weights: int, *, hidden: int = 64) -> None:
        super().__init__()

        def layer(into: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(into, hidden), nn.LayerNorm(hidden), nn.ReLU())

        self.embed = layer(1)
        self.read_out = nn.Sequential(layer(hidden), layer(hidden), nn.Linear(hidden, 1))

    def forward(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, " net"]:
        """One prediction for each net. Memory is bounded: large batches are embedded part by part, and again backward."""
        at_once = max(1, EMBEDDED_AT_ONCE // weights.shape[1])
        if len(weights) <= at_once:
            means = self._mean_embedding(weights)
        else:
            parts = weights.split(at_once)
            means = torch.cat([checkpoint(self._mean_embedding, part, use_reentrant=False) for part in parts])
        return self.read_out(means).squeeze(-1)

    def _mean_embedding(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, "net hidden"]:
        return self.embed(weights.unsqueeze(-1)).mean(dim=1)
