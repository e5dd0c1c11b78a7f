"""Perceptrons, written for many nets at once: ReLU, or LayerNorm and GELU behind each hidden layer.

The second kind is the net of the linear mode connectivity of Lim et al. 2024 (arXiv 2405.20231), without batch statistics.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from zoo.nets.layout import Layout, Shapes, Taps, from_shapes, shapes_in

EPSILON = 1e-5  # of LayerNorm, as in PyTorch


def layout(
    *, width: float, channels: int, pixels: int, classes: int, hidden: tuple[int, ...] = (32, 32), norm: bool = False
) -> Layout:
    """The tensors of a perceptron on flattened images: `linearI`, with `norm` also `normI`, from 1 on; then `head`.

    `width` multiplies the hidden sizes, rounded. 64-32-32-10: 6 tensors, 3,466 scalars; 64-512-512-512-10 with norms: 14
    tensors, 566,794. ReLU leaves each hidden unit a positive scale; GELU none, but norms each layer before them its size.
    """
    tensors: list[tuple[object, ...]] = []
    into, space = channels * pixels, None
    for number, units in enumerate(sizes(width=width, hidden=hidden), start=1):
        name, own = f"linear{number}", f"H{number}"
        scale, read = (None, None) if norm else (own, space and f"/{space}")
        size = name if norm else ""
        tensors.append((f"{name}.weight", (units, into), "linear", (own, space), (scale, read), (), size))
        tensors.append((f"{name}.bias", (units,), "bias", (own,), (scale,), (), size))
        if norm:
            tensors.append((f"norm{number}.weight", (units,), "scale", (own,)))
            tensors.append((f"norm{number}.bias", (units,), "shift", (own,)))
        into, space = units, own
    tensors.append(("head.weight", (classes, into), "linear", (None, space), (None, None if norm else f"/{space}")))
    tensors.append(("head.bias", (classes,), "bias", (None,)))
    return from_shapes(tensors)


def like(shapes: Shapes) -> Layout | None:
    """The layout of a perceptron that has exactly these tensors; None without one."""
    hidden, names = list[int](), iter(range(1, len(shapes)))
    while len(shape := shapes.get(f"linear{next(names, 0)}.weight", ())) == 2:
        hidden.append(shape[0])
    first, head = shapes.get("linear1.weight", ()), shapes.get("head.weight", ())
    if not hidden or len(head) != 2:
        return None
    norm = "norm1.weight" in shapes
    found = layout(width=1.0, channels=1, pixels=first[1], classes=head[0], hidden=tuple(hidden), norm=norm)
    return found if shapes_in(found) == shapes else None


def gates(*, width: float, hidden: tuple[int, ...] = (32, 32), norm: bool = False) -> dict[str, int]:
    """The channels of the nonlinearity behind each hidden layer, by name; norms change nothing in that."""
    return {f"nonlin{number}": units for number, units in enumerate(sizes(width=width, hidden=hidden), start=1)}


def sizes(*, width: float, hidden: tuple[int, ...]) -> list[int]:
    """The hidden sizes at this width: at least one unit each."""
    return [max(1, round(units * width)) for units in hidden]


def forward(
    weights: dict[str, Float[Tensor, "net ..."]],
    images: Float[Tensor, "net image channel height width"],
    gate: dict[str, Float[Tensor, "_ _"]] | None = None,
    taps: Taps | None = None,
) -> Float[Tensor, "net image cls"]:
    """The logits of each net on its own images, as one batched product a layer.

    `gate` replaces the nonlinearity by x * sigmoid(F x) with the fixed matrix of that place (sigma-asymmetric nets).
    `taps` gets what comes out of each nonlinearity, under its channel space.
    """
    x, number = images.flatten(2), 1
    while f"linear{number}.weight" in weights:
        x = _affine(weights, f"linear{number}", x)
        if f"norm{number}.weight" in weights:
            x = F.layer_norm(x, x.shape[2:], eps=EPSILON)
            x = x * weights[f"norm{number}.weight"].unsqueeze(1) + weights[f"norm{number}.bias"].unsqueeze(1)
        if gate is not None:
            x = x * (x @ gate[f"nonlin{number}"].mT).sigmoid()
        else:
            x = F.gelu(x) if f"norm{number}.weight" in weights else F.relu(x)
        if taps is not None:
            taps.setdefault(f"H{number}", []).append(x.transpose(1, 2))
        number += 1
    return _affine(weights, "head", x)


def _affine(weights: dict[str, Tensor], name: str, x: Float[Tensor, "net image _"]) -> Float[Tensor, "net image _"]:
    return torch.baddbmm(weights[f"{name}.bias"].unsqueeze(1), x, weights[f"{name}.weight"].mT)
