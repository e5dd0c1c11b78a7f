"""What predictions say: every score that is shown is derived from them, never taken from a record's word."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.statistics.metrics import is_constant, recalibrated_r2, scores


@dataclass(frozen=True)
class Derived:
    """The scores of a record's predictions, metric -> score, and whether the predictions of the test nets are constant."""

    validation: dict[str, float]
    test: dict[str, float]
    constant: bool


def derived(frame: pd.DataFrame) -> Derived:
    """The scores of these predictions, a row a net; they are infinite or NaN where numbers overflow or targets are equal.

    Raises ValueError where a prediction is not finite.
    """
    true, guess = frame["target"].to_numpy(np.float64), frame["prediction"].to_numpy(np.float64)
    known, held = ((frame["split"] == split).to_numpy() for split in ("validation", "test"))
    with np.errstate(all="ignore"):  # numbers near the edge of floats overflow to a score that fits nothing
        recalibrated = recalibrated_r2(
            true[held], guess[held], validation_true=true[known], validation_predicted=guess[known]
        )
        test = {**scores(true[held], guess[held]), "r2_recalibrated": recalibrated}
        return Derived(scores(true[known], guess[known]), test, is_constant(guess[held]))
