"""Nets as a metanet sees them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

Inputs = Literal["trained", "all"]


@dataclass(frozen=True)
class Nets:
    """Some nets as a metanet sees them: weights and hyper-parameters, no targets; rows in order of `index`.

    `segments` says where in the vector each tensor's entries stand; a tensor that is wholly fixed has none of the
    trained ones.
    """

    index: np.ndarray
    weights: Float[Tensor, "net weight"]
    hyper_parameters: pd.DataFrame
    segments: tuple[tuple[str, slice], ...]

    def __len__(self) -> int:
        return len(self.index)
