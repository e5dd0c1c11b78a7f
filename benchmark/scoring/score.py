"""Scoring: metanets are fitted on zoos' train and validation nets, then read the test nets once, and leave records."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType

import torch

from benchmark.records import records
from benchmark.records.corrections import SAFE_IN_WORDS, folder_of, is_folder
from benchmark.scoring.find import find_metanet, name_of, names_of
from benchmark.scoring.fit import Own
from benchmark.scoring.fitter import Fitter, Fitters
from benchmark.scoring.job import Job, run
from benchmark.scoring.readable import unreadable
from benchmark.scoring.task import check_task, examples_of, left_out, opened
from benchmark.statistics.derived import derived
from metanets import Training
from metanets.inputs.canonical import split
from zoo import Zoo
from zoo.dataset.nets import Inputs
from zoo.jobs.main_guard import end_if_starting
from zoo.messages import duration
from zoo.symmetry import group_of
from zoo.training import machine

TELLING = 3  # jobs at least that tell how long the others take


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
    test_zoos: Sequence[Path | str] = (),
    shift: str | None = None,
    train_nets: list[int] | None = None,
    pairs: int | None = None,
    workers: int = 1,
    canonical: bool = False,
    overwrite: bool = False,
    command: str = "",
    own: Mapping[str, Own] = MappingProxyType({}),
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Scores each metanet on each zoo; returns the paths of the records, one for each (task, metanet, seed).

    `metanets` are names that `find_metanet` takes, or `all`; with `canonical` all get the mark `+canonical`: they read
    nets in canonical form. What `all` names and cannot read a zoo's nets is left out there, and reported. With `test_zoos`
    each is tested on these instead of its own zoo, with `transfer` on every one of the zoos; `shift`, `train_nets` (one task
    for each number) and `pairs` are those of `records.Task`. `own` has, by name, metanets that are objects of this process:
    they are fitted in it, and their records do not say that fitting and scoring were kept apart.
    Records that exist are kept, unless `overwrite`; so a stopped run goes on where it was. The result does not depend on
    `workers`. Raises ValueError on a zoo that is damaged, too small, without the target, or that a metanet cannot read,
    before anything is trained, and RuntimeError where a process that fits was killed. A metanet that fails later, as a
    user's own may, keeps no other from its records: its error is raised at the end.
    """
    end_if_starting()
    out, asked = Path(out).expanduser(), [Path(folder).expanduser() for folder in zoo_folders]
    mark, of_pairs = "+canonical" * canonical, pairs is not None
    names = dict.fromkeys(names_of(metanets, mark, pairs=of_pairs))
    named = names_of((name for name in metanets if split(name)[0] != "all"), mark, pairs=of_pairs)
    machine.ready(training.device)
    numbers: list[int | None] = [*dict.fromkeys(train_nets)] if train_nets else [None]
    with _processes(own) as fitters:
        _check_names(names, fitters)
        given = list(opened(asked).values())
        others = list(opened(Path(folder).expanduser() for folder in test_zoos).values())
        for zoo in given:
            if pairs is None:
                check_task(zoo, target)
                if lacking := int((left_out(zoo, target) & ~zoo.columns["diverged"].to_numpy()).sum()):
                    report(f"{zoo.spec.name}: {lacking} nets have no {target}, and are left out as diverged ones are")
            _check_forms(zoo, names, report)
        tests = {zoo.folder: others or (given if transfer else [zoo]) for zoo in given}
        for zoo, number in product(given, numbers):
            for tested in tests[zoo.folder]:
                if pairs is None:
                    tested.check_target(target)
                examples_of(zoo, tested, target, shift, number, pairs)
        left = {zoo.folder: _left_out([zoo, *tests[zoo.folder]], names, named, inputs, report) for zoo in given}
        jobs = [
            Job(
                zoo=folder,
                tests=tuple(zoo.folder for zoo in tests[folder]),
                metanet=name,
                target=target,
                seeds=range(seeds),
                training=training,
                inputs=inputs,
                shift=shift,
                train_nets=number,
                pairs=pairs,
                out=out,
                overwrite=overwrite,
                command=command,
            )
            for name in sorted(names, key=lambda name: name != "dmc")  # the slowest first, so that it is not waited for
            for folder in tests
            if name not in left[folder]
            for number in numbers
        ]
        return sorted(_run_all(jobs, fitters, min(workers, len(jobs)), report))


def _check_forms(zoo: Zoo, names: Iterable[str], report: Callable[[str], None]) -> None:
    """Says where the canonical form of a zoo's nets is the nets themselves. Raises ValueError where it is not known."""
    if any(split(name)[1] for name in names):
        group = group_of(zoo.blueprint)
        if not (group.scales or group.mixes or group.sizes):
            report(f"{zoo.folder}: nothing but orders is free in {zoo.spec.family} nets: they are their own canonical form")


def _left_out(
    zoos: list[Zoo], names: Iterable[str], named: list[str], inputs: Inputs, report: Callable[[str], None]
) -> set[str]:
    """The metanets that cannot read the nets of one of these zoos, and says so. Raises ValueError where one was `named`."""
    found = set[str]()
    for zoo in {zoo.folder: zoo for zoo in zoos}.values():
        for name, why in unreadable(zoo, names, inputs).items():
            if name in named:
                raise ValueError(f"{name} cannot read the nets of {zoo.folder}: {why}")
            report(f"{zoo.folder}: {name} is left out: {why}")
            found.add(name)
    return found


@contextmanager
def _processes(own: Mapping[str, Own]) -> Iterator[Fitters]:
    """Processes that fit, which end with this; what is computed here meanwhile depends on no number of threads."""
    fitters, threads = Fitters(Fitter, own), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield fitters
    finally:
        fitters.close()
        torch.set_num_threads(threads)


def _check_names(names: dict[str, None], fitters: Fitters) -> None:
    """Raises ValueError where a name means no metanet, cannot be that of a folder of records, or two mean the same there."""
    known: dict[str, str] = {}
    for name in names:
        if not is_folder(folder_of(name_of(name))):
            raise ValueError(f"metanet {name_of(name)[:250]!r}: expected a name that can be a folder's: {SAFE_IN_WORDS}")
        if ":" in name:  # a user's code, which is not run in this process
            with fitters.lent(name) as fitter:
                fitter.describe(name)
        else:
            find_metanet(name)
        if (first := known.setdefault(name_of(name), name)) != name:
            raise ValueError(f"{first} and {name} would both be {name_of(name)} in records; rename one of the files")


def _run_all(jobs: list[Job], fitters: Fitters, workers: int, report: Callable[[str], None]) -> list[Path]:
    """Runs the jobs, so many at a time, and says what came of each and how long the rest will take, by those that are done.

    Where one fails the others go on, and the error is raised at the end.
    """
    places, paths, failed = SimpleQueue[str](), list[Path](), list[Exception]()
    for place in machine.spread(jobs[0].training.device, workers):
        places.put(place)

    def run_one(job: Job) -> list[Path]:
        place = places.get()
        try:
            with fitters.lent(job.metanet) as fitter:
                return run(job, fitter, device=place)
        finally:
            places.put(place)

    with ThreadPoolExecutor(workers) as pool:
        pending = {pool.submit(run_one, job): job for job in jobs}
        try:
            begun = time.monotonic()
            for done, future in enumerate(as_completed(pending), 1):
                rest = _rest(done, len(jobs), time.monotonic() - begun)
                try:
                    paths += future.result()
                except Exception as error:
                    if not is_of_one(error):
                        raise
                    failed.append(error)
                    if rest:
                        report(f"{name_of(pending[future].metanet)} failed, the others go on{rest}")
                else:
                    report(f"{_came(paths[-1], jobs[0].out)}{rest}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            fitters.close()
            raise
    if failed and paths:
        report(f"the records of the others are kept; `metazoo leaderboard {jobs[0].out}` shows them")
    if len(failed) == 1:
        raise failed[0]
    if failed:
        kind = type(failed[0]) if len(set(map(type, failed))) == 1 else ValueError
        raise kind("\n  ".join([f"{len(failed)} of {len(jobs)} jobs failed:", *map(str, failed)]))
    return paths


def is_of_one(error: Exception) -> bool:
    """Whether it ends one metanet's job and no other: its own mistake, a record that differs, its process killed.

    What a folder answers, by an error with a number, ends all.
    """
    mistake = isinstance(error, ValueError | FileExistsError | RuntimeError)
    return mistake and not (isinstance(error, OSError) and error.errno)


def _came(path: Path, out: Path) -> str:
    """What came of a job, by one of its records."""
    last = records.stored(path, below=out)
    task, test = last.record.task, derived(last.frame).test
    return f"{task.zoo.name}, {task.name()}, {last.record.metanet.name}: R² {test['r2']:.3f}, tau {test['tau']:.3f}"


def _rest(done: int, jobs: int, seconds: float) -> str:
    """How many jobs are done and how long the rest will take, which differ much: the first few tell nothing of it."""
    if done == jobs:
        return ""
    told = done >= TELLING and done * 10 >= jobs
    left = f"; about {duration(seconds / done * (jobs - done))} left" if told else ""
    return f" ({done} of {jobs}{left})"
