"""All tasks on one page: tracks, the tasks of one question each, and the mean over tracks that a metanet is ranked by."""

import pandas as pd

from benchmark.leaderboard.ranking import that_count
from benchmark.records.facts import facts_by_name
from benchmark.records.records import Task

# Track -> its question, in the order of a table's columns.
TRACKS = {
    "in zoo": "other nets of the same zoo",
    "shift": "nets whose hyper-parameter lies beyond those fitted on",
    "transfer": "nets of another zoo: another family or width, or moved copies",
    "few nets": "as in zoo, fitted on few nets",
    "hidden axes": "nets of one recipe, where hyper-parameters say nothing",
    "pairs": "a number of two nets, such as the barrier between them",
}
MEAN = "mean"


def track_of(task: Task) -> str:
    """The track of a task, which follows from it alone; a zoo whose recipe is not known is no zoo of one recipe."""
    if task.pairs is not None:
        return "pairs"
    if task.train_nets is not None:
        return "few nets"
    if task.shift is not None:
        return "shift"
    if task.zoo != task.test_zoo:
        return "transfer"
    return "hidden axes" if (task.facts or facts_by_name(task.test_zoo.name)).varied == [] else "in zoo"


def tracks(cells: pd.DataFrame) -> pd.DataFrame:
    """A row a metanet, best first: its `mean` over tracks, `rank` by it, and for each track its score and rank there.

    The score of a track is the mean of R² over its tasks and zoos, where R² below 0 counts as 0: one prediction far off, as
    on another zoo, would else decide the whole. Who lacks a task on a zoo among those `that_count` has no score in that
    track, no mean and no rank, which are NaN, and stands below. Ranks are from 1.
    """
    table = cells.assign(r2=cells["r2_mean"].clip(lower=0)).pivot(
        index=["track", "task", "zoo"], columns="metanet", values="r2"
    )
    scores = that_count(table, cells).groupby(level="track").agg(lambda of_track: of_track.mean(skipna=False))
    scores = scores.reindex([track for track in TRACKS if track in scores.index])
    found = pd.DataFrame({MEAN: scores.mean(skipna=False)})
    found["rank"] = found[MEAN].rank(ascending=False)
    for track, row in scores.iterrows():
        found[str(track)], found[f"{track} rank"] = row, row.rank(ascending=False)
    return found.sort_values([MEAN, *map(str, scores.index)], ascending=False)


def in_words(found: pd.DataFrame) -> pd.DataFrame:
    """What `tracks` found as text: scores to three places with the rank in brackets, and a dash where there is none."""
    heads = [name for name in found.columns if not name.endswith("rank")]
    ranks = {head: "rank" if head == MEAN else f"{head} rank" for head in heads}
    return pd.DataFrame(
        {head: [_text(*pair) for pair in zip(found[head], found[ranks[head]], strict=True)] for head in heads},
        index=found.index,
    )


def _text(score: float, rank: float) -> str:
    return "-" if pd.isna(score) else f"{score:.3f} ({rank:g})"
