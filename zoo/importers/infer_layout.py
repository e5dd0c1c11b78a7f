"""What names and shapes tell of a stranger's tensors: whether nets are alike, what each tensor is, which nets they are."""

from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.messages import plain_line
from zoo.nets.layout import Layout, Shapes, from_shapes

EMBEDDINGS = ("embed", "token")  # in the name of a tensor of three or more axes that is no convolution


def shapes_of(tensors: dict[str, Tensor]) -> Shapes:
    """The shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def unlike(path: Path, shapes: Shapes, first: Path | str, expected: Shapes) -> str:
    """Which tensor of `path` is not there, or not of the shape, as in `first`; empty where all are alike."""
    for name in [*expected, *shapes]:
        if shapes.get(name) != expected.get(name):
            found, wanted = shapes.get(name, "no such tensor"), expected.get(name, "no such tensor")
            return f"{path}: {plain_line(name)}: {found}, but {wanted} in {first}"
    return ""


def check_alike(path: Path, shapes: Shapes, first: Path | str, expected: Shapes) -> None:
    """Raises ValueError naming the first tensor of `path` that is not as in `first`."""
    if fault := unlike(path, shapes, first, expected):
        raise ValueError(fault)


def role(name: str, shapes: Shapes) -> str:
    """What a tensor is, by its name, its axes and its neighbours."""
    shape, leaf = shapes[name], name.rpartition(".")[2]
    weight = shapes.get(name.removesuffix(leaf) + "weight", ())
    norm = len(weight) == 1 or (bool(weight) and weight == shapes.get(name.removesuffix(leaf) + "bias"))
    if leaf.startswith("running_"):
        return "statistic"
    if leaf == "F_mat":  # of Lim et al.'s sigma-asymmetric nets
        return "gate"
    if norm and leaf in ("weight", "bias"):
        return "scale" if leaf == "weight" else "shift"
    if len(shape) <= 1:
        return {"scale": "scale", "gamma": "scale", "shift": "shift", "beta": "shift"}.get(leaf, "bias")
    return "linear" if len(shape) == 2 or any(word in name.lower() for word in EMBEDDINGS) else "conv"


def inferred_layout(shapes: Shapes) -> Layout:
    """The tensors in their order, each in its role. Which axes go together is not known, so none is named."""
    return from_shapes([(name, shape, role(name, shapes), (None,) * len(shape)) for name, shape in shapes.items()])


def without_statistics(layout: Layout) -> tuple[Bool[Tensor, " weight"], Float[Tensor, " weight"]]:
    """Which entries are trained, which is all but statistics and gates; and what is fixed: NaN at those, as each net has
    its own.
    """
    trained = torch.cat([torch.full((entry.size,), entry.role not in ("statistic", "gate")) for entry in layout])
    return trained, torch.where(trained, 0.0, torch.nan)
