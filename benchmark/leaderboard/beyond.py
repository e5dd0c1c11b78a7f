"""What a board says beyond scores: what a metanet knows beyond the recipe, and how much of a zoo could be known at all."""

from collections.abc import Sequence
from math import nan

import numpy as np
import pandas as pd

from benchmark.records.facts import facts_by_name
from benchmark.records.records import Task
from benchmark.statistics.attainable import images_of, noise_ceiling, tau_without_ties
from benchmark.statistics.beyond import tables_beyond
from benchmark.statistics.intervals import Ends, Predictions, Table, interval_of
from benchmark.statistics.metrics import Values

BEYOND = ("r2_beyond", "tau_beyond")
OF_IMAGES = ("test_accuracy", "validation_accuracy")  # shares of images that no net was trained on


def beyond(true: Values, predictions: Sequence[Predictions], baseline: Predictions, ends: Ends) -> list[tuple[Table, ...]]:
    """The tables of BEYOND of each metanet, on the nets of one task, beyond the mean prediction of the baseline's seeds."""
    parts = np.cumsum([len(predicted) for predicted in predictions])[:-1]
    tables = tables_beyond(true, np.concatenate(predictions), baseline.mean(axis=0), ends=ends)
    return list(zip(*(np.split(table, parts, axis=1) for table in tables), strict=True))


def cells_of(tables: tuple[Table, ...] | None, *, told: bool) -> dict[str, float]:
    """The cells of BEYOND: the mean over seeds, and the bounds where they are told; NaN where there is nothing to know."""
    cells = {}
    for name, table in zip(BEYOND, (None, None) if tables is None else tables, strict=True):
        known = table is not None and np.isfinite(table[0]).all()
        sure = interval_of(table) if table is not None and known else None
        cells[name] = nan if sure is None else sure.value
        cells[f"{name}_low"] = sure.low if sure and told else nan
        cells[f"{name}_high"] = sure.high if sure and told else nan
    return cells


def attainable(task: Task, true: Values) -> dict[str, float]:
    """The cells of how much could be known: of accuracies, the R² that the noise of so many images leaves; else NaN."""
    known = (task.facts or facts_by_name(task.test_zoo.name)).test_images
    images = images_of(true, known) if task.target in OF_IMAGES and task.pairs is None else None
    return {
        "tau_without_ties": tau_without_ties(true),
        "images": nan if images is None else images,
        "noise_ceiling": nan if images is None else noise_ceiling(true, images),
    }


def attainable_line(zoos: dict[str, str], cells: pd.DataFrame) -> str:
    """What could be known of each zoo of a board, by label and what it is to be called, in one line."""
    parts = []
    for zoo, called in zoos.items():
        row = cells[cells["zoo"] == zoo].iloc[0]
        ceiling = f"R² {_below_one(row['noise_ceiling'])} (noise of {row['images']:,.0f} images), "
        tau = f"tau 1 ({_below_one(row['tau_without_ties'])} without ties)"
        parts.append(f"{called} {'' if pd.isna(row['noise_ceiling']) else ceiling}{tau}")
    return f"attainable by a perfect prediction: {'; '.join(parts)}"


def _below_one(value: float) -> str:
    """To three places, or four where three would make it 1."""
    return f"{value:.4f}" if 0.9995 <= value < 1 else f"{value:.3f}"
