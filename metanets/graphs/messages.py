"""The messages of a unit's edges and what is gathered of them, with their gradient: several times less memory and time."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Gathered = tuple[Tensor, Tensor, Tensor, Tensor]  # each [net, out, hidden]


class Messages(torch.autograd.Function):
    """Mean, variance, min and max over the source nodes of scale * (target + source) + shift (FiLM, Perez et al. 2018).

    `apply(scale, shift, target, source)`: [net, out, into, hidden] twice, [net, out, hidden], [net, into, hidden]. Messages
    that tie for min or max each get its whole gradient. There is no second derivative.
    """

    @staticmethod
    def forward(
        ctx: Any,
        scale: Float[Tensor, "net out into hidden"],
        shift: Float[Tensor, "net out into hidden"],
        target: Float[Tensor, "net out hidden"],
        source: Float[Tensor, "net into hidden"],
    ) -> Gathered:
        """What is gathered at each node."""
        message = target.unsqueeze(2) + source.unsqueeze(1)
        torch.addcmul(shift, scale, message, out=message)
        mean, least, greatest = message.mean(dim=2), message.amin(dim=2), message.amax(dim=2)
        variance = (message - mean.unsqueeze(2)).square_().mean(dim=2)
        ctx.save_for_backward(scale, target, source, message, mean, least, greatest)
        return mean, variance, least, greatest

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *of: Tensor) -> Gathered:
        """The gradients of scale, shift, target and source."""
        scale, target, source, message, mean, least, greatest = ctx.saved_tensors
        of_mean, of_variance, of_least, of_greatest = of
        slope = of_variance * (2 / message.shape[2])  # of the variance along a message, for each unit above the mean
        constant = of_mean / message.shape[2] - slope * mean
        shift = torch.addcmul(constant.unsqueeze(2), slope.unsqueeze(2), message)
        shift.addcmul_(message == least.unsqueeze(2), of_least.unsqueeze(2))
        shift.addcmul_(message == greatest.unsqueeze(2), of_greatest.unsqueeze(2))
        ends = shift * scale
        return (target.unsqueeze(2) + source.unsqueeze(1)).mul_(shift), shift, ends.sum(dim=2), ends.sum(dim=1)
