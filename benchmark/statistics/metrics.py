"""How well predictions fit: each metric a function of (true, predicted), and what its edge cases mean."""

import math

import numpy as np
from jaxtyping import Float
from scipy.stats import kendalltau, spearmanr

Values = Float[np.ndarray, " net"]


def r2(true: Values, predicted: Values) -> float:
    """1 - SSE / SST: at most 1, and 0 for predicting the mean. NaN where `true` is constant: undefined, not perfect."""
    total = np.sum((true - true.mean()) ** 2)
    return float("nan") if total == 0 else float(1 - np.sum((true - predicted) ** 2) / total)


def r2_of_rows(
    true: Float[np.ndarray, "... net"], predicted: Float[np.ndarray, "row ... net"]
) -> Float[np.ndarray, "row ..."]:
    """`r2` of each row of predictions, on each draw of nets, at once: the same numbers, many times as fast."""
    return r2_of_squares(true, (true - predicted) ** 2)


def r2_of_squares(
    true: Float[np.ndarray, "... net"], squares: Float[np.ndarray, "row ... net"]
) -> Float[np.ndarray, "row ..."]:
    """`r2_of_rows`, from the squared errors of the predictions."""
    total = np.sum((true - true.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    errors = np.sum(squares, axis=-1)
    return 1 - np.divide(errors, total, out=np.full_like(errors, np.nan), where=total != 0)


def kendall_tau(true: Values, predicted: Values) -> float:
    """Kendall's tau-b (Kendall 1945), which corrects for ties: accuracies are counts of images, so ties are real.

    0 where the prediction is constant, which ranks nothing; NaN where `true` is.
    """
    if is_constant(true):
        return float("nan")
    return 0.0 if is_constant(predicted) else float(kendalltau(true, predicted).statistic)


def spearman(true: Values, predicted: Values) -> float:
    """Spearman's rho (Spearman 1904): the correlation of the ranks, where ties share their mean rank.

    0 where the prediction is constant, which ranks nothing; NaN where `true` is.
    """
    if is_constant(true):
        return float("nan")
    return 0.0 if is_constant(predicted) else float(spearmanr(true, predicted).statistic)


def mean_absolute_error(true: Values, predicted: Values) -> float:
    """The mean distance, in the target's units."""
    return float(np.mean(np.abs(true - predicted)))


def worst_decile(true: Values, predicted: Values) -> float:
    """The mean distance over the tenth of the nets that is predicted worst, rounded up to a net; in the target's units."""
    distances = np.sort(np.abs(true - predicted))
    return float(np.mean(distances[-math.ceil(len(distances) / 10) :]))


def recalibrated_r2(
    true: Values,
    predicted: Values,
    *,
    validation_true: Float[np.ndarray, " validation"],
    validation_predicted: Float[np.ndarray, " validation"],
) -> float:
    """R² after the least-squares line from prediction to target that is fitted on the validation nets alone.

    Far above `r2` where a metanet orders the nets well and gets their scale wrong. The same for every prediction
    a + b * `predicted` with b != 0, on both splits. A constant validation prediction has slope 0: every net is then
    predicted as the validation mean. NaN where `true` is constant, and below 0 where the line misleads.
    """
    centre, distances = validation_true.mean(), validation_predicted - validation_predicted.mean()
    slope = 0.0 if is_constant(validation_predicted) else distances @ (validation_true - centre) / (distances @ distances)
    return r2(true, centre + slope * (predicted - validation_predicted.mean()))


def is_constant(values: Values) -> bool:
    """Whether all values are equal."""
    return bool(np.ptp(values) == 0)


METRICS = {
    "r2": r2,
    "tau": kendall_tau,
    "spearman": spearman,
    "mae": mean_absolute_error,
    "worst_decile": worst_decile,
}


def scores(true: Values, predicted: Float[np.ndarray, "..."]) -> dict[str, float]:
    """Every metric by name. Raises ValueError unless there is one finite prediction a net: none is imputed."""
    if np.shape(predicted) != np.shape(true):
        raise ValueError(f"expected a prediction for each of {len(true)} nets, found shape {np.shape(predicted)}")
    if not np.isfinite(predicted).all():
        count = int((~np.isfinite(predicted)).sum())
        raise ValueError(f"{count} of {len(predicted)} predictions are not finite; expected a number for each net")
    return {name: metric(true, predicted) for name, metric in METRICS.items()}
