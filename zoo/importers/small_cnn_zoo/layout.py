"""A `layout.csv`: where a row of weights has each tensor as Keras orders them, and the same in PyTorch's order.

It has bias before kernel, and kernels as [height, width, in, out] or [in, out].
"""

import re
from math import prod
from pathlib import Path

import numpy as np

from zoo.importers import published_columns
from zoo.messages import some_names
from zoo.nets.layout import Layout, from_shapes

TURNED = {4: (3, 2, 0, 1), 2: (1, 0)}  # axes of a kernel -> PyTorch's: [out, in, height, width] and [out, in]
SHAPE = re.compile(r"\((\d{1,6}(?:, ?\d{1,6}){0,3}),?\)")  # what Python prints of a tuple of one to four whole numbers

Layers = dict[str, dict[str, np.ndarray]]  # name -> its kernel and bias, as places in a row


def read(path: Path, width: int) -> tuple[Layout, np.ndarray]:
    """Our layout, and for each of its weights the place in a row of the source, which has `width` weights.

    Raises ValueError naming the tensor at fault where they do not fill a row, or are not a kernel and a bias a layer.
    """
    table = published_columns.table(path, ["varname", "start_idx", "end_idx", "shape"])
    starts, ends = (published_columns.whole_numbers(table, name) for name in ("start_idx", "end_idx"))
    names, shapes = table.texts("varname"), table.texts("shape")
    layers: Layers = {}
    at = 0
    for row in np.argsort(starts, kind="stable"):
        name, shape = names[row], _shape(shapes[row], path)
        if (starts[row], ends[row]) != (at, at + prod(shape)) or ends[row] > width:
            raise ValueError(
                f"{path}: {name!r} of shape {shape} is {starts[row]}:{ends[row]}, expected {at}:{at + prod(shape)}; "
                f"the tensors must fill a net's {width} weights without gaps"
            )
        layer, _, kind = name.rpartition("/")
        if kind in layers.get(layer, {}):
            raise ValueError(f"{path}: two tensors are named {name!r}")
        layers.setdefault(layer, {})[kind] = np.arange(at, ends[row]).reshape(shape)
        at = int(ends[row])
    if at != width:
        raise ValueError(f"{path}: its tensors end at {at}, but a net has {width} weights")
    return _ordered(layers, path)


def _shape(text: str, path: Path) -> tuple[int, ...]:
    """The shape that a tuple's text says; nothing is evaluated."""
    if not SHAPE.fullmatch(text):
        raise ValueError(f"{path}: expected a shape such as (3, 3, 1, 16), found {text[:80]!r}")
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _ordered(layers: Layers, path: Path) -> tuple[Layout, np.ndarray]:
    """Each layer's weight, turned as PyTorch has it, before its bias. Nothing is said of channels that can be permuted."""
    tensors: list[tuple[str, tuple[int, ...], str, tuple[str | None, ...]]] = []
    order, seen = [], {"conv": 0, "linear": 0}
    lone = sum(part["kernel:0"].ndim == 2 for part in layers.values() if "kernel:0" in part) == 1
    for layer, parts in layers.items():
        weight, bias = _turned(layer, parts, path)
        role = "conv" if weight.ndim == 4 else "linear"
        seen[role] += 1
        name = role if role == "linear" and lone else f"{role}{seen[role]}"
        tensors.append((f"{name}.weight", weight.shape, role, (None,) * weight.ndim))
        tensors.append((f"{name}.bias", bias.shape, "bias", (None,)))
        order += [weight.ravel(), bias]
    return from_shapes(tensors), np.concatenate(order)


def _turned(layer: str, parts: dict[str, np.ndarray], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The weight and bias of a layer, with PyTorch's axes."""
    if parts.keys() != {"kernel:0", "bias:0"} or parts["kernel:0"].ndim not in TURNED:
        raise ValueError(
            f"{path}: layer {layer!r} must have a kernel:0 of 4 or 2 axes and a bias:0, it has {some_names(parts)}"
        )
    weight, bias = parts["kernel:0"].transpose(TURNED[parts["kernel:0"].ndim]), parts["bias:0"]
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"{path}: layer {layer!r} has {weight.shape[0]} outputs, but a bias of shape {bias.shape}")
    return weight, bias
