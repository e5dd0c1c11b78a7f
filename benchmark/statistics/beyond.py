"""What a prediction knows beyond a baseline's: a partial R², and a tau among nets that the baseline predicts alike.

Both look at what the least-squares lines through the baseline's prediction leave of the target and of the prediction, on
the same nets. So neither asks for the right scale, as R² does, and a metanet below the baseline may know something beyond.
The skill score 1 - SSE / SSE of the baseline (Murphy 1988) is not used: it is the gain in R² divided by 1 - R² of the
baseline, says nothing new beside the gain, and takes a metanet that knows the recipe badly for one that knows nothing else.

They go beyond what the baseline *made of* the recipe. Where it makes too little of it, some of what is beyond is the recipe
still: on CIFAR nets, a seed of trees on hyper-parameters has an R² of .00 to .02 and a tau of .03 to .05 beyond the mean of
the other seeds.
"""

from math import nan

import numpy as np
from jaxtyping import Float, Int

from benchmark.statistics.intervals import Ends, Predictions, Table, weights_of
from benchmark.statistics.metrics import Values
from benchmark.statistics.taus import Rows, Weights, taus

STRATA, LEAST, MOST = 10, 8, 250  # how many; nets in each, at least and at most
ROUNDING = 1e-12  # of a value: what a line leaves below this is nothing
AT_ONCE = 2**24  # weights of resamples: bounds the memory


def r2_beyond(true: Values, predicted: Values, baseline: Values) -> float:
    """The share of the target's variance that the baseline leaves which the prediction explains, with a sign; -1 to 1.

    It is the coefficient of partial determination, the squared partial correlation of `true` and `predicted` given
    `baseline`, times the sign of that correlation. The square alone has the mean 1 / (nets - 2) where nothing is known; with
    the sign the mean is 0, and the bounds of its interval are those of the correlation's. Below 0 a prediction is wrong
    about what the baseline leaves. 0 where it is constant or the baseline's own, whatever its scale; NaN where the baseline
    leaves nothing to explain, also as `true` is constant. Against a constant baseline it is the plain squared correlation.
    """
    rest, guess = left(true, baseline), left(predicted, baseline)
    if not rest.any():
        return nan
    if not guess.any():
        return 0.0
    r = float(rest / np.linalg.norm(rest) @ (guess / np.linalg.norm(guess)))
    return r * abs(r)


def tau_beyond(true: Values, predicted: Values, baseline: Values) -> float:
    """Kendall's tau-b of what the baseline leaves, over pairs of nets in one stratum of the baseline's prediction; -1 to 1.

    Concordant, discordant and tied pairs are summed over the strata. Strata alone would not do: within a tenth of the nets
    the baseline's own prediction still ranks them (tau .34 on standard CIFAR nets, .44 on W-asymmetric ones); so the lines
    are taken off too. Lines alone would leave what bends. 0 where nothing is ranked, as of a constant or of the baseline's
    own prediction; NaN where the baseline leaves nothing to rank within strata.
    """
    return float(
        taus(np.ones((1, len(true))), left(true, baseline), left(predicted, baseline)[None], strata(baseline))[0, 0]
    )


def left(values: Values, baseline: Values) -> Values:
    """What the least-squares line through the baseline leaves of the values; exactly 0 where it is rounding alone.

    Up to a power of two, which squares of it do not overflow for: nothing here depends on the scale.
    """
    values, baseline = _near_1(values), _near_1(baseline)
    about, line = values - values.mean(), baseline - baseline.mean()
    if np.linalg.norm(line) > ROUNDING * np.linalg.norm(baseline):
        line = line / np.linalg.norm(line)
        about = about - line * (line @ about)
    return about if np.linalg.norm(about) > ROUNDING * np.linalg.norm(values) else np.zeros_like(values)


def _near_1(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Divided by a power of two, exactly, so that the largest is between a half and 1 and no sum of squares overflows."""
    return np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))


def strata(baseline: Values) -> Int[np.ndarray, " net"]:
    """The stratum of each net, from 0: sets of equal count (within one), in the order of the baseline's prediction.

    STRATA of them; fewer where one would have less than LEAST nets, down to one; more where one would have above MOST.
    Nets that are predicted the same go in the order they stand in, so that some of them may be in the next stratum: that
    leaves out pairs, and compares none that differ.
    """
    nets = len(baseline)
    count = max(1, min(STRATA, nets // LEAST), -(-nets // MOST))
    found = np.empty(nets, np.int64)
    found[np.argsort(baseline, kind="stable")] = np.arange(nets) * count // nets
    return found


def tables_beyond(
    true: Values,
    predicted: Predictions,
    baseline: Values,
    *,
    resamples: int = 1000,
    seed: int = 0,
    ends: Ends = None,
) -> tuple[Table, Table]:
    """`r2_beyond` and `tau_beyond` of each seed on each resample, as `resampled` has them, for `interval_of`.

    The baseline's prediction is the yardstick, and is not drawn again. Lines are fitted anew on each resample for R²; for
    tau, lines and strata are those of the nets as they are.
    """
    rest, guesses = left(true, baseline), np.stack([left(values, baseline) for values in predicted])
    within, parts = strata(baseline), list[tuple[Table, Table]]()
    with np.errstate(all="ignore"):  # where a resample has nothing to explain, it is left out
        for weights in weights_of(len(true), resamples, seed, ends, at_once=max(1, AT_ONCE // len(true))):
            parts.append((_partial(weights, rest, guesses, baseline), taus(weights, rest, guesses, within)))
    of_r2, of_tau = (np.concatenate(tables) for tables in zip(*parts, strict=True))
    return of_r2, of_tau


def _partial(weights: Weights, rest: Values, guesses: Rows, baseline: Values) -> Table:
    """The signed squared partial correlation of what is left, given the baseline, on nets with weights: from moments."""
    line, y, guesses = _scaled(_near_1(baseline)[None])[0], _scaled(rest[None])[0], _scaled(guesses)
    weights = weights / weights.sum(axis=1, keepdims=True)
    mean_line, mean_y, means = weights @ line, weights @ y, weights @ guesses.T
    on_line = weights @ line**2 - mean_line**2
    slope_y = _over(weights @ (line * y) - mean_line * mean_y, on_line)
    slopes = _over(weights @ (line * guesses).T - mean_line[:, None] * means, on_line[:, None])
    own_y = weights @ y**2 - mean_y**2 - slope_y**2 * on_line
    own = weights @ (guesses**2).T - means**2 - slopes**2 * on_line[:, None]
    both = weights @ (y * guesses).T - mean_y[:, None] * means - (slope_y * on_line)[:, None] * slopes
    r = np.where(own > ROUNDING, both / np.sqrt(own * own_y[:, None]), 0.0)
    return np.where(own_y[:, None] > ROUNDING, np.clip(r, -1, 1) * np.abs(np.clip(r, -1, 1)), nan)


def _scaled(rows: Rows) -> Rows:
    """Each row with mean 0 and mean square 1; what does not vary is 0."""
    about = rows - rows.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(about, axis=1, keepdims=True)
    return np.where(sizes > ROUNDING * np.linalg.norm(rows, axis=1, keepdims=True), about / sizes, 0.0) * np.sqrt(
        rows.shape[1]
    )


def _over(part: Float[np.ndarray, "..."], whole: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.where(whole > ROUNDING, part / whole, 0.0)
