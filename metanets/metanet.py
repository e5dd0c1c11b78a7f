"""What a metanet is to the scorer: what it reads of nets, and a way to fit predictions of a target to that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from torch import Generator, Tensor, nn

from metanets.inputs.batch import Batch
from metanets.inputs.canonical import marked
from metanets.inputs.hyper_parameters import without_them
from metanets.inputs.table import INPUTS, Input, input_named
from zoo import Nets
from zoo.nets.layout import Layout

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
    augment: tuple[str, ...] = ()  # kinds of symmetry by which the training nets are moved anew at every epoch
    warm_up: float = 0.0  # share of the steps in which the learning rate rises to its full value
    schedule: Literal["constant", "cosine"] = "constant"  # of the learning rate behind that; cosine falls to 0
    clip: float | None = None  # the gradient's norm at most; None: as it is
    patience: int | None = None  # epochs without a better validation R² after which training stops; None: never
    standardise: bool = False  # the target, by mean and deviation of the training nets; predictions are in its own units
    given: tuple[str, ...] = ()  # names of settings that hold for every metanet, also where they are the paper's

    def following(self, recipe: Mapping[str, Any]) -> "Training":
        """The same, with the settings of a metanet's recipe wherever these are the paper's and not `given`."""
        paper, open_ = Training(), [name for name in recipe if name not in self.given]
        return replace(self, **{name: recipe[name] for name in open_ if getattr(self, name) == getattr(paper, name)})


@dataclass(frozen=True)
class Examples:
    """What a metanet reads of some nets, a row each, and the target's value for each; `layout` says what the nets are."""

    features: Batch
    target: Float[np.ndarray, " net"]
    layout: Layout = ()
    moved: Callable[[Generator], Batch] | None = None  # the features anew, of nets moved by their symmetries


@dataclass(frozen=True)
class Fitted:
    """A metanet ready to predict. `chosen` says what was chosen on validation, `parameters` how many were trained.

    `module` is the trained module of one that was trained by gradient, where its output is what `predict` returns.
    `tensors` gives by name all that it takes to predict again (see `Fit`); None: it cannot be saved.
    """

    predict: Callable[[Batch], Float[np.ndarray, " net"]]
    parameters: int | None
    chosen: dict[str, Any] = field(default_factory=dict)
    module: nn.Module | None = None
    tensors: Callable[[], dict[str, Tensor]] | None = None


Predict = Callable[[Batch], Float[np.ndarray, " net"]]


def tensors_of(parts: Mapping[str, Callable[[], dict[str, Tensor]] | None]) -> dict[str, Tensor]:
    """The tensors that each part gives, behind its name and a dot; None gives none."""
    return {f"{part}.{name}": tensor for part, of in parts.items() if of for name, tensor in of().items()}


def tensors_by_part(tensors: Mapping[str, Tensor], parts: Sequence[str]) -> list[dict[str, Tensor]]:
    """Those of each of these parts, as `tensors_of` named them; others are left out."""
    found: dict[str, dict[str, Tensor]] = {part: {} for part in parts}
    for name, tensor in tensors.items():
        part, _, own = name.partition(".")
        if part in found:
            found[part][own] = tensor
    return list(found.values())


@dataclass(frozen=True)
class Fit:
    """A way to fit whose results can be saved: `restore` makes of a `Fitted`'s tensors what predicts as it did.

    `restore(tensors, layout)` is given the layout of the nets that are to be predicted for. Tensors may be a stranger's:
    it raises ValueError where they are not what this way of fitting leaves.
    """

    fit: Callable[..., Fitted]
    restore: Callable[[dict[str, Tensor], Layout], Predict]

    def __call__(self, *examples: Examples, **options: Any) -> Fitted:
        """Fits."""
        return self.fit(*examples, **options)


@dataclass(frozen=True)
class Metanet:
    """A metanet or a baseline: what it `reads` of the nets, and `fit` on train and validation.

    `reads` is a name in INPUTS (with `+canonical` or `+canonical+sizes` behind it: of nets in canonical form), an `Input`,
    or a function of `Nets` that returns a batch.
    `fit(train, validation, training=..., seed=..., chosen=...)` gets in `chosen` what an earlier seed chose on
    validation, or None to choose itself. It never sees the test split. `recipe` has settings of `Training` that are this
    metanet's own: `training=` is what `Training.following` makes of them and of what was asked for.
    """

    reads: str | Input | Callable[[Nets], Batch]
    fit: Callable[..., Fitted]
    version: int = 1  # of the method: raised with every change that may change its predictions
    baseline: bool = False  # a control that any metanet must beat
    trained_by_gradient: bool = False  # uses Training, and is to be told apart by seeds
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input(self) -> Input:
        """What it reads. Raises ValueError naming the nearest input where there is no such."""
        if isinstance(self.reads, str):
            return input_named(self.reads)
        return self.reads if isinstance(self.reads, Input) else Input(self.reads)

    @property
    def restore(self) -> Callable[[dict[str, Tensor], Layout], Predict] | None:
        """What makes of a saved fit's tensors what predicts again; None: what it fits cannot be saved."""
        return self.fit.restore if isinstance(self.fit, Fit) else None

    @property
    def reads_function(self) -> bool:
        """Whether nets are run for it; otherwise it reads weights alone. Boards mark it with a †."""
        return self.input.runs

    @property
    def reads_hyper_parameters(self) -> bool:
        """Whether it reads hyper-parameters, by the input of that name, and nothing else."""
        return self.input.read is INPUTS["hyper_parameters"].read

    def features(self, nets: Nets) -> Batch:
        """What it reads of these nets; of their hyper-parameters nothing, unless it `reads_hyper_parameters`."""
        return self.input.of(nets if self.reads_hyper_parameters else without_them(nets))

    def reading(self, mark: str) -> "Metanet":
        """The same, that reads nets in canonical form as this mark says (see `canonical.MARKS`)."""
        if isinstance(self.reads, str):
            return replace(self, reads=marked(self.reads, mark))
        return replace(self, reads=replace(self.input, mark=marked(self.input.mark, mark), cached=False))
