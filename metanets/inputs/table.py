"""The table of inputs: what a metanet can read of nets. One line an input."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Int
from torch import Tensor

from metanets.inputs.batch import Batch
from metanets.inputs.canonical import canonical_nets, split, with_sizes
from metanets.inputs.distribution import distribution
from metanets.inputs.hyper_parameters import hyper_parameters, nothing
from metanets.inputs.pairs import as_one, both, distances, sum_and_difference
from metanets.inputs.statistics import statistics
from metanets.inputs.tensors import tensors
from metanets.inputs.vector import flat
from zoo import Nets
from zoo.messages import choose


@dataclass(frozen=True)
class Input:
    """A way to read nets: `read` gives a batch, a row a net.

    `whole` inputs need every entry of the nets, fixed ones included, whatever is asked for. What is `cached` follows from
    the weights alone, is a Tensor, and takes long enough to be kept beside the zoo. `mark` is one of `canonical.MARKS` where
    nets are read in canonical form. `pair` makes what is read of two nets into what is read of the pair; with `only_pairs`
    the input says nothing of a single net. What is `closed` has a meaning for each place, and nothing is put behind it.
    """

    read: Callable[[Nets], Batch]
    whole: bool = False
    cached: bool = False
    mark: str = ""
    pair: Callable[[Batch, Batch], Batch] = sum_and_difference
    only_pairs: bool = False
    closed: bool = False

    def of(self, nets: Nets) -> Batch:
        """What it reads of these nets. Raises ValueError as `canonical_nets` and `with_sizes` do."""
        if not self.mark:
            return self.read(nets)
        if self.closed and self.mark.endswith("+sizes"):
            raise ValueError("nothing can be put behind this input; take +canonical alone")
        found = self.read(canonical_nets(nets))
        return with_sizes(found, nets) if self.mark.endswith("+sizes") else found

    def of_pairs(self, features: Batch, pairs: Int[Tensor, "pair 2"]) -> Batch:
        """What is read of pairs of nets, of which `pairs` has the rows in `features`."""
        return self.pair(*both(features, pairs))


INPUTS = {
    "vector": Input(flat),
    "statistics": Input(statistics, cached=True),
    "distribution": Input(distribution, cached=True, pair=as_one, closed=True),
    "tensors": Input(tensors, whole=True),
    "hyper_parameters": Input(hyper_parameters),
    "nothing": Input(nothing),
    "distance": Input(flat, pair=distances, only_pairs=True),
}


def input_named(name: str) -> Input:
    """The input of that name in INPUTS, with its mark. Raises ValueError naming the nearest where there is none."""
    plain, mark = split(name)
    return replace(choose(INPUTS, plain, "input"), mark=mark)
