"""How much better a metanet reads the nets of one zoo than those of another, and how much of that is no symmetry's doing.

    python -m benchmark.analyses.directions RECORDS RECORDS [--metanet mlp]

Each is the folder of a task's records on one zoo, such as `results/digits-resnet8-standard-788597f6/test_accuracy`. Zoos of
one seed and size have the same hyper-parameters and splits, net by net, so the test nets of both are drawn together.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from benchmark.records.readable import readable
from benchmark.records.records import Stored
from benchmark.statistics.beyond import tables_beyond
from benchmark.statistics.intervals import Predictions, Table, difference_of, resampled, weights_of
from benchmark.statistics.metrics import Values, kendall_tau, r2
from benchmark.statistics.taus import Weights
from metanets.table import RECIPES
from zoo.messages import choose, ending_in_words

BINS = 10  # of targets, of equal count in both zoos together
SCORES = {
    "r2": "R²",
    "tau": "tau",
    "r2_same_variance": "R², the variance of one for both",
    "r2_same_targets": "R², nets of like target",
    "r2_beyond": "R² beyond recipe",
    "tau_beyond": "tau beyond recipe",
}


@dataclass(frozen=True)
class Predicted:
    """The test nets of a task by index, in order: their targets, and what the seeds of each metanet predicted."""

    index: Int[np.ndarray, " net"]
    target: Values
    predicted: dict[str, Predictions]

    def only(self, index: Int[np.ndarray, " _"]) -> "Predicted":
        """The same of these nets."""
        some = np.isin(self.index, index)
        return Predicted(self.index[some], self.target[some], {name: of[:, some] for name, of in self.predicted.items()})


def read(folder: Path) -> Predicted:
    """What the records in a folder predict. Raises FileNotFoundError without any, ValueError unless all are of one task."""
    found, problems = readable(folder)
    if problems:
        raise ValueError(problems[0])
    tasks = sorted({f"{one.record.task.test_zoo.label()}/{one.record.task.name()}" for one in found})
    if len(tasks) > 1:
        raise ValueError(f"{folder}: expected records of one task on one zoo, found {', '.join(tasks)}; give one of these")
    by_name: dict[str, list[pd.DataFrame]] = {}
    for one in sorted(found, key=lambda one: one.record.seed):
        by_name.setdefault(one.record.metanet.name, []).append(_frame(one))
    first = next(iter(by_name.values()))[0]
    if any(not frame["target"].equals(first["target"]) for frames in by_name.values() for frame in frames):
        raise ValueError(f"{folder}: its records are of other test nets, or of other targets; score all of them anew")
    predicted = {name: np.stack([frame["prediction"].to_numpy() for frame in frames]) for name, frames in by_name.items()}
    return Predicted(first.index.to_numpy(), first["target"].to_numpy(), predicted)


def _frame(one: Stored) -> pd.DataFrame:
    if one.record.task.pairs is not None:
        raise ValueError(f"{one.path}: predictions of pairs of nets; expected those of nets")
    return one.frame[one.frame["split"] == "test"].set_index("index").sort_index()


def directions(
    one: Predicted, other: Predicted, *, metanets: Sequence[str] | None = None, resamples: int = 1000
) -> pd.DataFrame:
    """A row for each metanet and each of SCORES: metanet, score, one, other, gain, low, high, p.

    `gain` is the score on `other` less that on `one`, with its 95% interval over test nets (the same of both zoos) and
    seeds; p is that of no gain (`difference_of`). Besides R² and tau: R² where the errors on both are divided by the
    variance of `one`'s targets; R² of nets so weighted that each of BINS of targets holds as many in both zoos, the fewer of
    the two; and, where both have records of one of RECIPES, R² and tau beyond it. `metanets` None: all in both.
    Raises ValueError on one that they have not, and where less than half of the nets are the same: they have other seeds.
    """
    common = np.intersect1d(one.index, other.index)
    if 2 * len(common) < max(len(one.index), len(other.index)):
        raise ValueError(f"only {len(common)} of {len(one.index)} test nets are in both; expected zoos of one seed")
    one, other = one.only(common), other.only(common)
    both = {name: name for name in sorted(one.predicted.keys() & other.predicted.keys())}
    weights = next(weights_of(len(common), resamples, 0, None, at_once=resamples + 1))
    sides = [(zoo, matched(weights, zoo.target, rival.target)) for zoo, rival in ((one, other), (other, one))]
    rows = []
    for name in both if metanets is None else [choose(both, name, "metanet") for name in metanets]:
        before, after = (_tables(zoo, name, one.target, weights, alike) for zoo, alike in sides)
        for score in (score for score in SCORES if score in before and score in after):
            found = difference_of(after[score], before[score])
            means = (float(of[score][0].mean()) for of in (before, after))
            rows.append((name, score, *means, found.value, found.low, found.high, found.p))
    return pd.DataFrame(rows, columns=["metanet", "score", "one", "other", "gain", "low", "high", "p"])


def _tables(zoo: Predicted, name: str, first: Values, weights: Weights, alike: Weights) -> dict[str, Table]:
    """Score -> its value for each seed on each resample, as in `resampled`; `alike`: the weights of nets of like target."""
    true, predicted, resamples = zoo.target, zoo.predicted[name], len(weights) - 1
    found = {
        metric: resampled(true, predicted, of, resamples=resamples) for metric, of in (("r2", r2), ("tau", kendall_tau))
    }
    found["r2_same_variance"] = 1 - _errors(weights, true, predicted) / _spread(weights, first)
    with np.errstate(all="ignore"):  # where a resample has no nets in common, it is left out
        found["r2_same_targets"] = 1 - _errors(alike, true, predicted) / _spread(alike, true)
    recipe = next((one for one in RECIPES if one in zoo.predicted), None)
    if recipe is not None and name not in RECIPES:
        beyond = tables_beyond(true, predicted, zoo.predicted[recipe].mean(axis=0), resamples=resamples)
        found |= dict(zip(("r2_beyond", "tau_beyond"), beyond, strict=True))
    return found


def matched(weights: Weights, true: Values, rival: Values) -> Weights:
    """The weights cut down so that each of BINS holds no more than the rival's nets do there, with these same weights."""
    edges = np.quantile(np.concatenate([true, rival]), np.arange(1, BINS) / BINS)
    own, others = (np.eye(BINS)[np.searchsorted(edges, of, side="right")] for of in (true, rival))  # net bin
    here, there = weights @ own, weights @ others  # resample bin
    kept = np.divide(np.minimum(here, there), here, out=np.zeros_like(here), where=here > 0)
    return weights * (kept @ own.T)


def _errors(weights: Weights, true: Values, predicted: Predictions) -> Table:
    return weights @ ((true - predicted) ** 2).T


def _spread(weights: Weights, true: Values) -> Float[np.ndarray, "_resample 1"]:
    """The sum of squares about the mean."""
    about = true - true.mean()
    return (weights @ about**2 - (weights @ about) ** 2 / weights.sum(axis=1))[:, None]


@ending_in_words()
def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the gains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs=2, type=Path, help="RESULTS/ZOO/TASK")
    parser.add_argument("--metanet", action="append", help="this alone; may be repeated")
    given = parser.parse_args(arguments)
    found = directions(*(read(folder) for folder in given.records), metanets=given.metanet)
    print(found.replace({"score": SCORES}).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
