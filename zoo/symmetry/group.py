"""What a layout's symmetries are: its channel spaces, and which of them are free."""

from functools import cache

from jaxtyping import Bool
from torch import Tensor

from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import Layout

Spaces = dict[str, int]  # channel space -> its number of channels
Structure = tuple[tuple[str, str, tuple[str | None, ...]], ...]  # each tensor's name, role and axes, whatever the sizes


def check_known(layout: Layout) -> None:
    """Raises ValueError where the symmetries of nets with this layout are not known.

    They are known of this package's own architectures, at any width, where tests show that they move no logit. What a
    layout says of another net is not enough: it does not tell where norms stand, nor which nonlinearity there is.
    """
    spaces = {(space, size) for entry in layout for space, size in zip(entry.axes, entry.shape, strict=True) if space}
    one_size = len(spaces) == len({space for space, _ in spaces})
    if not one_size or _structure(layout) not in _known():
        raise ValueError(
            f"the symmetries of these nets are not known: their {len(layout)} tensors are not those of this package's own "
            f"{' or '.join(ARCHITECTURES)} nets, the only ones that are tested; take a zoo of these"
        )


def _structure(layout: Layout) -> Structure:
    return tuple((entry.name, entry.role, entry.axes) for entry in layout)


@cache
def _known() -> frozenset[Structure]:
    """What the architectures' layouts have in common at all widths, channels and classes."""
    return frozenset(_structure(kind.layout(width=1.0, channels=3, classes=10)) for kind in ARCHITECTURES.values())


def free_spaces(layout: Layout, trained: Bool[Tensor, " weight"], *, gated: bool = False) -> Spaces:
    """The channel spaces that have both symmetries: those on no tensor with an entry that is not trained.

    Fixed entries are the same in all nets and stay where they are, so they tie the channels that they join; so do the
    fixed matrices of gated (sigma-asymmetric) nets, which leave no space free. Raises ValueError as `check_known` does.
    """
    check_known(layout)
    if gated:
        return {}
    named = {space: size for entry in layout for space, size in zip(entry.axes, entry.shape, strict=True) if space}
    tied = {space for entry in layout if not trained[entry.slice].all() for space in entry.axes}
    return {space: size for space, size in named.items() if space not in tied}


def free_spaces_of(net: Blueprint) -> Spaces:
    """The free channel spaces of a zoo's nets. Raises ValueError too where this package cannot run the nets."""
    if net.architecture is None:
        raise ValueError("the symmetries of these nets are not known: their architecture is not one of this package's")
    return free_spaces(net.layout, net.trained, gated=net.gate is not None)
