"""AdamW for many nets at once, each with its own constants."""

from jaxtyping import Float
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # AdamW's defaults, as in the paper


def bias_corrections(step: int) -> tuple[float, float]:
    """By how much Adam's two moments are too small at a step (from 0)."""
    return 1 - BETA1 ** (step + 1), 1 - BETA2 ** (step + 1)


def adamw(
    w: Float[Tensor, "net weight"],
    gradient: Float[Tensor, "net weight"],
    m: Float[Tensor, "net weight"],
    v: Float[Tensor, "net weight"],
    *,
    rate: Float[Tensor, " net"],
    decay: Float[Tensor, " net"],
    corrections: Float[Tensor, "2"],
) -> None:
    """One step of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) in place, each net with its own constants."""
    small_first, small_second = corrections
    m.lerp_(gradient, 1 - BETA1)
    v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
    denominator = (v / small_second).sqrt_().add_(EPSILON)
    w.mul_((1 - rate * decay).unsqueeze(1))
    w.sub_(m / denominator * (rate / small_first).unsqueeze(1))
