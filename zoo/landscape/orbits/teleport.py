"""Teleportation: the net of the same function whose gradient is large (Zhao et al. 2022, arXiv 2205.10637)."""

from math import log

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from zoo.nets.blueprint import Blueprint
from zoo.symmetry import Element, Group, act

KEPT, LEAST = 1e-4, 0.01  # a loss may change by 1e-4 of itself, or of 0.01 nats where it is smaller


def teleport(
    blueprint: Blueprint,
    weights: Float[Tensor, "net weight"],
    images: Float[Tensor, "image channel height width"],
    labels: Int[Tensor, " image"],
    group: Group,
    *,
    steps: int = 12,
    largest: float = 2.0,
) -> Float[Tensor, "net weight"]:
    """The nets moved by scales and sizes to where the norm of the loss's gradient is larger, their functions the same.

    Steps along the sign of the gradient of log |gradient|^2, in the logarithms of all scales and sizes, each of which stays
    between 1 / `largest` and `largest`; the best point met is taken. `images` are normalised, `weights` whole vectors.
    Raises ValueError as `check_kept` does.
    """
    logs = torch.zeros(len(weights), sum(group.scales.values()) + len(group.sizes), dtype=torch.float64)
    best, bound, highest = logs, log(largest), torch.full((len(weights),), -torch.inf, dtype=torch.float64)
    for number in range(steps + 1):
        free = logs.clone().requires_grad_()
        moved = act(weights, blueprint.layout, element_of(free, group))
        height = squared_gradient(blueprint, moved, images, labels).log()
        (ways,) = torch.autograd.grad(height.sum(), free)
        best = torch.where((height.detach() > highest).unsqueeze(1), logs, best)
        highest = torch.maximum(height.detach().double(), highest)
        logs = (logs + 2 * bound / (1 + number) * ways.sign()).clamp(-bound, bound)  # the first step reaches the bound
    found = act(weights, blueprint.layout, element_of(best, group))
    check_kept(blueprint, weights, found, images, labels)
    return found


def element_of(logs: Float[Tensor, "net scale"], group: Group) -> Element:
    """The element of these logarithms of the scales, space by space, and then of the sizes."""
    *spaces, sizes = logs.split([*group.scales.values(), len(group.sizes)], dim=1)
    return Element(
        scales=dict(zip(group.scales, spaces, strict=True)), sizes=dict(zip(group.sizes, sizes.unbind(1), strict=True))
    )


def squared_gradient(blueprint: Blueprint, weights: Tensor, images: Tensor, labels: Tensor) -> Float[Tensor, " net"]:
    """The squared norm of each net's gradient of the mean cross-entropy in its trained weights; it can be differentiated."""
    at = weights if weights.requires_grad else weights.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses(blueprint, at, images, labels).sum(), at, create_graph=weights.requires_grad)
    return gradient[:, blueprint.trained].square().sum(dim=1)


def losses(blueprint: Blueprint, weights: Tensor, images: Tensor, labels: Tensor) -> Float[Tensor, " net"]:
    """The mean cross-entropy (nats) of each net on the same normalised images."""
    logits = blueprint.logits(weights, images.to(weights).expand(len(weights), *images.shape))
    each = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(weights)), reduction="none")
    return each.view(len(weights), -1).mean(dim=1)


@torch.no_grad()
def check_kept(blueprint: Blueprint, weights: Tensor, moved: Tensor, images: Tensor, labels: Tensor) -> None:
    """Raises ValueError where the loss of a moved net is not its own: what moved it is no symmetry of it."""
    before, after = (losses(blueprint, nets, images, labels) for nets in (weights, moved))
    far = (after - before).abs() - KEPT * before.clamp(min=LEAST)
    if not bool((far <= 0).all()):
        worst = int(far.nan_to_num(torch.inf).argmax())
        raise ValueError(
            f"net {worst}: its loss was {before[worst]:.6g} and is {after[worst]:.6g} after the move, so the move is no "
            f"symmetry of it (or float32 is too coarse: give weights in float64)"
        )
