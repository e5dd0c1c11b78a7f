"""Fitting a metanet to one zoo: which metanet a name means, what it is given, what it predicts."""

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.scoring.feature_cache import features
from benchmark.scoring.task import rows_of
from metanets import Examples, Metanet, Training, by_gradient
from metanets.inputs.vector import flat
from metanets.metanet import Fitted
from metanets.table import METANETS
from zoo import Nets, Zoo
from zoo.dataset.nets import Inputs
from zoo.messages import unknown
from zoo.symmetry.action import permuted
from zoo.symmetry.group import free_spaces

PERMUTED_AT_ONCE = 64  # nets: twice as fast as a thousand


@dataclass(frozen=True)
class Job:
    """One metanet fitted on one zoo and target, with all its seeds, and tested on one or more zoos.

    The seeds share what the first chose on validation.
    """

    zoo: Path
    tests: tuple[Path, ...]
    metanet: str
    target: str
    seeds: range
    training: Training
    out: Path
    inputs: Inputs = "trained"
    shift: str | None = None
    train_nets: int | None = None
    overwrite: bool = False
    command: str = ""


@dataclass(frozen=True)
class Labelled:
    """Examples, and the indices of their nets."""

    index: np.ndarray
    examples: Examples


def find_metanet(name: str) -> Metanet:
    """The metanet of that name in METANETS, or the user's own, `package.module:NAME`.

    NAME is a `Metanet`, or an `nn.Module` class that takes the number of weights and maps [net, weight] to [net].
    Raises ValueError where there is no such. Importing runs the module's code.
    """
    if ":" not in name:
        if name not in METANETS:
            raise ValueError(unknown("metanet", name, METANETS) + "; your own: package.module:NAME")
        return METANETS[name]
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a module in the working directory, as with `python -m`
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot import metanet {name!r}: {error}") from error
    if isinstance(found, Metanet):
        return found
    if isinstance(found, type) and issubclass(found, nn.Module):
        return Metanet(flat, by_gradient(found), trained_by_gradient=True)
    raise ValueError(f"{name} is a {type(found).__name__}; expected a metanets.Metanet or a torch.nn.Module class")


def fit(
    zoo: Zoo, metanet: Metanet, job: Job, seeds: list[int], chosen: dict[str, Any] | None
) -> tuple[dict[int, tuple[Fitted, float]], Labelled]:
    """Each seed's fit and its seconds, from training and validation nets alone; and the validation nets.

    `chosen` is what the first seed chose, where it has been fitted before.
    """
    rows = rows_of(zoo, zoo, job.target, job.shift, job.train_nets)
    train, validation = (examples(zoo, metanet, split, job, rows[split]) for split in ("train", "validation"))
    known = train.examples
    if job.training.permute and metanet.trained_by_gradient:
        known = replace(known, permuted=_permuted(zoo, metanet, job, train.index))
    fits = {}
    for seed in seeds:
        begun = time.time()
        fitted = metanet.fit(known, validation.examples, training=job.training, seed=seed, chosen=chosen)
        fits[seed] = fitted, time.time() - begun
        chosen = fitted.chosen if chosen is None else chosen
    return fits, validation


def _permuted(zoo: Zoo, metanet: Metanet, job: Job, index: np.ndarray) -> Callable[[torch.Generator], Tensor]:
    """The features of these training nets with their channels in random orders; all else is as in `examples`."""
    spaces = free_spaces(zoo.layout, zoo.blueprint.trained, gated=zoo.blueprint.gate is not None)
    if not spaces:
        raise ValueError(f"{zoo.folder}: {zoo.spec.family} nets have no permutation symmetry; leave --permute away")
    nets, whole = zoo.nets("train", inputs=job.inputs), zoo.nets("train", inputs="all").weights
    chosen = np.isin(nets.index, index)
    whole = whole[torch.from_numpy(chosen)]
    hyper_parameters = nets.hyper_parameters[chosen].drop(columns=job.target, errors="ignore")
    seen = zoo.blueprint.trained if nets.weights.shape[1] < whole.shape[1] else slice(None)

    def permute(rng: torch.Generator) -> Tensor:
        parts = [permuted(part, zoo.layout, rng, spaces=spaces)[:, seen] for part in whole.split(PERMUTED_AT_ONCE)]
        return metanet.features(Nets(nets.index[chosen], torch.cat(parts), hyper_parameters, nets.segments))

    return permute


def examples(zoo: Zoo, metanet: Metanet, split: str, job: Job, rows: np.ndarray) -> Labelled:
    """These nets of a split with the target; a hyper-parameter that is the target is hidden from the metanet."""
    index, found = features(zoo, metanet, split, inputs=job.inputs, hidden=job.target)
    if len(rows) < len(index):
        found = found[torch.from_numpy(np.isin(index, rows))]
    return Labelled(rows, Examples(found, zoo.columns[job.target].to_numpy(np.float64)[rows]))


def predict(fitted: Fitted, nets: Labelled) -> np.ndarray:
    """The predictions of what was fitted. Raises ValueError where it cannot read these nets."""
    try:
        return fitted.predict(nets.examples.features)
    except RuntimeError as error:  # torch's word for shapes that do not fit
        raise ValueError(
            f"what was fitted cannot read these nets ({error}); between zoos whose nets have other trained entries, "
            f"--inputs all may do"
        ) from None
