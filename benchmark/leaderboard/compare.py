"""Two metanets compared, zoo by zoo, on the same test nets."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.leaderboard.leaderboard import Result, results_of
from benchmark.records.readable import readable
from benchmark.statistics.intervals import difference
from benchmark.statistics.metrics import METRICS
from zoo.messages import choose, unknown

WORDS = {
    "r2": "R²",
    "tau": "tau",
    "spearman": "Spearman's rho",
    "mae": "mean absolute error",
    "worst_decile": "worst decile",
}
LOWER_IS_BETTER = ("mae", "worst_decile")
LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """The score of `one` less that of `other` on a zoo's test nets, its 95% interval and p (see `difference`).

    `seeds` are the numbers of seeds of both; `blind` says that a metanet that is no baseline has but one, so that the
    interval knows nothing of how much its training differs.
    """

    zoo: str
    one: str
    other: str
    metric: str
    value: float
    low: float
    high: float
    p: float
    nets: int
    seeds: tuple[int, int]
    blind: bool

    def sentence(self) -> str:
        """What was found, in plain words."""
        way = "above" if self.value > 0 else "below" if self.value < 0 else "level with"
        by = f" by {abs(self.value):.3f}" if self.value else ""
        bounds = f"95% interval of the difference {self.low:+.3f} to {self.high:+.3f}, p = {self.p:.3f}"
        note = "; with one seed, blind to how much training differs" if self.blind else ""
        what = f"{self.one} is {way} {self.other}{by} in {WORDS[self.metric]}"
        return f"On {self.zoo}, {what} ({bounds}): {self._verdict()}{note}."

    @property
    def significant(self) -> bool:
        """Whether the difference is, without a correction for several comparisons."""
        return self.p <= 1 - LEVEL

    def _verdict(self) -> str:
        if not self.significant:
            return "no significant difference"
        better = self.one if (self.value > 0) != (self.metric in LOWER_IS_BETTER) else self.other
        return f"{better} is significantly better"

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {**asdict(self), "seeds": list(self.seeds)}


def compare(
    one: str,
    other: str,
    folder: Path | str = "data/results",
    *,
    task: str = "test_accuracy",
    metric: str = "r2",
) -> list[Comparison]:
    """The paired difference of two metanets on each zoo where both have records of the task; p is not corrected for several.

    Raises FileNotFoundError without records, ValueError on a name that none of them has, or where no zoo has both.
    """
    choose(METRICS, metric, "metric")
    found, unreadable = readable(Path(folder).expanduser())
    results = results_of(found, unreadable)[1]
    _check("task", task, (result.key[0] for result in results))
    at = {result.key[1:]: result for result in results if result.key[0] == task}
    one, other = (_named(name, list(at.values()), task) for name in (one, other))
    if one == other:
        raise ValueError(f"{one} is not compared with itself; give two metanets")
    zoos = [{zoo for zoo, metanet in at if metanet == name} for name in (one, other)]
    if not zoos[0] & zoos[1]:
        has = " and ".join(f"{name} on {', '.join(sorted(on))}" for name, on in zip((one, other), zoos, strict=True))
        raise ValueError(f"no zoo has records of both on {task}: {has}")
    return [comparison(at[zoo, one], at[zoo, other], metric) for zoo in sorted(zoos[0] & zoos[1])]


def _named(name: str, results: list[Result], task: str) -> str:
    """What boards call the metanet of this name: itself, or where one alone has it in its records, that one's label."""
    labels = {result.label for result in results}
    ours = sorted({result.label for result in results if result.records[0].metanet.name == name})
    if name not in labels and len(ours) > 1:
        raise ValueError(f"several metanets on {task} are named {name}: {', '.join(ours)}; give one of these names whole")
    if name in labels or not ours:
        _check(f"metanet on {task}", name, labels)
        return name
    return ours[0]


def _check(what: str, name: str, names: Any) -> None:
    known = sorted(set(names))
    if name not in known:
        raise ValueError(unknown(what, name, known))


def comparison(one: Result, other: Result, metric: str = "r2") -> Comparison:
    """Two results on the same test nets. Raises ValueError where these differ."""
    if not np.array_equal(one.target, other.target):
        raise ValueError(f"{one.key[1]}: the test nets of {one.key[2]} and {other.key[2]} differ; score one of them again")
    found = difference(one.target, one.predicted, other.predicted, METRICS[metric], level=LEVEL, ends=one.ends)
    return Comparison(
        zoo=one.key[1],
        one=one.key[2],
        other=other.key[2],
        metric=metric,
        value=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        nets=len(one.target),
        seeds=(len(one.records), len(other.records)),
        blind=any(len(result.records) == 1 and not result.baseline for result in (one, other)),
    )
