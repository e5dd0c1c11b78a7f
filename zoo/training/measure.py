"""Measuring nets: accuracy and loss on clean images, and the target columns."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from zoo.nets.blueprint import Blueprint
from zoo.spec.columns import TARGETS
from zoo.tasks.augment import normalise
from zoo.tasks.images import ImageSet

EVALUATED_AT_ONCE = 2**21  # values of input images over all nets: keeps the activations of a pass in a few hundred MB


@torch.no_grad()
def evaluate(
    blueprint: Blueprint,
    weights: Float[Tensor, "net weight"],
    images: Tensor,
    labels: Int[Tensor, " image"],
    *,
    mean: Tensor,
    std: Tensor,
) -> tuple[Float[np.ndarray, " net"], Float[np.ndarray, " net"]]:
    """The accuracy and the mean cross-entropy (nats) of each net on the same clean images; NaN without images."""
    blueprint = blueprint.to(weights.device, weights.dtype)
    right = torch.zeros(len(weights), dtype=torch.int64, device=weights.device)
    lost = torch.zeros(len(weights), dtype=torch.float64, device=weights.device)
    at_once = max(1, EVALUATED_AT_ONCE // (len(weights) * images[0].numel())) if len(images) else 1
    for part, answer in zip(images.split(at_once), labels.split(at_once), strict=True):
        inputs = normalise(part, mean.to(weights), std.to(weights)).expand(len(weights), *part.shape)
        logits = blueprint.logits(weights, inputs)  # net image class
        right += (logits.argmax(dim=-1) == answer).sum(dim=1)
        answers = answer.expand(len(weights), -1).flatten()
        losses = F.cross_entropy(logits.flatten(0, 1), answers, reduction="none").view(len(weights), -1)
        lost += losses.double().sum(dim=1)
    count = len(images) or float("nan")
    return (right.double() / count).cpu().numpy(), (lost / count).cpu().numpy()


def measure(blueprint: Blueprint, weights: Float[Tensor, "net weight"], images: ImageSet) -> dict[str, np.ndarray]:
    """The target columns of the nets and `diverged`: NaN targets where a weight or a loss is not finite."""
    columns: dict[str, np.ndarray] = {}
    for part, name in (("test", "test"), ("held_out", "validation"), ("train", "train")):
        pictures, labels = getattr(images, part), getattr(images, f"{part}_labels")
        accuracy, loss = evaluate(blueprint, weights, pictures, labels, mean=images.mean, std=images.std)
        columns[f"{name}_accuracy"], columns[f"{name}_loss"] = accuracy, loss
    columns["generalisation_gap"] = columns["train_accuracy"] - columns["test_accuracy"]
    finite = weights.isfinite().all(dim=1).cpu().numpy()
    diverged = ~(finite & np.isfinite(columns["train_loss"]) & np.isfinite(columns["test_loss"]))
    targets = {name: np.where(diverged, np.nan, columns[name]).astype(np.float32) for name in TARGETS}
    return {**targets, "diverged": diverged}
