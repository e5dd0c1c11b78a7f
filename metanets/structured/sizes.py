"""Sizes: tensors of nets at size 1, and the logarithms of what that takes away, as inputs of a metanet."""

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.structured.layers import Tensors
from metanets.structured.matrix_product import SMALLEST


def sized(tensors: Tensors) -> tuple[Tensors, Float[Tensor, "net tensor"]]:
    """Each tensor divided by its root mean square, net by net, and the logarithms of these sizes side by side.

    So the weights of any zoo come in at size 1. What is smaller than 1e-6 stays smaller: gradients are finite.
    """
    squares = torch.stack([tensor.flatten(1).square().mean(dim=1) for tensor in tensors.values()], dim=1) + SMALLEST
    inverse = squares.rsqrt()
    found = {
        name: tensor * inverse[:, number].reshape(-1, *[1] * (tensor.dim() - 1))
        for number, (name, tensor) in enumerate(tensors.items())
    }
    return found, squares.log() / 2
