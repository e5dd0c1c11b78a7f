"""DeepSets over the single weights of a net (Zaheer et al. 2017, arXiv 1703.06114)."""

from jaxtyping import Float
from torch import Tensor, nn

from metanets.inputs.distribution import NODES, nodes


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
