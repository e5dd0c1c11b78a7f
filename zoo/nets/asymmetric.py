"""W- and sigma-asymmetry as functions: masks, fixed values, gates.

Lim et al. 2024 (arXiv 2405.20231), sections 3.1 and 3.2: the effective weight is mask * trained + (1 - mask) * kappa * F
with F ~ N(0, 1); the sigma-asymmetric nonlinearity is x * sigmoid(F x). Mask and F are the same for all nets of a zoo.
"""

import hashlib
from collections.abc import Mapping
from itertools import chain, combinations, islice
from math import comb, prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.nets.layout import Layout
from zoo.seeds import stream


def fixed_subsets(rows: int, entries: int, first_size: int) -> list[tuple[int, ...]]:
    """The first `rows` subsets of range(entries), by size from `first_size` on, then in lexicographic order.

    Raises ValueError if there are not that many.
    """
    available = sum(comb(entries, size) for size in range(first_size, entries + 1))
    if rows > available:
        raise ValueError(f"{rows} output units need as many different masks, but {entries} inputs give only {available}")
    sizes = range(first_size, entries + 1)
    return list(islice(chain.from_iterable(combinations(range(entries), size) for size in sizes), rows))


def filters(shape: tuple[int, ...], n_fix: int, rng: torch.Generator) -> Bool[Tensor, "..."]:
    """Fixes `n_fix` whole input filters of each output channel; all of them where there are no more."""
    rows, inputs = shape[:2]
    ranks = torch.rand(rows, inputs, generator=rng).argsort(dim=1).argsort(dim=1)
    trained = ranks >= n_fix
    return trained.reshape(rows, inputs, *[1] * (len(shape) - 2)).expand(shape).clone()


def random_entries(shape: tuple[int, ...], n_fix: int, rng: torch.Generator) -> Bool[Tensor, "..."]:
    """Fixes `n_fix` random entries of each output unit; all of them where there are no more."""
    rows, entries = shape[0], prod(shape[1:])
    return filters((rows, entries), n_fix, rng).reshape(shape)


def densest(shape: tuple[int, ...], n_fix: int, rng: torch.Generator) -> Bool[Tensor, "..."]:
    """Pairwise different rows with the fewest fixed entries: none, then each one, then each pair... Ignores `n_fix`."""
    return bounded_zeros(shape, 0, rng)


def bounded_zeros(shape: tuple[int, ...], n_fix: int, rng: torch.Generator) -> Bool[Tensor, "..."]:
    """Pairwise different rows with at least `n_fix` fixed entries each, the fewest possible. Draws nothing."""
    rows, entries = shape[0], prod(shape[1:])
    trained = torch.ones(rows, entries, dtype=torch.bool)
    for row, subset in enumerate(fixed_subsets(rows, entries, n_fix)):
        trained[row, list(subset)] = False
    return trained.reshape(shape)


MASKS = {  # kind of mask -> function of (shape, n_fix, rng) that is True where an entry is trained
    "filters": filters,
    "random_entries": random_entries,
    "densest": densest,
    "bounded_zeros": bounded_zeros,
}


Masks = tuple[dict[str, Bool[Tensor, "..."]], dict[str, Float[Tensor, "..."]]]  # mask (True: trained), F; by name


def draw_masks(layout: Layout, *, kind: str, n_fix: int | Mapping[str, int], seed: int) -> Masks:
    """The mask (True: trained) and F ~ N(0, 1) of each convolution and linear layer, by tensor name, as may be `n_fix`.

    The linear layer has no filters; with kind `filters` single entries of it are fixed, as in the paper's zoo.
    """
    masks, values = {}, {}
    for entry in layout:
        if entry.role in ("conv", "linear"):
            draw = MASKS["random_entries" if (kind, entry.role) == ("filters", "linear") else kind]
            number = n_fix if isinstance(n_fix, int) else n_fix[entry.name]
            masks[entry.name] = draw(entry.shape, number, stream("w_asymmetric", entry.name, "mask", seed))
            rng = stream("w_asymmetric", entry.name, "normal", seed)
            values[entry.name] = torch.randn(entry.shape, generator=rng)
    return masks, values


def masks_digest(masks: Masks) -> str:
    """The SHA-256 of all masks and values, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(masks[0]):
        digest.update(name.encode() + masks[0][name].numpy().tobytes() + masks[1][name].numpy().tobytes())
    return digest.hexdigest()


def draw_gates(gates: dict[str, int], *, seed: int) -> dict[str, Float[Tensor, "_ _"]]:
    """The fixed matrix of each nonlinearity, entries N(0, 1) / sqrt(channels); by name, from each one's channels."""
    return {
        name: torch.randn(channels, channels, generator=stream("sigma_asymmetric", name, "normal", seed)) / channels**0.5
        for name, channels in gates.items()
    }


def fix(
    weights: Float[Tensor, "net weight"], trained: Bool[Tensor, " weight"], fixed: Float[Tensor, " weight"]
) -> Float[Tensor, "net weight"]:
    """The weights that the nets compute with: `weights` where `trained`, elsewhere `fixed`, with gradient exactly 0."""
    return torch.where(trained, weights, fixed)
