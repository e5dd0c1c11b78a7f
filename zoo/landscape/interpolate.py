"""Monotonic linear interpolation: the loss on the straight line from a net's initial weights to its final ones."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from zoo.dataset.derived import Derived, write
from zoo.dataset.reader import Zoo
from zoo.dataset.start import initial
from zoo.landscape.material import Progress, kept, unseen, weights_of
from zoo.landscape.paths import MOST_IMAGES, MOST_POINTS, POINTS, Curves, check_points, lines, some
from zoo.seeds import stream
from zoo.tasks.images import ImageSet

ANALYSIS = "interpolate-1"
PART = 32  # nets: what a stopped command loses at most
IMAGES = 512  # training images, without augmentation: as in the measurements that the README compares with
MEANINGS = {
    "mli_rise": "largest rise of the training loss on the line from the initial net, between any two points, nats",
    "mli_step": "largest rise of the training loss on that line between two adjacent points, nats",
    "mli_monotone": "1 where the training loss never rises on that line, else 0",
    "mli_local": "share of the inner points of that line at which the training loss is convex",
    "mli_global": "share of the inner points of that line at which the training loss is below the chord of both ends",
    "mli_global_official": "as mli_global, below a chord that ends at the second point's loss, as in published code",
}


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Settings:
    """How nets are interpolated: points on a line, training images, and whether the published formula is computed too."""

    points: Annotated[int, Field(ge=3, le=MOST_POINTS)] = POINTS
    images: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = IMAGES
    official: bool = False


@dataclass(frozen=True)
class Interpolated:
    """The numbers of each net, and its curves on the training images, in the same order."""

    frame: pd.DataFrame
    curves: Curves


def interpolate(
    zoo: Zoo,
    images: ImageSet,
    *,
    nets: int | None = None,
    settings: Settings = Settings(),
    progress: Progress = unseen,
) -> Interpolated:
    """Goes from the initial weights of nets to their final ones, and measures the training loss on the way.

    Of all nets that did not diverge, or of so many by a stable hash. Initial weights are made again from the net's seed;
    imported nets need a checkpoint of epoch 0. Finished parts are kept. Raises ValueError where there are no initial
    weights, or no nets.
    """
    check_points(settings.points)
    settled = zoo.columns.loc[~zoo.columns["diverged"], "index"].to_numpy()
    if not len(settled):
        raise ValueError(f"{zoo.folder}: all nets diverged")
    indices = settled[torch.randperm(len(settled), generator=stream("interpolate")).numpy()][: nets or len(settled)]
    key = f"{ANALYSIS} {zoo.manifest_sha256} {settings.points} {settings.images} {images.digest()}"
    found = []
    for at in range(0, len(indices), PART):
        progress(at, len(indices))
        part = indices[at : at + PART].tolist()
        found.append(kept(f"{key} {part}", lambda part=part: _measured(zoo, images, settings, part)))  # type: ignore[misc]
    progress(len(indices), len(indices))
    rows = np.concatenate(found)[indices.argsort()]
    curves = Curves(rows[:, : settings.points], rows[:, settings.points :])
    return Interpolated(_frame(np.sort(indices), curves, settings), curves)


def _measured(zoo: Zoo, images: ImageSet, settings: Settings, indices: list[int]) -> np.ndarray:
    """A row a net: the losses, then the accuracies along its line."""
    pictures = some(images, "train", settings.images)
    curves = lines(zoo.blueprint, initial(zoo, indices), weights_of(zoo, indices), pictures, points=settings.points)
    return np.hstack([curves.loss, curves.accuracy])


def shape_of(losses: Float[np.ndarray, "net point"]) -> dict[str, Float[np.ndarray, " net"]]:
    """What MEANINGS says of each curve: rise (Lucas et al. 2021, arXiv 2104.11044), and convexity as in Lim et al. 2024.

    `mli_global_official` has the chord of the code of Lim et al. (arXiv 2405.20231), which ends at the loss of the second
    point instead of the last one. Whatever falls below that counts as convex: 1 - t^2, which is concave, gets 1.
    """
    low = np.minimum.accumulate(losses, axis=1)[:, :-1]  # of all points before
    steps = np.diff(losses, axis=1)
    times = np.linspace(0, 1, losses.shape[1])[1:-1]
    first, second, last, inner = losses[:, :1], losses[:, 1:2], losses[:, -1:], losses[:, 1:-1]
    return {
        "mli_rise": (losses[:, 1:] - low).max(axis=1).clip(min=0),
        "mli_step": steps.max(axis=1),
        "mli_monotone": (steps.max(axis=1) <= 0).astype(float),
        "mli_local": (np.diff(steps, axis=1) >= 0).mean(axis=1),
        "mli_global": (inner < first + (last - first) * times).mean(axis=1),
        "mli_global_official": (inner < first + (second - first) * times).mean(axis=1),
    }


def _frame(indices: np.ndarray, curves: Curves, settings: Settings) -> pd.DataFrame:
    found = shape_of(curves.loss)
    found = {name: np.where(np.isnan(curves.loss).any(axis=1), np.nan, found[name]) for name in meanings(settings)}
    return pd.DataFrame({"index": indices, **found})


def meanings(settings: Settings) -> dict[str, str]:
    """What the columns mean that these settings ask for."""
    return {name: text for name, text in MEANINGS.items() if settings.official or name != "mli_global_official"}


def keep(zoo: Zoo, found: Interpolated, settings: Settings, command: str) -> Derived:
    """Writes the numbers beside the zoo, as columns of its nets."""
    told: dict[str, Any] = {"command": command, "settings": asdict(settings), "meanings": meanings(settings)}
    return write(zoo.folder, "interpolate", found.frame, analysis=ANALYSIS, **told)


def recompute(zoo: Zoo, settings: dict[str, Any], rows: pd.DataFrame, images: ImageSet | None) -> pd.DataFrame:
    """The columns of these rows (index) again, from the settings of the file's note."""
    if images is None:
        raise ValueError("the images of an imported zoo are not known")
    given = replace(Settings(), **settings)
    numbers = _measured(zoo, images, given, rows["index"].tolist())
    curves = Curves(numbers[:, : given.points], numbers[:, given.points :])
    return _frame(rows["index"].to_numpy(), curves, given).set_index(rows.index)


def summary(found: Interpolated, family: str) -> pd.DataFrame:
    """One row: the means over nets, and standard deviations (`_sd`) but of what is 0 or 1."""
    row: dict[str, Any] = {"family": family, "nets": len(found.frame)}
    for name in found.frame.columns[1:]:
        row |= {name: found.frame[name].mean()}
        row |= {} if name == "mli_monotone" else {f"{name}_sd": found.frame[name].std()}
    return pd.DataFrame([row])
