"""Consensus: how far a net answers as the training nets do, on images that these nets were made to agree on.

How often two nets disagree tells how often they err (Jiang et al. 2022, arXiv 2106.13799): nets that were trained well
agree, whatever they were trained from. Jiang et al. take images of the task. Here there are none: images are made so that
some of the training nets see a class in them (Simonyan et al. 2014, arXiv 1312.6034; Yin et al. 2020, arXiv 1912.08795).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from metanets.baselines import fit_ridge, restored_ridge
from metanets.fit import validation_r2
from metanets.forests import fit_extra_trees, restored_extra_trees
from metanets.inputs.batch import floats, length, rows
from metanets.inputs.layers import FEATURES
from metanets.inputs.matrices import quantiles
from metanets.inputs.runnable import IMAGE, Run, runner_of
from metanets.metanet import Examples, Fit, Fitted, Predict, Training, tensors_by_part, tensors_of
from metanets.mistakes import MistakeError
from zoo.nets.layout import Layout
from zoo.seeds import stream

# Measured by validation R² on digits nets of one recipe that saw 64 to 990 images, where noise probes have .06.
PANELS = 2  # of the training nets: each is judged by a panel that it does not sit on
SEATED = tuple(f"panel{number}" for number in range(PANELS))  # what their tensors are saved by
IMAGES = 16  # of each class a panel
STEPS = 160  # of Adam; 20, 40, 80, 160, 320: .59, .67, .73, .76, .78
ASKED = 6  # nets of the panel a step, drawn anew
RATE, DECAY = 0.05, 0.01  # Adam's; and of the images' mean square
START = 0.5  # the deviation of the noise that images are made from
NOISE = 0.5  # put on a second copy of the images, in their deviations: a good net's answer stays
AT = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles over images
SMALLEST, LARGEST = 1e-6, 1e6  # of a cross entropy whose logarithm is taken; of a logit, as nets that blew up have
FARTHEST = 4.0  # standard deviations: a net beyond all of training is as the last of them
ABSURD = 10.0  # times the median net's logits; in 13 zoos no net has above 4.3
FEWEST = 4  # training nets: two a panel
SIDE, PROBES = 512, 1 << 12  # pixels of a side and number of the images of a panel that was saved, at most


@dataclass(frozen=True)
class Panel:
    """Images and what the nets of a panel answer to them: the mean of their softmax, and of their centred logits."""

    images: Float[Tensor, "probe channel height width"]
    shares: Float[Tensor, "probe cls"]
    logits: Float[Tensor, "probe cls"]

    def features(self, answers: Float[Tensor, "net probe cls"]) -> Float[Tensor, "net feature"]:
        """How far nets answer as the panel: on the images as they are, and on those with noise."""
        halves = [part.chunk(2) for part in (self.shares, self.logits)]
        parts = zip(answers.chunk(2, dim=1), *halves, strict=True)
        return torch.cat([column for part in parts for column in _agreement(*part)], dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """What it takes to have it again."""
        return {"images": self.images, "shares": self.shares, "logits": self.logits}


def panel_of(nets: dict[str, Tensor], run: Run, rng: Generator, *, steps: int = STEPS) -> Panel:
    """The panel of these nets, as `runnable` reads them."""
    made = images_of(nets, run, rng, steps=steps)
    noisy = made + NOISE * made.std() * torch.randn(made.shape, generator=rng)
    images = torch.cat([made, noisy])
    answers = answers_of(nets, run, images)
    return Panel(images, answers.softmax(dim=2).mean(dim=0), _centred(answers).mean(dim=0))


def images_of(
    nets: dict[str, Tensor], run: Run, rng: Generator, *, steps: int = STEPS
) -> Float[Tensor, "probe channel height width"]:
    """IMAGES of each class: noise, changed until nets of these, drawn at random at every step, see the class in it."""
    shape, count = nets[IMAGE].shape[1:], length(nets)
    classes = run(rows(nets, torch.arange(1)), torch.zeros(1, *shape)).shape[2]
    wanted = torch.arange(classes).repeat_interleave(IMAGES)
    images = (START * torch.randn(len(wanted), *shape, generator=rng)).requires_grad_()
    optimizer = torch.optim.Adam([images], lr=RATE)
    for _ in range(steps):
        asked = torch.randint(count, (min(ASKED, count),), generator=rng)
        answers = run(rows(nets, asked), images)
        error = F.cross_entropy(answers.flatten(0, 1), wanted.repeat(len(asked)))
        optimizer.zero_grad()
        (error + DECAY * images.square().mean()).backward()
        optimizer.step()
    if not images.isfinite().all():
        raise MistakeError("no images can be made of what the training nets answer: it is not finite")
    return images.detach()


@torch.no_grad()
def answers_of(
    nets: dict[str, Tensor], run: Run, images: Float[Tensor, "probe channel height width"]
) -> Float[Tensor, "net probe cls"]:
    """Each net's logits; run one by one, so that they do not depend on the nets beside it."""
    found = [run(rows(nets, torch.tensor([net])), images) for net in range(length(nets))]
    return torch.cat(found).nan_to_num(0.0, LARGEST, -LARGEST).clamp(-LARGEST, LARGEST)


def _agreement(
    answers: Float[Tensor, "net probe cls"], shares: Float[Tensor, "probe cls"], logits: Float[Tensor, "probe cls"]
) -> Iterator[Float[Tensor, "net _"]]:
    """On one kind of images: cross entropy, the share given to the panel's class and the angle between logits, each as a
    mean and quantiles over images; how often the class is the same; the angle of all logits; their size.
    """
    classes, centred = shares.argmax(dim=1), _centred(answers)
    entropy = -(shares * answers.log_softmax(dim=2)).sum(dim=2)
    share = answers.softmax(dim=2)[:, torch.arange(len(classes)), classes]
    angle = F.cosine_similarity(centred, logits.unsqueeze(0), dim=2)
    for part in (entropy.clamp(min=SMALLEST).log(), share, angle):
        yield part.mean(dim=1, keepdim=True)
        yield quantiles(part, AT)
    yield (answers.argmax(dim=2) == classes).float().mean(dim=1, keepdim=True)
    yield F.cosine_similarity(centred.flatten(1), logits.flatten().unsqueeze(0), dim=1).unsqueeze(1)
    yield centred.norm(dim=2).mean(dim=1, keepdim=True).clamp(min=SMALLEST).log()


def _centred(logits: Float[Tensor, "*_ cls"]) -> Float[Tensor, "*_ cls"]:
    """Less their mean, which no softmax sees."""
    return logits - logits.mean(dim=-1, keepdim=True)


def fit_consensus(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """How far a net agrees with panels of the training nets, on images that these were made to see classes in: read out by
    the mean of ridge and extremely randomised trees.

    A training net is judged by the other panel, any other net by both, of which the mean is taken: who sits on a panel
    agrees with it, and the more so the fewer sit there. Features given beside the nets stand behind. Ridge's penalty is
    chosen on validation. Training nets that blew up sit on no panel. Raises MistakeError where there are fewer than FEWEST
    training nets, or hardly any that did not.
    """
    count = length(train.features)
    if count < FEWEST:
        raise MistakeError(f"there are {count} training nets; a consensus takes at least {FEWEST}, two a panel")
    train, validation = (replace(part, features=floats(part.features)) for part in (train, validation))
    run, rng = runner_of(train.layout), stream("consensus", seed)
    steps = (chosen or {}).get("steps", STEPS)
    seat, fit_to_sit = torch.randperm(count, generator=rng) % PANELS, _steady(train.features, run)
    seated = [torch.nonzero((seat == own) & fit_to_sit).squeeze(1) for own in range(PANELS)]
    if not all(len(nets) for nets in seated):
        raise MistakeError("of hardly any training net the logits are finite and of the size of the others'")
    panels = [panel_of(rows(train.features, nets), run, rng, steps=steps) for nets in seated]
    known = _judged(train.features, run, panels)
    train_features = known[(seat + 1) % PANELS, torch.arange(count)]
    held = _judged(validation.features, run, panels).mean(dim=0)
    scale = _scale(_beside(train_features, train.features))
    examples = [
        replace(part, features=_scaled(_beside(features, part.features), scale))
        for part, features in ((train, train_features), (validation, held))
    ]
    ridge, trees = (fit(*examples, training=training, seed=seed) for fit in (fit_ridge, fit_extra_trees))
    readers = [ridge.predict, trees.predict]
    parts = {**{name: panel.tensors for name, panel in zip(SEATED, panels, strict=True)}, "ridge": ridge.tensors}
    return Fitted(
        _predict(run, panels, scale, readers),
        parameters=None,
        chosen={
            "alpha": ridge.chosen["alpha"],
            "steps": steps,
            "validation_r2": validation_r2(validation.target, _mean(readers, examples[1].features)),
        },
        tensors=lambda: {**tensors_of({**parts, "trees": trees.tensors}), "scale": scale},
    )


def _steady(nets: dict[str, Tensor], run: Run) -> Bool[Tensor, " net"]:
    """Of which nets the logits on noise are finite, and not ABSURD times as large as those of the median net.

    One net whose logits are a thousand times too large would make the images for itself alone.
    """
    noise = torch.randn(IMAGES, *nets[IMAGE].shape[1:], generator=stream("consensus", "steady"))
    with torch.no_grad():
        found = torch.cat([run(rows(nets, torch.tensor([net])), noise) for net in range(length(nets))])
    sizes = _centred(found).square().mean(dim=(1, 2)).sqrt()
    known = sizes[sizes.isfinite()]
    return sizes.isfinite() & (sizes <= ABSURD * known.median()) if len(known) else sizes.isfinite()


def _judged(nets: dict[str, Tensor], run: Run, panels: list[Panel]) -> Float[Tensor, "panel net feature"]:
    """How far each net agrees with each panel."""
    parts = [rows(nets, torch.tensor([net])) for net in range(length(nets))]
    return torch.stack([torch.cat([of.features(answers_of(net, run, of.images)) for net in parts]) for of in panels])


def _beside(features: Float[Tensor, "net feature"], nets: dict[str, Tensor]) -> Float[Tensor, "net _"]:
    return torch.cat([features, nets[FEATURES]], dim=1) if FEATURES in nets else features


def _scale(features: Float[Tensor, "net feature"]) -> Float[Tensor, "2 feature"]:
    """Mean and deviation of each feature; one that is the same for all these nets stays out, by an endless deviation."""
    mean, deviation = features.double().mean(dim=0), features.double().std(dim=0)
    return torch.stack([mean, torch.where(deviation > 1e-6 * mean.abs(), deviation, torch.inf)])  # beyond float32's rounding


def _scaled(features: Float[Tensor, "net feature"], scale: Float[Tensor, "2 feature"]) -> Float[Tensor, "net feature"]:
    return ((features.double() - scale[0]) / scale[1]).clamp(-FARTHEST, FARTHEST).float()


def _mean(readers: list[Predict], features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
    return np.mean([read(features) for read in readers], axis=0)


def _predict(run: Run, panels: list[Panel], scale: Tensor, readers: list[Predict]) -> Predict:
    """The mean of what is read out of how far nets agree with the panels on average."""

    def predict(nets: dict[str, Tensor]) -> Float[np.ndarray, " net"]:
        if any(nets[IMAGE].shape[1:] != panel.images.shape[1:] for panel in panels):
            size, own = ([*part] for part in (nets[IMAGE].shape[1:], panels[0].images.shape[1:]))
            raise MistakeError(f"these nets are run on images of {size}; the panels' images are of {own}")
        nets = floats(nets)
        classes, own_classes = run(rows(nets, torch.arange(1)), panels[0].images[:1]).shape[2], panels[0].shares.shape[1]
        if classes != own_classes:
            raise MistakeError(f"these nets tell {classes} classes; it was fitted on nets of {own_classes}")
        features = _beside(_judged(nets, run, panels).mean(dim=0), nets)
        if features.shape[1] != scale.shape[1]:
            raise MistakeError(f"these nets have {features.shape[1]} features; it was fitted on {scale.shape[1]}")
        return _mean(readers, _scaled(features, scale))

    return predict


def restored_consensus(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts as it did. Raises ValueError where the tensors are not those of panels, ridge and trees."""
    *seated, ridge, trees = tensors_by_part(tensors, (*SEATED, "ridge", "trees"))
    panels = [_panel(part) for part in seated]
    if len({(panel.images.shape[1:], panel.shares.shape[1]) for panel in panels}) > 1:
        raise ValueError("its panels have images or classes of different numbers")
    scale = tensors.get("scale", torch.empty(0))
    if scale.dtype != torch.float64 or scale.ndim != 2 or len(scale) != 2:
        raise ValueError("`scale` is no mean and deviation of each feature")
    readers = [restored_ridge(ridge, ()), restored_extra_trees(trees, ())]
    return _predict(runner_of(layout), panels, scale, readers)


def _panel(tensors: dict[str, Tensor]) -> Panel:
    """Raises ValueError where these are not images, in pairs, with the shares and logits of each."""
    images, shares, logits = (tensors.get(name, torch.empty(0)) for name in ("images", "shares", "logits"))
    shape = tuple(images.shape)
    if images.ndim != 4 or not 1 <= max(shape[2:]) <= SIDE or not 2 <= shape[0] <= PROBES or shape[0] % 2:
        raise ValueError(f"a panel's images are of {[*shape]}; expected an even number, of at most {SIDE} pixels a side")
    if shares.ndim != 2 or len(shares) != shape[0] or shares.shape != logits.shape or shares.shape[1] < 2:
        raise ValueError(
            f"a panel's shares and logits are of {[*shares.shape]} and {[*logits.shape]}; expected [probe, cls]"
        )
    if any(tensor.dtype != torch.float32 or not tensor.isfinite().all() for tensor in (images, shares, logits)):
        raise ValueError("a panel's images, shares and logits are not finite numbers in float32")
    return Panel(images, shares, logits)


CONSENSUS = Fit(fit_consensus, restored_consensus)
