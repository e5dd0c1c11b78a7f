"""Barriers between pairs of a zoo's nets, after parts of their symmetry are removed: linear mode connectivity."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from zoo.dataset.derived import Derived, write
from zoo.dataset.reader import Zoo
from zoo.landscape.material import Progress, kept, unseen, weights_of
from zoo.landscape.pairs import drawable, pairs_of
from zoo.landscape.paths import MOST_IMAGES, MOST_POINTS, POINTS, Curves, Pictures, barriers, check_points, lines, some
from zoo.seeds import stable_seed
from zoo.symmetry import Group, act, align, align_by_activations, canonical, group_of
from zoo.symmetry.element import Element
from zoo.tasks.augment import normalise
from zoo.tasks.images import ImageSet

ANALYSIS = "connect-1"
REMOVALS = ("none", "permutation", "scale", "scale+permutation")
PART = 16  # pairs: what a stopped command loses at most
SEEN = 256  # training images on which activations are compared
BARRIERS = ("barrier_mid", "barrier_max", "accuracy_barrier_mid", "accuracy_barrier_max")
MEANINGS = {
    "barrier_mid": "test loss in the middle of the line between both nets, less the mean of both ends, nats",
    "barrier_max": "largest excess of test loss over the straight line between both ends' losses, nats",
    "accuracy_barrier_mid": "mean test accuracy of both ends, less that in the middle",
    "accuracy_barrier_max": "largest loss of test accuracy against the straight line between both ends",
    "log_barrier_mid": "log(1 + barrier_mid), 0 where that is negative",
    "distance": "Euclidean distance of both nets' weights as they are connected",
}


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Settings:
    """How pairs are connected: points on a line, test images, what orders are found by, and the seed of all chance.

    Nets whose test accuracy is below `least` are in no pair.
    """

    points: Annotated[int, Field(ge=3, le=MOST_POINTS)] = POINTS
    images: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = 1000
    by: Literal["weights", "activations"] = "weights"
    seed: Annotated[int, Field(ge=0)] = 0
    least: Annotated[float, Field(ge=0, le=1)] | None = None

    def told(self) -> dict[str, Any]:
        """The fields, without those that are None, as a derived file's note has them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Connected:
    """The barriers of pairs, a row for each pair and removal, and for each removal the curves of all pairs."""

    frame: pd.DataFrame
    curves: dict[str, Curves]


def connect(
    zoo: Zoo,
    images: ImageSet,
    *,
    other: Zoo | None = None,
    pairs: int = 200,
    remove: Sequence[str] = REMOVALS,
    settings: Settings = Settings(),
    progress: Progress = unseen,
) -> Connected:
    """Connects pairs of nets (see `pairs_of`) by straight lines, and measures them on test images.

    `remove` names what is removed before: `scale` puts both nets into canonical form, which settles scales, mixes and
    sizes; `permutation` aligns the second net to the first; `scale+permutation` does both. What nets of this family do
    not have is left out. Finished parts are kept, and a second call goes on from there. Raises ValueError where nothing
    is left to do, where `other` has nets of another kind, or where there are no two nets.
    """
    check_points(settings.points)
    removals = possible(group_of(zoo.blueprint), remove)
    chosen = pairs_of(zoo, pairs, settings.seed, other, settings.least)
    if chosen.empty:
        which = "" if settings.least is None else f" of test accuracy {settings.least:g} or more"
        raise ValueError(f"{zoo.folder}: no two nets{which} of one split to connect")
    if other is not None:
        check_alike(zoo, other)
    parts = [
        part.iloc[at : at + PART] for _, part in chosen.groupby("split", sort=False) for at in range(0, len(part), PART)
    ]
    found: dict[str, list[np.ndarray]] = {what: [] for what in removals}
    job, done = _Job(zoo, other or zoo, images, settings), 0
    for part in parts:
        for what in removals:
            progress(done, len(chosen) * len(removals))
            found[what].append(job.measured(part, what))
            done += len(part)
    progress(done, len(chosen) * len(removals))
    numbers = {what: np.concatenate(rows) for what, rows in found.items()}
    frames = [_frame(chosen, what, rows, settings.points) for what, rows in numbers.items()]
    frame = pd.concat(frames).sort_index(kind="stable").reset_index(drop=True)  # pairs as they were drawn
    return Connected(frame, {what: _curves(rows, settings.points) for what, rows in numbers.items()})


def possible(group: Group, remove: Sequence[str]) -> list[str]:
    """Those of the removals that do something to nets with this group. Raises ValueError on others, and where none does."""
    if unknown := [what for what in remove if what not in REMOVALS]:
        raise ValueError(f"nothing that can be removed: {', '.join(unknown)} (known: {', '.join(REMOVALS)})")
    there = {"none"} | ({"permutation"} if group.orders else set())
    there |= {"scale"} if group.scales or group.mixes or group.sizes else set()
    if not (found := [what for what in dict.fromkeys(remove) if set(what.split("+")) <= there]):
        raise ValueError(f"these nets have no {' or '.join(remove)} that could be removed; what is fixed in them ties it")
    return found


def check_alike(zoo: Zoo, other: Zoo) -> None:
    """Raises ValueError unless the nets of both zoos can be connected and measured: one layout, fixed values, images."""
    one, two = zoo.blueprint, other.blueprint
    gates = [{name: matrix.tolist() for name, matrix in (net.gate or {}).items()} for net in (one, two)]
    same = {
        "tensors": one.layout == two.layout,
        "entries that are trained": torch.equal(one.trained, two.trained),
        "fixed values": torch.equal(one.fixed.nan_to_num(), two.fixed.nan_to_num()),
        "fixed matrices": gates[0] == gates[1],
        "images": getattr(zoo.spec, "images", zoo.spec.image_task) == getattr(other.spec, "images", other.spec.image_task),
    }
    if differing := [name for name, alike in same.items() if not alike]:
        raise ValueError(f"{zoo.folder} and {other.folder} differ in {', '.join(differing)}; take zoos of one kind of net")


class _Job:
    """What is the same for all pairs."""

    def __init__(self, zoo: Zoo, other: Zoo, images: ImageSet, settings: Settings) -> None:
        self.zoo, self.other, self.settings, self.group = zoo, other, settings, group_of(zoo.blueprint)
        self.pictures: Pictures = some(images, "test", settings.images)
        seen = some(images, "train", SEEN)
        self.inputs = normalise(seen.images, seen.mean, seen.std)
        self.key = f"{ANALYSIS} {zoo.manifest_sha256} {other.manifest_sha256} {settings.told()} {images.digest()}"

    def measured(self, pairs: pd.DataFrame, what: str) -> np.ndarray:
        """A row a pair: the losses and the accuracies along its line, and its length; kept for the next time."""
        key = f"{self.key} {what} {pairs[['i', 'j']].to_numpy().tolist()}"
        return kept(key, lambda: self._measured(pairs, what))

    def _measured(self, pairs: pd.DataFrame, what: str) -> np.ndarray:
        one = weights_of(self.zoo, pairs["i"].tolist())
        two = weights_of(self.other, pairs["j"].tolist())
        seeds = [stable_seed(self.settings.seed, "connect", i, j) for i, j in zip(pairs["i"], pairs["j"], strict=True)]
        one, two = self._removed(one, two, what, seeds)
        curves = lines(self.zoo.blueprint, one, two, self.pictures, points=self.settings.points)
        lengths = (two.double() - one.double()).norm(dim=1, keepdim=True).numpy()
        return np.hstack([curves.loss, curves.accuracy, lengths])

    def _removed(self, one: Tensor, two: Tensor, what: str, seeds: list[int]) -> tuple[Tensor, Tensor]:
        """Both nets of each pair without these symmetries."""
        net = self.zoo.blueprint
        if "scale" in what:
            one, two = (canonical(nets, net.layout, self.group) for nets in (one, two))
        if "permutation" in what:
            two = act(two, net.layout, self._orders(one, two, seeds))
        return one.float(), two.float()

    def _orders(self, one: Tensor, two: Tensor, seeds: list[int]) -> Element:
        """The orders that bring the second nets to the first, for each pair as if it were alone."""
        net = self.zoo.blueprint
        if self.settings.by == "activations":
            return align_by_activations(net, one.float(), two.float(), self.inputs, self.group)
        found = [align(one[[k]], two[[k]], net.layout, self.group, seed=seed) for k, seed in enumerate(seeds)]
        return Element({space: torch.cat([element.orders[space] for element in found]) for space in self.group.orders})


def _curves(rows: np.ndarray, points: int) -> Curves:
    return Curves(rows[:, :points], rows[:, points : 2 * points])


def _frame(pairs: pd.DataFrame, what: str, rows: np.ndarray, points: int) -> pd.DataFrame:
    found = barriers(_curves(rows, points))
    found |= {"log_barrier_mid": np.log1p(np.maximum(found["barrier_mid"], 0)), "distance": rows[:, -1]}
    return pairs[["i", "j"]].reset_index(drop=True).assign(remove=what, **{name: found[name] for name in MEANINGS})


def keep(zoo: Zoo, found: Connected, settings: Settings, command: str, other: Zoo | None = None) -> Derived:
    """Writes the barriers beside the (first) zoo: `connect`, or `connect_other` where a second zoo took part."""
    hashed = None if other is None else other.manifest_sha256
    told: dict[str, Any] = {"command": command, "settings": settings.told(), "meanings": MEANINGS, "other": hashed}
    return write(zoo.folder, "connect" if other is None else "connect_other", found.frame, analysis=ANALYSIS, **told)


def recompute(zoo: Zoo, settings: dict[str, Any], rows: pd.DataFrame, images: ImageSet | None) -> pd.DataFrame:
    """The columns of these rows (i, j, remove) of a zoo's own pairs again, from the settings of the file's note.

    Pairs that these settings do not give, such as of nets below `least`, are left out.
    """
    if images is None:
        raise ValueError("the images of an imported zoo are not known")
    given = replace(Settings(), **settings)
    rows = rows[drawable(zoo, rows, given.least)]
    job, found = _Job(zoo, zoo, images, given), [rows.iloc[:0]]
    for what, part in rows.groupby("remove", sort=False):
        possible(job.group, [str(what)])
        found.append(_frame(part, str(what), job._measured(part, str(what)), given.points).set_index(part.index))
    return pd.concat(found).loc[rows.index]


def summary(found: Connected, family: str) -> pd.DataFrame:
    """A row a removal: means over pairs and their standard deviations (`_sd`), and the accuracy of the ends."""
    rows = []
    for what, part in found.frame.groupby("remove", sort=False):
        ends = found.curves[str(what)].accuracy[:, [0, -1]]
        row: dict[str, Any] = {"family": family, "remove": what, "pairs": len(part)}
        for name in [*BARRIERS, "distance"]:
            row |= {name: part[name].mean(), f"{name}_sd": part[name].std()}
        rows.append(row | {"accuracy": ends.mean()})
    return pd.DataFrame(rows)
