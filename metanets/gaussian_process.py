"""A Gaussian process on hyper-parameters: smooth where trees are steps, and it goes on beyond the nets it was fitted to."""

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from torch import Tensor

from metanets.baselines import check_tensors
from metanets.fit import validation_r2
from metanets.metanet import Examples, Fit, Fitted, Predict, Training
from metanets.mistakes import MistakeError
from zoo.nets.layout import Layout

MOST = 1024  # nets to fit on: time grows with their third power, and accuracy hardly any more
SCALES = (1e-2, 1e3)  # of a number, in its standard deviations: the last says that it does not matter
NOISE = 0.1  # of the target's variance, to begin with


def fit_gaussian_process(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Gaussian process regression with a length scale for each number and noise (Rasmussen and Williams 2006, sections 2.2
    and 5.1), which maximise the likelihood of the training nets. Smooth where trees are steps, and deterministic.

    It is fitted to the first MOST. Numbers that are positive in all of these are read as logarithms, since rates vary
    by factors; all are standardised, one that is missing is as their mean, and those that are the same in all are left out.
    """
    raw, target = train.features[:MOST].double().numpy(), train.target[:MOST]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a number that all nets lack
        positive = np.nanmin(raw, axis=0) > 0
        numbers = _logarithms(raw, positive)
        centre, spread = np.nan_to_num(np.nanmean(numbers, axis=0)), np.nan_to_num(np.nanstd(numbers, axis=0))
    spread[spread <= 1e-9 * np.abs(centre)] = 0.0  # the same in all
    known = _scaled(numbers, centre, spread)
    mean, deviation = float(target.mean()), float(target.std())
    if spread.any() and deviation > 0:
        kernel = ConstantKernel() * RBF(np.ones(known.shape[1]), SCALES) + WhiteKernel(NOISE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a number that does not matter ends at its bound
            process = GaussianProcessRegressor(kernel).fit(known, (target - mean) / deviation)
        found = process.kernel_.k1
        scales, weights = found.k2.length_scale, process.alpha_ * found.k1.constant_value * deviation
    else:
        scales, weights = np.ones(known.shape[1]), np.zeros(len(known))
    arrays = {
        "positive": positive.astype(np.float64),
        "centre": centre,
        "spread": spread,
        "known": known / scales,
        "scales": np.atleast_1d(scales),
        "weights": weights,
        "mean": np.array([mean]),
    }
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    predict = restored_gaussian_process(tensors, ())
    scored = validation_r2(validation.target, predict(validation.features))
    return Fitted(predict, parameters=None, chosen={"validation_r2": scored}, tensors=lambda: tensors)


def restored_gaussian_process(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts by these tensors: a sum over the known nets. Raises ValueError where they do not belong together."""
    numbers = tensors["centre"].numel() if "centre" in tensors else 0
    kept = int((tensors["spread"] != 0).sum()) if "spread" in tensors else 0
    nets = tensors["weights"].numel() if "weights" in tensors else 0
    shapes = {
        "positive": (numbers,),
        "centre": (numbers,),
        "spread": (numbers,),
        "known": (nets, kept),
        "scales": (kept,),
        "weights": (nets,),
        "mean": (1,),
    }
    check_tensors(tensors, shapes)
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ValueError("its tensors have numbers that are not finite")
    positive, centre, spread, known, scales, weights, mean = (tensors[name].numpy() for name in shapes)

    def predict(features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
        if features.shape[1] != numbers:
            raise MistakeError(f"these nets have {features.shape[1]} hyper-parameters; it was fitted on {numbers}")
        own = _scaled(_logarithms(features.double().numpy(), positive != 0), centre, spread) / scales
        return mean + (np.exp(-cdist(own, known, "sqeuclidean") / 2) * weights).sum(axis=1)

    return predict


def _logarithms(raw: Float[np.ndarray, "net number"], positive: np.ndarray) -> Float[np.ndarray, "net number"]:
    """The numbers, those that are `positive` as logarithms; what is not, beyond, is as the smallest there is."""
    return np.where(positive, np.log(np.maximum(raw, np.finfo(np.float32).tiny)), raw)


def _scaled(
    numbers: Float[np.ndarray, "net number"], centre: Float[np.ndarray, " number"], spread: Float[np.ndarray, " number"]
) -> Float[np.ndarray, "net kept"]:
    kept = spread != 0
    scaled = (numbers[:, kept] - centre[kept]) / spread[kept]
    return np.where(np.isnan(scaled), 0.0, scaled)


GAUSSIAN_PROCESS = Fit(fit_gaussian_process, restored_gaussian_process)
