"""metazoo's metanets: weights -> prediction. One file a metanet, one line a metanet in the table."""

from jaxtyping import Float
from torch import Tensor

from metanets.baselines import fit_mean, fit_ridge, fit_trees
from metanets.deepsets import DeepSets
from metanets.dmc.dmc import DMC
from metanets.fit import by_gradient
from metanets.inputs.distribution import distribution
from metanets.inputs.hyper_parameters import hyper_parameters, nothing
from metanets.inputs.statistics import statistics
from metanets.inputs.vector import flat
from metanets.metanet import Examples, Fitted, Metanet, Training
from metanets.mlp import MLP
from metanets.statnn import StatNN
from zoo import Nets

__all__ = ["METANETS", "Examples", "Fitted", "Metanet", "Training", "by_gradient", "flat", "statistics"]
