"""Hybrid: networks that read structure and invariant weight features, and trees on these features beside them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.preprocessing import QuantileTransformer
from torch import Tensor

from metanets.fit import by_gradient, validation_r2
from metanets.forests import fit_extra_trees
from metanets.inputs.layers import FEATURES
from metanets.metanet import Examples, Fitted, Training
from metanets.structured.hybrid import Hybrid
from metanets.structured.layers import Tensors
from zoo.seeds import stable_seed

MEMBERS = 2  # networks; two take half of the variance between seeds away, and each costs as much as the first
QUANTILES = 128  # of a feature, at most: half as many as there are nets in the smallest zoos that we fit on
FARTHEST = 3.0  # standard deviations, to which ranks are clipped: a net beyond all of training is as the last of them


def fit_hybrid(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Fits MEMBERS networks and trees; predictions are the mean of the trees' and the networks' mean.

    Networks get the features' ranks among the training nets, as quantiles of the normal distribution, since many have long
    tails; trees get them as they are. The first network chooses the learning rate, also for the others. A feature that is
    the same in all training nets is left out.
    """
    ranks = _ranks(train.features[FEATURES])

    moved = train.moved
    parts = [replace(part, features=ranks(part.features)) for part in (train, validation)]
    if moved is not None:
        parts[0] = replace(parts[0], moved=lambda rng: ranks(moved(rng)))
    build = partial(Hybrid, features=parts[0].features[FEATURES].shape[1])
    members: list[Fitted] = []
    for number in range(MEMBERS):
        own = stable_seed("hybrid", seed, number)
        members.append(by_gradient(build)(*parts, training=training, seed=own, chosen=chosen))
        chosen = chosen or members[0].chosen
    forest = [replace(part, features=part.features[FEATURES], moved=None) for part in (train, validation)]
    trees = fit_extra_trees(*forest, training=training, seed=seed)

    def predict(features: Tensors) -> Float[np.ndarray, " net"]:
        own = ranks(features)
        networks = np.mean([member.predict(own) for member in members], axis=0)
        return (networks + trees.predict(features[FEATURES])) / 2

    scored = validation_r2(validation.target, predict(validation.features))
    return Fitted(
        predict,
        parameters=sum(member.parameters or 0 for member in members),
        chosen={**members[0].chosen, "validation_r2": scored},
    )


def _ranks(known: Float[Tensor, "net feature"]) -> Callable[[Tensors], Tensors]:
    """What replaces features by their ranks among those of the `known` nets, in standard deviations."""
    differ = known.double().std(dim=0) > 1e-6 * known.double().abs().mean(dim=0)  # beyond float32's rounding
    ranks = QuantileTransformer(n_quantiles=min(QUANTILES, len(known)), output_distribution="normal", random_state=0)
    ranks.fit(known[:, differ].double().numpy())

    def ranked(batch: Tensors) -> Tensors:
        found = ranks.transform(batch[FEATURES][:, differ].double().numpy())
        return batch | {FEATURES: torch.from_numpy(found).clamp(-FARTHEST, FARTHEST).float()}

    return ranked
