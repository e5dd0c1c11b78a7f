"""metazoo's metanets: weights -> prediction. One file a metanet, one line a metanet in the table."""

from metanets.fit import by_gradient
from metanets.inputs.statistics import statistics
from metanets.inputs.vector import flat
from metanets.metanet import Examples, Fitted, Metanet, Training
from metanets.table import METANETS

__all__ = ["METANETS", "Examples", "Fitted", "Metanet", "Training", "by_gradient", "flat", "statistics"]
