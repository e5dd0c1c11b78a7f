"""Tensors: each net as the tensors that it consists of, for metanets that read structure."""

from jaxtyping import Float
from torch import Tensor

from zoo import Nets


def tensors(nets: Nets) -> dict[str, Float[Tensor, "net ..."]]:
    """Each tensor of the whole nets by name, [net, *shape], fixed entries included."""
    return nets.tensors()
