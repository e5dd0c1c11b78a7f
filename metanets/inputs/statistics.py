"""Statistics of each weight tensor (Unterthiner et al. 2020, arXiv 2002.11448)."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo import Nets

NETS_AT_ONCE = 64  # in float64: bounds the memory

STATISTICS = ("mean", "variance", "min", "max", "q25", "q50", "q75")


def statistics(nets: Nets) -> Float[Tensor, "net statistic"]:
    """Mean, unbiased variance, min, max and quartiles of each tensor, tensor by tensor: 203 for a ResNet8's 29.

    Computed in float64, returned in float32, of weights in float64 in that. A tensor without trained entries has
    7 zeros, one with a single entry variance 0. Of weights that ask for a gradient they have one, and are computed by
    PyTorch, several times slower.
    """
    segments, kind = nets.segments, torch.promote_types(nets.weights.dtype, torch.float32)
    if nets.weights.requires_grad:
        return torch.cat([_with_gradient(nets.weights[:, where].double()) for _, where in segments], dim=1).to(kind)
    rows = [
        np.concatenate([_of_tensor(part[:, where].numpy()) for _, where in segments], axis=1)
        for part in nets.weights.split(NETS_AT_ONCE)
    ]
    return torch.from_numpy(np.concatenate(rows)).to(kind)


def _of_tensor(weights: Float[np.ndarray, "net entry"]) -> Float[np.ndarray, "net 7"]:
    values = weights.astype(np.float64)
    if values.shape[1] == 0:
        return np.zeros((len(values), len(STATISTICS)))
    variance = values.var(axis=1, ddof=1) if values.shape[1] > 1 else np.zeros(len(values))
    low, *quartiles, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1], axis=1, overwrite_input=True)
    return np.stack([values.mean(axis=1), variance, low, high, *quartiles], axis=1)


def _with_gradient(values: Float[Tensor, "net entry"]) -> Float[Tensor, "net 7"]:
    """The same as `_of_tensor`."""
    if values.shape[1] == 0:
        return torch.zeros(len(values), len(STATISTICS), dtype=torch.float64)
    variance = values.var(dim=1) if values.shape[1] > 1 else torch.zeros_like(values[:, 0])
    low, *quartiles, high = values.quantile(torch.tensor([0, 0.25, 0.5, 0.75, 1], dtype=torch.float64), dim=1)
    return torch.stack([values.mean(dim=1), variance, low, high, *quartiles], dim=1)
