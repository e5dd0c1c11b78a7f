"""Random elements of the symmetries, net by net."""

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.symmetry.group import Spaces


def uniform(nets: int, rng: torch.Generator, spaces: Spaces) -> dict[str, Float[Tensor, "net _"]]:
    """Uniform numbers for each net and channel, net by net."""
    sizes = list(spaces.values())
    return dict(zip(spaces, torch.rand(nets, sum(sizes), generator=rng).split(sizes, dim=1), strict=True)) if sizes else {}
