"""All records of a folder as one frame, for notebooks."""

from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.records import records
from benchmark.records.records import Record


def load_results(folder: str | Path = "data/results") -> pd.DataFrame:
    """A row for each record under a folder: what was predicted on which zoo, by what, every score and choice, and the path.

    Scores are `test_*` and `validation_*`, choices `chosen_*`; what a record does not have is NaN. Predictions are not
    read: `records.load` gives them. Raises FileNotFoundError where there is no record, ValueError on a bad one.
    """
    rows = [_row(found.path, found.record) for found in records.load(Path(folder).expanduser())]
    return pd.DataFrame(rows).astype({"parameters": "Int64"})  # not counted: NA, and the others stay whole numbers


def _row(path: Path, record: Record) -> dict[str, Any]:
    task, metanet = record.task, record.metanet
    return {
        "task": task.name(),
        "target": task.target,
        "fitted_on": task.zoo.label(),
        "zoo": task.test_zoo.label(),
        "family": task.test_zoo.family,
        "zoo_sha256": task.test_zoo.manifest_sha256,
        "metanet": metanet.name,
        "version": metanet.version,
        "baseline": metanet.baseline,
        "seed": record.seed,
        "parameters": metanet.parameters,
        "seconds": record.seconds,
        "date": record.date,
        "constant_prediction": record.constant_prediction,
        **{f"{split}_nets": count for split, count in task.nets.items()},
        "diverged_left_out": task.diverged_left_out,
        **{f"test_{metric}": value for metric, value in record.test.items()},
        **{f"validation_{metric}": value for metric, value in record.validation.items()},
        **{f"chosen_{name}": value for name, value in record.chosen.items()},
        "path": str(path),
    }
