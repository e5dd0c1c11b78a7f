"""A batch of whole nets, as metanets that read structure take it: layer by layer, with the channels between the layers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.nets.units import CLASSES, INPUT, Unit

Tensors = dict[str, Float[Tensor, "net ..."]]  # name -> [net, *shape], what INPUTS["layers"] returns
States = dict[str, Float[Tensor, "net out number"]]  # unit -> a state for each of its output channels


def kernel(tensors: Tensors, unit: Unit) -> Float[Tensor, "net out in offset"]:
    """The unit's weight, with the offsets of a convolution in one axis: 9 of a 3 x 3 kernel, 1 of a linear layer."""
    return tensors[unit.weight.name].flatten(3) if len(unit.weight.shape) > 2 else tensors[unit.weight.name].unsqueeze(3)


def vectors(tensors: Tensors, unit: Unit) -> Float[Tensor, "net out vector"] | None:
    """What the unit has of bias, scale and shift, side by side; None where there is none."""
    found = [tensors[entry.name] for entry in unit.vectors.values()]
    return torch.stack(found, dim=2) if found else None


def read(
    states: States, unit: Unit, units: tuple[Unit, ...], inputs: nn.ParameterDict
) -> Float[Tensor, "net channel number"]:
    """The state of the channels that a unit reads: the sum over the units that write them, as a residual stream adds up.

    Of what no unit writes, such as the net's inputs, it is the learnt embedding of each place.
    """
    if unit.reads == INPUT:
        return inputs[key(unit)].expand(len(next(iter(states.values()))), -1, -1)
    return torch.stack([states[other.name] for other in units if other.writes == unit.reads]).sum(dim=0)


def key(unit: Unit) -> str:
    """The unit's name, as PyTorch allows names of parameters."""
    return unit.name.replace(".", "/")


def started(tensors: Tensors, unit: Unit, places: nn.ParameterDict, first: nn.ModuleDict) -> Float[Tensor, "net out number"]:
    """The state of a unit before anything is read: its embedding, and what `first` makes of its vectors."""
    place, found = places[key(unit)], vectors(tensors, unit)
    if found is None:
        return place.expand(*tensors[unit.weight.name].shape[:2], -1)
    return place + first[key(unit)](found)


def embeddings(units: tuple[Unit, ...], width: int) -> tuple[nn.ParameterDict, nn.ParameterDict]:
    """Learnt: a state for each place that a unit reads and no unit writes; and for each unit, or each class, a state.

    The first is of size 1 a number, as what a net reads is; the second starts small, so that vectors are heard.
    """
    inputs = {key(unit): torch.randn(unit.weight.shape[1], width) for unit in units if unit.reads == INPUT}
    return nn.ParameterDict(inputs), places(units, width)


def places(units: tuple[Unit, ...], width: int) -> nn.ParameterDict:
    """Learnt: for each unit, or each class, a state that starts small."""
    rows = {key(unit): unit.weight.shape[0] if unit.writes == CLASSES else 1 for unit in units}
    return nn.ParameterDict({name: 0.3 * torch.randn(count, width) for name, count in rows.items()})
