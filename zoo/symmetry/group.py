"""The group of a zoo's nets: what changes their weights and nothing that they compute, read off their layout."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaxtyping import Bool
from torch import Tensor

from zoo.nets.architectures import ARCHITECTURES, architecture_of
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import Entry, Layout

Spaces = dict[str, int]  # a space's name -> its number of channels
KINDS = ("permutation", "scale", "mix", "size")


@dataclass(frozen=True)
class Group:
    """What may act on nets without changing what they compute, in words of `Entry`.

    `orders`: channel space -> channels, whose order is free. `scales`: scale space -> channels, each of which has a
    positive number. `mixes`: space -> (heads, k), an invertible k x k matrix for each head. `sizes`: names of tensors that
    a positive number multiplies. Where a mask or gates tie a space, it is not there.
    """

    orders: Spaces
    scales: Spaces
    mixes: dict[str, tuple[int, int]]
    sizes: tuple[str, ...]

    def only(self, kinds: tuple[str, ...]) -> "Group":
        """The part of it of these KINDS. Raises ValueError where there is no such kind."""
        if unknown := set(kinds) - set(KINDS):
            raise ValueError(f"unknown kind of symmetry {', '.join(sorted(unknown))} (known: {', '.join(KINDS)})")
        return Group(
            self.orders if "permutation" in kinds else {},
            self.scales if "scale" in kinds else {},
            self.mixes if "mix" in kinds else {},
            self.sizes if "size" in kinds else (),
        )

    @property
    def dimension(self) -> int:
        """Of its continuous part: a number a scale and size, k x k of a mix and head."""
        return sum(self.scales.values()) + sum(heads * k * k for heads, k in self.mixes.values()) + len(self.sizes)

    def __bool__(self) -> bool:
        return bool(self.orders or self.scales or self.mixes or self.sizes)


def group_of(net: Blueprint) -> Group:
    """The group of nets with this blueprint: what its layout names, but for what masks and gates tie.

    An entry that is not trained is the same in all nets and stays where it is; so do the fixed matrices of gated
    (sigma-asymmetric) nets, which leave the sizes alone. Raises ValueError as `check_known` does, and where this package
    cannot run the nets.
    """
    if net.architecture is None:
        raise ValueError("the symmetries of these nets are not known: their architecture is not one of this package's")
    check_known(net.layout)
    return masked(acting(net.layout), net.trained, gated=net.gate is not None)


def known_group(net: Blueprint) -> Group | None:
    """As `group_of`; None where it is not known."""
    try:
        return group_of(net)
    except ValueError:
        return None


def check_known(layout: Layout) -> None:
    """Raises ValueError where the symmetries of nets with this layout are not known.

    They are known of this package's own architectures, of any sizes, where tests show that they move no logit. What a
    layout says of another net is not enough: it does not tell where norms stand, nor which nonlinearity there is.
    """
    if architecture_of(layout) is None:
        raise ValueError(
            f"the symmetries of these nets are not known: their {len(layout)} tensors are not those of this package's own "
            f"{' or '.join(ARCHITECTURES)} nets, the only ones that are tested; take a zoo of these"
        )


def masked(layout: Layout, trained: Bool[Tensor, " weight"], *, gated: bool = False) -> Group:
    """The group of this layout, whose entries say all that acts on them, where only these entries are trained."""
    orders, scales, mixes, sizes = Spaces(), Spaces(), dict[str, tuple[int, int]](), dict[str, None]()
    tied = set[tuple[str, str]]()
    for entry in layout:
        for space, length in zip(entry.axes, entry.shape, strict=True):
            orders |= {space: length} if space else {}
        for space, _, axis in powers(entry):
            scales[space] = entry.shape[axis]
        for space, _, axis in mixed(entry):
            heads = heads_axis(entry, axis)
            mixes[space] = 1 if heads is None else entry.shape[heads], entry.shape[axis]
        sizes |= {entry.sized: None} if entry.sized else {}
        if not bool(trained[entry.slice].all()):
            tied |= {("order", space) for space in entry.axes if space} | {("size", entry.sized)}
            tied |= {("scale", space) for space, _, _ in powers(entry)} | {("mix", space) for space, _, _ in mixed(entry)}
    if gated:
        return Group({}, {}, {}, tuple(name for name in sizes if ("size", name) not in tied))
    return Group(
        {space: size for space, size in orders.items() if ("order", space) not in tied},
        {space: size for space, size in scales.items() if ("scale", space) not in tied},
        {space: size for space, size in mixes.items() if ("mix", space) not in tied},
        tuple(name for name in sizes if ("size", name) not in tied),
    )


def acting(layout: Layout) -> Layout:
    """The layout with all that acts on it: as it says, or as `by_norms` where it says nothing but axes.

    Raises ValueError as `check_known` does where it says nothing but axes.
    """
    if any(entry.scales or entry.mixes or entry.sized for entry in layout):
        return layout
    check_known(layout)
    return by_norms(layout)


def by_norms(layout: Layout) -> Layout:
    """What acts on the tensors of nets with ReLU, where norms stand right behind the weights that write a space.

    Norms write their space, and what is before a norm is normed away, but for its size; without norms weights and biases
    write. Axis 1 of a weight reads. So are the layouts of ResNet8 zoos, which name no more than axes.
    """
    normed = {space for entry in layout if entry.role == "scale" for space in entry.axes}

    def full(entry: Entry) -> Entry:
        scales: list[str | None] = []
        for axis, space in enumerate(entry.axes):
            writes = axis == 0 and (space not in normed or entry.role in ("scale", "shift"))
            scales.append(None if space is None or axis > 1 else f"/{space}" if axis == 1 else space if writes else None)
        before_norm = entry.role in ("conv", "linear") and entry.axes[0] in normed
        return replace(entry, scales=tuple(scales), sized=entry.name if before_norm else "")

    return tuple(map(full, layout))


def powers(entry: Entry) -> Iterator[tuple[str, int, int]]:
    """The scale spaces that act on a tensor: the space, 1 where it multiplies and -1 where it divides, the axis."""
    for axis, word in enumerate(entry.scales):
        if word:
            yield word.removeprefix("/"), -1 if word.startswith("/") else 1, axis


def mixed(entry: Entry) -> Iterator[tuple[str, int, int]]:
    """The spaces of mixes that act on a tensor: the space, 1 for the matrix and -1 for its inverse transpose, the axis."""
    for axis, word in enumerate(entry.mixes):
        if word:
            yield word.removeprefix("/"), -1 if word.startswith("/") else 1, axis


def heads_axis(entry: Entry, axis: int) -> int | None:
    """The axis of the heads, each with a matrix of its own: the one before the mixed axis, where a space runs over it."""
    return axis - 1 if axis > 0 and entry.axes[axis - 1] is not None else None


def order_of(layout: Layout) -> dict[str, str]:
    """Scale space or mix -> the channel space along which its numbers or matrices lie, where there is one."""
    found: dict[str, str] = {}
    for entry in layout:
        along = [(space, axis) for space, _, axis in powers(entry)]
        along += [(space, heads) for space, _, axis in mixed(entry) if (heads := heads_axis(entry, axis)) is not None]
        found |= {space: name for space, axis in along if (name := entry.axes[axis])}
    return found
