"""What is read of pairs of nets: the features of both, made into those of the pair, whichever of the two comes first."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from metanets.inputs.batch import Batch, rows
from metanets.inputs.unable import UnableError

PAIRS_AT_ONCE = 256  # in float64: bounds the memory


def sum_and_difference(one: Batch, other: Batch) -> Batch:
    """f(a) + f(b) and |f(a) - f(b)|, side by side; of a dict each tensor's, by `NAME sum` and `NAME difference`.

    Raises UnableError where features are neither a Tensor nor a dict of Tensors.
    """
    if isinstance(one, dict):
        sums = {f"{name} sum": one[name] + other[name] for name in one}
        return sums | {f"{name} difference": (one[name] - other[name]).abs() for name in one}
    if not isinstance(one, Tensor):
        raise UnableError(f"a {type(one).__name__} has no sum: of pairs, a metanet reads a Tensor or a dict of Tensors")
    return torch.cat([one + other, (one - other).abs()], dim=1)


def as_one(one: Float[Tensor, "pair node"], other: Float[Tensor, "pair node"]) -> Float[Tensor, "pair node"]:
    """The distribution of the weights of both nets together."""
    return (one + other) / 2


def distances(one: Float[Tensor, "pair weight"], other: Float[Tensor, "pair weight"]) -> Float[Tensor, "pair 4"]:
    """How far apart two nets lie: distance, cosine, the sum and the difference of their norms; computed in float64."""
    found = []
    for a, b in zip(one.split(PAIRS_AT_ONCE), other.split(PAIRS_AT_ONCE), strict=True):
        a, b = a.double(), b.double()
        norms = a.norm(dim=1), b.norm(dim=1)
        cosine = (a * b).sum(dim=1) / (norms[0] * norms[1]).clamp(min=1e-30)
        found.append(torch.stack([(a - b).norm(dim=1), cosine, norms[0] + norms[1], (norms[0] - norms[1]).abs()], dim=1))
    return torch.cat(found).float()


def both(features: Batch, pairs: Int[Tensor, "pair 2"]) -> tuple[Batch, Batch]:
    """The features of the first and of the second net of each pair, of which `pairs` has the rows."""
    return rows(features, pairs[:, 0]), rows(features, pairs[:, 1])
