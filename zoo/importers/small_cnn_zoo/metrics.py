"""A `metrics.csv.gz` of the Small CNN Zoo: what is known of each row of the weights, a checkpoint of a run."""

from pathlib import Path

import numpy as np
import pandas as pd

from zoo.importers import published_columns
from zoo.messages import some_names
from zoo.untrusted.tables import Table

HYPER_PARAMETERS = {  # the source's columns are config.NAME
    "activation": "activation of the hidden layers",
    "b_init": "how biases were initialised",
    "dropout": "dropout rate after each convolution",
    "epochs": "passes over the training images of the whole run",
    "init_std": "standard deviation of initial values, where w_init or b_init leaves it open",
    "l2reg": "factor of the kernels' squared norm in the training loss",
    "learning_rate": "learning rate",
    "optimizer": "optimiser",
    "train_fraction": "share of the training images that was trained on",
    "w_init": "how kernels were initialised",
}
TEXT = ("activation", "b_init", "optimizer", "w_init", "modeldir")
WHOLE = ("epochs", "step")
MEASURED = {
    "test_accuracy": "share of the test images classified rightly",
    "test_loss": "mean cross-entropy on the test images, nats, plus the penalty of l2reg, which Keras counts as loss",
    "train_accuracy": "share of the images trained on that are classified rightly, without dropout",
    "train_loss": "mean cross-entropy on the images trained on, nats, without dropout, plus the penalty of l2reg",
}
TARGETS = MEASURED | {"generalisation_gap": "train_accuracy - test_accuracy"}
COLUMNS = {
    "lineage": "number of the run: of its modeldir among all of the source, sorted",
    "modeldir": "the source's name of the run",
    "step": "epochs after which the weights were taken",
    "row": "the row of the source's weights",
}


def read(path: Path, rows: int) -> tuple[pd.DataFrame, list[str]]:
    """What is known of each row of the weights, under our names; and in words, what to know of the table.

    Raises ValueError naming the file and the column where there are not so many rows, or an entry is none of its column.
    """
    prefixed = {name: f"config.{name}" for name in ("dataset", *HYPER_PARAMETERS)}
    named = prefixed | {name: name for name in ("modeldir", "step", *MEASURED)}  # our name -> the source's
    table = published_columns.table(path, list(named.values()))
    if len(table) != rows:
        raise ValueError(f"{path}: {len(table)} rows for {rows} rows of weights; the files belong to different zoos")
    metrics = pd.DataFrame({"row": np.arange(rows)})
    notes = list(table.notes)
    for name, source in named.items():
        metrics[name], note = _column(name, table, source)
        notes += [note] if note else []
    for name in ("test_accuracy", "train_accuracy"):
        wrong = np.flatnonzero((metrics[name] < 0) | (metrics[name] > 1))
        if len(wrong):
            raise ValueError(
                f"{path}: {name} is {metrics[name][wrong[0]]:g} in {table.where(int(wrong[0]))}, expected a share in [0, 1]"
            )
    metrics["generalisation_gap"] = metrics["train_accuracy"] - metrics["test_accuracy"]
    metrics["lineage"] = pd.factorize(metrics["modeldir"], sort=True)[0].astype(np.int64)
    left_out = [name for name in table.frame if name not in named.values()]
    return metrics, [*notes, *[f"columns left out: {some_names(left_out)}"] * bool(left_out)]


def _column(name: str, table: Table, source: str) -> tuple[np.ndarray, str]:
    """The values of a column, and what to know of them."""
    if name in TEXT or name == "dataset":
        return published_columns.words(table, source), ""
    if name in WHOLE:
        return published_columns.whole_numbers(table, source), ""
    found = published_columns.numbers(table, source)
    return found.values, found.note
