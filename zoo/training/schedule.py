"""The learning rate's triangle, and the loss."""

from jaxtyping import Float
from torch import Tensor


def triangle(step: int, *, steps: int, peak: float) -> float:
    """The learning rate's multiplier at a step of so many: 0 at the first, 1 at step `peak`, falling to 0 at `steps`.

    A net that trains for fewer steps than `peak` only rises.
    """
    if step <= peak:
        return step / peak
    return max(0.0, (steps - step) / (steps - peak))


def smoothed_cross_entropy(
    logits: Float[Tensor, "net image cls"], labels: Tensor, smoothing: Float[Tensor, " net"]
) -> Float[Tensor, " net"]:
    """Each net's mean cross-entropy with its own label smoothing (Szegedy et al. 2016, arXiv 1512.00567)."""
    scores = logits.log_softmax(dim=-1)
    hit = -scores.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(dim=-1)
    spread = -scores.mean(dim=(-1, -2))
    return (1 - smoothing) * hit + smoothing * spread
