"""Hyper-parameters, and nothing: what baselines read."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.canonical import split
from zoo import Nets

HYPER_PARAMETERS = "hyper_parameters"  # the name of this input; no other is handed any


def hyper_parameters(nets: Nets) -> Float[Tensor, "net feature"]:
    """The hyper-parameters as they are, in no scale of ours; words as a column of 0 and 1 for each word.

    Where none is known, one column of zeros: then trees predict the mean.
    """
    if not nets.hyper_parameters.shape[1]:
        return torch.zeros(len(nets), 1)
    return torch.from_numpy(_numbers(nets.hyper_parameters).to_numpy(np.float64, copy=True)).float()


def reads_them(reads: str | None) -> bool:
    """Whether what reads the input of this name, None of one without, is handed hyper-parameters."""
    return split(reads or "")[0] == HYPER_PARAMETERS


def without_them(nets: Nets) -> Nets:
    """The nets as they are handed to what does not read hyper-parameters: none is known."""
    return replace(nets, hyper_parameters=nets.hyper_parameters[[]])


def names_read(frame: pd.DataFrame) -> list[str]:
    """What `hyper_parameters` reads of nets with these, column by column: `NAME`, or `NAME = WORD`.

    What was fitted to them predicts for nets with the same ones alone.
    """
    return list(_numbers(frame)) if frame.shape[1] else []


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.get_dummies(frame, dtype=float, prefix_sep=" = ")


def nothing(nets: Nets) -> Float[Tensor, "net 0"]:
    """No feature at all."""
    return torch.empty(len(nets), 0)
