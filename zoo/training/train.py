"""Training the nets of a unit, and measuring them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.nets.blueprint import Blueprint
from zoo.seeds import net_seed
from zoo.spec.draws import draw
from zoo.spec.spec import Spec
from zoo.tasks.augment import Augmentation, augment, normalise
from zoo.tasks.corrupt import doubled
from zoo.tasks.images import ImageSet
from zoo.training import native
from zoo.training.adamw import adamw, bias_corrections
from zoo.training.cuda_graph import Replayed
from zoo.training.data import Data, check_images
from zoo.training.schedule import smoothed_cross_entropy, triangle


@dataclass(frozen=True)
class Trained:
    """What training ends with: effective weights, and those after each of the spec's `trajectory` epochs.

    `trajectory` is NaN where a net was trained for fewer epochs.
    """

    weights: Float[Tensor, "net weight"]
    trajectory: Float[Tensor, "net checkpoint weight"]


def train(
    spec: Spec,
    blueprint: Blueprint,
    images: ImageSet,
    indices: range,
    *,
    dtype: torch.dtype = torch.float32,
    after_epoch: Callable[[int], None] = lambda nets: None,
) -> Trained:
    """Trains the nets with these indices.

    Each net has its own draws, images, order of them and number of epochs, so that it does not depend on its companions
    (beyond rounding, where PyTorch trains them together). `after_epoch` gets the number of nets that just finished an
    epoch. Raises as `check_images` does.
    """
    check_images(spec.recipe, images)
    seeds = [net_seed(spec.seed, index) for index in indices]
    blueprint = blueprint.to(images.train.device, dtype)
    alone = dtype == torch.float32 and native.serves(blueprint, spec.precision, images.train.device)
    return (_train_alone if alone else _train_together)(spec, blueprint, images, seeds, after_epoch)


def _keep(trained: Trained, spec: Spec, nets: list[int], epoch: int, weights: Float[Tensor, "net weight"]) -> None:
    """Notes the effective weights of these nets after so many epochs, where the spec's trajectory asks for them."""
    if epoch in spec.trajectory:
        trained.trajectory[nets, spec.trajectory.index(epoch)] = weights


def _empty(spec: Spec, weights: Float[Tensor, "net weight"]) -> Trained:
    missing = weights.new_full((len(weights), len(spec.trajectory), weights.shape[1]), float("nan"))
    return Trained(torch.empty_like(weights), missing)


def _train_alone(
    spec: Spec, blueprint: Blueprint, images: ImageSet, seeds: list[int], after_epoch: Callable[[int], None]
) -> Trained:
    """One net after the other by the native engine."""
    recipe, trainer = spec.recipe, native.Trainer(blueprint, _pictures(spec, images))
    ended = _empty(spec, torch.empty(len(seeds), len(blueprint.trained)))
    for i, seed in enumerate(seeds):
        drawn, data = draw(recipe, seed=seed), Data(recipe, images, seed)
        epochs, steps = int(drawn["epochs"]), data.steps
        weights = blueprint.effective(blueprint.initial(seed).unsqueeze(0))[0].contiguous()
        moments = torch.zeros(2, len(weights))
        _keep(ended, spec, [i], 0, weights.unsqueeze(0))
        for epoch in range(epochs):
            now = range(epoch * steps, (epoch + 1) * steps)
            height = [triangle(step, steps=steps * epochs, peak=steps * recipe.peak_epoch) for step in now]
            trainer.train(
                weights,
                moments,
                data.epoch(),
                cutout=recipe.cutout,
                batch=recipe.batch,
                smoothing=drawn["label_smoothing"],
                rates=torch.tensor(height) * drawn["learning_rate"],
                corrections=torch.tensor([bias_corrections(step) for step in now]),
                decay=drawn["weight_decay"],
            )
            _keep(ended, spec, [i], epoch + 1, weights.unsqueeze(0))
            after_epoch(1)
        ended.weights[i] = weights
    return ended


def _train_together(
    spec: Spec, blueprint: Blueprint, images: ImageSet, seeds: list[int], after_epoch: Callable[[int], None]
) -> Trained:
    """All nets at once by PyTorch, as groups of one convolution; nothing waits for the device inside an epoch."""
    recipe, device, dtype = spec.recipe, images.train.device, blueprint.fixed.dtype
    mean, std = images.mean.to(dtype), images.std.to(dtype)
    draws = [draw(recipe, seed=seed) for seed in seeds]
    order = sorted(range(len(seeds)), key=lambda i: -draws[i]["epochs"])  # longest first: the active nets are a prefix
    epochs = [int(draws[i]["epochs"]) for i in order]
    data = [Data(recipe, images, seeds[i]) for i in order]
    pictures = _pictures(spec, images).train
    weights = torch.stack([blueprint.initial(seeds[i]) for i in order]).to(device, dtype)
    first, second = torch.zeros_like(weights), torch.zeros_like(weights)
    ended = _empty(spec, weights)
    _keep(ended, spec, order, 0, blueprint.effective(weights))

    def column(name: str) -> Float[Tensor, " net"]:
        return torch.tensor([draws[i][name] for i in order], dtype=dtype, device=device)

    rate, decay, smoothing = column("learning_rate"), column("weight_decay"), column("label_smoothing")
    plain = not (recipe.flip or recipe.shift or recipe.cutout)
    products = torch.bfloat16 if _halves(spec, device) else dtype
    inside = blueprint.to(device, products)

    def update(
        chosen: Tensor, labels: Tensor, flip: Tensor, shift: Tensor, cut: Tensor, rates: Tensor, corrections: Tensor
    ) -> None:
        """One step of the first so many nets, on tensors alone, so that a device can replay it."""
        active = len(chosen)
        batch = pictures[chosen]
        if plain:
            inputs = normalise(batch, mean, std)
        else:
            inputs = augment(batch, Augmentation(flip, shift, cut), cutout=recipe.cutout, mean=mean, std=std)
        w = weights[:active].detach().requires_grad_()
        logits = inside.logits(blueprint.effective(w).to(products), inputs.to(products))
        loss = smoothed_cross_entropy(logits.to(dtype), labels, smoothing[:active])
        (gradient,) = torch.autograd.grad(loss.sum(), w)
        moments = first[:active], second[:active]
        adamw(w.detach(), gradient, *moments, rate=rates, decay=decay[:active], corrections=corrections)

    run: Callable[..., None] = Replayed(update, (weights, first, second)) if _replays(device) else update
    steps = data[0].steps
    for epoch in range(max(epochs)):
        active = sum(epoch < last for last in epochs)
        shown = [net.epoch() for net in data[:active]]
        parts = ((s.order, s.labels, s.change.flip, s.change.shift, s.change.cut) for s in shown)
        whole = [torch.stack(part).to(device) for part in zip(*parts, strict=True)]  # net image ...: one transfer an epoch
        now = range(epoch * steps, (epoch + 1) * steps)
        heights = [
            [triangle(s, steps=steps * last, peak=steps * recipe.peak_epoch) for last in epochs[:active]] for s in now
        ]
        rates = rate[:active] * torch.tensor(heights, dtype=torch.float64).to(rate)  # step net
        corrections = torch.tensor([bias_corrections(s) for s in now], dtype=torch.float64).to(rate)
        for number in range(steps):
            part = slice(number * recipe.batch, (number + 1) * recipe.batch)
            run(*(tensor[:, part] for tensor in whole), rates[number], corrections[number])
        _keep(ended, spec, order[:active], epoch + 1, blueprint.effective(weights[:active]))
        after_epoch(active)
    ended.weights[order] = blueprint.effective(weights)
    return ended


def _pictures(spec: Spec, images: ImageSet) -> ImageSet:
    """The images that the indices of an epoch point to."""
    return doubled(images, spec.seed) if "corrupted_images" in spec.recipe.hidden.axes else images


def _halves(spec: Spec, device: torch.device) -> bool:
    """Whether all between a step's weights and its loss is bfloat16; the weights and their moments never are.

    All, and not by autocast, which computes norms in float32 and keeps 2.5 times the bytes for the backward pass. On a
    CPU the native engine does this where there are tiles, and without tiles float32 is faster.
    """
    return spec.precision == "bfloat16" and device.type == "cuda"


def _replays(device: torch.device) -> bool:
    """Whether the device can replay a step."""
    return device.type == "cuda"
