"""What a metanet is to the scorer: features of nets, and a way to fit predictions of a target to them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Generator, Tensor

from zoo import Nets

# The paper's grid and training (Lim et al. 2024, appendix; official code): AdamW, mean squared error.
LEARNING_RATES = (1e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2)


@dataclass(frozen=True)
class Training:
    """How metanets that are trained by gradient are trained; defaults are the paper's."""

    epochs: int = 50
    batch: int = 128  # nets a step; the last, smaller batch of an epoch is used too
    weight_decay: float = 0.01  # AdamW's
    learning_rates: tuple[float, ...] = LEARNING_RATES  # chosen from on validation, with the first seed
    device: str = "cpu"  # or cuda, cuda:1 ...
    permute: bool = False  # whether the channels of the training nets are put in another order at every epoch


@dataclass(frozen=True)
class Examples:
    """Features of nets, a row each, and the target's value for each."""

    features: Float[Tensor, "net feature"]
    target: Float[np.ndarray, " net"]
    permuted: Callable[[Generator], Float[Tensor, "net feature"]] | None = (
        None  # the features anew, channels in another order
    )


@dataclass(frozen=True)
class Fitted:
    """A metanet ready to predict. `chosen` says what was chosen on validation, `parameters` how many were trained."""

    predict: Callable[[Float[Tensor, "net feature"]], Float[np.ndarray, " net"]]
    parameters: int | None
    chosen: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Metanet:
    """A metanet or a baseline: `features` of the nets, and `fit` on train and validation.

    `fit(train, validation, training=..., seed=..., chosen=...)` gets in `chosen` what an earlier seed chose on
    validation, or None to choose itself. It never sees the test split.
    """

    features: Callable[[Nets], Float[Tensor, "net feature"]]
    fit: Callable[..., Fitted]
    version: int = 1  # of the method: raised with every change that may change its predictions
    baseline: bool = False  # a control that any metanet must beat
    cached: bool = False  # whether the features follow from the weights alone, and take long enough to be kept
    trained_by_gradient: bool = False  # uses Training, and is to be told apart by seeds
