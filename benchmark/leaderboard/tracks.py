"""All tasks on one page: tracks, the tasks of one question each, and the mean over tracks that a metanet is ranked by."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from benchmark.leaderboard.columns import RUNS
from benchmark.leaderboard.entries import Key
from benchmark.leaderboard.leaderboard import Leaderboard, Result, of_tasks, recipe_of
from benchmark.leaderboard.numbers import positions
from benchmark.leaderboard.ranking import that_count
from benchmark.leaderboard.track import TRACKS
from benchmark.statistics.intervals import means_of, resampled
from benchmark.statistics.metrics import kendall_tau

MEAN, GAIN = "mean", "gain"
BESIDE = {"pairs"}  # tracks that are shown and not in the mean: many metanets read no pairs
RESAMPLES = 400  # of the nets of each task and zoo: a page of 2,000 records is to be made in seconds
BOUNDS = (0.025, 0.975)

Means = Float[np.ndarray, " _resample"]


def tracks(board: Leaderboard) -> pd.DataFrame:
    """A row a metanet, best first: its `mean` over tracks, `rank` and `position` by it, the `gain` in it over the recipe
    (`recipe_of`), and for each track its score and rank there. Scores and gain have 95% intervals, `NAME low` and
    `NAME high`.

    The score of a track is the mean of tau over its tasks and zoos. Not of R²: beyond the nets that a metanet was fitted on,
    as in shift and transfer, R² tells how far its scale is off before it tells anything else, and one prediction far off
    would decide the whole. Tracks BESIDE are not in the mean. Who lacks a task on a zoo among those `that_count` has no
    score in that track, no mean where it is in it, and no rank, which are NaN, and stands below. Ranks are from 1. Positions
    are as `positions` has them, baselines included. Intervals are over test nets and seeds; all metanets are given the same
    draws. One with one seed has none. Records of a Lite run are left out; `not_counted` says what is.
    """
    counting, _ = _scores(board)
    results = {result.key: result for result in board.results}
    of_tracks = {
        track: _of_track(results, [(task, zoo) for one, task, zoo in counting.index if one == track], counting.columns)
        for track in TRACKS
        if track in counting.index.get_level_values("track")
    }
    counted = [of for track, of in of_tracks.items() if track not in BESIDE]
    whole = [name for name in counting.columns if counted and all(name in of for of in counted)]
    means = {name: np.mean([of[name] for of in counted], axis=0) for name in whole}
    recipe = _of_recipe(board.results, counting, [track for track in of_tracks if track not in BESIDE])
    over = {name: of - recipe for name, of in means.items() if recipe is not None and not np.array_equal(of, recipe)}
    places = positions([of[:, None] for of in means.values()])
    columns = _columns(MEAN, means).rename(columns={f"{MEAN} rank": "rank"})
    columns["position"] = pd.Series(dict(zip(means, map(float, places), strict=True)), dtype=float)
    parts = [columns, _columns(GAIN, over).drop(columns=f"{GAIN} rank"), *(_columns(*one) for one in of_tracks.items())]
    table = pd.concat([part.reindex(counting.columns) for part in parts], axis="columns").rename_axis("metanet")
    once = {result.label for result in board.results if len(result.records) == 1 and not result.baseline}
    table.loc[table.index.isin(once), [name for name in table if name.endswith((" low", " high"))]] = np.nan
    table["runs"] = board.cells.groupby("metanet")["runs"].first().reindex(table.index).astype(bool)
    return table.sort_values([MEAN, *of_tracks], ascending=False)


def not_counted(board: Leaderboard) -> list[str]:
    """What is to be said beside the table: which tasks are not in it, since too few metanets have records, and Lite runs."""
    _, others = _scores(board)
    zoos = others.groupby(["track", "task"]).size()
    tasks = [f"{task} ({track}, {count} zoo{'s' * (count > 1)})" for (track, task), count in zoos.items()]
    few = f"not counted, as fewer than half of the suite's metanets have records: {', '.join(tasks)}"
    lite = "not counted: records of a Lite run, which rank nothing"
    return [few] * bool(tasks) + [lite] * bool(board.cells["lite"].any())


def _scores(board: Leaderboard) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean tau by track, task and zoo (a column a metanet): the rows `that_count`, and the others."""
    cells = board.cells[~board.cells["lite"]]
    known = cells.set_index(["track", "task", "zoo", "metanet"])["tau_mean"].unstack("metanet")
    counting = that_count(known, cells)
    return counting, known.drop(index=counting.index)


def _of_track(results: Mapping[Key, Result], cells: list[tuple[str, str]], names: pd.Index) -> dict[str, Means]:
    """The score of each metanet that has all these cells: first as it is, then on each resample."""
    whole = [name for name in names if all((*cell, name) in results for cell in cells)]
    return {name: np.mean([_means(results[*cell, name]) for cell in cells], axis=0) for name in whole}


def _of_recipe(results: Sequence[Result], counting: pd.DataFrame, counted: Sequence[str]) -> Means | None:
    """The mean over these tracks of what can be told without the weights; None where some task has no such baseline."""
    groups, found = of_tasks(results), []
    for track in counted:
        told = [recipe_of(groups[task, zoo]) for one, task, zoo in counting.index if one == track]
        if None in told:
            return None
        found.append(np.mean([_means(result) for result in told if result is not None], axis=0))
    return np.mean(found, axis=0) if found else None


def _means(result: Result) -> Means:
    """The mean tau over seeds of the test nets as they are, and then on each resample of nets and seeds."""
    return means_of(resampled(result.target, result.predicted, kendall_tau, resamples=RESAMPLES, ends=result.ends))


def _columns(name: str, of: Mapping[str, Means]) -> pd.DataFrame:
    """A row for each that has it: the value, its bounds, its rank."""
    rows = [(found[0], *np.nanquantile(found[1:], BOUNDS)) for found in of.values()]
    table = pd.DataFrame(rows, index=list(of), columns=[name, f"{name} low", f"{name} high"], dtype=float)
    table[f"{name} rank"] = _ranks(table[name])
    return table


def _ranks(scores: pd.Series) -> pd.Series:
    return scores.rank(ascending=False, method="min")


def in_words(found: pd.DataFrame) -> pd.DataFrame:
    """What `tracks` found as text: the mean and the gain with intervals, each track with the rank among these rows; a dash:
    there is none. The names of those that run the nets are marked.
    """
    heads = [name for name in found.columns if f"{name} low" in found.columns and name not in (MEAN, GAIN)]
    words = {"position": [_whole(value) for value in found["position"]]}
    for head in (MEAN, GAIN):
        sign = "+" if head == GAIN else ""
        bounds = zip(*(found[name] for name in (head, f"{head} low", f"{head} high")), strict=True)
        words[head] = [_interval(value, low, high, sign) for value, low, high in bounds]
    for head in heads:
        words[head] = [_ranked(*row) for row in zip(found[head], _ranks(found[head]), strict=True)]
    return pd.DataFrame(words, index=found.index.where(~found["runs"], found.index + RUNS))


def _whole(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:g}"


def _interval(value: float, low: float, high: float, sign: str) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:{sign}.3f}" + ("" if pd.isna(low) else f" [{low:{sign}.2f}, {high:{sign}.2f}]")


def _ranked(score: float, rank: float) -> str:
    return "-" if pd.isna(score) else f"{score:.3f} ({rank:g})"
