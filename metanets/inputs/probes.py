"""What nets answer to noise: statistics of their logits on fixed probes, free of the order of probes and of classes."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.matrices import QUARTERS, quantiles, shares
from zoo import Nets
from zoo.seeds import stream

PROBES = 128  # of each kind; validation R² on CIFAR-10 nets of 16 pixels with 16, 32, 64, 128: .855, .899, .912, .914
LARGEST = 1e6  # of a logit, so that nets which blew up have statistics too
SMALLEST = 1e-12  # of a variance or a difference of logits, below which its logarithm says nothing

Logits = Float[Tensor, "net probe cls"]


@torch.no_grad()
def probes(nets: Nets) -> Float[Tensor, "net feature"]:
    """Statistics of each net's logits on fixed noise: 59 for each of the two kinds of noise, of nets with 10 classes.

    It reads the function, and weights only through it. Kahana et al. 2024 (ProbeGen, arXiv 2410.10811) learn probes; these
    are drawn once, and depend on the size of the nets' images alone. Nets run one at a time, so that a net's row does not
    depend on the nets beside it, and in float32 unless weights are float64: at 16 pixels and half the width of ResNet8 12 ms
    a net on one core. Symmetries move nothing but the last bits, sizes as much as a norm's epsilon lets them.
    Raises ValueError as `Nets.logits` does.
    """
    if nets.image is None:
        raise ValueError("these nets cannot be run, and probes read what nets answer: take a metanet that reads weights")
    return answers_to(torch.cat(noise(nets.image)), nets)


@torch.no_grad()
def answers_to(images: Float[Tensor, "probe channel height width"], nets: Nets) -> Float[Tensor, "net feature"]:
    """Statistics of each net's logits on these normalised images, PROBES of each kind, kind by kind, as `probes` has."""
    precise = torch.promote_types(nets.weights.dtype, torch.float32)
    images = images.to(nets.weights.device, precise)
    rows = [answers(one.logits(images)) for one in _singly(replace(nets, weights=nets.weights.to(precise)))]
    return torch.cat([*rows]).float() if rows else torch.empty(0, 0)


def _singly(nets: Nets) -> Iterator[Nets]:
    for i in range(len(nets)):
        part = slice(i, i + 1)
        yield replace(
            nets, index=nets.index[part], weights=nets.weights[part], hyper_parameters=nets.hyper_parameters.iloc[part]
        )


def noise(image: tuple[int, int, int]) -> list[Float[Tensor, "probe channel height width"]]:
    """The probes, in units of normalised images: N(0, 1) at each pixel; and smooth noise, drawn at half the size."""
    channels, height, width = image
    plain = torch.randn(PROBES, *image, generator=stream("probes", "plain", *image))
    half = (PROBES, channels, (height + 1) // 2, (width + 1) // 2)
    coarse = torch.randn(half, generator=stream("probes", "smooth", *image))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return [plain, smooth / smooth.std()]


def answers(logits: Logits) -> Float[Tensor, "net feature"]:
    """The statistics of logits on PROBES probes of each kind, kind by kind, in float64."""
    found = logits.double().nan_to_num(0.0, LARGEST, -LARGEST).clamp(-LARGEST, LARGEST)
    return torch.cat([part for kind in found.split(PROBES, dim=1) for part in _statistics(kind)], dim=1)


def _statistics(logits: Logits) -> Iterator[Float[Tensor, "net _"]]:
    """Of one kind: 17 of how sure single answers are, 3 entropies of all, then classes by size, then their covariance."""
    softmax = logits.softmax(dim=2)
    entropy, mean = torch.special.entr(softmax).sum(dim=2), softmax.mean(dim=1)
    for sureness in (entropy, softmax.amax(dim=2)):
        yield sureness.mean(dim=1, keepdim=True)
        yield quantiles(sureness, QUARTERS)
    first, second = logits.topk(2, dim=2).values.unbind(dim=2)
    yield quantiles((first - second).clamp(min=SMALLEST).log(), QUARTERS)
    votes = torch.nn.functional.one_hot(logits.argmax(dim=2), logits.shape[2]).double().mean(dim=1)
    of_mean, of_votes = (torch.special.entr(part).sum(dim=1) for part in (mean, votes))
    yield torch.stack([of_mean, of_mean - entropy.mean(dim=1), of_votes], dim=1)
    yield mean.sort(dim=1, descending=True).values
    yield votes.sort(dim=1, descending=True).values
    yield from _covariance(logits - logits.mean(dim=2, keepdim=True))


def _covariance(centred: Logits) -> Iterator[Float[Tensor, "net _"]]:
    """Of logits less each probe's mean, which no softmax sees: eigenvalues of the classes' covariance, norm of the mean."""
    mean = centred.mean(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh((centred - mean).mT @ (centred - mean) / centred.shape[1])
    values = values.flip(-1)[:, :-1].clamp(min=0)  # the smallest is 0: centred logits add up to 0
    yield values.clamp(min=SMALLEST).log()
    yield shares(values)
    yield mean.squeeze(1).norm(dim=1, keepdim=True).clamp(min=SMALLEST).log()
