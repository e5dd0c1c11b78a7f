"""Nets as what can be run: for metanets that choose themselves what nets are to answer to."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.invariant import invariant
from metanets.inputs.layers import beside
from metanets.inputs.probes import probes
from zoo import Nets
from zoo.nets.architectures import architecture_of
from zoo.nets.layout import Layout

IMAGE = "image"  # beside the names of tensors, each of which has an ending
GATE = "gate "  # before the name of a nonlinearity
NETS_AT_ONCE = 4  # run at once: their activations stay small

Run = Callable[[dict[str, Tensor], Tensor], Tensor]


def runnable(nets: Nets) -> dict[str, Float[Tensor, "net ..."]]:
    """Each tensor of the whole nets by name; and what else there must be to run them, without memory of its own.

    By IMAGE [net, channel, height, width], of zeros: it says by its shape what the nets are run on. By GATE and a place
    the fixed matrix of sigma-asymmetric nets there, for each net the same. Raises ValueError where nets cannot be run.
    """
    if architecture_of(nets.layout) is None or nets.image is None:
        raise ValueError(
            "these nets cannot be run, and this input is for metanets that run them: their architecture is not one of this "
            "package's, or their images unknown; take a metanet that reads weights"
        )
    gates = {f"{GATE}{place}": matrix.expand(len(nets), -1, -1) for place, matrix in (nets.gate or {}).items()}
    size = nets.weights.new_zeros(1).expand(len(nets), *nets.image)
    return nets.tensors() | gates | {IMAGE: size}


def runnable_and_features(nets: Nets) -> dict[str, Float[Tensor, "net ..."]]:
    """What it takes to run the nets, and features of them beside it."""
    return beside(runnable(nets), nets, probes, invariant)


def runner_of(layout: Layout) -> Run:
    """What runs nets of this layout: given what `runnable` reads and images of [image, channel, height, width], the
    logits of each, [net, image, cls]. Gradients reach both. Raises ValueError where it is no architecture of this package's.
    """
    kind = architecture_of(layout)
    if kind is None:
        raise ValueError("these nets cannot be run: their architecture is not one of this package's")
    names = [entry.name for entry in layout]

    def run(batch: dict[str, Tensor], images: Tensor) -> Tensor:
        gate = {name.removeprefix(GATE): part[0] for name, part in batch.items() if name.startswith(GATE)}
        weights = {name: batch[name].split(NETS_AT_ONCE) for name in names}
        found = []
        for part in zip(*weights.values(), strict=True):
            shown = images.expand(len(part[0]), *images.shape)
            found.append(kind.forward(dict(zip(names, part, strict=True)), shown, gate or None))
        return torch.cat(found)

    return run
