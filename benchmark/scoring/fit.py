"""Fitting a metanet to one zoo: what it is given, what it predicts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.scoring.feature_cache import features, nets_of
from benchmark.scoring.find import name_of
from benchmark.scoring.task import rows_of
from metanets import Examples, Metanet, Training
from metanets.inputs import batch as batches
from metanets.inputs.batch import Batch
from metanets.metanet import Fitted
from metanets.mistakes import MistakeError, mistakes_named
from zoo import Zoo
from zoo.dataset.nets import Inputs
from zoo.seeds import stable_seed
from zoo.symmetry.action import permuted
from zoo.symmetry.group import free_spaces_of

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
        task = (zoo.manifest_sha256, job.target, job.inputs, job.shift, job.train_nets)
        with named(job.metanet, seed), own_random_numbers(seed, name_of(job.metanet), *task):
            fitted = metanet.fit(known, validation.examples, training=job.training, seed=seed, chosen=chosen)
        fits[seed] = fitted, time.time() - begun
        chosen = fitted.chosen if chosen is None else chosen
    return fits, validation


@contextmanager
def own_random_numbers(*names: object) -> Iterator[None]:
    """Random numbers of its own, by a stable hash of the names, for whatever draws from torch's or numpy's global generator.

    So a metanet with random layers predicts the same whatever ran before, in however many processes.
    """
    before = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_seed("fit", *names))
        np.random.seed(stable_seed("fit", *names) % 2**32)
        try:
            yield
        finally:
            np.random.set_state(before)


@contextmanager
def named(metanet: str, seed: int) -> Iterator[None]:
    """Lets a mistake in a metanet be a ValueError that names the metanet and the seed."""
    try:
        yield
    except MistakeError as error:
        raise ValueError(f"{metanet}, seed {seed}: {error}") from error


def _permuted(zoo: Zoo, metanet: Metanet, job: Job, index: np.ndarray) -> Callable[[torch.Generator], Batch]:
    """What is read of these training nets with their channels in random orders; all else is as in `examples`."""
    spaces = free_spaces_of(zoo.blueprint)
    if not spaces:
        raise ValueError(f"{zoo.folder}: {zoo.spec.family} nets have no permutation symmetry; leave --permute away")
    read = nets_of(zoo, metanet.input, "train", inputs=job.inputs, hidden=job.target)
    chosen = np.isin(read.index, index)
    whole = zoo.nets("train", inputs="all").weights[torch.from_numpy(chosen)]
    seen = slice(None) if read.is_whole else read.trained
    nets = replace(read, index=read.index[chosen], hyper_parameters=read.hyper_parameters[chosen])

    def permute(rng: torch.Generator) -> Batch:
        parts = [permuted(part, zoo.layout, rng, spaces=spaces)[:, seen] for part in whole.split(PERMUTED_AT_ONCE)]
        return metanet.features(replace(nets, weights=torch.cat(parts)))

    return permute


def examples(zoo: Zoo, metanet: Metanet, split: str, job: Job, rows: np.ndarray) -> Labelled:
    """These nets of a split with the target; a hyper-parameter that is the target is hidden from the metanet."""
    with named(job.metanet, job.seeds[0]):
        index, found = features(zoo, metanet, split, inputs=job.inputs, hidden=job.target)
    if len(rows) < len(index):
        found = batches.rows(found, torch.from_numpy(np.flatnonzero(np.isin(index, rows))))
    return Labelled(rows, Examples(found, zoo.columns[job.target].to_numpy(np.float64)[rows], zoo.layout))


def predict(fitted: Fitted, nets: Labelled, *, metanet: str, seed: int, elsewhere: bool = False) -> np.ndarray:
    """The predictions of what was fitted. Raises ValueError naming metanet and seed where it cannot read these nets.

    Of nets of another zoo than it was fitted on (`elsewhere`), the reason may be that they have other trained entries.
    """
    try:
        with mistakes_named():
            return fitted.predict(nets.examples.features)
    except MistakeError as error:
        advice = "; between zoos whose nets have other trained entries, --inputs all may do" * elsewhere
        raise ValueError(f"{metanet}, seed {seed}, cannot read these nets: {error}{advice}") from error
