"""The table of architectures."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from zoo.nets import mlp, resnet
from zoo.nets.layout import Layout, Shapes, shapes_in


@dataclass(frozen=True)
class Architecture:
    """A kind of net: its tensors, the channels of its nonlinearities, and the forward pass of many nets at once.

    `layout` and `gates` take by name what they need of the sizes of a zoo: `width`, `channels`, `pixels`, `classes`, and
    `fields` of the spec's `Net`. `like` gives the layout whose tensors have these names and shapes, or None.
    """

    layout: Callable[..., Layout]
    gates: Callable[..., dict[str, int]]
    forward: Callable[..., Tensor]
    like: Callable[[Shapes], Layout | None]
    fields: tuple[str, ...] = ()


ARCHITECTURES = {
    "resnet8": Architecture(resnet.layout, resnet.gates, resnet.forward, resnet.like),
    "mlp": Architecture(mlp.layout, mlp.gates, mlp.forward, mlp.like, fields=("hidden", "norm")),
}


def architecture_of(layout: Layout) -> Architecture | None:
    """The architecture whose nets have exactly this layout, of any sizes; None where it is none of this package's."""
    shapes = shapes_in(layout)
    return next((kind for kind in ARCHITECTURES.values() if kind.like(shapes) == layout), None)
