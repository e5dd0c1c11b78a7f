"""metazoo's metanets: weights -> prediction. One file a metanet, one line a metanet in the table."""

from jaxtyping import Float
from torch import Tensor

from metanets.deepsets import DeepSets, distribution
from metanets.dmc import DMC
from metanets.fit import by_gradient
from metanets.floors import fit_mean, fit_ridge, fit_trees, hyper_parameters, nothing
from metanets.metanet import Examples, Fitted, Metanet, Training
from metanets.mlp import MLP
from metanets.statnn import StatNN, statistics
from zoo import Nets

__all__ = ["METANETS", "Examples", "Fitted", "Metanet", "Training", "by_gradient", "flat", "statistics"]


def flat(nets: Nets) -> Float[Tensor, "net weight"]:
    """The weights as they are."""
    return nets.weights


METANETS = {
    "mlp": Metanet(flat, by_gradient(MLP), trained_by_gradient=True),
    "dmc": Metanet(flat, by_gradient(DMC), trained_by_gradient=True),
    "deepsets": Metanet(distribution, by_gradient(DeepSets), trained_by_gradient=True, cached=True),
    "statnn": Metanet(statistics, by_gradient(StatNN), trained_by_gradient=True, cached=True),
    "mean": Metanet(nothing, fit_mean, floor=True),
    "trees_hyper_parameters": Metanet(hyper_parameters, fit_trees, floor=True),
    "trees_statistics": Metanet(statistics, fit_trees, floor=True, cached=True),
    "ridge": Metanet(flat, fit_ridge, floor=True),
}
