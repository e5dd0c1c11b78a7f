"""How far training moved the charges of a zoo's nets from those that they began with: derived columns of the zoo."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.dataset import derived
from zoo.dataset.reader import Zoo
from zoo.dataset.start import check_start_known, initial
from zoo.landscape.orbits.charges import Charges, charges, distance, summaries
from zoo.storage.shards import Shard
from zoo.symmetry import Group, group_of

ANALYSIS = "charges-1"
AT_ONCE = 64  # nets, in float64: bounds the memory
MOST = 60  # columns: a file of derived columns has 64 at most, and the least telling ones are left out


@dataclass(frozen=True)
class Drift:
    """The charges of some nets, rows in order of `index`.

    `start` and `end` have those of their initial and their trained weights. `along` has the drift of the scales' and mixes'
    charges after each epoch of the zoo's trajectory: NaN where a net was trained for fewer.
    """

    index: Int[np.ndarray, " net"]
    group: Group
    start: Charges
    end: Charges
    along: dict[int, Float[Tensor, " net"]] = field(default_factory=dict)

    @property
    def channels(self) -> list[str]:
        """The names of the scales and mixes."""
        return [*self.group.scales, *self.group.mixes]

    @property
    def columns(self) -> dict[str, tuple[Float[Tensor, " net"], str]]:
        """The derived columns, and what each is in words."""
        found = {}
        for name, kind, words in (
            ("charge_drift", self.channels, "mean |Q_end - Q_start| over the charges of all scaled channels and mixes"),
            ("size_drift", [*self.group.sizes], "mean change of the sum of squares of a sized tensor in training"),
        ):
            if kind:
                found[name] = (distance(self.start, self.end, kind), words)
        for epoch, values in self.along.items():
            words = f"charge_drift of the weights after epoch {epoch}; NaN where training ended before"
            found[f"charge_drift_epoch_{epoch}"] = (values, words)
        more = {n: (values, f"{words}, trained") for n, (values, words) in summaries(self.end, self.group).items()}
        return found | (more if len(found) + len(more) <= MOST else {})

    @property
    def frame(self) -> pd.DataFrame:
        """The derived columns, a row a net, behind its `index`."""
        return pd.DataFrame({"index": self.index, **{name: values.numpy() for name, (values, _) in self.columns.items()}})


def drift(made: Zoo, indices: Int[np.ndarray, " net"] | None = None) -> Drift:
    """The charges at the start and the end of training of the nets with these indices; by default, of all not diverged.

    The start is the trajectory's epoch 0, or the initial net made again from its seed. Raises ValueError where nothing is
    conserved since all is tied, and where the start is not known.
    """
    net, group = made.blueprint, group_of(made.blueprint)
    if not group.dimension:
        raise ValueError(
            f"{made.folder}: its {made.spec.family} nets have no free scale, mix or size (see `metazoo group`), "
            "so training conserves nothing of this kind; take a zoo of standard nets"
        )
    check_start_known(made)
    wanted = made.columns.loc[~made.columns["diverged"], "index"].to_numpy() if indices is None else indices
    parts: list[Drift] = []
    for shard, rows in _rows(made, wanted):
        ended = torch.from_numpy(shard.weights[rows].astype(np.float64))
        points = torch.from_numpy(_points(shard)[rows].astype(np.float64)).unbind(1)
        epochs = dict(zip(made.spec.trajectory, points, strict=True))
        begun = epochs.pop(0, None)
        if begun is None:
            begun = initial(made, shard.columns["index"][rows].tolist())
        part = Drift(
            shard.columns["index"][rows], group, charges(begun, net.layout, group), charges(ended, net.layout, group)
        )
        if part.channels:
            drifts = {n: distance(part.start, charges(x, net.layout, group), part.channels) for n, x in epochs.items()}
            part.along.update(drifts)
        parts.append(part)
    return _joined(parts, group)


def _rows(made: Zoo, wanted: Int[np.ndarray, " net"]) -> Iterator[tuple[Shard, Int[np.ndarray, " row"]]]:
    """The shards with the rows of these nets, at most AT_ONCE at a time."""
    for split in made.parts.values():
        for shard in split:
            rows = np.flatnonzero(np.isin(shard.columns["index"], wanted))
            for start in range(0, len(rows), AT_ONCE):
                yield shard, rows[start : start + AT_ONCE]


def _points(shard: Shard) -> np.ndarray:
    """The trajectory [net, checkpoint, weight]; without one, of no checkpoints."""
    return np.empty((len(shard.weights), 0, 1)) if shard.trajectory is None else shard.trajectory


def _joined(parts: list[Drift], group: Group) -> Drift:
    """All parts, in order of the nets' indices. Raises ValueError where there is no net."""
    if not parts:
        raise ValueError("no net that did not diverge, so there are no charges; take another zoo")
    index = np.concatenate([part.index for part in parts])
    order = np.argsort(index)

    def joined(found: list[dict[Any, Tensor]]) -> dict[Any, Tensor]:
        return {name: torch.cat([one[name] for one in found])[order] for name in found[0]}

    start, end, along = (joined([getattr(part, name) for part in parts]) for name in ("start", "end", "along"))
    return Drift(index[order], group, start, end, along)


def keep(made: Zoo, found: Drift, command: str) -> derived.Derived:
    """Writes the columns beside the zoo, as `charges`; returns them."""
    told = {name: words for name, (_, words) in found.columns.items()}
    return derived.write(made.folder, "charges", found.frame, analysis=ANALYSIS, command=command, settings={}, meanings=told)


def recompute(made: Zoo, settings: dict[str, Any], rows: pd.DataFrame, images: object = None) -> pd.DataFrame:
    """The same rows of the derived columns, computed again. `settings` are empty, and no images are needed."""
    return drift(made, rows["index"].to_numpy()).frame
