"""What a zoo holds, in numbers."""

from typing import Any

import pandas as pd

from zoo.dataset.derived import Derived
from zoo.dataset.reader import Zoo
from zoo.nets.layout import total
from zoo.spec.columns import LOGARITHMIC, SPLITS, WHOLE
from zoo.spec.hidden import Range
from zoo.spec.imported import Imported
from zoo.spec.spec import Spec

QUANTILES = (0, 0.25, 0.5, 0.75, 1)


def summary(zoo: Zoo) -> dict[str, Any]:
    """Counts, the quantiles of each target and hyper-parameter over nets that did not diverge, and sizes.

    `ranges` gives each hyper-parameter's and each hidden axis' range in the spec, beside its quantiles among the nets, and
    `draws` says it in words; none of imported ones.
    """
    settled = zoo.columns[~zoo.columns["diverged"]]
    return {
        "zoo": zoo.spec.name,
        "folder": str(zoo.folder),
        "manifest_sha256": zoo.manifest_sha256,
        "family": zoo.spec.family,
        "architecture": zoo.spec.architecture_text,
        "images": zoo.spec.image_task,
        "weights": {"all": total(zoo.layout), "trained": int(zoo.blueprint.trained.sum()), "dtype": zoo.spec.dtype},
        "nets": {
            split: {"nets": int(members.sum()), "diverged": int((members & zoo.columns["diverged"]).sum())}
            for split, members in ((split, zoo.columns["split"] == split) for split in SPLITS)
        },
        "shards": {split: len(parts) for split, parts in zoo.parts.items()},
        "quantiles": {name: quantiles(settled[name]) for name in zoo.targets},
        "derived": {name: {"of": one.of, **_told(one)} for name, one in zoo.derived.items()},
        "left_aside": list(zoo.left_aside),
        "ranges": {name: list(ends) for name, ends in ranges(zoo.spec).items()},
        "draws": {name: draw_in_words(name, ends) for name, ends in ranges(zoo.spec).items()},
    }


def ranges(spec: Spec | Imported) -> dict[str, Range]:
    """What each hyper-parameter and each hidden axis is drawn from; nothing of imported nets."""
    if isinstance(spec, Imported):
        return {}
    return {name: getattr(spec.recipe, name) for name in spec.hyper_parameters} | spec.recipe.hidden.axes


def draw_in_words(name: str, ends: Range) -> str:
    """How a column is drawn: `0.001 to 0.1, log-uniform`, or the one value that all nets have."""
    low, high = ends
    if low == high:
        return f"{low:g} in all nets"
    how = "log-uniform" if name in LOGARITHMIC else "uniform"
    return f"{low:g} to {high:g}, {how}{', whole numbers' * (name in WHOLE)}"


def _told(one: Derived) -> dict[str, Any]:
    note = one.note
    told = {"analysis": note.analysis, "command": note.command, "settings": note.settings}
    return {"rows": len(one.frame), "columns": {name: note.meanings[name] for name in one.columns}, **told}


def quantiles(values: pd.Series) -> list[float]:
    """Minimum, quartiles and maximum, of bools too."""
    return [float(value) for value in values.astype(float).quantile(list(QUANTILES))]
