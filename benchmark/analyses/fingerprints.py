"""Fingerprints of nets' weights, by which copies are found, also where their channels are in another order."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zoo import Zoo
from zoo.nets.layout import Layout


@dataclass(frozen=True)
class Sighting:
    """A net's weights at its end or at a checkpoint (`when`), as digests: of the trained entries as they stand, and of
    each tensor's values in sorted order, which permuting channels does not change."""

    index: int
    when: str
    exact: bytes
    unordered: bytes


def fingerprints(zoo: Zoo) -> Iterator[Sighting]:
    """Each net at its end, then at each checkpoint of its training, reading one at a time.

    Those with a weight that is not finite are left out: nothing is scored on them. Fixed entries count for the
    unordered digest only, so that a copy is found whatever was done to them, and a permuted one with them permuted.
    """
    trained = zoo.blueprint.trained.numpy()
    for index, when, row in _vectors(zoo):
        if np.isfinite(row).all():
            row = row + 0  # into memory, with one zero instead of two
            yield Sighting(index, when, _digest([row[trained]]), _digest(_sorted(row, zoo.layout)))


def _vectors(zoo: Zoo) -> Iterator[tuple[int, str, np.ndarray]]:
    parts = [part for split in zoo.parts.values() for part in split]
    for part in parts:
        for index, row in zip(part.columns["index"], part.weights, strict=True):
            yield int(index), "", row
    for part in parts:
        if part.trajectory is not None:
            for index, points in zip(part.columns["index"], part.trajectory, strict=True):
                for epoch, row in zip(zoo.spec.trajectory, points, strict=True):
                    yield int(index), f" after epoch {epoch}", row


def _sorted(row: Float[np.ndarray, " weight"], layout: Layout) -> Iterator[np.ndarray]:
    return (np.sort(row[entry.slice]) for entry in layout)


def _digest(arrays: Iterable[np.ndarray]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()
