"""Extremely randomised trees: for features of which there are more than nets."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.ensemble import ExtraTreesRegressor
from torch import Tensor

from metanets.fit import validation_r2
from metanets.metanet import Examples, Fit, Fitted, Predict, Training
from metanets.mistakes import MistakeError
from zoo.nets.layout import Layout

TREES, SHARE, LEAF = 300, 0.3, 2  # trees; share of the features that a split is chosen from; fewest nets in a leaf
NODES = ("children_left", "children_right", "feature", "threshold")  # of a tree of scikit-learn, a number a node
TYPES = {**dict.fromkeys(NODES[:3], np.int64), "threshold": np.float64, "value": np.float64, "nodes": np.int64}


def fit_extra_trees(
    train: Examples, validation: Examples, *, training: Training, seed: int, chosen: dict[str, Any] | None = None
) -> Fitted:
    """Extremely randomised trees (Geurts, Ernst & Wehenkel 2006). Nothing is chosen on validation.

    Thresholds are drawn between the smallest and the largest value, so that they lie between values that differ in the last
    bits only by chance.
    """
    trees = ExtraTreesRegressor(TREES, max_features=SHARE, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    trees.fit(train.features.numpy(), train.target)

    def predict(features: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
        return np.asarray(trees.predict(features.numpy()), np.float64)

    scored = validation_r2(validation.target, predict(validation.features))
    return Fitted(predict, parameters=None, chosen={"validation_r2": scored}, tensors=lambda: _tensors(trees))


def _tensors(trees: ExtraTreesRegressor) -> dict[str, Tensor]:
    """The public arrays of all trees, node by node, one tree after the other; a child is named by its place in its tree."""
    parts = [one.tree_ for one in trees.estimators_]
    found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in NODES}
    found["value"] = np.concatenate([part.value.reshape(-1) for part in parts])
    found["nodes"] = np.array([part.node_count for part in parts])
    return {name: torch.from_numpy(np.asarray(found[name], TYPES[name])) for name in TYPES} | {
        "features": torch.tensor([trees.n_features_in_])
    }


def restored_extra_trees(tensors: dict[str, Tensor], layout: Layout) -> Predict:
    """What predicts as the forest did, to the last bit. Raises ValueError where these are no forest's arrays."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    _check(arrays)
    nodes, features = arrays["nodes"], int(arrays["features"][0])
    roots = np.cumsum(nodes) - nodes
    shift = np.repeat(roots, nodes)
    leaf = arrays["children_left"] < 0
    left, right = (np.where(leaf, np.arange(len(leaf)), arrays[name] + shift) for name in NODES[:2])
    feature, threshold = np.where(leaf, 0, arrays["feature"]), arrays["threshold"]

    def predict(given: Float[Tensor, "net feature"]) -> Float[np.ndarray, " net"]:
        known = given.numpy().astype(np.float32)  # as scikit-learn compares: float32 with thresholds in float64
        if known.shape[1] != features:
            raise MistakeError(f"these nets have {known.shape[1]} features; the trees were fitted on {features}")
        if not np.isfinite(known).all():
            raise MistakeError("a feature of these nets is not finite")
        rows, found = np.arange(len(known)), np.zeros(len(known))
        for root in roots:  # one after the other, since sums depend on the order
            at = np.full(len(known), root)
            while not leaf[at].all():
                at = np.where(known[rows, feature[at]] <= threshold[at], left[at], right[at])
            found += arrays["value"][at]
        return found / len(roots)

    return predict


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Raises ValueError where an array is missing, or what they say is no trees: each child lies behind its parent."""
    wanted = {**TYPES, "features": np.int64}
    if arrays.keys() != wanted.keys() or any(
        arrays[name].dtype != kind or arrays[name].ndim != 1 for name, kind in wanted.items()
    ):
        raise ValueError(f"its arrays are {', '.join(arrays)}; expected {', '.join(wanted)}, one axis each")
    nodes, features = arrays["nodes"], arrays["features"]
    count = len(arrays["value"])
    if any(len(arrays[name]) != count for name in NODES) or len(features) != 1 or not len(nodes):
        raise ValueError("its arrays are of different lengths")
    if nodes.min() < 1 or nodes.max() > count or int(nodes.sum()) != count:
        raise ValueError(f"its trees do not have {count} nodes together")
    own = np.arange(count) - np.repeat(np.cumsum(nodes) - nodes, nodes)  # a node's place in its tree
    last, inner = np.repeat(nodes, nodes), arrays["children_left"] >= 0
    for name in NODES[:2]:
        child = arrays[name]
        if not ((child[inner] > own[inner]) & (child[inner] < last[inner])).all():
            raise ValueError("a node's child does not lie behind it in its tree")
    used = arrays["feature"][inner]
    if len(used) and (used.min() < 0 or used.max() >= features[0]):
        raise ValueError(f"a node asks for a feature that is none of the {features[0]}")


EXTRA_TREES = Fit(fit_extra_trees, restored_extra_trees)
