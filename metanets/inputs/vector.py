"""The vector: the weights as they are."""

from jaxtyping import Float
from torch import Tensor

from zoo import Nets


def flat(nets: Nets) -> Float[Tensor, "net weight"]:
    """The weights as they are."""
    return nets.weights
