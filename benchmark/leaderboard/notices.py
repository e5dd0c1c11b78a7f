"""What is worth a look: copies, tests far above validation, scores of 1, external data. It accuses nobody."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from benchmark.leaderboard.columns import number
from benchmark.leaderboard.entries import Key
from benchmark.leaderboard.leaderboard import Result
from benchmark.leaderboard.names import resembles

ALIKE = 1 - 5e-5  # correlation of predictions that differ by a hundredth of their spread
FAR = 0.2  # in R²: validation nets and test nets of one zoo are alike
TENTH = 10  # times as much unexplained on validation as on test
PERFECT = 0.9995  # R² that is shown as 1.000


def notices(results: Sequence[Result]) -> dict[Key, list[str]]:
    """What to look into, in words, of each result but the suite's baselines."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault(result.key[:2], []).append(result)
    found: dict[Key, list[str]] = {}
    for group in groups.values():
        copies = _copies(group)
        for place, result in enumerate(group):
            if not result.baseline:
                lines = [*_scores(result), *copies[place], *_name(result), *_external(result)]
                found |= {result.key: lines} if lines else {}
    return found


def _scores(result: Result) -> list[str]:
    task = result.records[0].task
    test = float(np.mean([scores.test["r2"] for scores in result.scores]))
    validation = float(np.mean([scores.validation["r2"] for scores in result.scores]))
    lines = []
    if max(scores.test["r2"] for scores in result.scores) >= PERFECT:
        lines.append("its R² is 1 within rounding, as where the labels themselves were predicted")
    alike = task.zoo == task.test_zoo and task.shift is None  # else the test nets are others, and may be easier
    if alike and (test > validation + FAR or (test > 0.5 and (1 - validation) > TENTH * (1 - test))):
        lines.append(f"its R² on test nets ({number(test)}) is far above that on validation nets ({number(validation)})")
    return lines


def _name(result: Result) -> list[str]:
    known = None if result.own else resembles(result.records[0].metanet.name)
    return [] if known is None else [f"its name reads as {known}, which is the suite's; these records are not of its code"]


def _external(result: Result) -> list[str]:
    told = None if result.submission is None else result.submission.external
    return [] if told is None else [f"it learned from more than the zoo's training nets: {told}"]


def _copies(group: Sequence[Result]) -> list[list[str]]:
    """For each result on one task and zoo, whose predictions its own are, but for a hundredth of their spread."""
    owner = np.repeat(np.arange(len(group)), [len(result.predicted) for result in group])
    rows = _standardised(np.concatenate([result.predicted for result in group]))
    alike = rows @ rows.T >= ALIKE
    np.fill_diagonal(alike, False)
    lines = []
    for place, result in enumerate(group):
        others = {int(other) for other in owner[alike[owner == place].any(axis=0)]}
        said = ["its seeds predict the same, as where nothing is drawn at random"] * (place in others)
        said += [
            f"its predictions are nearly those of {group[other].label}, as where one is a copy of the other"
            for other in sorted(others - {place})
            if not result.own or group[other].own  # who is copied is not to be blamed for it
        ]
        lines.append(said)
    return lines


def _standardised(predicted: Float[np.ndarray, "row net"]) -> Float[np.ndarray, "row net"]:
    """Each row with mean 0 and length 1; a constant, which is like any other, is 0."""
    with np.errstate(all="ignore"):
        rows = predicted / np.abs(predicted).max(axis=1, keepdims=True)
        centred = rows - rows.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.where(np.isfinite(centred) & (lengths > 1e-12), centred / lengths, 0.0)
