"""The table of metanets: one line a metanet, with what it reads (a name in INPUTS) and how it is fitted."""

from functools import partial

from metanets.baselines import MEAN, RIDGE, fit_trees
from metanets.consensus import CONSENSUS
from metanets.deepsets import DeepSets
from metanets.dmc.dmc import DMC
from metanets.fit import by_gradient
from metanets.forests import EXTRA_TREES
from metanets.gaussian_process import GAUSSIAN_PROCESS
from metanets.graphs.dense import RECIPE as NEURAL_GRAPH
from metanets.graphs.dense import DenseNeuralGraph
from metanets.hybrid import HYBRID
from metanets.inputs.canonical import MARKS, split
from metanets.metanet import Metanet
from metanets.mlp import MLP
from metanets.probe_gen import PROBES_LEARNT
from metanets.probe_gen import RECIPE as PROBE_GEN_RECIPE
from metanets.statnn import StatNN
from metanets.structured.matrix_product import RECIPE
from metanets.structured.mp_gmn import MPGMN
from metanets.structured.mp_scale_gmn import MPScaleGMN
from metanets.structured.nfn import NFN
from metanets.structured.scale_gmn import ScaleGMN
from metanets.structured.set_of_channels import SetOfChannels

METANETS = {
    "mlp": Metanet("vector", by_gradient(MLP), trained_by_gradient=True),
    "dmc": Metanet("vector", by_gradient(DMC), trained_by_gradient=True),
    "deepsets": Metanet("distribution", by_gradient(DeepSets), trained_by_gradient=True),
    "statnn": Metanet("statistics", by_gradient(StatNN), trained_by_gradient=True),
    "probe": Metanet("probes", EXTRA_TREES),
    "probe_and_weights": Metanet("probes_and_invariant", EXTRA_TREES),
    "probe_and_channels": Metanet("probes_and_channels", EXTRA_TREES),
    "probe_gen": Metanet("runnable", PROBES_LEARNT, trained_by_gradient=True, recipe=PROBE_GEN_RECIPE),
    "consensus": Metanet("runnable", CONSENSUS),
    "consensus_and_weights": Metanet("runnable_and_features", CONSENSUS),
    "trees_invariant": Metanet("invariant", EXTRA_TREES),
    "trees_channels": Metanet("channels", EXTRA_TREES),
    "mp_gmn": Metanet("layers", by_gradient(MPGMN), trained_by_gradient=True, recipe=RECIPE),
    "mp_scale_gmn": Metanet("layers", by_gradient(MPScaleGMN), trained_by_gradient=True, recipe=RECIPE),
    "scale_gmn": Metanet("layers", by_gradient(ScaleGMN), trained_by_gradient=True, recipe=RECIPE),
    "nfn": Metanet("layers", by_gradient(NFN), trained_by_gradient=True, recipe=RECIPE),
    "nfn_np": Metanet("layers", by_gradient(partial(NFN, own_axes=False)), trained_by_gradient=True, recipe=RECIPE),
    "set_of_channels": Metanet("layers", by_gradient(SetOfChannels), trained_by_gradient=True, recipe=RECIPE),
    "hybrid": Metanet("layers_and_invariant", HYBRID, trained_by_gradient=True, recipe=RECIPE),
    "neural_graph": Metanet(
        "layers", by_gradient(DenseNeuralGraph), version=2, trained_by_gradient=True, recipe=NEURAL_GRAPH
    ),
    "mean": Metanet("nothing", MEAN, baseline=True),
    "trees_hyper_parameters": Metanet("hyper_parameters", fit_trees, baseline=True),
    "gp_hyper_parameters": Metanet("hyper_parameters", GAUSSIAN_PROCESS, baseline=True),
    "trees_statistics": Metanet("statistics", fit_trees, baseline=True),
    "ridge": Metanet("vector", RIDGE, baseline=True),
    "trees_distance": Metanet("distance", fit_trees, baseline=True),  # of pairs of nets alone
}


RECIPES = ("gp_hyper_parameters", "trees_hyper_parameters")  # what can be told without the weights, the better first


def fitting(*, pairs: bool, sizes: bool = False) -> list[str]:
    """The metanets for tasks on nets, or on pairs of nets; with `sizes` those that take features behind their own."""
    found = {name: metanet.input for name, metanet in METANETS.items()}
    able = {name: read for name, read in found.items() if not (read.pair is None if pairs else read.only_pairs)}
    return [name for name, read in able.items() if not (sizes and read.closed)]


NAMES = (*METANETS, *(f"{name}{mark}" for name in METANETS for mark in MARKS))


def of_the_suite(name: str) -> Metanet | None:
    """The suite's metanet of that name, with or without a mark (`statnn`, `statnn+canonical`); None where there is none."""
    plain, mark = split(name)
    return METANETS[plain].reading(mark) if mark and plain in METANETS else METANETS.get(plain)
