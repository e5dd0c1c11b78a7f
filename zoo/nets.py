"""The tables of architectures and families; and what all nets of a zoo share, in one object."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo import resnet8
from zoo.asymmetric import Masks, draw_gates, draw_masks, fix, masks_digest
from zoo.layout import Layout, total, views
from zoo.seeds import stream
from zoo.tasks import TASKS

if TYPE_CHECKING:
    from zoo.spec import Spec


@dataclass(frozen=True)
class Architecture:
    """A kind of net: its tensors, the channels of its nonlinearities, and the forward pass of many nets at once."""

    layout: Callable[..., Layout]
    gates: Callable[..., dict[str, int]]
    forward: Callable[..., Tensor]


@dataclass(frozen=True)
class Family:
    """What sets a family apart from the standard net of the same architecture and recipe."""

    width: float = 1.0  # multiplies the spec's width
    masked: bool = False  # W-asymmetric: some entries fixed
    gated: bool = False  # sigma-asymmetric: nonlinearities with fixed matrices
    init: str = "kaiming_normal"  # what `init = "paper"` means


ARCHITECTURES = {"resnet8": Architecture(resnet8.layout, resnet8.gates, resnet8.forward)}

FAMILIES = {
    "standard": Family(),
    "w_asymmetric": Family(masked=True, init="kaiming_uniform"),  # the paper's official code, section 2 of its zoo
    "sigma_asymmetric": Family(gated=True),
    "smaller": Family(width=0.875),
}


@dataclass(frozen=True)
class Blueprint:
    """All that the nets of a zoo share: the layout, which entries are trained, the fixed values, the gates.

    `fixed` holds kappa * F where an entry is not trained, and 0 elsewhere; NaN at an entry that is not trained by
    gradient and differs from net to net, such as a norm's running mean in an imported zoo. `gate` is None but for gated
    families. `architecture` is None where this package has no forward pass of imported nets.
    """

    architecture: Architecture | None
    layout: Layout
    init: str
    trained: Bool[Tensor, " weight"]
    fixed: Float[Tensor, " weight"]
    gate: dict[str, Float[Tensor, "_ _"]] | None

    def effective(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, "net weight"]:
        """The weights that the nets compute with: fixed values where an entry is not trained."""
        return fix(weights, self.trained, self.fixed)

    def logits(
        self, weights: Float[Tensor, "net weight"], images: Float[Tensor, "net image channel height width"]
    ) -> Float[Tensor, "net image cls"]:
        """Each net's logits on its own images; `weights` are effective ones.

        Raises ValueError for imported nets of an architecture that this package cannot run.
        """
        if self.architecture is None:
            raise ValueError("these nets cannot be run: their architecture is not one of this package's")
        return self.architecture.forward(views(weights, self.layout), images, self.gate)

    def initial(self, seed: int) -> Float[Tensor, " weight"]:
        """The weights that the net with this seed starts from, before fixing.

        `kaiming_normal`: N(0, 2 / fan in); `kaiming_uniform`: U(-1, 1) / sqrt(fan in), which is torch's default
        (a = sqrt 5) and has a standard deviation sqrt(6) times smaller. Biases are U(-1, 1) / sqrt(fan in), norms
        the identity, in both.
        """
        rng, parts = stream(seed, "init"), []
        fan_in = 1
        for entry in self.layout:
            if entry.role in ("conv", "linear"):
                fan_in = prod(entry.shape[1:])
                if self.init == "kaiming_normal":
                    parts.append(torch.randn(entry.size, generator=rng) * sqrt(2 / fan_in))
                    continue
            if entry.role in ("scale", "shift"):
                parts.append(torch.full((entry.size,), 1.0 if entry.role == "scale" else 0.0))
            else:
                parts.append((torch.rand(entry.size, generator=rng) * 2 - 1) / sqrt(fan_in))
        return torch.cat(parts)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Blueprint":
        """The same on another device and in another float type."""
        gate = self.gate and {name: matrix.to(device, dtype) for name, matrix in self.gate.items()}
        return replace(self, trained=self.trained.to(device), fixed=self.fixed.to(device, dtype), gate=gate)


def layout_of(spec: "Spec") -> Layout:
    """Where each tensor of this spec's nets lies."""
    task, net = TASKS[spec.images.task], spec.net
    channels = 1 if spec.images.grey else task.channels
    width = net.width * FAMILIES[net.family].width
    return ARCHITECTURES[net.architecture].layout(width=width, channels=channels, classes=task.classes)


def gates_of(spec: "Spec") -> dict[str, int]:
    """The channels of each nonlinearity that has a fixed matrix, by name; none but in gated families."""
    family = FAMILIES[spec.net.family]
    return ARCHITECTURES[spec.net.architecture].gates(width=spec.net.width * family.width) if family.gated else {}


def blueprint(spec: "Spec", masks: Masks | None = None) -> Blueprint:
    """What the nets of this spec share. `masks` are (mask, F) read from files, instead of those of the zoo's seed.

    Raises ValueError where the digest of `masks` is not the spec's.
    """
    net, family = spec.net, FAMILIES[spec.net.family]
    found = None if masks is None else masks_digest(masks)
    if found != net.masks_sha256:
        raise ValueError(f"the spec's masks have sha256 {net.masks_sha256}, those given {found}; --masks gives files")
    architecture, layout = ARCHITECTURES[net.architecture], layout_of(spec)
    trained = torch.ones(total(layout), dtype=torch.bool)
    fixed = torch.zeros(total(layout))
    if family.masked:
        mask, normal = masks or draw_masks(layout, kind=net.mask, n_fix=net.fixed_per_unit(), seed=spec.seed)
        for entry in layout:
            if entry.name in mask:
                trained[entry.slice] = mask[entry.name].flatten()
                fixed[entry.slice] = (normal[entry.name] * net.kappa).flatten()
        fixed[trained] = 0.0
    gate = draw_gates(gates_of(spec), seed=spec.seed) if family.gated else None
    init = family.init if net.init == "paper" else net.init
    return Blueprint(architecture, layout, init, trained, fixed, gate)
