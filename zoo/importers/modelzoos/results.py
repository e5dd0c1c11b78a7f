"""What a trial measured: the lines of its result.json by iteration, and which of our columns they are."""

from collections.abc import Iterable
from math import copysign, inf, isfinite, isnan, nan
from pathlib import Path
from typing import Any

from zoo.importers.source_zoo import LARGEST
from zoo.untrusted import entries, readers

RESULTS = {  # key of a result -> our name, and what it is
    "test_acc": ("test_accuracy", "share of the test images classified rightly, measured by the source"),
    "test_loss": ("test_loss", "mean loss on the test images, measured by the source"),
    "val_acc": ("validation_accuracy", "share of the held-out training images classified rightly, measured by the source"),
    "val_loss": ("validation_loss", "mean loss on the held-out training images, measured by the source"),
    "train_acc": (
        "train_accuracy_running",
        "share of the training images classified rightly while the epoch trained, dropout on: not that of these weights",
    ),
    "train_loss": (
        "train_loss_running",
        "mean loss on the training images while the epoch trained, dropout on: not that of these weights",
    ),
    "sparsity_ratio": ("sparsity_ratio", "share of the weights that variational dropout drops"),
}
ACCURACIES = ("test_acc", "val_acc", "train_acc")
GAP = "generalisation_gap_running"
GAP_IS = "train_accuracy_running - test_accuracy: biased, since the former is of training mode and of earlier weights"
TARGETS = {**dict(RESULTS.values()), GAP: GAP_IS}
BROKEN_OFF = "files of results break off within a last line, which is left out with its checkpoint"
PERCENT = "results have per cent signs: 1% is taken as 0.01"
NOT_TRAINED = -999  # the source's train_acc and train_loss of the net before training

Results = dict[int, dict[str, float]]  # iteration -> key of a result -> its value, NaN where it was not measured


def read(path: Path) -> tuple[Results, int, dict[str, int]]:
    """The results of each iteration, and how many were written again, as a trial that goes on does: the last counts.

    Also what else there is to say of them, and of how many.
    """
    results: Results = {}
    lines, broken_off = readers.json_lines(path, nan=True)
    told = {BROKEN_OFF: int(broken_off), PERCENT: sum(_has_percent(line) for line in lines)}
    for number, line in enumerate(lines, start=1):
        at = line.get("training_iteration", line.get("epoch"))
        if type(at) is not int or at < 0:
            raise ValueError(f"{path}: line {number}: training_iteration (or epoch) is {at!r}, expected a whole number")
        results[at] = {key: _value(line[key], f"{path}: line {number}: {key}") for key in RESULTS if key in line}
    if not results:
        raise ValueError(f"{path} has no results")
    return results, len(lines) - len(results), told


def _value(value: Any, what: str) -> float:
    if isinstance(value, str) and entries.kind(value) in ("number", "missing", "percent"):
        value = entries.number(value)
    if value is not None and type(value) not in (int, float):
        raise ValueError(f"{what} is {value!r}, expected a number, or null for none")
    return nan if value is None or value == NOT_TRAINED else as_float32(value)


def _has_percent(line: dict[str, Any]) -> bool:
    return any(isinstance(line.get(key), str) and entries.kind(line[key]) == "percent" for key in RESULTS)


def as_float32(value: int | float) -> float:
    """The number as float32 can hold it: infinite where it cannot."""
    return copysign(inf, value) if abs(value) > LARGEST else float(value)


def accuracies(results: Results) -> list[float]:
    """All accuracies that were measured, in the source's unit."""
    values = [line[key] for line in results.values() for key in ACCURACIES if key in line]
    return [value for value in values if not isnan(value)]


def measured(line: dict[str, float], unit: float) -> dict[str, float]:
    """The results of an iteration in our names and units; `unit` is what the source writes for an accuracy of 1."""
    found = {RESULTS[key][0]: value / unit if key in ACCURACIES else value for key, value in line.items()}
    if "train_acc" in line and "test_acc" in line:
        found[GAP] = found["train_accuracy_running"] - found["test_accuracy"]
    return found


def targets(points: Iterable[dict[str, float]]) -> dict[str, str]:
    """The columns that were measured at all, and what they are."""
    known = {column for point in points for column, value in point.items() if isfinite(value)}
    return {column: text for column, text in TARGETS.items() if column in known}
