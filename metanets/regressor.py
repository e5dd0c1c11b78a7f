"""Regressors of scikit-learn's kind as metanets."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import clone

from metanets.fit import validation_r2
from metanets.metanet import Examples, Fitted, Training
from metanets.mistakes import MistakeError, mistakes_named


def by_regressor(regressor: Any) -> Any:
    """A metanet's `fit` from a regressor, class or object: fitted anew on the training nets for each seed.

    A seed is its `random_state`, where it has one. Nothing is chosen on validation. What it reads must be a Tensor; it gets
    a row a net, in float64. Raises MistakeError where it fails.
    """

    def fit(
        train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
    ) -> Fitted:
        with mistakes_named():
            model = regressor() if isinstance(regressor, type) else clone(regressor)
            if hasattr(model, "get_params") and "random_state" in model.get_params():
                model.set_params(random_state=seed)
            model.fit(_rows(train.features), train.target)
            predicted = _predicted(model, validation.features)
        return Fitted(
            lambda features: _predicted(model, features),
            None,
            {"validation_r2": validation_r2(validation.target, predicted)},
        )

    return fit


def _rows(features: Any) -> Float[np.ndarray, "net feature"]:
    return features.flatten(1).double().numpy()


def _predicted(model: Any, features: Any) -> Float[np.ndarray, " net"]:
    with mistakes_named():
        found = np.asarray(model.predict(_rows(features)), np.float64)
        if found.shape != (len(features),):
            raise MistakeError(
                f"predict returned shape {[*found.shape]} for {len(features)} nets; expected [{len(features)}]"
            )
        return found
