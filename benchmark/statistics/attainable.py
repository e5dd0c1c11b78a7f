"""How much could be known at all: the largest tau, and the R² of a perfect predictor of accuracies on few images."""

from math import nan

import numpy as np

from benchmark.statistics.metrics import Values, is_constant, r2

MOST_IMAGES = 100_000
DIGITS = 6  # behind the point, at most, that accuracies are rounded to; what divides 10^6 may be that
FEWEST = 8  # nets: fewer have a divisor of their counts in common too often
STEP = 2.0**-23  # of accuracies, which zoos keep as float32: what they are off by, at most


def tau_without_ties(true: Values) -> float:
    """The largest tau-b of a prediction in which no two nets tie: the root of the share of pairs that do not tie in `true`.

    With P pairs of nets, of which T tie in `true` and U in the prediction, tau-b is (C - D) / sqrt((P - T)(P - U)) (Kendall
    1945). A pair counts in C - D only where it ties in neither, so C - D <= min(P - T, P - U) <= sqrt((P - T)(P - U)), and
    tau-b is at most 1; the truth itself has C = P - T = P - U and D = 0. So 1 is attained, by predictions that tie where the
    truth does, and ties bound no prediction that may tie. With U = 0, as of nearly all that metanets predict, C - D is at
    most P - T, attained by the truth with its ties broken anyhow, and tau-b is sqrt((P - T) / P). From 0 to 1; NaN where
    `true` is constant.
    """
    if is_constant(true):
        return nan
    counts, nets = np.unique(true, return_counts=True)[1].astype(np.float64), len(true)
    return float(np.sqrt(1 - np.sum(counts * (counts - 1)) / (nets * (nets - 1))))


def images_of(accuracies: Values, known: int | None = None) -> int | None:
    """How many images all these accuracies are shares of, from 2 to MOST_IMAGES: `known` if they are, else the least.

    None where there is none, where nets are fewer than FEWEST, and where the least divides a power of ten: these may be
    accuracies that were rounded. The least is the number of images unless all counts share a divisor: by chance about once
    in 2 to the number of nets, and then it is a half or less, and the noise is taken for larger than it is.
    """
    if not ((accuracies >= 0) & (accuracies <= 1)).all() or is_constant(accuracies):
        return None
    distinct = np.unique(accuracies)
    if known is not None and 2 <= known <= MOST_IMAGES and len(_shared(np.array([known], np.float64), distinct)):
        return known
    found = _shared(np.arange(2, MOST_IMAGES + 1, dtype=np.float64), distinct)
    told = len(found) > 0 and len(accuracies) >= FEWEST and 10**DIGITS % int(found[0]) > 0
    return int(found[0]) if told else None


def _shared(numbers: np.ndarray, accuracies: Values) -> np.ndarray:
    """Those numbers of images of which all the accuracies are shares."""
    for accuracy in accuracies:
        counts = numbers * accuracy
        numbers = numbers[np.abs(counts - np.rint(counts)) <= numbers * STEP]
    return numbers


def noise_ceiling(accuracies: Values, images: int) -> float:
    """The R² expected of a perfect predictor: of what each net's accuracy is on all images there could be, not on these few.

    Of n images drawn for it, a net of true accuracy p gets a share a right that varies by p(1 - p) / n, which
    a(1 - a) / (n - 1) estimates without bias: the ceiling is 1 - mean of that / variance of a. At most 1, below 0 where
    nets differ less than the noise; NaN where accuracies are constant. All nets of a zoo meet the same images, and how much
    harder these are for all of them, or for nets that are alike, can be learned: so a metanet may pass the ceiling, and by
    that shows that it knows these very images. Raises ValueError for fewer than two images.
    """
    if images < 2:
        raise ValueError(f"{images} images tell no noise; expected 2 or more")
    spread = accuracies.var()
    return nan if is_constant(accuracies) else float(1 - np.mean(accuracies * (1 - accuracies)) / (images - 1) / spread)


def measured_again(accuracies: Values, again: Values) -> float:
    """R² of a second measurement, on other images, as the predictor of the first; NaN where the first is constant.

    The second has noise too: it is about 1 less twice what the ceiling lacks of 1, where both have as many images.
    """
    return r2(accuracies, again)
