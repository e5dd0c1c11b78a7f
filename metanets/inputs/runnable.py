"""Nets as what can be run: for metanets that choose themselves what nets are to answer to."""

from jaxtyping import Float
from torch import Tensor

from zoo import Nets
from zoo.nets.architectures import architecture_of

IMAGE = "image"  # beside the names of tensors, each of which has an ending
GATE = "gate "  # before the name of a nonlinearity


def runnable(nets: Nets) -> dict[str, Float[Tensor, "net ..."]]:
    """Each tensor of the whole nets by name; and what else there must be to run them, without memory of its own.

    By IMAGE [net, channel, height, width], of zeros: it says by its shape what the nets are run on. By GATE and a place
    the fixed matrix of sigma-asymmetric nets there, for each net the same. Raises ValueError where nets cannot be run.
    """
    if architecture_of(nets.layout) is None or nets.image is None:
        raise ValueError(
            "these nets cannot be run, and this input is for metanets that run them: their architecture is not one of this "
            "package's, or their images unknown; take a metanet that reads weights"
        )
    gates = {f"{GATE}{place}": matrix.expand(len(nets), -1, -1) for place, matrix in (nets.gate or {}).items()}
    size = nets.weights.new_zeros(1).expand(len(nets), *nets.image)
    return nets.tensors() | gates | {IMAGE: size}
