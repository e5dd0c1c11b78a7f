"""Scoring: fit a metanet on a zoo's train and validation nets, then read the test nets once, and keep a record."""

import importlib
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

import zoo as zoos
from benchmark import records
from benchmark.features import features
from benchmark.metrics import is_constant, recalibrated_r2, scores
from metanets import METANETS, Examples, Metanet, Training, by_gradient, flat
from metanets.metanet import Fitted
from zoo import Nets, Zoo, devices
from zoo.choices import choose, unknown
from zoo.manifest import MANIFEST
from zoo.reader import Inputs
from zoo.symmetries import free_spaces, permuted
from zoo.units import environment, one_thread_that_keeps_its_memory
from zoo.verify import check_bytes
from zoo.workers import interrupts_ignored

FEWEST = 8  # nets in a split: below, no R² or tau means anything
KEPT = 2**26  # bytes of a block of memory that is kept: those of a step, not those of a zoo
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


def score(
    zoo_folders: list[Path],
    metanets: list[str],
    target: str,
    *,
    out: Path,
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

    `metanets` are names of METANETS, `package.module:NAME`, or `all`. With `transfer` each is tested on every one of the
    zoos; `shift` and `train_nets` (one task for each number) are those of `records.Task`. Records that exist are kept,
    unless `overwrite`; so a stopped run goes on where it was. The result does not depend on `workers`. Raises ValueError
    on a zoo that is damaged, too small, or without the target, before anything is trained.
    """
    names = dict.fromkeys(name for given in metanets for name in (METANETS if given == "all" else [given]))
    for name in names:
        find_metanet(name)
    devices.ready(training.device)
    numbers: list[int | None] = [*train_nets] if train_nets else [None]
    for folder in zoo_folders:
        if (folder / MANIFEST).exists() and (problems := list(check_bytes(folder))):
            raise ValueError("\n  ".join([f"{folder} is damaged:", *problems]))
        zoo = zoos.open(folder)
        check_task(zoo, target)
        for number in numbers:
            rows_of(zoo, zoo, target, shift, number)
    jobs = [
        Job(
            zoo=folder,
            tests=tuple(zoo_folders) if transfer else (folder,),
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
        for folder in zoo_folders
        for number in numbers
    ]
    paths = []
    spawn = multiprocessing.get_context("spawn")
    workers, places = min(workers, len(jobs)), spawn.SimpleQueue()
    for place in devices.spread(training.device, workers):
        places.put(place)
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_take_a_place, initargs=(places,)) as pool:
        with interrupts_ignored():  # by the workers, which start here
            pending = [pool.submit(run, job) for job in jobs]
        try:
            for future in as_completed(pending):
                paths += future.result()
                last = records.read(paths[-1])
                task, test = last.task, last.test
                report(f"{task.zoo.name}, {task.name()}, {last.metanet.name}: R² {test['r2']:.3f}, tau {test['tau']:.3f}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
    return sorted(paths)


def _take_a_place(places: Any) -> None:
    """Makes the next of the places, where it is a GPU, what this process means by `cuda`."""
    place = devices.ready(places.get())
    if place.type == "cuda":
        torch.cuda.set_device(place)


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


def check_task(zoo: Zoo, target: str) -> None:
    """Raises ValueError where the target cannot be scored on this zoo."""
    if target not in zoo.targets:
        raise ValueError(f"{zoo.folder}: {unknown('target', target, zoo.targets)}")
    settled = zoo.columns[~zoo.columns["diverged"]]
    for split in zoo.parts:
        values = settled.loc[settled["split"] == split, target]
        if len(values) < FEWEST:
            raise ValueError(f"{zoo.folder}: {len(values)} nets in {split} did not diverge; scoring needs {FEWEST} or more")
        if is_constant(values.to_numpy()):
            raise ValueError(f"{zoo.folder}: {target} is {values.iloc[0]:g} for every {split} net; nothing to predict")


def run(job: Job) -> list[Path]:
    """Fits one job with one thread, so that equal jobs give equal results, then opens the test nets and scores."""
    one_thread_that_keeps_its_memory(KEPT)
    zoo, metanet = zoos.open(job.zoo), find_metanet(job.metanet)
    tests = [zoos.open(folder) for folder in job.tests]
    tasks = [task_of(zoo, test, job.target, job.inputs, job.shift, job.train_nets) for test in tests]
    paths = {
        (i, seed): records.path_of(job.out, tasks[i], job.metanet, seed) for i in range(len(tests)) for seed in job.seeds
    }
    kept = set() if job.overwrite else {key for key, path in paths.items() if path.exists()}
    for key in kept:
        _check_same(paths[key], job)
    missing = [seed for seed in job.seeds if any((i, seed) not in kept for i in range(len(tests)))]
    if missing:
        first = next((paths[key] for key in kept if key[1] == job.seeds[0]), None)
        chosen = None if first is None else records.read(first).chosen
        fits, validation = _fit(zoo, metanet, job, missing, chosen)
        for i, test in enumerate(tests):
            wanted = [seed for seed in missing if (i, seed) not in kept]
            if wanted:
                held = _examples(
                    test, metanet, "test", job, rows_of(zoo, test, job.target, job.shift, job.train_nets)["test"]
                )
                for seed in wanted:
                    _record(tasks[i], job, metanet, seed, fits[seed], validation, held, path=paths[i, seed])
    return list(paths.values())


def rows_of(zoo: Zoo, test: Zoo, target: str, shift: str | None, train_nets: int | None) -> dict[str, np.ndarray]:
    """Split -> indices of the nets that are used of it, of `zoo` for training and validation, of `test` for the test.

    Raises ValueError where there are too few, or all have the same target.
    """
    parts = {split: one.columns[one.columns["split"] == split] for split, one in _sources(zoo, test).items()}
    parts = {split: frame[~frame["diverged"]] for split, frame in parts.items()}
    if shift is not None:
        choose(dict.fromkeys(n for n in zoo.hyper_parameters if n in zoo.targets), shift, "hyper-parameter")
        middle = parts["train"][shift].median()
        parts = {split: frame[(frame[shift] > middle) == (split == "test")] for split, frame in parts.items()}
    if train_nets is not None:
        wanted = {"train": train_nets, "validation": max(FEWEST, train_nets // 2)}
        parts |= {split: parts[split].head(count) for split, count in wanted.items()}
        if len(parts["train"]) < train_nets:
            raise ValueError(f"{zoo.folder}: {len(parts['train'])} nets for training; {train_nets} are asked for")
    for split, frame in parts.items():
        if len(frame) < FEWEST:
            raise ValueError(f"{zoo.folder}: {len(frame)} nets of {split} for this task; scoring needs {FEWEST} or more")
        if missing := int(frame[target].isna().sum()):
            raise ValueError(f"{zoo.folder}: {missing} {split} nets that did not diverge have no {target}; nothing to score")
        if is_constant(frame[target].to_numpy()):
            raise ValueError(f"{zoo.folder}: {target} is the same for every {split} net of this task; nothing to predict")
    return {split: frame["index"].to_numpy() for split, frame in parts.items()}


def _sources(zoo: Zoo, test: Zoo) -> dict[str, Zoo]:
    return {"train": zoo, "validation": zoo, "test": test}


def _reference(zoo: Zoo) -> records.ZooReference:
    return records.ZooReference(
        name=zoo.spec.name, family=zoo.spec.family, manifest_sha256=zoo.manifest_sha256, source=zoo.source
    )


def task_of(zoo: Zoo, test: Zoo, target: str, inputs: Inputs, shift: str | None, train_nets: int | None) -> records.Task:
    """The task of predicting `target` on `test` after fitting on `zoo`. Raises as `rows_of` does."""
    rows = rows_of(zoo, test, target, shift, train_nets)
    return records.Task(
        target=target,
        inputs=inputs,
        zoo=_reference(zoo),
        test_zoo=_reference(test),
        shift=shift,
        train_nets=train_nets,
        nets={"train": len(rows["train"]), "validation": len(rows["validation"]), "test": len(rows["test"])},
        diverged_left_out=int(
            sum(one.columns["diverged"].sum() for one in {one.folder: one for one in (zoo, test)}.values())
        ),
    )


def _check_same(path: Path, job: Job) -> None:
    """Raises FileExistsError where a record was made with other settings than those asked for now."""
    made, asked = records.read(path).tuned["training"], _tuned(job)["training"]
    if made != asked:
        raise FileExistsError(f"{path} was made with {made}; now asked for {asked}. Give another --out, or --overwrite")


def _tuned(job: Job) -> dict[str, Any]:
    training = asdict(job.training) if find_metanet(job.metanet).trained_by_gradient else None
    if training is not None:
        training["learning_rates"] = list(training["learning_rates"])
    return {"training": training, "with_seed": job.seeds[0], "on": "validation"}


def _fit(
    zoo: Zoo, metanet: Metanet, job: Job, seeds: list[int], chosen: dict[str, Any] | None
) -> tuple[dict[int, tuple[Fitted, float]], "Labelled"]:
    """Each seed's fit and its seconds, from training and validation nets alone; and the validation nets.

    `chosen` is what the first seed chose, where it has been fitted before.
    """
    rows = rows_of(zoo, zoo, job.target, job.shift, job.train_nets)
    train, validation = (_examples(zoo, metanet, split, job, rows[split]) for split in ("train", "validation"))
    known = train.examples
    if job.training.permute and metanet.trained_by_gradient:
        known = replace(known, permuted=_permuted(zoo, metanet, train.index))
    fits = {}
    for seed in seeds:
        begun = time.time()
        fitted = metanet.fit(known, validation.examples, training=job.training, seed=seed, chosen=chosen)
        fits[seed] = fitted, time.time() - begun
        chosen = fitted.chosen if chosen is None else chosen
    return fits, validation


def _permuted(zoo: Zoo, metanet: Metanet, index: np.ndarray) -> Callable[[torch.Generator], Tensor]:
    """The features of these training nets with their channels in random orders."""
    spaces = free_spaces(zoo.layout, zoo.blueprint.trained, gated=zoo.blueprint.gate is not None)
    if not spaces:
        raise ValueError(f"{zoo.folder}: {zoo.spec.family} nets have no permutation symmetry; leave --permute away")
    nets = zoo.nets("train")
    chosen = np.isin(nets.index, index)
    nets = Nets(nets.index[chosen], nets.weights[torch.from_numpy(chosen)], nets.hyper_parameters[chosen], nets.segments)

    def permute(rng: torch.Generator) -> Tensor:
        parts = [permuted(part, zoo.layout, rng, spaces=spaces) for part in nets.weights.split(PERMUTED_AT_ONCE)]
        return metanet.features(replace(nets, weights=torch.cat(parts)))

    return permute


@dataclass(frozen=True)
class Labelled:
    """Examples, and the indices of their nets."""

    index: np.ndarray
    examples: Examples


def _examples(zoo: Zoo, metanet: Metanet, split: str, job: Job, rows: np.ndarray) -> Labelled:
    """These nets of a split with the target; a hyper-parameter that is the target is hidden from the metanet."""
    index, found = features(zoo, metanet, split, inputs=job.inputs, hidden=job.target)
    if len(rows) < len(index):
        found = found[torch.from_numpy(np.isin(index, rows))]
    return Labelled(rows, Examples(found, zoo.columns[job.target].to_numpy(np.float64)[rows]))


def _record(
    task: records.Task,
    job: Job,
    metanet: Metanet,
    seed: int,
    fit: tuple[Fitted, float],
    validation: Labelled,
    test: Labelled,
    *,
    path: Path,
) -> None:
    fitted, seconds = fit
    predicted = {"validation": _predictions(fitted, validation), "test": _predictions(fitted, test)}
    truth = {"validation": validation.examples.target, "test": test.examples.target}
    results, frames = {}, []
    for split, part in (("validation", validation), ("test", test)):
        try:
            results[split] = scores(truth[split], predicted[split])
        except ValueError as error:
            raise ValueError(f"{job.metanet}, seed {seed}, on {job.zoo}, {split}: {error}") from None
        columns = {"index": part.index, "split": split, "target": truth[split], "prediction": predicted[split]}
        frames.append(pd.DataFrame(columns))
    recalibrated = recalibrated_r2(
        truth["test"],
        predicted["test"],
        validation_true=truth["validation"],
        validation_predicted=predicted["validation"],
    )
    reference, data = records.predictions_file(path, pd.concat(frames, ignore_index=True))
    record = records.Record(
        schema=records.SCHEMA,
        task=task,
        metanet=records.Method(name=job.metanet, version=metanet.version, floor=metanet.floor, parameters=fitted.parameters),
        seed=seed,
        tuned=_tuned(job),
        chosen=fitted.chosen,
        validation=results["validation"],
        test={**results["test"], "r2_recalibrated": recalibrated},
        test_split=records.TEST_READ,
        constant_prediction=is_constant(predicted["test"]),
        predictions=reference,
        command=job.command,
        seconds=round(seconds, 3),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        environment=environment(),
    )
    records.write(path, record, data)


def _predictions(fitted: Fitted, nets: Labelled) -> np.ndarray:
    try:
        return fitted.predict(nets.examples.features)
    except RuntimeError as error:  # torch's word for shapes that do not fit
        raise ValueError(
            f"what was fitted cannot read these nets ({error}); between zoos whose nets have other trained entries, "
            f"--inputs all may do"
        ) from None
