"""The tables of architectures and families; and what all nets of a zoo share, in one object."""

from dataclasses import dataclass, replace
from math import prod, sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.messages import Facts, facts_html, facts_text, some_names
from zoo.nets.architectures import Architecture
from zoo.nets.asymmetric import fix
from zoo.nets.layout import Layout, Taps, views
from zoo.seeds import stream


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

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        entries, trained = len(self.trained), int(self.trained.sum())
        return f"Blueprint: {entries:,} entries in {len(self.layout)} tensors", {
            "trained": f"{trained:,} entries; {entries - trained:,} are fixed",
            "gates": some_names(self.gate or {}),
            "initial weights": self.init,
            "can be run": "no" if self.architecture is None else "yes",
        }

    def effective(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, "net weight"]:
        """The weights that the nets compute with: fixed values where an entry is not trained."""
        return fix(weights, self.trained, self.fixed)

    def logits(
        self,
        weights: Float[Tensor, "net weight"],
        images: Float[Tensor, "net image channel height width"],
        taps: Taps | None = None,
    ) -> Float[Tensor, "net image cls"]:
        """Each net's logits on its own images; `weights` are effective ones.

        `taps` gets the activations behind each nonlinearity. Raises ValueError for imported nets of an architecture that
        this package cannot run.
        """
        if self.architecture is None:
            raise ValueError("these nets cannot be run: their architecture is not one of this package's")
        return self.architecture.forward(views(weights, self.layout), images, self.gate, taps)

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
