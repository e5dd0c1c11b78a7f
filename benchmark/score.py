"""Scoring: fit a metanet on a zoo's train and validation nets, then read the test nets once, and keep a record."""

import importlib
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import zoo as zoos
from benchmark import records
from benchmark.metrics import is_constant, scores
from metanets import METANETS, Examples, Metanet, Training, by_gradient, flat
from metanets.metanet import Fitted
from zoo import Nets, Zoo
from zoo.choices import unknown
from zoo.manifest import MANIFEST
from zoo.reader import Inputs
from zoo.units import environment
from zoo.verify import check_bytes
from zoo.workers import interrupts_ignored

FEWEST = 8  # nets in a split: below, no R² or tau means anything


@dataclass(frozen=True)
class Job:
    """One metanet on one zoo and target, with all its seeds: they share what the first chose on validation."""

    zoo: Path
    metanet: str
    target: str
    seeds: range
    training: Training
    inputs: Inputs
    out: Path
    overwrite: bool
    command: str


def score(
    zoo_folders: list[Path],
    metanets: list[str],
    target: str,
    *,
    out: Path,
    seeds: int = 5,
    training: Training = Training(),
    inputs: Inputs = "trained",
    workers: int = 1,
    overwrite: bool = False,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Scores each metanet on each zoo; returns the paths of the records, one for each (zoo, target, metanet, seed).

    `metanets` are names of METANETS, `package.module:NAME`, or `all`. Records that exist for the same zoo are kept,
    unless `overwrite`; so a stopped run goes on where it was. The result does not depend on `workers`. Raises
    ValueError on a zoo that is damaged, too small, or without the target, before anything is trained.
    """
    names = dict.fromkeys(name for given in metanets for name in (METANETS if given == "all" else [given]))
    for name in names:
        find_metanet(name)
    for folder in zoo_folders:
        if (folder / MANIFEST).exists() and (problems := list(check_bytes(folder))):
            raise ValueError("\n  ".join([f"{folder} is damaged:", *problems]))
        check_task(zoos.open(folder), target)
    jobs = [
        Job(folder, name, target, range(seeds), training, inputs, out, overwrite, command)
        for name in sorted(names, key=lambda name: name != "dmc")  # the slowest first, so that it is not waited for
        for folder in zoo_folders
    ]
    paths = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=spawn) as pool:
        with interrupts_ignored():  # by the workers, which start here
            pending = [pool.submit(run, job) for job in jobs]
        try:
            for future in as_completed(pending):
                paths += future.result()
                last = records.read(paths[-1])
                report(f"{last.task['zoo']}, {last.metanet['name']}: R² {last.test['r2']:.3f}, tau {last.test['tau']:.3f}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
    return sorted(paths)


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
    """Fits and scores one job with one thread, so that equal jobs give equal results."""
    torch.set_num_threads(1)
    zoo = zoos.open(job.zoo)
    metanet = find_metanet(job.metanet)
    label = records.label(zoo.spec.name, zoo.manifest_sha256)
    paths = [
        records.path_of(job.out, zoo=label, target=job.target, metanet=job.metanet.replace(":", "."), seed=seed)
        for seed in job.seeds
    ]
    kept = [] if job.overwrite else [path for path in paths if path.exists()]
    for path in kept:
        _check_same(path, job)
    missing = [(seed, path) for seed, path in zip(job.seeds, paths, strict=True) if path not in kept]
    if not missing:
        return paths
    chosen = records.read(paths[0]).chosen if paths[0] in kept else None
    train, validation = (_examples(zoo, metanet, split, job) for split in ("train", "validation"))
    fits: list[tuple[Fitted, float]] = []
    for seed, _ in missing:
        begun = time.time()
        fits.append((metanet.fit(train, validation, training=job.training, seed=seed, chosen=chosen), time.time() - begun))
        chosen = fits[0][0].chosen if chosen is None else chosen
    test = _examples(zoo, metanet, "test", job)  # read here for the first time, when nothing is left to choose
    for (seed, path), (fitted, seconds) in zip(missing, fits, strict=True):
        _record(zoo, job, metanet, seed, fitted, validation, test, path=path, seconds=seconds)
    return paths


def _check_same(path: Path, job: Job) -> None:
    """Raises FileExistsError where a record was made with other settings than those asked for now."""
    record, asked = records.read(path), _tuned(job)["training"]
    made = record.tuned["training"]
    if made != asked or record.task["inputs"] != job.inputs:
        raise FileExistsError(
            f"{path} was made with {made}, inputs {record.task['inputs']}; now asked for {asked}, inputs {job.inputs}. "
            f"Give another --out, or --overwrite"
        )


def _tuned(job: Job) -> dict:
    training = asdict(job.training) if find_metanet(job.metanet).trained_by_gradient else None
    if training is not None:
        training["learning_rates"] = list(training["learning_rates"])
    return {"training": training, "with_seed": job.seeds[0], "on": "validation"}


def _examples(zoo: Zoo, metanet: Metanet, split: str, job: Job) -> Examples:
    """The features of a split's nets and the target; a hyper-parameter that is the target is hidden from the metanet."""
    nets = zoo.nets(split, inputs=job.inputs)
    hidden = nets.hyper_parameters.drop(columns=job.target, errors="ignore")
    nets = Nets(nets.index, nets.weights, hidden, nets.segments)
    if not bool(nets.weights.isfinite().all()):
        raise ValueError(f"{zoo.folder}: {split} nets have weights that are not finite; see `metazoo verify`")
    target = zoo.columns[job.target].to_numpy(np.float64)[nets.index]
    return Examples(metanet.features(nets), target)


def _record(
    zoo: Zoo,
    job: Job,
    metanet: Metanet,
    seed: int,
    fitted: Fitted,
    validation: Examples,
    test: Examples,
    *,
    path: Path,
    seconds: float,
) -> None:
    settled = zoo.columns[~zoo.columns["diverged"]]
    frames, results, constant = [], {}, False
    for split, examples in (("validation", validation), ("test", test)):
        predicted = fitted.predict(examples.features)
        try:
            results[split] = scores(examples.target, predicted)
        except ValueError as error:
            raise ValueError(f"{job.metanet}, seed {seed}, on {zoo.folder}, {split}: {error}") from None
        constant = is_constant(predicted)
        index = settled.loc[settled["split"] == split, "index"]
        frames.append(pd.DataFrame({"index": index, "split": split, "prediction": predicted}))
    counts = settled["split"].value_counts().to_dict()
    record = records.Record(
        schema=records.SCHEMA,
        task={
            "zoo": zoo.spec.name,
            "manifest_sha256": zoo.manifest_sha256,
            "family": zoo.spec.net.family,
            "target": job.target,
            "inputs": job.inputs,
            "nets": counts,
            "diverged_left_out": len(zoo) - len(settled),
        },
        metanet={"name": job.metanet, "floor": metanet.floor, "parameters": fitted.parameters},
        seed=seed,
        tuned=_tuned(job),
        chosen=fitted.chosen,
        validation=results["validation"],
        test=results["test"],
        constant_prediction=constant,
        predictions={},
        command=job.command,
        seconds=round(seconds, 3),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        environment=environment(),
    )
    records.write(path, record, pd.concat(frames))
