"""Baselines: controls that any metanet must beat, by scikit-learn; whatever is chosen is chosen on validation."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

from metanets.fit import PREDICTED_AT_ONCE, validation_r2
from metanets.metanet import Examples, Fit, Fitted, Predict, Training
from metanets.mistakes import MistakeError
from zoo.nets.layout import Layout

TREES, RATE = 400, 0.05  # at most so many trees; the number is chosen on validation
LEAVES = (5, 20)  # smallest number of nets in a leaf: small zoos need small leaves
COLUMNS_AT_ONCE = 4096  # weights
ALPHAS = tuple(10.0**power for power in range(-4, 5))  # ridge's penalty, times the mean squared norm of a net


def fit_mean(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Predicts the mean of the training nets for every net."""
    mean = float(train.target.mean())
    tensors = {"mean": torch.tensor([mean], dtype=torch.float64)}
    return Fitted(predict=lambda features: np.full(len(features), mean), parameters=1, tensors=lambda: tensors)


def restored_mean(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts that mean. Raises ValueError where the tensors are not one number."""
    check_tensors(tensors, {"mean": (1,)})
    return lambda features: np.full(len(features), float(tensors["mean"]))


def fit_trees(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Gradient-boosted trees (Friedman 2001); their number and the size of their leaves are chosen on validation.

    Ke et al. 2017's histogram method in scikit-learn. The seed draws the features that each split may use.
    """
    inputs, held = train.features.numpy(), validation.features.numpy()
    runs = []
    for leaf in LEAVES if chosen is None else (chosen["smallest_leaf"],):
        trees = HistGradientBoostingRegressor(
            learning_rate=RATE,
            max_iter=TREES,
            min_samples_leaf=leaf,
            max_features=0.5,
            early_stopping=False,
            random_state=seed,
        ).fit(inputs, train.target)
        scores = [validation_r2(validation.target, predicted) for predicted in trees.staged_predict(held)]
        runs.append((max(scores), int(np.argmax(scores)) + 1, leaf, trees))
    best, count, leaf, trees = max(runs, key=lambda run: run[0])

    def predict(features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
        return next(islice(trees.staged_predict(features.numpy()), count - 1, None))

    return Fitted(predict, parameters=None, chosen={"trees": count, "smallest_leaf": leaf, "validation_r2": best})


def fit_ridge(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Linear regression on all weights with a squared penalty chosen on validation.

    Solved for the nets instead of the weights (kernel form), since there are far fewer nets. Deterministic.
    """
    inputs, offset = train.features, float(train.target.mean())
    centre = torch.cat([part.double().mean(dim=0) for part in inputs.split(COLUMNS_AT_ONCE, dim=1)])
    kernel = _centred_products(inputs, inputs, centre).numpy()
    scale = float(np.trace(kernel)) / len(kernel) or 1.0
    held = _centred_products(validation.features, inputs, centre).numpy()
    runs = []
    for alpha in ALPHAS:
        model = KernelRidge(alpha=alpha * scale, kernel="precomputed").fit(kernel, train.target - offset)
        runs.append((validation_r2(validation.target, model.predict(held) + offset), alpha, model))
    best, alpha, model = max(runs, key=lambda run: run[0])
    dual = torch.from_numpy(model.dual_coef_)
    weights = torch.cat([(part.double() - at).T @ dual for part, at in _columns(inputs, centre)])

    tensors = {"centre": centre, "weights": weights, "offset": torch.tensor([offset], dtype=torch.float64)}
    return Fitted(
        restored_ridge(tensors, ()),
        parameters=len(weights) + 1,
        chosen={"alpha": alpha, "validation_r2": best},
        tensors=lambda: tensors,
    )


def restored_ridge(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts by these weights. Raises ValueError where the tensors are not such, or not as many as a net has."""
    numbers = tensors["weights"].numel() if "weights" in tensors else 0
    check_tensors(tensors, {"centre": (numbers,), "weights": (numbers,), "offset": (1,)})
    centre, weights, offset = (tensors[name] for name in ("centre", "weights", "offset"))

    def predict(features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
        if features.shape[1] != numbers:
            raise MistakeError(f"these nets have {features.shape[1]} weights; it was fitted on {numbers}")
        parts = [(part.double() - centre) @ weights for part in features.split(PREDICTED_AT_ONCE)]
        return torch.cat(parts).numpy() + float(offset)

    return predict


def check_tensors(tensors: dict[str, Tensor], shapes: dict[str, tuple[int, ...]]) -> None:
    """Raises ValueError where the tensors are not of these names and shapes, in float64."""
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor.dtype == torch.float64}
    if tensors.keys() != shapes.keys() or found != shapes:
        raise ValueError(f"its tensors are {', '.join(tensors)}; expected {shapes} in float64")


def _columns(inputs: Float[Tensor, "net feature"], centre: Float[Tensor, " feature"]) -> Iterator[tuple[Tensor, Tensor]]:
    """Some columns after the other, with their centres: what is computed in float64 must not double the memory."""
    yield from zip(inputs.split(COLUMNS_AT_ONCE, dim=1), centre.split(COLUMNS_AT_ONCE), strict=True)


def _centred_products(
    some: Float[Tensor, "some feature"], others: Float[Tensor, "other feature"], centre: Float[Tensor, " feature"]
) -> Float[Tensor, "some other"]:
    """The inner products of all pairs, after `centre` is taken from both."""
    products = torch.zeros(len(some), len(others), dtype=torch.float64)
    for (part, at), (other, _) in zip(_columns(some, centre), _columns(others, centre), strict=True):
        products += (part.double() - at) @ (other.double() - at).T
    return products


MEAN, RIDGE = Fit(fit_mean, restored_mean), Fit(fit_ridge, restored_ridge)
