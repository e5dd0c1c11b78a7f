"""Fitting a metanet to one zoo: which metanet a name means, what it is given, what it predicts."""

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmark.scoring.feature_cache import features, nets_of
from benchmark.scoring.task import rows_of
from metanets import METANETS, Examples, Metanet, Training, by_gradient
from metanets.inputs import batch as batches
from metanets.inputs.batch import Batch
from metanets.inputs.table import INPUTS
from metanets.metanet import Fitted
from metanets.mistakes import MistakeError
from metanets.regressor import by_regressor
from zoo import Zoo
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
    """The metanet of that name in METANETS, or the user's own, `package.module:NAME` or `path/to/file.py:NAME`.

    NAME is a `Metanet`, an `nn.Module` class (see `metanets.fit.built`) that says by its attribute `reads` which of INPUTS
    it reads (the vector unless it does) and maps a batch of these to [net], or a regressor of scikit-learn's kind, class
    or object. Raises ValueError where there is no such. Importing runs the module's code.
    """
    if ":" not in name:
        if name not in METANETS:
            raise ValueError(unknown("metanet", name, METANETS) + "; your own: package.module:NAME or path/to/file.py:NAME")
        return METANETS[name]
    module, _, attribute = name.rpartition(":")
    try:
        found = getattr(_imported(module), attribute)
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        raise ValueError(f"cannot import metanet {name!r}: {error}") from error
    if isinstance(found, Metanet):
        return found
    reads = getattr(found, "reads", "vector")
    if isinstance(found, type) and issubclass(found, nn.Module):
        made = Metanet(reads, by_gradient(found), trained_by_gradient=True)
    elif callable(getattr(found, "fit", None)) and callable(getattr(found, "predict", None)):
        made = Metanet(reads, by_regressor(found))
    else:
        kinds = "a metanets.Metanet, a torch.nn.Module class or a regressor of scikit-learn's kind"
        raise ValueError(f"{name} is a {type(found).__name__}; expected {kinds}")
    if isinstance(reads, str) and reads not in INPUTS:
        raise ValueError(f"{name}: {unknown('input', reads, INPUTS)}")
    return made


def _imported(module: str) -> ModuleType:
    """The module of that name or in that file; the working directory is looked in last, so it can hide nothing of ours."""
    if not module.endswith(".py"):
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return importlib.import_module(module)
    file = Path(module).expanduser().resolve()
    about = importlib.util.spec_from_file_location(file.stem, file)
    if about is None or about.loader is None or not file.is_file():
        raise ImportError(f"{module} is no Python file")
    made = sys.modules[file.stem] = importlib.util.module_from_spec(about)
    about.loader.exec_module(made)
    return made


def name_of(metanet: str) -> str:
    """What records call a metanet: of `path/to/file.py:NAME` that is `file:NAME`, wherever the file lies."""
    module, _, attribute = metanet.rpartition(":")
    return f"{Path(module).stem}:{attribute}" if module.endswith(".py") else metanet


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
        with named(job.metanet, seed):
            fitted = metanet.fit(known, validation.examples, training=job.training, seed=seed, chosen=chosen)
        fits[seed] = fitted, time.time() - begun
        chosen = fitted.chosen if chosen is None else chosen
    return fits, validation


@contextmanager
def named(metanet: str, seed: int) -> Iterator[None]:
    """Lets a mistake in a metanet be a ValueError that names the metanet and the seed."""
    try:
        yield
    except MistakeError as error:
        raise ValueError(f"{metanet}, seed {seed}: {error}") from error


def _permuted(zoo: Zoo, metanet: Metanet, job: Job, index: np.ndarray) -> Callable[[torch.Generator], Batch]:
    """What is read of these training nets with their channels in random orders; all else is as in `examples`."""
    spaces = free_spaces(zoo.layout, zoo.blueprint.trained, gated=zoo.blueprint.gate is not None)
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
    index, found = features(zoo, metanet, split, inputs=job.inputs, hidden=job.target)
    if len(rows) < len(index):
        found = batches.rows(found, torch.from_numpy(np.flatnonzero(np.isin(index, rows))))
    return Labelled(rows, Examples(found, zoo.columns[job.target].to_numpy(np.float64)[rows], zoo.layout))


def predict(fitted: Fitted, nets: Labelled) -> np.ndarray:
    """The predictions of what was fitted. Raises ValueError where it cannot read these nets."""
    try:
        return fitted.predict(nets.examples.features)
    except (RuntimeError, KeyError) as error:  # shapes that do not fit, tensors that are not there
        raise ValueError(
            f"what was fitted cannot read these nets ({error}); between zoos whose nets have other trained entries, "
            f"--inputs all may do"
        ) from None
