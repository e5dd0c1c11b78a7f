"""What can be told of a net's weights that no symmetry of its layers moves: spectra, norms of channels, angles of norms."""

from collections.abc import Iterator
from math import pi, prod

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.matrices import Matrix, log, log_rank, quantiles, shares, spread
from zoo import Nets
from zoo.nets.layout import Layout, views
from zoo.nets.units import CLASSES, INPUT, Unit, units_of
from zoo.symmetry import Group, canonical
from zoo.symmetry.group import acting, masked

NETS_AT_ONCE = 64  # in float64: bounds the memory
THREE = 3  # kernels of at least so many pixels a side have a middle with neighbours
SMALLEST_DEVIATION = 1e-12  # of what a norm writes: a scale of 0 has a limit, which this comes near to


def invariant(nets: Nets) -> Float[Tensor, "net feature"]:
    """Numbers that neither the order of channels nor scales nor sizes move, layer by layer: 287 of a ResNet8.

    They are of the net in canonical form under all that its layout allows, also where a mask ties some of it: so they mean
    the same in standard and W-asymmetric nets. What symmetries are not known (`nets.group` is None) is read as it is, and
    then only the order of channels moves nothing. Computed in float64, returned in float32: what moves the last bits of a
    float64 moves a float32 once in a million times. Raises ValueError as `units_of` does.
    """
    units, group = units_of(nets.layout), _group(nets)
    rows = [torch.cat([*_features(part, nets.layout, units, group)], dim=1) for part in nets.whole().split(NETS_AT_ONCE)]
    return torch.cat(rows).float()


def _group(nets: Nets) -> Group:
    """All that could act on nets of this layout if every entry was trained; nothing where that is not known."""
    if nets.group is None:
        return Group({}, {}, {}, ())
    return masked(acting(nets.layout), torch.ones_like(nets.trained))


def _features(
    weights: Float[Tensor, "net entry"], layout: Layout, units: tuple[Unit, ...], group: Group
) -> Iterator[Float[Tensor, "net _"]]:
    tensors = views(canonical(weights, layout, group) if group else weights.double(), layout)
    sized = {entry.name for entry in acting(layout) if entry.sized in group.sizes} if group.sizes else set()
    for unit in units:
        matrix = Matrix(tensors[unit.weight.name])
        vectors = {role: tensors[entry.name] for role, entry in unit.vectors.items()}
        if unit.writes == CLASSES:
            yield from _classes(matrix, columns=unit.reads != INPUT)
            if "bias" in vectors:
                yield from _class_bias(vectors["bias"])
            continue
        if unit.weight.name not in sized:
            yield matrix.log_norm
        yield from _weight(matrix.unit(), columns=unit.reads != INPUT)
        if "bias" in vectors:  # as an angle, which neither a scale of the channel nor the size of the layer moves
            yield quantiles(torch.atan2(vectors["bias"], matrix.rows.sqrt()))
        if "scale" in vectors and "shift" in vectors:
            several = sum(other.writes == unit.writes and other.scale is not None for other in units) > 1
            yield from _norm(vectors["scale"], vectors["shift"], sizes=several or unit.writes not in group.scales)


def _weight(matrix: Matrix, *, columns: bool) -> Iterator[Float[Tensor, "net _"]]:
    """Of a weight of Frobenius norm 1: spectrum, norms of the channels, where in the kernels it lies, and its tails.

    Martin, Peng & Mahoney 2021 (arXiv 2002.06716) tell a net's quality by such spectra.
    """
    spectrum, (out, *_), fan_in = matrix.spectrum(), matrix.weight.shape[1:], prod(matrix.weight.shape[2:])
    logs = log(shares(spectrum))
    yield logs[:, [min(place, logs.shape[1] - 1) for place in (0, 1, 2)]]
    yield log_rank(spectrum)
    yield logs[:, -1:]
    yield from spread(log(matrix.rows * out))
    if columns:
        yield from spread(log(matrix.columns * matrix.weight.shape[2]))
    yield from _kernels(matrix.weight)
    entries = matrix.flat.flatten(1)
    yield log(
        entries.pow(4).mean(dim=1, keepdim=True) / entries.square().mean(dim=1, keepdim=True).square().clamp(min=1e-60)
    )
    yield matrix.flat.mean(dim=2).square().mean(dim=1, keepdim=True) * fan_in


def _kernels(weight: Float[Tensor, "net out in ..."]) -> Iterator[Float[Tensor, "net _"]]:
    """Of square kernels with a middle: the energy there, of its four neighbours, of their means, and of left less right."""
    *_, height, width = weight.shape
    if weight.dim() != 5 or height != width or width < THREE or width % 2 == 0:
        return
    middle = width // 2
    energy = weight.square().sum(dim=(1, 2))
    four = [energy[:, middle + down, middle + right] for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    means = weight.sum(dim=(3, 4)).square().sum(dim=(1, 2)) / width**2
    mirrored = (weight - weight.flip(-1)).square().flatten(1).sum(dim=1)
    yield torch.stack([energy[:, middle, middle], sum(four[1:], four[0]), means, mirrored], dim=1)


def _norm(
    scale: Float[Tensor, "net channel"], shift: Float[Tensor, "net channel"], *, sizes: bool
) -> Iterator[Float[Tensor, "net _"]]:
    """Of a norm's scale g and shift b: its share of each channel, the angle of the two, what ReLU(g z + b) does.

    z is N(0, 1), as behind a norm; moments of a rectified normal variable in closed form. With `sizes` g² + b² says
    something: in canonical form these of all norms that write a channel have the sum 1.
    """
    if sizes:
        yield quantiles(log(scale.square() + shift.square()))
    yield quantiles(torch.atan2(shift, scale.abs()))
    yield (scale < 0).double().mean(dim=1, keepdim=True)
    deviation = scale.abs().clamp(min=SMALLEST_DEVIATION)
    ratio = shift / deviation
    active, density = torch.special.ndtr(ratio), torch.exp(-ratio.square() / 2) / (2 * pi) ** 0.5
    mean = shift * active + deviation * density
    square = (shift.square() + deviation.square()) * active + shift * deviation * density
    yield torch.stack([part.mean(dim=1) for part in (active, mean, square - mean.square())], dim=1)


def _classes(matrix: Matrix, *, columns: bool) -> Iterator[Float[Tensor, "net _"]]:
    """Of the weight that writes the classes, less the mean of its rows, which no softmax sees."""
    yield matrix.log_norm
    centred = Matrix(matrix.weight - matrix.weight.mean(dim=1, keepdim=True))
    spectrum = centred.spectrum()
    rank = min(len(spectrum[0]), matrix.weight.shape[1] - 1)  # 9 of 10 classes
    places = [min(place, rank - 1) for place in (0, 1, 2, rank // 2, rank - 1)]
    yield log(spectrum[:, places]) / 2
    yield log_rank(spectrum)
    yield quantiles(log(centred.rows) / 2, (0.0, 0.5, 1.0))
    if columns:
        yield quantiles(log(centred.columns) / 2, (0.0, 0.5, 1.0))
    yield matrix.flat.mean(dim=(1, 2)).unsqueeze(1)


def _class_bias(bias: Float[Tensor, "net cls"]) -> Iterator[Float[Tensor, "net _"]]:
    centred = bias - bias.mean(dim=1, keepdim=True)
    yield log(centred.std(dim=1, correction=0, keepdim=True))
    yield quantiles(centred, (1.0, 0.0))
