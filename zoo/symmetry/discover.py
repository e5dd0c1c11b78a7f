"""Finding symmetries from a function alone: the dimension of the continuous ones, and the kinds of discrete ones.

They need no layout, and so tell whether one is right, or whether a mask leaves anything. For nets of a few dozen weights.
"""

from collections.abc import Callable
from math import ceil

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.seeds import stream

MARGIN = 1.3  # times as many rows as columns
NOTHING = 1e-8  # singular values below this share of the largest are zero: in float64 others are above 1e-5
STARTS, STEPS, RATE, CLOSE = 64, 500, 0.02, 1e-7  # of the search for cosets; below the last, a start has arrived
SAME = 0.05  # distance below which two elements are one


def dimension(
    outputs: Callable[[Float[Tensor, " weight"]], Float[Tensor, " output"]],
    trained: Bool[Tensor, " weight"],
    fixed: Float[Tensor, " weight"],
    *,
    seed: int = 0,
) -> int:
    """The dimension of the linear symmetries: of all matrices L for which moving the weights along L w moves no output.

    Rows are the products of the gradient of a random mix of outputs with random weights; the symmetries are their null
    space. Entries that are not `trained` do not move, and enter as one constant. `outputs` must be on so many inputs that
    they determine the function, in float64. It takes weights^2 columns.
    """
    count, rng, rows = int(trained.sum()), stream(seed, "dimension"), list[Tensor]()
    columns = count * (count + int(not trained.all()))
    for _ in range(ceil(MARGIN * columns)):
        weights = torch.where(trained, torch.randn(len(trained), generator=rng, dtype=torch.float64), fixed.double())
        found = outputs(weights.requires_grad_())
        mixed = found @ torch.randn(len(found), generator=rng, dtype=torch.float64)
        gradient = torch.autograd.grad(mixed, weights)[0][trained]
        alone = weights.detach()[trained]
        one = alone if trained.all() else torch.cat([alone, torch.ones(1, dtype=torch.float64)])
        row = torch.outer(gradient, one).flatten()
        rows.append(row / row.norm().clamp(min=1e-300))
    values = torch.linalg.svdvals(torch.stack(rows))
    return columns - int((values > NOTHING * values[0]).sum())


def cosets(activation: Callable[[Tensor], Tensor], k: int, *, inputs: int = 3, seed: int = 0) -> list[Float[Tensor, "k k"]]:
    """The matrices g with |det g| = 1 that commute with an activation: A f(W x) = A g^-1 f(g W x) for a random layer.

    They are looked for from STARTS random matrices; those that differ by positive scales of the channels are one coset,
    and one of each is returned, rows of norm 1. ReLU: the permutations (2 for k = 2); tanh: the signed ones (8). This is
    the second step of AtlasD's discovery, with weights as the space.
    """
    rng = stream(seed, "cosets")
    x = torch.randn(256, inputs, generator=rng, dtype=torch.float64)
    first, second = (torch.randn(*size, generator=rng, dtype=torch.float64) for size in ((k, inputs), (4, k)))
    g = torch.randn(STARTS, k, k, generator=rng, dtype=torch.float64).requires_grad_()
    wanted = activation(x @ first.T) @ second.T
    optimizer = torch.optim.Adam([g], lr=RATE)

    def unit() -> Tensor:
        return g / torch.linalg.det(g).abs().clamp(min=1e-12).pow(1 / k)[:, None, None]

    def losses() -> Tensor:
        moved = activation(torch.einsum("gij,jd,xd->gxi", unit(), first, x))
        return (moved @ (second @ torch.linalg.inv(unit())).mT - wanted).square().mean(dim=(1, 2))

    for _ in range(STEPS):
        optimizer.zero_grad()
        losses().log1p().sum().backward()
        optimizer.step()
    with torch.no_grad():
        arrived = unit()[losses() < CLOSE]
        arrived = arrived / arrived.norm(dim=2, keepdim=True)
    found: list[Tensor] = []
    for one in arrived:
        if all((one - other).abs().max() > SAME for other in found):
            found.append(one)
    return found
