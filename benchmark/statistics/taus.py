"""Kendall's tau-b of many predictions on many resamples at once: w'Sw, with S the signs of the differences of all pairs."""

from math import nan

import numpy as np
from jaxtyping import Float, Int

from benchmark.statistics.metrics import Values

Weights = Float[np.ndarray, "_resample _net"]
Rows = Float[np.ndarray, "_row _net"]


def taus(
    weights: Weights, true: Values, predicted: Rows, within: Int[np.ndarray, " _"] | None = None
) -> Float[np.ndarray, "_resample _row"]:
    """Tau-b of each row on nets with weights, how often each is there: the same numbers as of nets one by one.

    Two copies of a net are tied. With `within` only pairs of nets in one stratum count, of those numbered from 0. 0 where
    nothing is ranked, NaN where `true` ranks nothing. The memory is that of a matrix of the nets of a stratum.
    """
    within = np.zeros(len(true), np.int64) if within is None else within
    agree, untied, ranked = np.zeros((3, len(weights), len(predicted)))
    for stratum in range(within.max() + 1):
        some = within == stratum
        drawn, signs = weights[:, some], _signs(true[some])
        untied += _untied(drawn, signs)[:, None]
        for row, values in enumerate(predicted[:, some]):
            order = _signs(values)
            agree[:, row] += _pairs(drawn, signs * order)
            ranked[:, row] += _untied(drawn, order)
    with np.errstate(all="ignore"):
        found = np.where(ranked > 0, agree / np.sqrt(untied * ranked), 0.0)
        return np.where(untied > 0, found, nan)


def _signs(values: Values) -> Float[np.ndarray, "net net"]:
    """The signs of all differences: of ranks, since those of enormous values overflow."""
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    return np.sign(ranks[:, None] - ranks)


def _pairs(weights: Weights, of: Float[np.ndarray, "_net _net"]) -> Float[np.ndarray, " _resample"]:
    return ((weights @ of) * weights).sum(axis=1)


def _untied(weights: Weights, signs: Float[np.ndarray, "_net _net"]) -> Float[np.ndarray, " _resample"]:
    """How many pairs of nets are not tied, twice; where no two nets are, those of nets that are not one and the same."""
    if np.count_nonzero(signs) == len(signs) * (len(signs) - 1):
        return weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    return _pairs(weights, np.abs(signs))
