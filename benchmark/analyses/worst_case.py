"""The worst case: how far scales that change no logit can push a metanet's predictions, within a bound.

Where the metanet is a module and its inputs have gradients, by steps in the direction of the gradient's sign (Goodfellow et
al. 2015, arXiv 1412.6572, with scales of channels as what is perturbed); else the worst of as many random draws.
"""

from collections.abc import Callable
from dataclasses import replace
from math import log

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from metanets import Metanet
from metanets.inputs import batch as batches
from zoo import Nets
from zoo.seeds import stream
from zoo.symmetry import Element, Group, act, draw

STEPS, LARGEST = 25, 1.1  # of the search; a channel is multiplied by 1 / 1.1 to 1.1
AT_ONCE = 32  # nets: bounds the memory of gradients
# of nets, their true targets, and the logarithms of their scales
Gradient = Callable[[Nets, np.ndarray, dict[str, Tensor]], dict[str, Tensor] | None]


def worst_case(
    module: nn.Module | None,
    metanet: Metanet,
    predicted: Callable[[Nets], Float[np.ndarray, " net"]],
    nets: Nets,
    true: Float[np.ndarray, " net"],
    group: Group,
    *,
    seed: int,
) -> Float[np.ndarray, " net"]:
    """The prediction for each net that is farthest from the truth among those found; the unmoved net's is one of them.

    `predicted` gives the predictions, `module` gradients. `nets` are whole. The group's orders, mixes and sizes are not
    used. Nothing moves where it has no scales.
    """
    part = np.arange(len(nets)) // AT_ONCE
    chosen = [part == number for number in range(part.max() + 1)]
    step = _gradient(module, metanet) if module is not None and group.scales else None
    return np.concatenate([_of_part(step, predicted, nets.only(rows), true[rows], group, seed=seed) for rows in chosen])


def _of_part(
    gradient: Gradient | None,
    predicted: Callable[[Nets], Float[np.ndarray, " net"]],
    nets: Nets,
    true: np.ndarray,
    group: Group,
    *,
    seed: int,
) -> Float[np.ndarray, " net"]:
    worst = predicted(replace(nets, weights=nets.weights.double()))

    def seen(element: Element) -> None:
        nonlocal worst
        found = predicted(replace(nets, weights=act(nets.weights.double(), nets.layout, element)))
        worst = np.where(np.abs(found - true) > np.abs(worst - true), found, worst)

    logs = {space: torch.zeros(len(nets), size, dtype=torch.float64) for space, size in group.scales.items()}
    bound = log(LARGEST)
    for number in range(STEPS if group.scales else 0):
        directions = None if gradient is None else gradient(nets, true, logs)
        if directions is None:  # no gradient: random draws
            rng = stream(seed, "worst case", number, int(nets.index[0]))
            seen(draw(group, len(nets), rng, kinds=("scale",), largest=LARGEST))
            continue
        rate = 2 * bound / (1 + number)  # the first step reaches the bound
        logs = {space: (logs[space] + rate * way.sign()).clamp(-bound, bound) for space, way in directions.items()}
        seen(Element(scales=logs))
    return worst


def _gradient(module: nn.Module, metanet: Metanet) -> Gradient:
    """The gradient of the squared error in the logarithms of nets' scales; None where the inputs have none, or one
    that is no number."""
    device = next(module.parameters()).device

    def gradient(nets: Nets, true: np.ndarray, logs: dict[str, Tensor]) -> dict[str, Tensor] | None:
        free = {space: found.clone().requires_grad_() for space, found in logs.items()}
        weights = act(nets.weights.double(), nets.layout, Element(scales=free))
        module.eval()
        try:
            read = batches.floats(batches.to(metanet.features(replace(nets, weights=weights)), device))
            loss = (module(read) - torch.from_numpy(true).float().to(device)).square().sum()
        except RuntimeError:  # an input that takes the weights out of PyTorch
            return None
        if not loss.requires_grad:
            return None
        found = torch.autograd.grad(loss, list(free.values()), allow_unused=True)
        if all(way is None for way in found) or any(way is not None and way.isnan().any() for way in found):
            return None
        return {space: torch.zeros_like(logs[space]) if way is None else way for space, way in zip(free, found, strict=True)}

    return gradient
