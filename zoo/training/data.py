"""What each net is shown: which training images, with which labels, in which order and how changed."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from zoo.seeds import stream
from zoo.spec.draws import draw_hidden
from zoo.spec.hidden import Hidden
from zoo.spec.spec import Recipe
from zoo.tasks.augment import Augmentation, draw_augmentation
from zoo.tasks.images import ImageSet


@dataclass(frozen=True)
class Shown:
    """An epoch of one net: the index, the label and the change of each image, in order."""

    order: Int[Tensor, " image"]
    labels: Int[Tensor, " image"]
    change: Augmentation


class Data:
    """One net's own images, labels, order and changes, epoch by epoch.

    `seen` are the indices of the training images that it sees, or n more where it sees the corrupted version of one of
    the n (`zoo.tasks.corrupt.doubled`); `labels` their labels. Without hidden axes: all, and the true ones.
    """

    def __init__(self, recipe: Recipe, images: ImageSet, seed: int) -> None:
        self.recipe, self.size, self.rng = recipe, images.train.shape[-1], stream(seed, "data")
        self.steps = len(images.train) // recipe.batch  # of an epoch, however few images are seen
        self.seen, self.labels = _seen(recipe.hidden, images, seed)

    def epoch(self) -> Shown:
        """The next epoch: passes over the images seen, each in a new order, until its steps are done."""
        recipe, used, seen = self.recipe, self.steps * self.recipe.batch, len(self.seen)
        passes = [torch.randperm(seen, generator=self.rng) for _ in range(0, used, seen)]
        order = torch.cat(passes)[:used]
        change = draw_augmentation(
            used, flip=recipe.flip, shift=recipe.shift, cutout=recipe.cutout, size=self.size, rng=self.rng
        )
        return Shown(self.seen[order], self.labels[order], change)


def _seen(hidden: Hidden, images: ImageSet, seed: int) -> tuple[Int[Tensor, " seen"], Int[Tensor, " seen"]]:
    """The indices of the images that the net with this seed sees, and their labels."""
    drawn, labels, classes = draw_hidden(hidden, seed=seed), images.train_labels.cpu(), int(images.classes)
    images_of = {axis: stream(seed, "hidden", axis, "images") for axis in drawn}
    seen = torch.arange(len(labels))
    if "training_images" in drawn:
        seen = torch.randperm(len(labels), generator=images_of["training_images"])[: int(drawn["training_images"])]
    if "imbalance" in drawn:
        seen = long_tail(labels, classes, ratio=drawn["imbalance"], rng=images_of["imbalance"])
    told = labels[seen]
    if "wrong_labels" in drawn:
        rng = images_of["wrong_labels"]
        wrong = _some(len(seen), drawn["wrong_labels"], rng)
        told[wrong] = (told[wrong] + torch.randint(1, classes, (len(wrong),), generator=rng)) % classes
    if "corrupted_images" in drawn:
        seen[_some(len(seen), drawn["corrupted_images"], images_of["corrupted_images"])] += len(labels)
    return seen, told


def _some(count: int, share: float, rng: torch.Generator) -> Int[Tensor, " some"]:
    return torch.randperm(count, generator=rng)[: round(share * count)]


def long_tail(labels: Int[Tensor, " image"], classes: int, *, ratio: float, rng: torch.Generator) -> Int[Tensor, " seen"]:
    """The indices of images of which the most frequent class has `ratio` times as many as the least frequent one.

    Counts fall exponentially from class to class (Cui et al. 2019, arXiv 1901.05555, section 5), from that of the task's
    smallest class. Which classes are frequent is drawn: were it always the same ones, a bias of the last layer would tell
    the ratio, and how hard the rare classes are would be part of it.
    """
    most, rank = _smallest_class(labels, classes), torch.randperm(classes, generator=rng)
    shuffled = torch.randperm(len(labels), generator=rng)
    counts = (most * ratio ** (-rank.double() / (classes - 1))).round().int().tolist()
    return torch.cat([shuffled[labels[shuffled] == label][:count] for label, count in enumerate(counts)])


def check_trainable(recipe: Recipe, *, count: int, size: int) -> None:
    """Raises ValueError where so many training images, of so many pixels a side, are too few or too small."""
    if count < recipe.batch:
        raise ValueError(f"recipe.batch: a batch of {recipe.batch} needs as many training images; there are {count}")
    if max(recipe.cutout, recipe.shift) > size:
        raise ValueError(f"recipe: cutout {recipe.cutout} and shift {recipe.shift} must fit into images of {size} pixels")
    axes = recipe.hidden.axes
    if "training_images" in axes and (most := axes["training_images"][1]) > count:
        raise ValueError(
            f"recipe.hidden.training_images: up to {most} are to be seen; there are {count}, held-out ones apart"
        )


def check_images(recipe: Recipe, images: ImageSet) -> None:
    """Raises as `check_trainable` does of these images, and where a class has too few of them for the imbalance."""
    check_trainable(recipe, count=len(images.train), size=images.train.shape[-1])
    if "imbalance" not in recipe.hidden.axes:
        return
    smallest, ratio = _smallest_class(images.train_labels, int(images.classes)), recipe.hidden.axes["imbalance"][1]
    if ratio > smallest:
        raise ValueError(
            f"recipe.hidden.imbalance: a ratio of {ratio:g} needs as many images of each class; the smallest has {smallest}"
        )


def _smallest_class(labels: Int[Tensor, " image"], classes: int) -> int:
    return int(labels.bincount(minlength=classes).min())
