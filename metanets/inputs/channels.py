"""How large a net's layers and channels are: quantiles of entries, norms of channels, singular values, what norms write."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.matrices import Matrix, log, log_rank, quantiles, spread
from zoo import Nets
from zoo.nets.layout import Layout, views
from zoo.nets.units import INPUT, Unit, units_of
from zoo.symmetry.canonical import squares
from zoo.symmetry.group import acting, masked

NETS_AT_ONCE = 64  # in float64: bounds the memory
AT = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
TINY = 1e-30  # of a square: weight decay makes channels vanish, and how far they got says for how long
VALUES = 3  # singular values of each layer that are told


def channels(nets: Nets) -> Float[Tensor, "net feature"]:
    """Numbers that the order of channels does not move, and scales and sizes do: 515 of a ResNet8.

    Mean, deviation and quantiles of each tensor's entries, trained ones alone where these were asked for; and of whole nets
    the logarithms of norms of each layer's rows and columns, of its first singular values and of its entries; of norms how
    far scale and shift are from where they start; of each channel space the charges (see `_charges`). Computed in float64,
    returned in float32. Raises ValueError as `units_of` does.
    """
    units, rows = units_of(nets.layout), []
    for seen, part in zip(nets.weights.split(NETS_AT_ONCE), nets.whole().split(NETS_AT_ONCE), strict=True):
        found = [_entries(seen[:, where].double()) for _, where in nets.segments]
        tensors = views(part.double(), nets.layout)
        for unit in units:
            found += _unit(unit, tensors)
        if nets.group is not None:
            found += _charges(part.double(), acting(nets.layout), torch.ones_like(nets.trained))
        rows.append(torch.cat(found, dim=1))
    return torch.cat(rows).float()


def _entries(values: Float[Tensor, "net entry"]) -> Float[Tensor, "net 9"]:
    if values.shape[1] == 0:
        return torch.zeros(len(values), len(AT) + 2, dtype=torch.float64)
    mean, deviation = values.mean(dim=1, keepdim=True), values.std(dim=1, correction=0, keepdim=True)
    return torch.cat([mean, deviation, quantiles(values, AT)], dim=1)


def _unit(unit: Unit, tensors: dict[str, Tensor]) -> Iterator[Float[Tensor, "net _"]]:
    """Of a layer: norms, spectrum and sizes of its weight; of its norm, how far scale and shift are from 1 and 0."""
    matrix = Matrix(tensors[unit.weight.name])
    spectrum = matrix.spectrum()
    yield matrix.log_norm
    yield from spread(log(matrix.rows, smallest=TINY) / 2)
    if unit.reads != INPUT:
        yield from spread(log(matrix.columns, smallest=TINY) / 2)
    yield log(spectrum[:, [min(place, spectrum.shape[1] - 1) for place in range(VALUES)]], smallest=TINY) / 2
    yield log_rank(spectrum)
    yield quantiles(log(matrix.flat.flatten(1).square(), smallest=TINY) / 2)
    for entry, start in ((unit.scale, 1.0), (unit.shift, 0.0)):
        if entry is not None:
            yield log((tensors[entry.name] - start).square().mean(dim=1, keepdim=True), smallest=TINY)


def _charges(weights: Float[Tensor, "net entry"], layout: Layout, every: Tensor) -> Iterator[Float[Tensor, "net _"]]:
    """Of each scale space, channel by channel: the squares of what writes it less those of what reads it, and their product.

    Gradient flow leaves the difference as it was at the start (Kunin et al. 2021, arXiv 2012.04728, section 3), so it tells
    of decay and of the size of the steps; the product is what scales leave.
    """
    for space in masked(layout, every).scales:
        writers, readers = (squares(weights, layout, space, side) for side in (1, -1))
        yield quantiles(writers - readers)
        yield quantiles(log(writers, smallest=TINY) + log(readers, smallest=TINY))
