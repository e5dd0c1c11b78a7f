"""Extremely randomised trees: for features of which there are more than nets."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import ExtraTreesRegressor
from torch import Tensor

from metanets.fit import validation_r2
from metanets.metanet import Examples, Fitted, Training

TREES, SHARE, LEAF = 300, 0.3, 2  # trees; share of the features that a split is chosen from; fewest nets in a leaf


def fit_extra_trees(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel 2006). Nothing is chosen on validation.

    Thresholds are drawn between the smallest and the largest value, so that they lie between values that differ in the last
    bits only by chance.
    """
    trees = ExtraTreesRegressor(TREES, max_features=SHARE, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    trees.fit(train.features.numpy(), train.target)

    def predict(features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
        return np.asarray(trees.predict(features.numpy()), np.float64)

    scored = validation_r2(validation.target, predict(validation.features))
    return Fitted(predict, parameters=None, chosen={"validation_r2": scored})
