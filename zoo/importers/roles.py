"""What a stranger's tensors are to a net, as far as their names and shapes tell: conv, bias, scale of a norm, statistic."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.importers.shapes import Shapes
from zoo.layout import Layout, from_shapes

EMBEDDINGS = ("embed", "token")  # in the name of a tensor of three or more axes that is no convolution


def role(name: str, shapes: Shapes) -> str:
    """What a tensor is, by its name, its axes and its neighbours."""
    shape, leaf = shapes[name], name.rpartition(".")[2]
    weight = shapes.get(name.removesuffix(leaf) + "weight", ())
    norm = len(weight) == 1 or (bool(weight) and weight == shapes.get(name.removesuffix(leaf) + "bias"))
    if leaf.startswith("running_"):
        return "statistic"
    if norm and leaf in ("weight", "bias"):
        return "scale" if leaf == "weight" else "shift"
    if len(shape) == 1:
        return {"scale": "scale", "gamma": "scale", "shift": "shift", "beta": "shift"}.get(leaf, "bias")
    return "linear" if len(shape) == 2 or any(word in name.lower() for word in EMBEDDINGS) else "conv"


def inferred_layout(shapes: Shapes) -> Layout:
    """The tensors in their order, each in its role. Which axes go together is not known, so none is named."""
    return from_shapes([(name, shape, role(name, shapes), (None,) * len(shape)) for name, shape in shapes.items()])


def without_statistics(layout: Layout) -> tuple[Bool[Tensor, " weight"], Float[Tensor, " weight"]]:
    """Which entries are trained, which is all but statistics; and what is fixed: NaN at those, as each net has its own."""
    trained = torch.cat([torch.full((entry.size,), entry.role != "statistic") for entry in layout])
    return trained, torch.where(trained, 0.0, torch.nan)
