"""Whether trained weights are exchangeable under the group: can a classifier tell nets from moved nets?

A move that leaves every function alone need not leave the distribution of trained nets alone. A generator that looks for
symmetries of a distribution (LieGAN, Yang et al. 2023, arXiv 2302.00236) finds those of the second kind only.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import zoo as zoos
from zoo import Zoo
from zoo.landscape.orbits.charges import charges
from zoo.seeds import stream
from zoo.symmetry import KINDS, Group, act, draw, group_of
from zoo.symmetry.group import acting, masked

NETS = 1000  # at most: that many nets of 78,042 weights take 0.6 GB with their moved copies
FEWEST = 20  # nets: the standard error of an area under the curve is 0.09 then
AT_ONCE = 64  # nets that charges are computed of: bounds the memory
REDRAWS = 200  # of the held-out nets, for the standard error
BEYOND = 3  # standard errors above 1/2 from which on a difference is called one
PENALTY = 1e-3  # inverse, of the logistic regression: strong, as there are more weights than nets

Scores = Float[np.ndarray, " net"]


@dataclass(frozen=True)
class Told:
    """How well a classifier that sees `features` tells nets from nets moved by one kind of symmetry.

    `auc`: the chance that it ranks a moved net above a net, on held-out nets; 1/2 where nobody can tell. `se`: standard
    error over held-out nets.
    """

    kind: str
    features: str
    auc: float
    se: float

    @property
    def differs(self) -> bool:
        """Whether moved nets are told apart beyond chance."""
        return self.auc - BEYOND * self.se > 0.5


@dataclass(frozen=True)
class Distribution:
    """What was found for a zoo; `held_out` counts the nets that the classifiers had not seen."""

    zoo: str
    nets: int
    held_out: int
    tied: bool
    told: tuple[Told, ...]

    def lines(self) -> list[str]:
        """In words: a line for each kind of symmetry and features."""
        again = "; then the fixed entries got their values again" if self.tied else ""
        return [
            f"{self.zoo}: {self.nets} nets against the same nets moved{again}",
            f"area under the curve on {self.held_out} nets that the classifier had not seen; 0.5: nobody can tell",
            *(
                f"{one.kind:12}{one.features:8} {one.auc:.3f} ± {one.se:.3f}  "
                + ("moved nets are told apart" if one.differs else "exchangeable, as far as this classifier sees")
                for one in self.told
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def distribution(zoo_folder: Path, *, seed: int = 0) -> Distribution:
    """Tells nets from nets moved by each kind of symmetry that the layout has, whether masks tie it or not.

    Two classifiers: a logistic regression that sees all trained weights, and boosted trees that see the charges. They are
    fitted to the training split and its moved copies, and tried on the other splits. Nets that diverged are left out.
    Raises ValueError for nets whose symmetries are not known, and for fewer than FEWEST nets in a part.
    """
    made = zoos.open(zoo_folder)
    free, whole = group_of(made.blueprint), masked(acting(made.layout), torch.ones_like(made.blueprint.trained))
    parts = [_some(made, splits, seed) for splits in (("train",), ("validation", "test"))]
    if min(map(len, parts)) < FEWEST:
        raise ValueError(
            f"{made.folder}: {[*map(len, parts)]} nets to fit to and to try on; expected {FEWEST} of each or more"
        )
    told = [one for kind in KINDS if whole.only((kind,)) for one in _tell(made, parts, whole, kind, seed)]
    return Distribution(made.spec.name, sum(map(len, parts)), len(parts[1]), free != whole, tuple(told))


def _some(made: Zoo, splits: tuple[str, ...], seed: int) -> Float[Tensor, "net weight"]:
    """Whole nets of these splits, at most half of NETS."""
    weights = torch.cat([made.nets(split, inputs="all").weights for split in splits])
    return weights[torch.randperm(len(weights), generator=stream(seed, "distribution", *splits))[: NETS // 2]].float()


def _read(name: str, weights: Float[Tensor, "net weight"], made: Zoo, group: Group) -> Float[np.ndarray, "net feature"]:
    """What a classifier sees: the trained weights, or the charges that nets without fixed entries have."""
    if name == "weights":
        return weights[:, made.blueprint.trained].numpy()
    found = [charges(part, made.layout, group).values() for part in weights.split(AT_ONCE)]
    return np.concatenate([np.concatenate([one.reshape(len(one), -1) for one in part], axis=1) for part in found])


def _classifier(name: str, seed: int) -> Any:
    if name == "charges":
        return HistGradientBoostingClassifier(max_features=0.3, early_stopping=False, random_state=seed)
    return make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=1000))


def _tell(made: Zoo, parts: list[Tensor], group: Group, kind: str, seed: int) -> Iterator[Told]:
    """How well each classifier tells the nets of the second part from their moved copies, fitted to the first part."""
    pairs = []
    for number, weights in enumerate(parts):
        element = draw(group, len(weights), stream(seed, "distribution", kind, number), kinds=(kind,))
        pairs.append((weights, made.blueprint.effective(act(weights, made.layout, element))))
    for name in ("weights", "charges"):
        known, held = ([_read(name, side, made, group) for side in pair] for pair in pairs)
        model = _classifier(name, seed).fit(np.concatenate(known), np.repeat([0, 1], len(parts[0])))
        yield Told(kind, name, *_auc(*(model.predict_proba(side)[:, 1] for side in held), seed=seed))


def _auc(unmoved: Scores, moved: Scores, *, seed: int) -> tuple[float, float]:
    """The area under the curve, with its standard error: over draws of the nets, each with its moved copy."""
    nets = len(moved)
    wins = np.heaviside(moved - unmoved[:, None], 0.5)  # a tie is half a win
    draws = torch.randint(nets, (REDRAWS, nets), generator=stream(seed, "redraws")).numpy()
    counts = np.stack([np.bincount(rows, minlength=nets) for rows in draws]).astype(np.float64)
    return float(wins.mean()), float(np.std(((counts @ wins) * counts).sum(axis=1) / nets**2))
