"""Nets as a metanet sees them: their weights, what these are, and their hyper-parameters; no targets."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from torch import Tensor, from_numpy

from zoo.messages import Facts, facts_html, facts_text, some_names
from zoo.nets.architectures import architecture_of
from zoo.nets.layout import Layout, total, views
from zoo.symmetry import Group

Inputs = Literal["trained", "all"]


@dataclass(frozen=True)
class Nets:
    """Some nets, rows in order of `index`; `weights` are the vectors of their trained entries, or of all.

    `layout` says what a whole net consists of: each tensor's name, shape, role and axes. `trained` is True at the entries
    that were trained, `fixed` has the values of the others (kappa * F of W-asymmetric nets), 0 at trained ones, and NaN at
    those that differ from net to net without being trained, such as the running means of an imported net. `group` is
    what changes whole nets and nothing that they compute; None: not known. `image` is [channel, height, width] of what the
    nets are run on, and `gate` as in `Blueprint`; None: this package cannot run them, or their images are not known.
    """

    index: np.ndarray
    weights: Float[Tensor, "net weight"]
    hyper_parameters: pd.DataFrame
    layout: Layout
    trained: Bool[Tensor, " entry"]
    fixed: Float[Tensor, " entry"]
    group: Group | None = None
    image: tuple[int, int, int] | None = None
    gate: dict[str, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        entries, trained = len(self.trained), int(self.trained.sum())
        read = "all" if self.is_whole else "the trained ones"
        return f"Nets: {len(self):,} nets", {
            "weights": f"{list(self.weights.shape)}, {read} of {entries:,} entries in {len(self.layout)} tensors",
            "trained": f"{trained:,} of {entries:,} entries",
            "type": f"{self.weights.dtype} on {self.weights.device}",
            "hyper-parameters": some_names(self.hyper_parameters.columns),
        }

    def only(self, chosen: Bool[np.ndarray, " net"]) -> "Nets":
        """Those of the nets for which `chosen` is True."""
        return replace(
            self,
            index=self.index[chosen],
            weights=self.weights[from_numpy(chosen)],
            hyper_parameters=self.hyper_parameters[chosen],
        )

    @property
    def is_whole(self) -> bool:
        """Whether `weights` has every entry of a net, and not the trained ones alone."""
        return self.weights.shape[1] == total(self.layout)

    @property
    def segments(self) -> tuple[tuple[str, slice], ...]:
        """Where in `weights` each tensor's entries stand; a tensor that is wholly fixed has none of the trained ones."""
        sizes = [entry.size if self.is_whole else int(self.trained[entry.slice].sum()) for entry in self.layout]
        ends = np.cumsum(sizes).tolist()
        return tuple((e.name, slice(end - size, end)) for e, size, end in zip(self.layout, sizes, ends, strict=True))

    def whole(self) -> Float[Tensor, "net entry"]:
        """Every entry of each net, fixed ones included: `weights` themselves where they are whole.

        Raises ValueError where entries that differ from net to net are not in memory.
        """
        if self.is_whole:
            return self.weights
        if self.fixed.isnan().any():
            raise ValueError(
                "these nets have entries that were not trained and differ from net to net; open with inputs='all'"
            )
        nets = self.fixed.to(self.weights).repeat(len(self), 1)
        nets[:, self.trained] = self.weights
        return nets

    def tensors(self) -> dict[str, Float[Tensor, "net ..."]]:
        """Each tensor of the whole nets by name, [net, *shape], with the values that the nets compute with."""
        return views(self.whole(), self.layout)

    def masks(self) -> dict[str, Bool[Tensor, "..."]]:
        """For each tensor, which of its entries were trained: in W-asymmetric nets not all, and the same in all nets."""
        return {name: mask[0] for name, mask in views(self.trained.unsqueeze(0), self.layout).items()}

    def logits(self, images: Float[Tensor, "image channel height width"]) -> Float[Tensor, "net image cls"]:
        """Each net's logits on the same images, of the size `image` and normalised as those that the nets were trained on.

        Gradients reach weights and images. Raises ValueError where this package cannot run the nets.
        """
        kind = architecture_of(self.layout)
        if kind is None or self.image is None:
            raise ValueError(
                "these nets cannot be run: their architecture is not one of this package's, or their images unknown"
            )
        return kind.forward(self.tensors(), images.expand(len(self), *images.shape), self.gate)
