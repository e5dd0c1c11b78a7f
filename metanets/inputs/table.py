"""The table of inputs: what a metanet can read of nets. One line an input."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from metanets.inputs.batch import Batch
from metanets.inputs.canonical import canonical_nets, split, with_sizes
from metanets.inputs.channels import channels
from metanets.inputs.distribution import distribution
from metanets.inputs.hyper_parameters import hyper_parameters, nothing
from metanets.inputs.invariant import invariant
from metanets.inputs.layers import layers, layers_and_invariant
from metanets.inputs.matrices import quantiles
from metanets.inputs.pairs import as_one, both, distances, sum_and_difference
from metanets.inputs.probes import probes
from metanets.inputs.runnable import runnable, runnable_and_features
from metanets.inputs.statistics import statistics
from metanets.inputs.tensors import tensors
from metanets.inputs.unable import UnableError
from metanets.inputs.vector import flat
from zoo import Nets
from zoo.messages import choose
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.layout import views
from zoo.nets.units import units_of
from zoo.seeds import stream
from zoo.symmetry import act, canonical
from zoo.symmetry.group import acting


@dataclass(frozen=True)
class Input:
    """A way to read nets: `read` gives a batch, a row a net.

    `whole` inputs need every entry of the nets, fixed ones included, whatever is asked for. What is `cached` follows
    from the weights alone, is a Tensor, and takes long enough to be kept beside the zoo. `mark` is one of
    `canonical.MARKS` where nets are read in canonical form. `pair` makes what is read of two nets into what is read of
    the pair (None: it reads no pairs); with `only_pairs` the input says nothing of a single net. What is `closed` has a
    meaning for each place, and nothing is put behind it. What is read tensor `by_name` can be predicted from only for nets
    of the tensors, whatever their sizes, that a metanet was fitted on. What `runs` the nets reads their function, which
    says more than weights do. `parts` are the names of the inputs that stand side by side in it, and are kept one by one.
    `code` are functions of other files that a cached one depends on.
    """

    read: Callable[[Nets], Batch]
    whole: bool = False
    cached: bool = False
    mark: str = ""
    pair: Callable[[Batch, Batch], Batch] | None = sum_and_difference
    only_pairs: bool = False
    closed: bool = False
    by_name: bool = False
    runs: bool = False
    parts: tuple[str, ...] = ()
    code: tuple[Callable[..., object], ...] = ()

    def of(self, nets: Nets) -> Batch:
        """What it reads of these nets. Raises ValueError as `canonical_nets` and `with_sizes` do."""
        if not self.mark:
            return self.read(nets)
        if self.closed and self.mark.endswith("+sizes"):
            raise ValueError("nothing can be put behind this input; take +canonical alone")
        found = self.read(canonical_nets(nets))
        return with_sizes(found, nets) if self.mark.endswith("+sizes") else found

    def of_pairs(self, features: Batch, pairs: Int[Tensor, "pair 2"]) -> Batch:
        """What is read of pairs of nets, given by rows of `features`. Raises UnableError if it reads none."""
        if self.pair is None:
            raise UnableError("this input reads nets one by one, and no pairs of them")
        return self.pair(*both(features, pairs))


def joined(*parts: str) -> Input:
    """These inputs of INPUTS, all of them Tensors, side by side."""

    def read(nets: Nets) -> Float[Tensor, "net feature"]:
        return torch.cat([INPUTS[part].of(nets) for part in parts], dim=1)

    code = [function for part in parts for function in (INPUTS[part].read, *INPUTS[part].code)]
    runs = any(INPUTS[part].runs for part in parts)
    return Input(read, whole=True, cached=True, runs=runs, parts=parts, code=tuple(code))


OF_WEIGHTS: tuple[Callable[..., object], ...] = (
    quantiles,
    units_of,
    views,
    canonical,
    act,
    acting,
)  # what `code` of inputs names
OF_ANSWERS: tuple[Callable[..., object], ...] = (
    quantiles,
    views,
    stream,
    Nets,
    *(kind.forward for kind in ARCHITECTURES.values()),
)

INPUTS = {
    "vector": Input(flat),
    "statistics": Input(statistics, cached=True),
    "distribution": Input(distribution, cached=True, pair=as_one, closed=True),
    "invariant": Input(invariant, whole=True, cached=True, code=OF_WEIGHTS),
    "channels": Input(channels, cached=True, code=OF_WEIGHTS),
    "probes": Input(probes, whole=True, cached=True, runs=True, code=OF_ANSWERS),
    "tensors": Input(tensors, whole=True),
    "layers": Input(layers, whole=True, pair=None, closed=True, by_name=True),
    "layers_and_invariant": Input(layers_and_invariant, whole=True, pair=None, closed=True, by_name=True),
    "runnable": Input(runnable, whole=True, pair=None, closed=True, by_name=True, runs=True),
    "runnable_and_features": Input(runnable_and_features, whole=True, pair=None, closed=True, by_name=True, runs=True),
    "hyper_parameters": Input(hyper_parameters),
    "nothing": Input(nothing),
    "distance": Input(flat, pair=distances, only_pairs=True),
}
INPUTS["probes_and_invariant"] = joined("probes", "invariant")
INPUTS["probes_and_channels"] = joined("probes", "invariant", "channels")


def runs_nets(name: str | None) -> bool:
    """Whether what is read by that name runs the nets; of an input of one's own, None, it is not known and not said."""
    return name is not None and (found := INPUTS.get(split(name)[0])) is not None and found.runs


def input_named(name: str) -> Input:
    """The input of that name in INPUTS, with its mark. Raises ValueError naming the nearest where there is none."""
    plain, mark = split(name)
    return replace(choose(INPUTS, plain, "input"), mark=mark)
