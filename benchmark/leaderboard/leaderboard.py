"""The leaderboard: what records and their predictions say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.records import records
from benchmark.records.records import Record, Stored
from benchmark.statistics.intervals import difference, interval, pairs
from benchmark.statistics.metrics import METRICS, r2

BASELINE = "trees_hyper_parameters"  # what can be told without the weights: a metanet's gain is over this
METRIC_NAMES = (*METRICS, "r2_recalibrated")
PAIRS = ["one", "other", "difference", "low", "high", "p", "p_holm", "task", "zoo"]  # columns of `Leaderboard.pairs`


@dataclass(frozen=True)
class Result:
    """All seeds of one metanet on one task, in order: records, the test nets' targets, each seed's predictions of them."""

    records: tuple[Record, ...]
    target: np.ndarray  # net
    predicted: np.ndarray  # seed net

    @property
    def key(self) -> tuple[str, str, str]:
        """Task, test zoo, metanet."""
        return key_of(self.records[0])


@dataclass(frozen=True)
class Leaderboard:
    """What all records say, derived from them and their predictions.

    `cells` has a row for each (task, zoo, metanet): the zoo it was fitted on and the one it was tested on, baseline,
    parameters, seeds, nets; each metric's mean and std over seeds (unbiased; NaN for one seed); the 95% interval of R² over
    test nets and seeds, `r2_low` and `r2_high`; and the `gain` in R² over BASELINE on the same nets, with its interval
    (NaN for BASELINE itself and where it has no record). Intervals are NaN where a metanet has one seed, which says
    nothing of how much training differs.
    """

    results: tuple[Result, ...]
    cells: pd.DataFrame

    def boards(self) -> list[pd.DataFrame]:
        """The cells of each table: one for a task and what its zoos have in common, their families beside each other."""
        return [cells for _, cells in self.cells.groupby(["task", "board"], sort=False)]

    def pairs(self) -> pd.DataFrame:
        """The differences in R² of all pairs of metanets on each task and zoo, Holm-corrected within each."""
        frames = []
        for (task, zoo), found in _grouped(self.results).items():
            if len(found) > 1:
                predicted = {result.key[2]: result.predicted for result in found}
                frames.append(pairs(found[0].target, predicted, r2).assign(task=task, zoo=zoo))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=PAIRS)

    def matrices(self, metric: str = "r2") -> dict[tuple[str, str], pd.DataFrame]:
        """(task, metanet) -> its mean score fitted on one zoo (row) and tested on another (column), for transfer tasks."""
        found = {}
        for (plain, metanet), cells in self.cells.groupby(["plain_task", "metanet"], sort=False):
            if (cells["fitted_on"] != cells["zoo"]).any():
                once = cells.drop_duplicates(["fitted_on", "zoo"])  # names of others may read as each other's tasks
                found[str(plain), str(metanet)] = once.pivot(index="fitted_on", columns="zoo", values=f"{metric}_mean")
        return found


def leaderboard(folder: Path | str) -> Leaderboard:
    """The leaderboard of all records under a folder. Raises as `records.load` and `from_records` do."""
    return from_records(records.load(Path(folder).expanduser()))


def from_paths(paths: list[Path]) -> Leaderboard:
    """The leaderboard of the records in these files. Raises as `records.stored` and `from_records` do."""
    return from_records([records.stored(path) for path in paths])


def from_records(found: Sequence[Stored]) -> Leaderboard:
    """The leaderboard of these records. Raises ValueError where one is damaged, there twice, or tested on other nets."""
    results = _results(found)
    cells = []
    for group in _grouped(results).values():
        baseline = next((result for result in group if result.key[2] == BASELINE), None)
        cells += [_cell(result, baseline) for result in group]
    return Leaderboard(results, pd.DataFrame(cells))


def key_of(record: Record) -> tuple[str, str, str]:
    """What a record is a seed of: task, test zoo, metanet."""
    return record.task.name(), record.task.test_zoo.label(), record.metanet.name


def _results(found: Sequence[Stored]) -> tuple[Result, ...]:
    grouped: dict[tuple[str, str, str], dict[int, tuple[Path, Record, pd.DataFrame]]] = {}
    nets: dict[tuple[str, str], tuple[Path, pd.DataFrame]] = {}  # of each task and zoo: what is compared was tested alike
    for one in found:
        path, record = one.path, one.record
        tested, key = _tested(one), key_of(record)
        first, others = nets.setdefault(key[:2], (path, tested[["index", "target"]]))
        if not tested[["index", "target"]].equals(others):
            raise ValueError(f"{path}: its test nets or their targets are not those of {first}")
        seeds = grouped.setdefault(key, {})
        if record.seed in seeds:
            raise ValueError(f"{path}: seed {record.seed} of {key[2]} is in {seeds[record.seed][0]} too; keep one of them")
        seeds[record.seed] = path, record, tested
    return tuple(_result([seeds[seed] for seed in sorted(seeds)]) for seeds in grouped.values())


def _tested(one: Stored) -> pd.DataFrame:
    """The test nets of a record in order, with their predictions. Raises ValueError where these cannot be scored."""
    path = one.path
    if lacking := [name for name in METRIC_NAMES if name not in one.record.test]:
        raise ValueError(f"{path}: no test score {', '.join(lacking)}; expected {', '.join(METRIC_NAMES)}")
    frame = one.frame[one.frame["split"] == "test"].sort_values("index", ignore_index=True)
    numbers = frame[["target", "prediction"]].to_numpy()
    if not len(frame) or frame["index"].duplicated().any() or not np.isfinite(numbers).all():
        raise ValueError(f"{path}: its predictions are not one finite number for each test net; see `metazoo check`")
    with np.errstate(all="ignore"):  # predictions near the edge of floats overflow
        score = r2(*numbers.T)
    if not np.isfinite(score):
        raise ValueError(f"{path}: the R² of its predictions is {score}; expected a number")
    return frame


def _result(found: list[tuple[Path, Record, pd.DataFrame]]) -> Result:
    """All seeds of one metanet on one task, in their order."""
    frames = [frame for _, _, frame in found]
    predicted = np.stack([frame["prediction"].to_numpy() for frame in frames])
    return Result(tuple(record for _, record, _ in found), frames[0]["target"].to_numpy(), predicted)


def _grouped(results: tuple[Result, ...]) -> dict[tuple[str, str], list[Result]]:
    """The results on each task and zoo."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault(result.key[:2], []).append(result)
    return found


def _cell(result: Result, baseline: Result | None) -> dict[str, object]:
    first = result.records[0]
    task, metanet, name = first.task, first.metanet, first.task.name()
    scores = pd.DataFrame([record.test for record in result.records])
    told = metanet.baseline or len(result.records) > 1  # as Leaderboard says
    sure = interval(result.target, result.predicted, r2)
    gain = (
        None
        if baseline is None or baseline is result
        else difference(result.target, result.predicted, baseline.predicted, r2)
    )
    return {
        "task": name,
        "plain_task": name.split(",from=")[0],
        "target": task.target,
        "board": task.test_zoo.name.removesuffix(f"-{task.test_zoo.family}"),
        "fitted_on": task.zoo.label(),
        "zoo": task.test_zoo.label(),
        "family": task.test_zoo.family,
        "metanet": metanet.name,
        "baseline": metanet.baseline,
        "parameters": metanet.parameters,
        "train_nets": task.nets["train"],
        "test_nets": task.nets["test"],
        "seeds": len(result.records),
        "constant": any(record.constant_prediction for record in result.records),
        **{f"{metric}_mean": scores[metric].mean() for metric in METRIC_NAMES},
        **{f"{metric}_std": scores[metric].std() for metric in METRIC_NAMES},
        "r2_low": sure.low if told else nan,
        "r2_high": sure.high if told else nan,
        "gain": nan if gain is None else gain.value,
        "gain_low": gain.low if gain and told else nan,
        "gain_high": gain.high if gain and told else nan,
    }
