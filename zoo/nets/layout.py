"""How a net's weights lie in one flat vector: the layout of named tensors."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import prod
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One tensor of a net: `shape` values in row-major order from `offset` on in the flat vector.

    `role` is `conv`, `scale` or `shift` (of a norm), `linear` or `bias`; in imported nets also `statistic` (of a norm) or
    `gate` (the fixed matrix of a nonlinearity), which are not trained. The other fields say what acts on it without changing
    what a net without fixed entries computes; they are empty, or have a word or None for each axis:

    - `axes`: the channel space that the axis runs over. Permuting one space on every axis that names it is a symmetry.
    - `scales`: `"S"` where the numbers a of the scale space S multiply the axis channel by channel, `"/S"` where they
      divide it. A layout in which no entry has `scales`, `mixes` or `sized` follows `zoo.symmetry.group.by_norms`.
    - `mixes`: `"M"` where an invertible matrix A of the space M acts along the axis, `"/M"` where its inverse transpose
      does: a matrix for each index of the entry's first axis but one that is mixed, such as the heads of attention.
    - `sized`: a name. All tensors of one name may be multiplied by one positive number, since a norm that has no
      other input stands right behind them (exact but for the norm's epsilon).
    """

    name: str
    shape: tuple[int, ...]
    offset: int
    role: str
    axes: tuple[str | None, ...]
    scales: tuple[str | None, ...] = ()
    mixes: tuple[str | None, ...] = ()
    sized: str = ""

    @property
    def size(self) -> int:
        """The number of scalars in the tensor."""
        return prod(self.shape)

    @property
    def slice(self) -> slice:
        """Where the tensor stands in the flat vector."""
        return slice(self.offset, self.offset + self.size)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, without the fields that say nothing."""
        return {name: value for name, value in asdict(self).items() if value not in ((), "") or name in ("shape", "axes")}


Layout = tuple[Entry, ...]
Shapes = dict[str, tuple[int, ...]]  # of each tensor, by name
Taps = dict[str, list[Any]]  # channel space -> activations [net, channel, sample] at each place that writes it


def from_shapes(tensors: Iterable[tuple[Any, ...]]) -> Layout:
    """Lays (name, shape, role, axes, and what else an Entry has) one after the other."""
    entries, offset = [], 0
    for name, shape, role, axes, *acting in tensors:
        entries.append(Entry(name, shape, offset, role, axes, *acting))
        offset += prod(shape)
    return tuple(entries)


def from_json(values: list[dict[str, Any]]) -> Layout:
    """The layout that these JSON objects are. Raises TypeError or KeyError where they are none."""
    lists = ("shape", "axes", "scales", "mixes")
    fields: list[dict[str, Any]] = [{n: tuple(v) if n in lists else v for n, v in value.items()} for value in values]
    return tuple(Entry(**given) for given in fields)


def shapes_in(layout: Layout) -> Shapes:
    """The shape of each tensor of a layout."""
    return {entry.name: entry.shape for entry in layout}


def total(layout: Layout) -> int:
    """The number of scalars in a net."""
    return layout[-1].offset + layout[-1].size


def views(weights: Any, layout: Layout) -> dict[str, Any]:
    """Each tensor by name, without copying: [net, weight] -> {name: [net, *shape]}; for numpy and torch alike."""
    return {entry.name: weights[:, entry.slice].reshape(-1, *entry.shape) for entry in layout}
