"""The table of families: what sets a kind of net apart from the standard one of the same architecture and recipe."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What sets a family apart from the standard net of the same architecture and recipe."""

    width: float = 1.0  # multiplies the spec's width
    masked: bool = False  # W-asymmetric: some entries fixed
    gated: bool = False  # sigma-asymmetric: nonlinearities with fixed matrices
    init: str = "kaiming_normal"  # what `init = "paper"` means


FAMILIES = {
    "standard": Family(),
    "w_asymmetric": Family(masked=True, init="kaiming_uniform"),  # the paper's official code, section 2 of its zoo
    "sigma_asymmetric": Family(gated=True),
    "smaller": Family(width=0.875),
}
