"""What a fitted metanet predicts for the nets of a zoo, as a table."""

from pathlib import Path

import numpy as np
import pandas as pd

import zoo as zoos
from benchmark.scoring.find import object_named
from metanets import load_model
from zoo.storage import files

KINDS = (".csv", ".json")
PREDICTION = "prediction"  # the column


def predictions(model: Path | str, zoo_folder: Path | str, metanet: str | None = None) -> pd.DataFrame:
    """A row a net that did not diverge: `index`, `split`, `prediction`, and the model's target where the zoo has it.

    The model is a folder or an address such as `hf://USER/NAME`.

    `metanet` names one's own class, `package.module:NAME` or `path/to/file.py:NAME`, which is imported and run. Raises
    ValueError and FileNotFoundError as `load_model`, `zoo.open` and `Estimator.predict` do, and ValueError where a
    prediction is not finite.
    """
    if metanet is not None and ":" not in metanet:
        raise ValueError(f"{metanet}: expected package.module:NAME or path/to/file.py:NAME; the suite's own need no name")
    fitted = load_model(model, None if metanet is None else object_named(metanet))
    zoo = zoos.open(zoo_folder)
    assert fitted.model is not None
    if (target := fitted.model.target) == PREDICTION:
        raise ValueError(f"{model} predicts a target that is called {target!r}, as the column of predictions is; rename it")
    found = zoo.columns[["index", "split"]].assign(**{PREDICTION: fitted.predict(zoo)})
    if target in zoo.targets:
        found[target] = zoo.columns[target].astype(np.float64)
    found = found[~zoo.columns["diverged"]]
    if wrong := int((~np.isfinite(found[PREDICTION])).sum()):
        raise ValueError(
            f"{model} predicts no finite number for {wrong} of {len(found)} nets; fit it again, or on such nets"
        )
    return found


def text_of(found: pd.DataFrame, kind: str) -> str:
    """A table of predictions as text, every digit kept. Raises ValueError where the `kind` is not one of KINDS."""
    if kind not in KINDS:
        raise ValueError(f"predictions are written as {' or '.join(KINDS)}, not as {kind or 'a file without an ending'}")
    if kind == ".csv":
        return found.to_csv(index=False)
    return files.to_json(found.astype(object).where(found.notna(), None).to_dict("records")).decode()


def write(found: pd.DataFrame, path: Path) -> None:
    """Writes a table of predictions, by the path's ending. Raises as `text_of` does, and FileExistsError."""
    text = text_of(found, path.suffix)
    if not files.publish(path, text.encode(), below=path.parent):
        raise FileExistsError(f"{path} is there already; give another --out")
