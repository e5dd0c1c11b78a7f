"""A small zoo as an importer gives it: nets of random weights, whose accuracy is a function of one of them."""

import dataclasses

import numpy as np
import pandas as pd
import torch

from zoo.importers.source_zoo import Foreign, split_by_lineage
from zoo.nets.layout import from_shapes
from zoo.spec.imported import Imported, Provenance

LAYOUT = from_shapes(
    [
        ("one.weight", (4, 3), "linear", (None, None)),
        ("one.running_mean", (4,), "statistic", (None,)),
        ("two.bias", (2,), "bias", (None,)),
    ]
)
TRAINED = torch.tensor([True] * 12 + [False] * 4 + [True] * 2)
FIXED = torch.where(TRAINED, 0.0, float("nan"))


def foreign(nets: int = 48, **changes: object) -> Foreign:
    """Nets of random weights, whose accuracy is a function of one of them; two nets a lineage."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(nets, 18)).astype(np.float32)
    accuracy = 1 / (1 + np.exp(-values[:, 0]))
    frame = pd.DataFrame({"lineage": np.arange(nets) // 2, "rate": rng.random(nets), "test_accuracy": accuracy})
    frame["activation"] = np.where(values[:, 1] > 0, "relu", "tanh")
    frame["split"] = split_by_lineage(frame["lineage"].tolist())
    about = Imported(
        name="theirs",
        family="plain",
        architecture="tiny",
        image_task="digits",
        dtype="float32",
        split="by lineage",
        provenance=Provenance(kind="test", title="Arrays", url="", licence="none", citation="none", files={}),
        hyper_parameters={"rate": "a number", "activation": "a word"},
        targets={"test_accuracy": "share"},
        columns={"lineage": "the run"},
        text=("activation",),
    )
    given = Foreign(about, LAYOUT, frame, lambda rows: values[rows], TRAINED, FIXED)
    return dataclasses.replace(given, **changes)
