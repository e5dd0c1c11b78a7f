"""Matrix-product layers: a weight enters a metanet as the matrix that it is, and nothing else is done to its entries."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.nets.units import Unit

# What the field trains such metanets with (Kalogeropoulos et al. 2024, Ma et al. 2026: warm-up, clipping, batches of 64),
# and a cosine, so that few epochs end where the rate is small. Batches are smaller and rates are two, since zoos have
# hundreds of nets and a fit takes minutes; the target is standardised, since states start at size 1.
RECIPE = {
    "batch": 32,
    "learning_rates": (1e-3, 5e-3),
    "warm_up": 0.1,
    "schedule": "cosine",
    "clip": 1.0,
    "standardise": True,
}

SMALLEST = 1e-12  # of a mean square whose logarithm is taken: gradients stay finite for weights of 1e-15


class MatrixProduct(nn.Module):
    """What a layer's weight makes of the states of the channels that it reads (Ma et al. 2026, matrix-product GMN).

    Z = 1/n_in sum_s (n_in W_s) H A_s = sum_s W_s H A_s, with a learnt map A_s for each offset s of a kernel, shared by all
    layers with kernels of so many offsets. If channels that are read are duplicated and their weights divided, Z stays,
    and so does each row where rows are duplicated: it is exact for every widening that keeps the function. With `back` it
    goes from the channels written to those read: Y = n_in/n_out sum_s W_s' H A_s, which only duplicates of equal weights
    leave.
    """

    def __init__(self, units: tuple[Unit, ...], width: int, *, back: bool = False) -> None:
        super().__init__()
        self.back = back
        self.maps = nn.ParameterDict()
        for offsets in sorted({unit.offsets for unit in units}):
            reach = 1 / sqrt(offsets * width)  # Ma et al.'s
            self.maps[str(offsets)] = nn.Parameter(torch.empty(width, offsets, width).uniform_(-reach, reach))

    def forward(
        self, weight: Float[Tensor, "net out in offset"], states: Float[Tensor, "net channel number"]
    ) -> Float[Tensor, "net _ number"]:
        """The products: for each output channel, or with `back`, of a weight `turned` round, for each input channel."""
        out, into, offsets = weight.shape[1:]
        mapped = states @ self.maps[str(offsets)].flatten(1)  # net channel offset*number, nothing is copied hereafter
        found = weight.flatten(2) @ mapped.reshape(len(states), into * offsets, -1)
        return found * (out / into) if self.back else found


def turned(weight: Float[Tensor, "net out in offset"]) -> Float[Tensor, "net in out offset"]:
    """The weight for a product back, copied once for all products."""
    return weight.transpose(1, 2).contiguous()


def told(states: Float[Tensor, "net channel number"]) -> Float[Tensor, "net channel more"]:
    """States normalised channel by channel, and the logarithm of the size that this takes away."""
    size = (states.square().mean(dim=2, keepdim=True) + SMALLEST).log() / 2
    return torch.cat([nn.functional.layer_norm(states, states.shape[2:]), size], dim=2)


def perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Linear, SiLU, Linear."""
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, outputs))
