"""One job of scoring: what is handed to the process that fits, and the records of what it predicts.

This process alone knows where the zoo lies and what the labels of the test nets are; it runs no code of a user's.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import zoo as zoos
from benchmark.records import records
from benchmark.records.predictions import keys
from benchmark.scoring.feature_cache import nets_or_kept
from benchmark.scoring.find import name_of
from benchmark.scoring.fit import About, Fits, Fitting, Given, Moving, Outcome, stream_of
from benchmark.scoring.fitter import Fitter
from benchmark.scoring.software import software
from benchmark.scoring.task import examples_of, task_of
from benchmark.statistics.derived import Derived, derived
from metanets import Training
from metanets.inputs.hyper_parameters import reads_them, without_them
from metanets.reading import nets_of
from metanets.table import of_the_suite
from zoo import Nets, Zoo
from zoo.dataset.nets import Inputs
from zoo.symmetry import group_of


@dataclass(frozen=True)
class Job:
    """One metanet fitted on one zoo and target, with all its seeds, and tested on one or more zoos.

    The seeds share what the first chose on validation.
    """

    zoo: Path
    tests: tuple[Path, ...]
    metanet: str
    target: str
    seeds: Sequence[int]
    training: Training
    out: Path
    inputs: Inputs = "trained"
    shift: str | None = None
    train_nets: int | None = None
    pairs: int | None = None
    overwrite: bool = False
    command: str = ""


@dataclass(frozen=True)
class Labelled:
    """Some examples of a split, nets or pairs of them.

    `examples` has their numbers and `target`; `index` those of the nets that are given.
    """

    examples: pd.DataFrame
    index: np.ndarray
    given: Given

    @property
    def target(self) -> np.ndarray:
        """The targets, in order."""
        return self.examples["target"].to_numpy(np.float64, copy=True)


def run(job: Job, fitter: Fits | Fitter | None = None, *, device: str = "") -> list[Path]:
    """Fits one job, then opens the test nets and scores what is predicted for them; returns the paths of the records.

    `fitter` fits, on `device` (the job's by default). None: this process fits, which the records do not call enforced.
    """
    fitter, asked = fitter or Fits(), replace(job.training, device=device or job.training.device)
    zoo, tests = zoos.open(job.zoo), [zoos.open(folder) for folder in job.tests]
    tasks = [task_of(zoo, test, job.target, job.inputs, job.shift, job.train_nets, job.pairs) for test in tests]
    about = fitter.describe(job.metanet)
    paths = {
        (i, seed): records.path_of(job.out, tasks[i], name_of(job.metanet), seed)
        for i in range(len(tests))
        for seed in job.seeds
    }
    kept = set() if job.overwrite else {key for key, path in paths.items() if path.exists()}
    for key in kept:
        _check_same(paths[key], tasks[key[0]], job, about)
    missing = [seed for seed in job.seeds if any((i, seed) not in kept for i in range(len(tests)))]
    if missing:
        first = next((paths[key] for key in kept if key[1] == job.seeds[0]), None)
        chosen = None if first is None else records.read(first).chosen
        validation = _labelled(zoo, zoo, about, "validation", job)
        fits = fitter.fit(_fitting(zoo, about, job, missing, validation, chosen, asked))
        for i, test in enumerate(tests):
            if wanted := [seed for seed in missing if (i, seed) not in kept]:
                held = _labelled(zoo, test, about, "test", job)
                found = fitter.predict(held.given, wanted, elsewhere=tasks[i].zoo != tasks[i].test_zoo)
                for seed in wanted:
                    parts = {"validation": (validation, fits[seed].validation), "test": (held, found[seed])}
                    predicted = {split: _predicted(job, seed, *part) for split, part in parts.items()}
                    enforced = isinstance(fitter, Fitter)
                    _write(paths[i, seed], tasks[i], job, about, seed, fits[seed], predicted, enforced=enforced)
    return list(paths.values())


def _labelled(zoo: Zoo, test: Zoo, about: About, split: str, job: Job) -> Labelled:
    """The examples of a split that this job uses; a hyper-parameter that is the target is hidden from the metanet."""
    source = test if split == "test" else zoo
    examples = examples_of(zoo, test, job.target, job.shift, job.train_nets, job.pairs)[split]
    index, read = nets_or_kept(source, about.reads, split, whole=about.whole, inputs=job.inputs, hidden=job.target)
    read = read if isinstance(read, Tensor) else _as_read(read, about)
    numbers = examples.drop(columns="target").to_numpy()
    chosen = np.isin(index, numbers)
    if not chosen.all():
        index, read = index[chosen], read[torch.from_numpy(chosen)] if isinstance(read, Tensor) else read.only(chosen)
    pairs = None if job.pairs is None else torch.from_numpy(np.searchsorted(index, numbers))
    return Labelled(examples, index, Given(read, source.layout, pairs))


def _as_read(nets: Nets, about: About) -> Nets:
    """Nets as they are handed over: hyper-parameters to what says that it reads these, and to nothing else."""
    return nets if reads_them(about.reads) else without_them(nets)


def _fitting(
    zoo: Zoo,
    about: About,
    job: Job,
    seeds: list[int],
    validation: Labelled,
    chosen: dict[str, Any] | None,
    training: Training,
) -> Fitting:
    """What is handed over to be fitted."""
    task: tuple[object, ...] = (zoo.manifest_sha256, job.target, job.inputs, job.shift, job.train_nets)
    task = task if job.pairs is None else (*task, job.pairs)
    train = _labelled(zoo, zoo, about, "train", job)
    return Fitting(
        metanet=job.metanet,
        seeds=seeds,
        streams=[stream_of(seed, name_of(job.metanet), *task) for seed in seeds],
        training=training,
        train=train.given,
        validation=validation.given,
        train_target=train.target,
        validation_target=validation.target,
        chosen=chosen,
        moving=_moving(zoo, about, job, train.index) if _augment(job, about) else None,
    )


def _moving(zoo: Zoo, about: About, job: Job, rows: np.ndarray) -> Moving:
    """What it takes to move the training nets by their symmetries. Raises ValueError where they have none of a kind."""
    group = group_of(zoo.blueprint)
    for kind in job.training.augment:
        if not group.only((kind,)):
            raise ValueError(f"{zoo.folder}: {zoo.spec.family} nets have no {kind} symmetry; leave --augment {kind} away")
    nets = _as_read(nets_of(zoo, "train", whole=about.whole, inputs=job.inputs, hidden=job.target), about)
    chosen = np.isin(nets.index, rows)
    whole = zoo.nets("train", inputs="all").weights
    whole = whole if chosen.all() else whole[torch.from_numpy(chosen)]
    return Moving(nets.only(chosen), whole, group.only(job.training.augment))


def _check_same(path: Path, task: records.Task, job: Job, about: About) -> None:
    """Raises FileExistsError where a record was made with other settings, another version or other derived columns than now.

    What a record does not say, because it is older than that setting, is the default.
    """
    record = records.read(path, below=job.out)
    made, asked = record.tuned.get("training"), _tuned(job, about)["training"]
    made = settings_of(Training()) | made if isinstance(made, dict) else made
    code, told = record.metanet.code, None
    if record.metanet.version != about.version:
        told = f"with version {record.metanet.version} of {job.metanet}; this is version {about.version}"
    elif code != _code(about):
        changed = f"{code.file} has changed since" if code is not None else "which code, it does not say"
        told = f"with other code of {job.metanet}: {changed}"
    elif code is None and ":" in job.metanet:
        told = f"with code of {job.metanet} that cannot be read, and may have changed since"
    elif record.task.derived != task.derived:
        told = f"with derived columns of SHA-256 {_some(record.task)}; the zoo now has {_some(task)}"
    elif made != asked or record.augment != _augment(job, about):
        told = f"with {made}, augmented by {record.augment}; now asked for {asked}, {_augment(job, about)}"
    if told is not None:
        raise FileExistsError(f"{path} was made {told}. Give another --out, or --overwrite")


def _some(task: records.Task) -> str:
    return ", ".join(f"{sha256[:8]} ({name})" for name, sha256 in (task.derived or {}).items()) or "none"


def _code(about: About) -> records.Code | None:
    return None if about.code is None else records.Code(*about.code)


def _tuned(job: Job, about: About) -> dict[str, Any]:
    training = settings_of(job.training.following(about.recipe)) if about.trained_by_gradient else None
    return {"training": training, "with_seed": job.seeds[0], "on": "validation"}


def _augment(job: Job, about: About) -> list[str]:
    return list(job.training.augment) * about.trained_by_gradient


def settings_of(training: Training) -> dict[str, Any]:
    """What a record says of how its metanet was trained."""
    settings = {**asdict(training), "learning_rates": list(training.learning_rates)}
    return {name: value for name, value in settings.items() if name not in ("augment", "given")}  # a record has its own


def _predicted(job: Job, seed: int, part: Labelled, found: list[float]) -> pd.DataFrame:
    """The predictions, a row an example. Raises ValueError where there are more or fewer than examples."""
    if len(found) != len(part.examples):
        what = "nets" if job.pairs is None else "pairs"
        raise ValueError(f"{job.metanet}, seed {seed}: {len(found)} predictions for {len(part.examples)} {what}")
    return part.examples.assign(prediction=np.asarray(found, np.float64))


def _derived(job: Job, seed: int, frame: pd.DataFrame) -> Derived:
    try:
        return derived(frame)
    except ValueError as error:
        raise ValueError(f"{job.metanet}, seed {seed}, on {job.zoo}: {error}") from None


def _write(
    path: Path,
    task: records.Task,
    job: Job,
    about: About,
    seed: int,
    fit: Outcome,
    predicted: dict[str, pd.DataFrame],
    *,
    enforced: bool,
) -> None:
    """Scores the predictions of one seed, and writes both."""
    frames = [frame.assign(split=split) for split, frame in predicted.items()]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[[*keys(frame), "split", "target", "prediction"]]
    found = _derived(job, seed, frame)
    reference, data = records.predictions_file(path, frame)
    record = records.Record(
        schema=records.SCHEMA,
        task=task,
        metanet=records.Method(
            name=name_of(job.metanet),
            version=about.version,
            baseline=about.baseline and of_the_suite(job.metanet) is not None,  # which is for the suite to say
            parameters=fit.parameters,
            reads=about.reads,
            code=_code(about),
        ),
        seed=seed,
        tuned=_tuned(job, about),
        chosen=fit.chosen,
        validation=found.validation,
        test=found.test,
        test_split=records.TEST_READ,
        constant_prediction=found.constant,
        predictions=reference,
        command=job.command,
        seconds=round(fit.seconds, 3),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        environment=fit.environment,
        augment=_augment(job, about),
        enforced=enforced,
        cost=fit.cost,
        metazoo=software(),
    )
    records.write(path, record, data, below=job.out)
