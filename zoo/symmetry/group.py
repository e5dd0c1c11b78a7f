"""What a layout's symmetries are: its channel spaces, and which of them are free."""

from jaxtyping import Bool
from torch import Tensor

from zoo.nets.layout import Layout

Spaces = dict[str, int]  # channel space -> its number of channels


def free_spaces(layout: Layout, trained: Bool[Tensor, " weight"], *, gated: bool = False) -> Spaces:
    """The channel spaces that have both symmetries: those on no tensor with an entry that is not trained.

    Fixed entries are the same in all nets and stay where they are, so they tie the channels that they join; so do the
    fixed matrices of gated (sigma-asymmetric) nets, which leave no space free.
    """
    if gated:
        return {}
    named = {space: size for entry in layout for space, size in zip(entry.axes, entry.shape, strict=True) if space}
    tied = {space for entry in layout if not trained[entry.slice].all() for space in entry.axes}
    return {space: size for space, size in named.items() if space not in tied}
