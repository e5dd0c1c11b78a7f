"""The table of families: what sets a kind of net apart from the standard one of the same architecture and recipe."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What sets a family apart from the standard net of the same architecture and recipe."""

    text: str  # what that is, as the card of a release says it
    width: float = 1.0  # multiplies the spec's width
    masked: bool = False  # W-asymmetric: some entries fixed
    gated: bool = False  # sigma-asymmetric: nonlinearities with fixed matrices
    init: str = "kaiming_normal"  # what `init = "paper"` means


FAMILIES = {
    "standard": Family("every weight is trained"),
    "w_asymmetric": Family(
        "some weights are fixed at random values, the same in all nets, which removes permutation symmetries",
        masked=True,
        init="kaiming_uniform",  # the paper's official code, section 2 of its zoo
    ),
    "sigma_asymmetric": Family("each ReLU is x * sigmoid(F x), with the same fixed matrices F in all nets", gated=True),
    "smaller": Family(
        "every weight is trained; 0.875 times as wide, so about as many weights as W-asymmetric nets train", width=0.875
    ),
}
