"""The random draws of each net, its split, and the learning rate's triangle."""

from math import exp, log
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.seeds import net_seed, stream

if TYPE_CHECKING:
    from zoo.spec import Recipe, Spec

HYPER_PARAMETERS = {  # column -> what it is
    "learning_rate": "peak of the learning rate's triangle",
    "weight_decay": "decoupled weight decay of AdamW",
    "label_smoothing": "share of the label spread evenly over the classes, in training only",
    "epochs": "passes over the training images",
}
TARGETS = {  # column -> what it is; measured on clean images, without label smoothing
    "test_accuracy": "share of the test images classified rightly",
    "test_loss": "mean cross-entropy on the test images, nats",
    "validation_accuracy": "share of the held-out training images classified rightly; NaN where none are held out",
    "validation_loss": "mean cross-entropy on the held-out training images, nats",
    "train_accuracy": "share of the training images classified rightly, not augmented",
    "train_loss": "mean cross-entropy on the training images, nats",
    "generalisation_gap": "train_accuracy - test_accuracy",
}
SPLITS = ("train", "validation", "test")


def draw(recipe: "Recipe", *, seed: int) -> dict[str, float | int]:
    """The hyper-parameters of the net with this seed: the same for every family, so that row i pairs across zoos."""
    at = torch.rand(4, generator=stream(seed, "hyper-parameters"), dtype=torch.float64).tolist()
    low, high = recipe.epochs
    return {
        "learning_rate": _log_uniform(recipe.learning_rate, at[0]),
        "weight_decay": _log_uniform(recipe.weight_decay, at[1]),
        "label_smoothing": _uniform(recipe.label_smoothing, at[2]),
        "epochs": low + int(at[3] * (high - low + 1)),
    }


def _uniform(ends: tuple[float, float], at: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * at


def _log_uniform(ends: tuple[float, float], at: float) -> float:
    return exp(_uniform((log(ends[0]), log(ends[1])), at))


def split_of(spec: "Spec", index: int) -> str:
    """The split of net `index`, decided before training by a stable hash; the same for every family of a zoo."""
    at = torch.rand(1, generator=stream(net_seed(spec.seed, index), "split"), dtype=torch.float64).item()
    train, validation, _ = spec.split
    return SPLITS[0] if at < train else SPLITS[1] if at < train + validation else SPLITS[2]


def triangle(step: int, *, steps: int, peak: float) -> float:
    """The learning rate's multiplier at a step of so many: 0 at the first, 1 at step `peak`, falling to 0 at `steps`.

    A net that trains for fewer steps than `peak` only rises.
    """
    if step <= peak:
        return step / peak
    return max(0.0, (steps - step) / (steps - peak))


def smoothed_cross_entropy(
    logits: Float[Tensor, "net image cls"], labels: Tensor, smoothing: Float[Tensor, " net"]
) -> Float[Tensor, " net"]:
    """Each net's mean cross-entropy with its own label smoothing (Szegedy et al. 2016, arXiv 1512.00567)."""
    scores = logits.log_softmax(dim=-1)
    hit = -scores.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(dim=-1)
    spread = -scores.mean(dim=(-1, -2))
    return (1 - smoothing) * hit + smoothing * spread
