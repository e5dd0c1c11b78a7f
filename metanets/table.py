"""The table of metanets: one line a metanet."""

from metanets.baselines import fit_mean, fit_ridge, fit_trees
from metanets.deepsets import DeepSets
from metanets.dmc.dmc import DMC
from metanets.fit import by_gradient
from metanets.inputs.distribution import distribution
from metanets.inputs.hyper_parameters import hyper_parameters, nothing
from metanets.inputs.statistics import statistics
from metanets.inputs.vector import flat
from metanets.metanet import Metanet
from metanets.mlp import MLP
from metanets.statnn import StatNN

METANETS = {
    "mlp": Metanet(flat, by_gradient(MLP), trained_by_gradient=True),
    "dmc": Metanet(flat, by_gradient(DMC), trained_by_gradient=True),
    "deepsets": Metanet(distribution, by_gradient(DeepSets), trained_by_gradient=True, cached=True),
    "statnn": Metanet(statistics, by_gradient(StatNN), trained_by_gradient=True, cached=True),
    "mean": Metanet(nothing, fit_mean, baseline=True),
    "trees_hyper_parameters": Metanet(hyper_parameters, fit_trees, baseline=True),
    "trees_statistics": Metanet(statistics, fit_trees, baseline=True, cached=True),
    "ridge": Metanet(flat, fit_ridge, baseline=True),
}
