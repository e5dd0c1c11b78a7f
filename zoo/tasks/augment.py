"""Augmentation: images mirrored, moved and cut out, and normalised."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


def normalise(
    images: UInt8[Tensor, "*batch channel height width"], mean: Float[Tensor, " channel"], std: Float[Tensor, " channel"]
) -> Float[Tensor, "*batch channel height width"]:
    """Zero mean and unit variance per channel, in the float type of `mean`."""
    return (images.to(mean.dtype) - mean[:, None, None]) / std[:, None, None]


@dataclass(frozen=True)
class Augmentation:
    """How each image of a batch is changed: mirrored, moved by (down, right) pixels, blanked from (top, left) on."""

    flip: Bool[Tensor, "*batch"]
    shift: Int[Tensor, "*batch 2"]
    cut: Int[Tensor, "*batch 2"]


def draw_augmentation(images: int, *, flip: bool, shift: int, cutout: int, size: int, rng: torch.Generator) -> Augmentation:
    """One random change for each of so many images; a place for the cutout is drawn wherever it fits wholly."""
    return Augmentation(
        flip=torch.rand(images, generator=rng) < (0.5 if flip else 0.0),
        shift=torch.randint(-shift, shift + 1, (images, 2), generator=rng),
        cut=torch.randint(0, size - cutout + 1, (images, 2), generator=rng),
    )


def augment(
    images: UInt8[Tensor, "*batch channel height width"],
    change: Augmentation,
    *,
    cutout: int,
    mean: Float[Tensor, " channel"],
    std: Float[Tensor, " channel"],
) -> Float[Tensor, "*batch channel height width"]:
    """Mirrored, then moved, then with a square cut out; what is uncovered becomes the mean, 0 after normalising."""
    height, width = images.shape[-2:]
    across = torch.arange(width, device=images.device)
    down = torch.arange(height, device=images.device)
    rows = down - change.shift[..., :1]  # batch height: the row that each new pixel comes from
    columns = across - change.shift[..., 1:]
    inside = ((rows >= 0) & (rows < height))[..., :, None] & ((columns >= 0) & (columns < width))[..., None, :]
    top, left = change.cut[..., :1], change.cut[..., 1:]
    cut = ((down >= top) & (down < top + cutout))[..., :, None] & ((across >= left) & (across < left + cutout))[..., None, :]
    columns = torch.where(change.flip[..., None], width - 1 - columns, columns).clamp(0, width - 1)
    source = rows.clamp(0, height - 1)[..., :, None] * width + columns[..., None, :]  # batch height width
    flat = images.flatten(-2)
    moved = flat.gather(-1, source.flatten(-2).unsqueeze(-2).expand_as(flat)).view_as(images)
    return normalise(moved, mean, std) * (inside & ~cut).unsqueeze(-3)
