"""The leaderboard: what records and their predictions say together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.analyses.certificates import Certificate, Kept, kept
from benchmark.leaderboard.beyond import attainable
from benchmark.leaderboard.entries import Entry, Key, Sorted, grouped, sorted_out
from benchmark.leaderboard.numbers import Numbers, numbers
from benchmark.leaderboard.track import track_of
from benchmark.records import records
from benchmark.records.readable import readable
from benchmark.records.records import Record, Stored
from benchmark.reference.lite import is_lite
from benchmark.statistics.derived import Derived
from benchmark.statistics.intervals import Ends, pairs
from benchmark.statistics.metrics import METRICS, r2
from benchmark.submissions.submission import Submission
from metanets.baselines import LEAVES
from metanets.inputs.table import runs_nets
from metanets.table import RECIPES, of_the_suite

NO_GAIN = "no hyper-parameters known"  # where that baseline has nothing to go by, and predicts a constant
NO_TREES = "too few nets for trees"  # of which it makes no use, even where there are hyper-parameters
METRIC_NAMES = (*METRICS, "r2_recalibrated")
COSTS = ("multiply_adds", "ms_per_net")  # of a record's cost, in cells
PAIRS = ["one", "other", "difference", "low", "high", "p", "p_holm", "task", "zoo"]  # columns of `Leaderboard.pairs`
NOT_CHECKED = "labels not checked"


@dataclass(frozen=True)
class Result:
    """All seeds of one metanet on one task, in order: records, the test nets' targets, each seed's predictions of them.

    `ends` are the two nets of each example, where the examples are pairs of nets.
    `scores` are derived from each seed's predictions; `label` is what the board calls the metanet, whose name in records
    may be another's too; `submission` says who submitted it, None: nobody, it was scored here.
    """

    records: tuple[Record, ...]
    target: np.ndarray  # net
    predicted: np.ndarray  # seed net
    scores: tuple[Derived, ...]
    label: str
    submission: Submission | None
    paths: tuple[Path, ...]
    own: bool  # of the suite's own code
    ends: Ends = None

    @property
    def key(self) -> Key:
        """Task, test zoo, metanet."""
        return self.records[0].task.name(), self.records[0].task.test_zoo.label(), self.label

    @property
    def baseline(self) -> bool:
        """Whether it is a baseline, which the suite alone decides."""
        ours = of_the_suite(self.records[0].metanet.name)
        return self.own and ours is not None and ours.baseline

    @property
    def runs(self) -> bool:
        """Whether it runs the nets that it is to tell of, where others read weights alone."""
        return runs_nets(self.records[0].metanet.reads)

    @property
    def constant(self) -> bool:
        """Whether a seed predicts the same for every test net."""
        return any(scores.constant for scores in self.scores)


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """What all records say, derived from their predictions; nothing is taken from a score that a record states.

    `cells` has a row for each (task, zoo, metanet): track, the zoo it was fitted on and the one it was tested on, baseline,
    `runs` (whether it runs the nets), parameters, COSTS, seeds, nets; each metric's mean and std over seeds (unbiased; NaN
    for one seed); the 95% interval of R² over test nets and seeds, `r2_low` and `r2_high`; whether it is the `recipe` there
    (`recipe_of`); and the `gain` in R² over the recipe on the same nets, with its interval (NaN for the recipe itself, where
    there is none, and where `gain_note` says why there is none); `r2_beyond` and `tau_beyond`, what it knows beyond the mean
    of the recipe's predictions, with intervals, and NaN where there is no gain.
    `position`: its place among the metanets there, as `positions` has it; NaN for baselines, and on the zoos of a Lite run.
    `tau_without_ties`, `noise_ceiling` and `images` say how much could be known of the zoo (`attainable`). Intervals are NaN
    where a metanet has one seed, which says nothing of how much training differs. `exact` (yes or no), `moved_r2` and
    `worst_r2` are those of its `Certificate`, on validation nets; empty and NaN where it has none. `own`: of the suite's own
    code. `labels`: says where nobody compared a submission's labels with the zoo's. `left_out`: a line on each record that
    could not be shown; `misstated`: on each that states other scores than its predictions give, shown with what these give.
    """

    results: tuple[Result, ...]
    cells: pd.DataFrame
    left_out: tuple[str, ...] = ()
    misstated: tuple[str, ...] = ()

    def boards(self) -> list[pd.DataFrame]:
        """The cells of each table: one for a task and what its zoos have in common, their families beside each other."""
        return [cells for _, cells in self.cells.groupby(["task", "board"], sort=False)]

    def pairs(self) -> pd.DataFrame:
        """The differences in R² of all pairs of metanets on each task and zoo, Holm-corrected within each."""
        frames = []
        for (task, zoo), found in of_tasks(self.results).items():
            if len(found) > 1:
                predicted = {result.label: result.predicted for result in found}
                rows = pairs(found[0].target, predicted, r2, ends=found[0].ends)
                frames.append(rows.assign(task=task, zoo=zoo))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=PAIRS)

    def matrices(self, metric: str = "r2") -> dict[tuple[str, str], pd.DataFrame]:
        """(task, metanet) -> its mean score fitted on one zoo (row) and tested on another (column), for transfer tasks."""
        found = {}
        for (plain, metanet), cells in self.cells.groupby(["plain_task", "metanet"], sort=False):
            if (cells["fitted_on"] != cells["zoo"]).any():
                once = cells.drop_duplicates(["fitted_on", "zoo"])  # names of others may read as each other's tasks
                found[str(plain), str(metanet)] = once.pivot(index="fitted_on", columns="zoo", values=f"{metric}_mean")
        return found

    def remarks(self) -> list[str]:
        """What is to be said below the boards: which records are left out, and which state other scores, a line each."""
        return [f"left out: {line}" for line in self.left_out] + [f"shown as derived: {line}" for line in self.misstated]

    def __repr__(self) -> str:
        return "\n".join([self._counts(), *(f"  {': '.join(line)}" for line in self._lines())])

    def _repr_html_(self) -> str:
        """The same for notebooks."""
        rows = "".join(f"<tr>{''.join(f'<td>{escape(part)}</td>' for part in line)}</tr>" for line in self._lines())
        return f"<p>{escape(self._counts())}</p><table>{rows}</table>"

    def _counts(self) -> str:
        cells, left = self.cells, len(self.left_out)
        metanets, tasks, zoos = (cells[name].nunique() for name in ("metanet", "task", "zoo"))
        return (
            f"Leaderboard of {int(cells['seeds'].sum())} records, {left} left out: "
            f"{metanets} metanets and baselines, {tasks} tasks, {zoos} zoos"
        )

    def _lines(self) -> list[tuple[str, str]]:
        """The first boards, with the best of each."""
        boards, lines = self.boards(), list[tuple[str, str]]()
        for cells in boards[:5]:
            best = cells.loc[cells["r2_mean"].idxmax()]
            what = f"{best['task']} of {best['board']} nets"[:60]
            lines.append((what, f"best {str(best['metanet'])[:60]}, R² {best['r2_mean']:.3g} on {best['zoo']}"))
        return lines + [("more", f"{len(boards) - 5} boards")] * (len(boards) > 5)


def leaderboard(folder: Path | str) -> Leaderboard:
    """The leaderboard of all records under a folder; what cannot be read is in its `left_out`.

    Raises FileNotFoundError where there is no record, and as `from_records` does.
    """
    results = Path(folder).expanduser()
    certificates = kept(results)
    found, unreadable = readable(results)
    return from_records(found, (*unreadable, *certificates.unread), certificates)


def from_paths(paths: list[Path]) -> Leaderboard:
    """The leaderboard of the records in these files. Raises as `records.stored` and `from_records` do."""
    return from_records([records.stored(path) for path in paths])


def from_records(found: Sequence[Stored], unreadable: Sequence[str] = (), certificates: Kept = Kept()) -> Leaderboard:
    """The leaderboard of these records and certificates, and what to say of those that could not be read.

    Raises ValueError, with all reasons, where none can be shown.
    """
    known, results = results_of(found, unreadable)
    cells = [cell for group in of_tasks(results).values() for cell in _cells(group, certificates)]
    return Leaderboard(results, pd.DataFrame(cells), (*unreadable, *known.left_out), known.misstated)


def results_of(found: Sequence[Stored], unreadable: Sequence[str] = ()) -> tuple[Sorted, tuple[Result, ...]]:
    """What these records are good for, and their results. Raises as `from_records` does."""
    known = sorted_out(found)
    if not known.shown:
        raise ValueError("\n  ".join(["no record that can be shown:", *unreadable, *known.left_out]))
    return known, tuple(_result(seeds) for seeds in known.shown.values())


def _result(seeds: tuple[Entry, ...]) -> Result:
    first = seeds[0]
    return Result(
        records=tuple(one.record for one in seeds),
        ends=np.stack([first.tested["i"], first.tested["j"]], axis=1) if "i" in first.tested else None,
        target=first.tested["target"],
        predicted=np.stack([one.tested["prediction"] for one in seeds]),
        scores=tuple(one.scores for one in seeds),
        label=first.label,
        submission=first.submission,
        paths=tuple(one.path for one in seeds),
        own=first.own,
    )


def of_tasks(results: Iterable[Result]) -> dict[tuple[str, str], list[Result]]:
    """The results on each task and zoo."""
    return grouped(results, lambda result: result.key[:2])


def recipe_of(group: Sequence[Result]) -> Result | None:
    """What can be told without the weights, of results on one task and zoo: the first of RECIPES that is there.

    The Gaussian process is better than trees on the validation nets of every plain zoo of the reference; which of the two
    is better on one zoo, the few validation nets of small ones cannot tell.
    """
    told = [result for result in group if result.label in RECIPES]
    return min(told, key=lambda result: RECIPES.index(result.label), default=None)


def _no_gain(baseline: Result | None) -> str:
    """Why there is no gain over this baseline: it predicts a constant, whatever the seed. Empty: there is one."""
    if baseline is None or not all(scores.constant for scores in baseline.scores):
        return ""
    return NO_GAIN if baseline.records[0].task.nets["train"] >= 2 * min(LEAVES) else NO_TREES


def _cells(group: list[Result], certificates: Kept) -> list[dict[str, object]]:
    """The cells of all results on one task and zoo."""
    recipe = recipe_of(group)
    baseline, note = None if recipe is None else group.index(recipe), _no_gain(recipe)
    found = numbers(
        group[0].target,
        [result.predicted for result in group],
        group[0].ends,
        baseline=None if note else baseline,
        placed=[not (result.baseline or is_lite(result.records[0].task.test_zoo.name)) for result in group],
    )
    return [
        _cell(one, told, note, _certificate(one, certificates)) | {"recipe": one is recipe}
        for one, told in zip(group, found, strict=True)
    ]


def _cost(result: Result, name: str) -> float:
    """The mean over the seeds whose records say it."""
    said = [record.cost[name] for record in result.records if record.cost and name in record.cost]
    return float(np.mean(said)) if said else nan


def _certificate(result: Result, certificates: Kept) -> Certificate | None:
    """That of the plain task only; none of submissions, of which a report's name does not tell whether it is theirs."""
    task = result.records[0].task
    if result.submission is not None or task.name() != task.target or task.zoo != task.test_zoo:
        return None
    return certificates.of(result.records[0])


def _cell(result: Result, told: Numbers, note: str, certificate: Certificate | None) -> dict[str, object]:
    task, metanet, name = result.records[0].task, result.records[0].metanet, result.key[0]
    scores = pd.DataFrame([found.test for found in result.scores])
    if not result.baseline and len(result.records) == 1:  # as Leaderboard says
        told = {name: nan if name.endswith(("_low", "_high")) else value for name, value in told.items()}
    with np.errstate(all="ignore"):  # scores near the edge of floats overflow
        means, spreads = scores.mean(), scores.std()
    unchecked = result.submission is not None and not result.submission.labels_checked
    return {
        "task": name,
        "plain_task": name.split(",from=")[0],
        "target": task.target,
        "track": track_of(task),
        "board": task.test_zoo.name.removesuffix(f"-{task.test_zoo.family}"),
        "fitted_on": task.zoo.label(),
        "zoo": task.test_zoo.label(),
        "family": task.test_zoo.family,
        "lite": is_lite(task.test_zoo.name),
        "metanet": result.label,
        "baseline": result.baseline,
        "runs": result.runs,
        "parameters": nan if metanet.parameters is None else metanet.parameters,
        **{name: _cost(result, name) for name in COSTS},
        "train_nets": task.nets["train"],
        "test_nets": task.nets["test"],
        "seeds": len(result.records),
        "constant": result.constant,
        **{f"{metric}_mean": means[metric] for metric in METRIC_NAMES},
        **{f"{metric}_std": spreads[metric] for metric in METRIC_NAMES},
        "validation_r2": float(np.mean([found.validation["r2"] for found in result.scores])),
        **told,
        "gain_note": note,
        **attainable(task, result.target),
        "exact": "" if certificate is None or certificate.exact is None else ("no", "yes")[certificate.exact],
        "moved_r2": nan if certificate is None or certificate.moved_r2 is None else certificate.moved_r2,
        "worst_r2": nan if certificate is None or certificate.worst_r2 is None else certificate.worst_r2,
        "own": result.own,
        "labels": NOT_CHECKED if unchecked else "",
    }
