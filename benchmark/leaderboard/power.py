"""Power: how many test nets and seeds it takes to tell two metanets apart whose R² differ by little.

`python -m benchmark.leaderboard.power RESULTS` prints it for each task and zoo of a folder of records.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmark.leaderboard.leaderboard import Result, results_of
from benchmark.records.readable import readable
from benchmark.statistics.intervals import Predictions, difference_of, resampled
from benchmark.statistics.metrics import r2
from zoo.messages import ending_in_words
from zoo.seeds import stable_seed

DIFFERENCE, SEEDS = 0.01, 5  # in R²; seeds of a submission
NEAR = 0.1  # of R², below the best: what is far from it need not be told apart so finely
POWER, LEVEL = 0.8, 0.95  # Cohen 1988: a difference that is there is missed one time in five
ERRORS = float(norm.ppf(POWER) + norm.ppf((1 + LEVEL) / 2))  # standard errors that a difference must have: 2.80


@dataclass(frozen=True)
class Variance:
    """Of the difference in R² of two metanets: what the choice of `nets` test nets adds, and one seed of each."""

    nets: int
    of_nets: float
    of_a_seed: float

    def least(self, seeds: int) -> float:
        """The least difference that is found with a probability of POWER, on these test nets."""
        return float(ERRORS * np.sqrt(self.of_nets + self.of_a_seed / seeds))

    def needed(self, difference: float, seeds: int) -> float:
        """The test nets that it takes to find this difference with a probability of POWER; infinite: seeds differ more."""
        left = (difference / ERRORS) ** 2 - self.of_a_seed / seeds
        return float(np.ceil(self.nets * self.of_nets / left)) if left > 0 else np.inf


def variance_of(one: Result, other: Result, *, resamples: int = 1000) -> Variance:
    """The two parts of it: by bootstrap over test nets, of means over seeds; by how much R² differs between seeds.

    The first falls with the number of nets and the second with that of seeds (Owen 2007, section 5, without the part of
    both together, which is in the first).
    """
    tables = [resampled(one.target, of.predicted, r2, resamples=resamples, ends=one.ends) for of in (one, other)]
    means = tables[0].mean(axis=1) - tables[1].mean(axis=1)
    seeds = sum(float(table[0].var(ddof=1)) if table.shape[1] > 1 else 0.0 for table in tables)
    return Variance(len(one.target), float(np.nanvar(means[1:])), seeds)


def simulated(
    target: np.ndarray,
    one: Predictions,
    other: Predictions,
    *,
    difference: float = DIFFERENCE,
    nets: int,
    seeds: int,
    simulations: int = 200,
    resamples: int = 200,
    seed: int = 0,
) -> float:
    """How often a difference of R² is found, were it this large: with test nets and seeds drawn anew from these records.

    That is how often the interval which `compare` gives leaves out what is `difference` from the true one. It knows
    nothing of normal distributions, and takes a thousand times as long as `Variance`.
    """
    rng = np.random.default_rng(stable_seed(seed, "power", nets, seeds))
    true = np.mean([r2(target, row) for row in one]) - np.mean([r2(target, row) for row in other])
    found = 0
    for _ in range(simulations):
        drawn = rng.integers(len(target), size=nets)
        tables = [
            resampled(target[drawn], of[rng.integers(len(of), size=seeds)][:, drawn], r2, resamples=resamples)
            for of in (one, other)
        ]
        interval = difference_of(*tables)
        found += not interval.low <= true - difference <= interval.high
    return found / simulations


def power(folder: Path | str, *, seeds: int = SEEDS, resamples: int = 1000) -> pd.DataFrame:
    """`power_of` all records in a folder."""
    return power_of(results_of(*readable(Path(folder).expanduser()))[1], seeds=seeds, resamples=resamples)


def power_of(results: Sequence[Result], *, seeds: int = SEEDS, resamples: int = 1000) -> pd.DataFrame:
    """A row for each task and test zoo: task, zoo, nets, pairs, least, needed.

    `pairs` of neighbours in the order of R², of metanets no more than NEAR below the best; `least` is the median over these
    of the least difference that is found with a probability of POWER, `needed` of the test nets that it takes to find
    DIFFERENCE so.
    """
    grouped: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        grouped.setdefault(result.key[:2], []).append(result)
    rows = []
    for (task, zoo), here in grouped.items():
        near = [one for one in here if _score(one) > max(map(_score, here)) - NEAR]
        if found := [variance_of(*pair, resamples=resamples) for pair in pairwise(sorted(near, key=_score, reverse=True))]:
            least = float(np.median([one.least(seeds) for one in found]))
            needed = float(np.median([one.needed(DIFFERENCE, seeds) for one in found]))
            rows.append((task, zoo, found[0].nets, len(found), least, needed))
    return pd.DataFrame(rows, columns=["task", "zoo", "nets", "pairs", "least", "needed"])


def _score(result: Result) -> float:
    return float(np.mean([r2(result.target, row) for row in result.predicted]))


@ending_in_words()
def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    print(power(parser.parse_args(arguments).results).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
