"""The random draws of each net: its hyper-parameters, its hidden axes, and its split."""

from math import exp, log

import torch

from zoo.seeds import net_seed, stream
from zoo.spec.columns import LOGARITHMIC, SPLITS
from zoo.spec.hidden import Hidden, Range
from zoo.spec.spec import Recipe, Spec


def draw(recipe: Recipe, *, seed: int) -> dict[str, float | int]:
    """The hyper-parameters of the net with this seed: the same for every family, so that row i pairs across zoos."""
    at = torch.rand(4, generator=stream(seed, "hyper-parameters"), dtype=torch.float64).tolist()
    low, high = recipe.epochs
    return {
        "learning_rate": _log_uniform(recipe.learning_rate, at[0]),
        "weight_decay": _log_uniform(recipe.weight_decay, at[1]),
        "label_smoothing": _uniform(recipe.label_smoothing, at[2]),
        "epochs": low + int(at[3] * (high - low + 1)),
    }


def drawn(recipe: Recipe, *, seed: int) -> dict[str, float | int]:
    """All that is drawn for the net with this seed and stands in its columns: `draw` and `draw_hidden`."""
    return {**draw(recipe, seed=seed), **draw_hidden(recipe.hidden, seed=seed)}


def draw_hidden(hidden: Hidden, *, seed: int) -> dict[str, float | int]:
    """Where the net with this seed lies on each hidden axis that there is; the same for every family.

    Each axis has a stream of its own: one more changes neither the others nor the hyper-parameters.
    """
    found: dict[str, float | int] = {}
    for axis, ends in hidden.axes.items():
        at = torch.rand(1, generator=stream(seed, "hidden", axis), dtype=torch.float64).item()
        value = (_log_uniform if axis in LOGARITHMIC else _uniform)(ends, at)
        found[axis] = round(value) if axis == "training_images" else value
    return found


def _uniform(ends: Range, at: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * at


def _log_uniform(ends: Range, at: float) -> float:
    found = exp(_uniform((log(ends[0]), log(ends[1])), at))
    return min(max(found, ends[0]), ends[1])  # where both ends are one number, rounding would leave it


def split_of(spec: Spec, index: int) -> str:
    """The split of net `index`, decided before training by a stable hash; the same for every family of a zoo."""
    at = torch.rand(1, generator=stream(net_seed(spec.seed, index), "split"), dtype=torch.float64).item()
    train, validation, _ = spec.split
    return SPLITS[0] if at < train else SPLITS[1] if at < train + validation else SPLITS[2]
