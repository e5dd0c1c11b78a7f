"""The table of architectures."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from zoo.nets import resnet
from zoo.nets.layout import Layout


@dataclass(frozen=True)
class Architecture:
    """A kind of net: its tensors, the channels of its nonlinearities, and the forward pass of many nets at once."""

    layout: Callable[..., Layout]
    gates: Callable[..., dict[str, int]]
    forward: Callable[..., Tensor]


ARCHITECTURES = {"resnet8": Architecture(resnet.layout, resnet.gates, resnet.forward)}
