"""A layer's weight as a matrix: singular values, norms of rows and columns, and how numbers that have no order are told."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
SMALLEST = 1e-8  # of a share of something: below, float32 weights do not tell a share from 0 (their error squared is 1e-14)


@dataclass(frozen=True)
class Matrix:
    """Weights [net, out, in, *kernel] of a layer of many nets, in float64, or what is to be told of one instead."""

    weight: Float[Tensor, "net out in ..."]

    @property
    def flat(self) -> Float[Tensor, "net out _"]:
        """As matrices: a row for each output channel."""
        return self.weight.flatten(2)

    @property
    def rows(self) -> Float[Tensor, "net out"]:
        """The squared norm of each row."""
        return self.flat.square().sum(dim=2)

    @property
    def columns(self) -> Float[Tensor, "net in"]:
        """The squared norm of all that reads each input channel."""
        return self.weight.transpose(1, 2).flatten(2).square().sum(dim=2)

    @property
    def log_norm(self) -> Float[Tensor, "net 1"]:
        """The logarithm of the Frobenius norm; of zeros that of the smallest float32."""
        return log(self.flat.square().sum(dim=(1, 2), keepdim=True).squeeze(2), smallest=1e-76) / 2

    def unit(self) -> "Matrix":
        """With Frobenius norm 1, but zeros, which stay so."""
        norm = self.flat.norm(dim=(1, 2)).reshape(-1, *[1] * (self.weight.dim() - 1))
        return Matrix(self.weight / torch.where(norm > 0, norm, 1.0))

    def spectrum(self) -> Float[Tensor, "net rank"]:
        """The squared singular values in falling order: the eigenvalues of the smaller of the two Gram matrices."""
        a = self.flat if self.flat.shape[1] <= self.flat.shape[2] else self.flat.mT
        return torch.linalg.eigvalsh(a @ a.mT).flip(-1).clamp(min=0)


def log(numbers: Tensor, *, smallest: float = SMALLEST) -> Tensor:
    """The logarithm of numbers, of which those below the smallest count as the smallest."""
    return numbers.clamp(min=smallest).log()


def shares(numbers: Float[Tensor, "net number"]) -> Float[Tensor, "net number"]:
    """Numbers over their sum; zeros where the sum is 0."""
    total = numbers.sum(dim=1, keepdim=True)
    return numbers / torch.where(total > 0, total, 1.0)


def log_rank(spectrum: Float[Tensor, "net rank"]) -> Float[Tensor, "net 1"]:
    """The logarithm of the effective rank, the entropy of the shares of a spectrum (Roy & Vetterli 2007)."""
    return torch.special.entr(shares(spectrum)).sum(dim=1, keepdim=True)


def quantiles(numbers: Float[Tensor, "net number"], at: tuple[float, ...] = QUARTERS) -> Float[Tensor, "net quantile"]:
    """These quantiles of each net's numbers, linear between neighbours."""
    return numbers.quantile(torch.tensor(at, dtype=numbers.dtype), dim=1).T


def spread(numbers: Float[Tensor, "net number"]) -> Iterator[Float[Tensor, "net _"]]:
    """Smallest, median and largest number, and the standard deviation."""
    yield quantiles(numbers, (0.0, 0.5, 1.0))
    yield numbers.std(dim=1, correction=0, keepdim=True)
