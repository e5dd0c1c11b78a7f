"""Scoring: fit a metanet on a zoo's train and validation nets, then read the test nets once, and keep a record."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import zoo as zoos
from benchmark.records import records
from benchmark.scoring.find import code_of, find_metanet, name_of
from benchmark.scoring.fit import Job, Labelled, examples, fit, predict
from benchmark.scoring.task import check_task, opened, rows_of, task_of
from benchmark.statistics.metrics import is_constant, recalibrated_r2, scores
from metanets import Metanet, Training
from metanets.metanet import Fitted
from metanets.table import METANETS
from zoo.dataset.nets import Inputs
from zoo.jobs.main_guard import check_guarded, end_if_starting
from zoo.jobs.workers import interrupts_ignored
from zoo.training import machine
from zoo.training.machine import environment, one_thread_that_keeps_its_memory

KEPT = 2**26  # bytes of a block of memory that is kept: those of a step, not those of a zoo


def score(
    zoo_folders: Sequence[Path | str],
    metanets: list[str],
    target: str,
    *,
    out: Path | str,
    seeds: int = 5,
    training: Training = Training(),
    inputs: Inputs = "trained",
    transfer: bool = False,
    shift: str | None = None,
    train_nets: list[int] | None = None,
    workers: int = 1,
    overwrite: bool = False,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Scores each metanet on each zoo; returns the paths of the records, one for each (task, metanet, seed).

    `metanets` are names that `find_metanet` takes, or `all`. With `transfer` each is tested on every one of the
    zoos; `shift` and `train_nets` (one task for each number) are those of `records.Task`. Records that exist are kept,
    unless `overwrite`; so a stopped run goes on where it was. The result does not depend on `workers`. Raises ValueError
    on a zoo that is damaged, too small, or without the target, before anything is trained; RuntimeError where
    the script that calls this has no main guard.
    """
    end_if_starting()
    out, folders = Path(out).expanduser(), [Path(folder).expanduser() for folder in zoo_folders]
    names = dict.fromkeys(name for given in metanets for name in (METANETS if given == "all" else [given]))
    known: dict[str, str] = {}
    for name in names:
        find_metanet(name)
        if (first := known.setdefault(name_of(name), name)) != name:
            raise ValueError(f"{first} and {name} would both be {name_of(name)} in records; rename one of the files")
    machine.ready(training.device)
    numbers: list[int | None] = [*dict.fromkeys(train_nets)] if train_nets else [None]
    given = list(opened(folders).values())
    for zoo in given:
        check_task(zoo, target)
    for zoo, tested, number in product(given, given, numbers):
        if transfer or tested is zoo:
            rows_of(zoo, tested, target, shift, number)
    places = tuple(zoo.folder for zoo in given)
    jobs = [
        Job(
            zoo=folder,
            tests=places if transfer else (folder,),
            metanet=name,
            target=target,
            seeds=range(seeds),
            training=training,
            inputs=inputs,
            shift=shift,
            train_nets=number,
            out=out,
            overwrite=overwrite,
            command=command,
        )
        for name in sorted(names, key=lambda name: name != "dmc")  # the slowest first, so that it is not waited for
        for folder in places
        for number in numbers
    ]
    paths = []
    spawn = multiprocessing.get_context("spawn")
    workers, devices = min(workers, len(jobs)), spawn.SimpleQueue()
    for place in machine.spread(training.device, workers):
        devices.put(place)
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_take_a_place, initargs=(devices,)) as pool:
        with interrupts_ignored():  # by the workers, which start here
            pending = [pool.submit(run, job) for job in jobs]
        started = multiprocessing.active_children()
        try:
            for future in as_completed(pending):
                paths += future.result()
                last = records.read(paths[-1])
                task, test = last.task, last.test
                report(f"{task.zoo.name}, {task.name()}, {last.metanet.name}: R² {test['r2']:.3f}, tau {test['tau']:.3f}")
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in started:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                check_guarded(started)
            raise
    return sorted(paths)


def _take_a_place(devices: Any) -> None:
    """Makes the next of the devices, where it is a GPU, what this process means by `cuda`."""
    place = machine.ready(devices.get())
    if place.type == "cuda":
        torch.cuda.set_device(place)


def run(job: Job) -> list[Path]:
    """Fits one job with one thread, so that equal jobs give equal results, then opens the test nets and scores."""
    one_thread_that_keeps_its_memory(KEPT)
    zoo, metanet = zoos.open(job.zoo), find_metanet(job.metanet)
    tests = [zoos.open(folder) for folder in job.tests]
    tasks = [task_of(zoo, test, job.target, job.inputs, job.shift, job.train_nets) for test in tests]
    paths = {
        (i, seed): records.path_of(job.out, tasks[i], name_of(job.metanet), seed)
        for i in range(len(tests))
        for seed in job.seeds
    }
    kept = set() if job.overwrite else {key for key, path in paths.items() if path.exists()}
    for key in kept:
        _check_same(paths[key], job)
    missing = [seed for seed in job.seeds if any((i, seed) not in kept for i in range(len(tests)))]
    if missing:
        first = next((paths[key] for key in kept if key[1] == job.seeds[0]), None)
        chosen = None if first is None else records.read(first).chosen
        fits, validation = fit(zoo, metanet, job, missing, chosen)
        for i, test in enumerate(tests):
            wanted = [seed for seed in missing if (i, seed) not in kept]
            if wanted:
                rows = rows_of(zoo, test, job.target, job.shift, job.train_nets)["test"]
                held = examples(test, metanet, "test", job, rows)
                for seed in wanted:
                    fitted, seconds = fits[seed]
                    path = paths[i, seed]
                    _record(tasks[i], job, metanet, seed, fitted, validation, held, seconds=seconds, path=path)
    return list(paths.values())


def _check_same(path: Path, job: Job) -> None:
    """Raises FileExistsError where a record was made with other settings, or another version, than asked for now.

    What a record does not say, because it is older than that setting, is the default.
    """
    record, version = records.read(path, below=job.out), find_metanet(job.metanet).version
    if record.metanet.version != version:
        told = f"{path} was made with version {record.metanet.version} of {job.metanet}; this is version {version}"
        raise FileExistsError(f"{told}. Give another --out, or --overwrite")
    if record.metanet.code is not None and record.metanet.code != _code(job):
        told = f"{path} was made with other code of {job.metanet}: {record.metanet.code.file} has changed since"
        raise FileExistsError(f"{told}. Give another --out, or --overwrite")
    made, asked = record.tuned.get("training"), _tuned(job)["training"]
    made = _settings(Training()) | made if isinstance(made, dict) else made
    if made != asked or record.augment != _augment(job):
        told = f"{path} was made with {made}, augmented by {record.augment}; now asked for {asked}, {_augment(job)}"
        raise FileExistsError(f"{told}. Give another --out, or --overwrite")


def _code(job: Job) -> records.Code | None:
    found = code_of(job.metanet)
    return None if found is None else records.Code(*found)


def _tuned(job: Job) -> dict[str, Any]:
    training = _settings(job.training) if find_metanet(job.metanet).trained_by_gradient else None
    return {"training": training, "with_seed": job.seeds[0], "on": "validation"}


def _augment(job: Job) -> list[str]:
    return ["permutation"] * (job.training.permute and find_metanet(job.metanet).trained_by_gradient)


def _settings(training: Training) -> dict[str, Any]:
    settings = {**asdict(training), "learning_rates": list(training.learning_rates)}
    return {name: value for name, value in settings.items() if name != "permute"}  # a record's `augment`


def _record(
    task: records.Task,
    job: Job,
    metanet: Metanet,
    seed: int,
    fitted: Fitted,
    validation: Labelled,
    test: Labelled,
    *,
    seconds: float,
    path: Path,
) -> None:
    """Predicts the validation and test nets, scores the predictions, and writes both."""
    parts = {"validation": validation, "test": test}
    elsewhere = task.zoo != task.test_zoo
    predicted = {
        split: predict(fitted, part, metanet=job.metanet, seed=seed, elsewhere=elsewhere) for split, part in parts.items()
    }
    found = {split: _scores(job, seed, split, part, predicted[split]) for split, part in parts.items()}
    recalibrated = recalibrated_r2(
        test.examples.target,
        predicted["test"],
        validation_true=validation.examples.target,
        validation_predicted=predicted["validation"],
    )
    reference, data = records.predictions_file(path, _frame(parts, predicted))
    record = records.Record(
        schema=records.SCHEMA,
        task=task,
        metanet=records.Method(
            name=name_of(job.metanet),
            version=metanet.version,
            baseline=metanet.baseline,
            parameters=fitted.parameters,
            reads=metanet.reads if isinstance(metanet.reads, str) else None,
            code=_code(job),
        ),
        seed=seed,
        tuned=_tuned(job),
        chosen=fitted.chosen,
        validation=found["validation"],
        test={**found["test"], "r2_recalibrated": recalibrated},
        test_split=records.TEST_READ,
        constant_prediction=is_constant(predicted["test"]),
        predictions=reference,
        command=job.command,
        seconds=round(seconds, 3),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        environment=environment(),
        augment=_augment(job),
    )
    records.write(path, record, data, below=job.out)


def _scores(job: Job, seed: int, split: str, part: Labelled, predicted: np.ndarray) -> dict[str, float]:
    try:
        return scores(part.examples.target, predicted)
    except ValueError as error:
        raise ValueError(f"{job.metanet}, seed {seed}, on {job.zoo}, {split}: {error}") from None


def _frame(parts: dict[str, Labelled], predicted: dict[str, np.ndarray]) -> pd.DataFrame:
    """The predictions as they are kept: a row a net."""
    frames = [
        pd.DataFrame({"index": part.index, "split": split, "target": part.examples.target, "prediction": predicted[split]})
        for split, part in parts.items()
    ]
    return pd.concat(frames, ignore_index=True)
