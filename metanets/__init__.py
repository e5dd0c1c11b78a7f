"""metazoo's metanets: weights -> prediction. One file a metanet, one line a metanet in the table."""

from functools import partial
from typing import Any

from metanets import estimators
from metanets.estimator import Estimator, load_model
from metanets.fit import by_gradient
from metanets.inputs.statistics import statistics
from metanets.inputs.vector import flat
from metanets.metanet import Examples, Fit, Fitted, Metanet, Training
from metanets.table import METANETS

__all__ = [
    "METANETS",
    "Estimator",
    "Examples",
    "Fit",
    "Fitted",
    "Metanet",
    "Training",
    "by_gradient",
    "flat",
    "load_model",
    "statistics",
]


def __getattr__(name: str) -> Any:
    """An estimator of the suite by the name of its class, such as `StatNN`."""
    found = getattr(estimators, name, None)
    if not isinstance(found, partial):
        raise AttributeError(f"module 'metanets' has no attribute {name!r}")
    return found
