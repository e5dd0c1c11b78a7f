"""How a net's weights lie in one flat vector: the layout of named tensors."""

from dataclasses import dataclass
from math import prod
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One tensor of a net: `shape` values in row-major order from `offset` on in the flat vector.

    `role` is `conv`, `scale` or `shift` (of a norm), `linear` or `bias`; in imported nets also `statistic` (of a norm) or
    `gate` (the fixed matrix of a nonlinearity), which are not trained. `axes` names, for each axis, the channel space that
    it runs over (None: not permutable); permuting one space on every axis that names it is a symmetry of a net without
    fixed entries.
    """

    name: str
    shape: tuple[int, ...]
    offset: int
    role: str
    axes: tuple[str | None, ...]

    @property
    def size(self) -> int:
        """The number of scalars in the tensor."""
        return prod(self.shape)

    @property
    def slice(self) -> slice:
        """Where the tensor stands in the flat vector."""
        return slice(self.offset, self.offset + self.size)


Layout = tuple[Entry, ...]


def from_shapes(tensors: list[tuple[str, tuple[int, ...], str, tuple[str | None, ...]]]) -> Layout:
    """Lays (name, shape, role, axes) one after the other."""
    entries, offset = [], 0
    for name, shape, role, axes in tensors:
        entries.append(Entry(name, shape, offset, role, axes))
        offset += prod(shape)
    return tuple(entries)


def total(layout: Layout) -> int:
    """The number of scalars in a net."""
    return layout[-1].offset + layout[-1].size


def views(weights: Any, layout: Layout) -> dict[str, Any]:
    """Each tensor by name, without copying: [net, weight] -> {name: [net, *shape]}; for numpy and torch alike."""
    return {entry.name: weights[:, entry.slice].reshape(-1, *entry.shape) for entry in layout}
