"""Nets as layers, for metanets that read what a weight's rows and columns connect: not every layout consists of layers."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.canonical import canonical_nets
from metanets.inputs.invariant import invariant
from zoo import Nets
from zoo.nets.units import CLASSES, units_of

FEATURES = "features"  # beside the names of tensors, each of which has an ending
REMEDY = 'a metanet of your own reads any nets by `reads = "tensors"`'


def layers(nets: Nets) -> dict[str, Float[Tensor, "net ..."]]:
    """Each tensor of the whole nets by name, as `tensors` has them, of nets that consist of layers.

    Raises ValueError where a tensor is no part of a layer (see `units_of`), or no layer writes the classes.
    """
    try:
        units = units_of(nets.layout)
    except ValueError as error:
        raise ValueError(f"{error}; {REMEDY}") from None
    if not any(unit.writes == CLASSES for unit in units):
        last = ", ".join(entry.name for entry in nets.layout[-3:])
        raise ValueError(f"no layer of these nets writes their outputs: {last}; {REMEDY}")
    return nets.tensors()


def beside(batch: dict[str, Tensor], nets: Nets, *read: Callable[[Nets], Tensor]) -> dict[str, Float[Tensor, "net ..."]]:
    """The batch, and by FEATURES [net, feature] what these functions read of the nets."""
    return batch | {FEATURES: torch.cat([of(nets) for of in read], dim=1)}


def layers_and_invariant(nets: Nets) -> dict[str, Float[Tensor, "net ..."]]:
    """The tensors of nets in canonical form, and features of the nets beside them.

    Nets whose symmetries are not known are read as they are.
    """
    return beside(layers(nets if nets.group is None else canonical_nets(nets)), nets, invariant)
