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

from metanets.fit import by_gradient, restored, validation_r2
from metanets.forests import fit_extra_trees, restored_extra_trees
from metanets.inputs.layers import FEATURES
from metanets.metanet import Examples, Fit, Fitted, Predict, Training, tensors_by_part, tensors_of
from metanets.structured.hybrid import Hybrid
from metanets.structured.layers import Tensors
from zoo.nets.layout import Layout
from zoo.seeds import stable_seed

MEMBERS = 2  # networks; two take half of the variance between seeds away, and each costs as much as the first
PARTS = (*map(str, range(MEMBERS)), "trees")  # what tensors are saved by
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
    quantiles = _quantiles(train.features[FEATURES])
    ranks = _ranked(quantiles)
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

    saved = {name: one.tensors for name, one in zip(PARTS, (*members, trees), strict=True)}
    predict = _mean_of(ranks, [member.predict for member in members], trees.predict)
    scored = validation_r2(validation.target, predict(validation.features))
    return Fitted(
        predict,
        parameters=sum(member.parameters or 0 for member in members),
        chosen={**members[0].chosen, "validation_r2": scored},
        tensors=lambda: {**quantiles, **tensors_of(saved)},
    )


def restored_hybrid(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts as networks and trees did. Raises ValueError where the tensors are not theirs."""
    ranks = _ranked(tensors)
    *networks, forest = tensors_by_part(tensors, PARTS)
    build = partial(Hybrid, features=int(tensors["differ"].sum()))
    return _mean_of(ranks, [restored(build, own, layout) for own in networks], restored_extra_trees(forest, layout))


def _mean_of(ranks: Callable[[Tensors], Tensors], networks: list[Predict], trees: Predict) -> Predict:
    """The mean of the trees' prediction and the networks' mean."""

    def predict(features: Tensors) -> Float[np.ndarray, " net"]:
        own = ranks(features)
        return (np.mean([network(own) for network in networks], axis=0) + trees(features[FEATURES])) / 2

    return predict


def _quantiles(known: Float[Tensor, "net feature"]) -> dict[str, Tensor]:
    """Of the `known` nets: which features differ between them, and the quantiles of those that do."""
    differ = known.double().std(dim=0) > 1e-6 * known.double().abs().mean(dim=0)  # beyond float32's rounding
    ranks = QuantileTransformer(n_quantiles=min(QUANTILES, len(known)), output_distribution="normal", random_state=0)
    ranks.fit(known[:, differ].double().numpy())
    return {"differ": differ, "quantiles": torch.from_numpy(ranks.quantiles_.copy())}


def _ranked(tensors: dict[str, Tensor]) -> Callable[[Tensors], Tensors]:
    """What replaces features by their ranks among those of which these are the quantiles, in standard deviations.

    Raises ValueError where they are no quantiles.
    """
    differ, quantiles = tensors.get("differ", torch.empty(0)), tensors.get("quantiles", torch.empty(0))
    if differ.dtype != torch.bool or differ.ndim != 1 or quantiles.dtype != torch.float64 or quantiles.ndim != 2:
        raise ValueError("`differ` and `quantiles` do not say how features are ranked")
    if quantiles.shape[1] != int(differ.sum()) or not 1 <= len(quantiles) <= QUANTILES:
        raise ValueError(f"`quantiles` has shape {[*quantiles.shape]} for {int(differ.sum())} features that differ")
    ranks = QuantileTransformer(n_quantiles=len(quantiles), output_distribution="normal", random_state=0)
    ranks.quantiles_, ranks.references_ = quantiles.numpy(), np.linspace(0, 1, len(quantiles))
    ranks.n_quantiles_, ranks.n_features_in_ = len(quantiles), quantiles.shape[1]

    def ranked(batch: Tensors) -> Tensors:
        found = ranks.transform(batch[FEATURES][:, differ].double().numpy())
        return batch | {FEATURES: torch.from_numpy(found).clamp(-FARTHEST, FARTHEST).float()}

    return ranked


HYBRID = Fit(fit_hybrid, restored_hybrid)
