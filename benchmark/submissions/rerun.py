"""Running a submission's code again on zoos of one's own, and comparing what it predicts with what was submitted.

The code is a stranger's. It runs where a maintainer asks for it and nowhere else, in a process as `score` has it, with
limits; nothing that it says of its predictions is believed. That code predicts the same again does not show that it
learned from no label: those of public zoos are public. A fresh zoo does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pydantic import TypeAdapter

from benchmark.records import records
from benchmark.records.corrections import SUBMISSION, stem
from benchmark.records.records import Record, Stored, validated
from benchmark.scoring.find import name_of
from benchmark.scoring.fit import About
from benchmark.scoring.fitter import Fitter, Limits
from benchmark.scoring.job import Job, run
from benchmark.scoring.software import software
from benchmark.scoring.task import opened, zoos_in
from benchmark.submissions.compared import GAIN, Compared, Verdict, compared, gained, worst
from benchmark.submissions.cross_checks import together
from benchmark.submissions.record_checks import examined
from benchmark.submissions.submission import Submission, read_submission
from benchmark.submissions.submit import SEEDS
from benchmark.submissions.verification import FOLDER, check_name, verify
from metanets import Training
from metanets.inputs.canonical import split
from metanets.table import of_the_suite
from zoo import Zoo
from zoo.messages import plain
from zoo.storage import files

RERUNS = "reruns"  # under the folder of verifications: a report for each folder of records
SCHEMA = "metazoo-rerun-1"
LIMITS = Limits(seconds=3600.0, memory=8 * 10**9)
_TRAINING = TypeAdapter(Training).validate_json


@dataclass(frozen=True)
class Rerun:
    """What came of one folder of records: where the report stands, and each record that was compared."""

    folder: Path
    report: Path
    records: tuple[Compared, ...]
    verified: Path | None = None  # the file that gives the records their tier

    @property
    def verdict(self) -> Verdict:
        """The worst of the records'."""
        return worst(one.verdict for one in self.records)


@dataclass(frozen=True)
class _Submitted:
    """A submission as it was read: the leaderboard's folder, its own, the records by seed, and who stands behind them."""

    root: Path
    home: Path
    held: dict[int, Stored]
    about: Submission

    @property
    def first(self) -> Record:
        """A record: what all have in common is read off it."""
        return next(iter(self.held.values())).record

    @property
    def name(self) -> str:
        """Where it lies in the leaderboard's folder."""
        return self.home.relative_to(self.root).as_posix()


def rerun(
    homes: Sequence[Path],
    zoo_folders: Iterable[Path],
    *,
    metanet: str | None = None,
    seeds: Sequence[int] = (),
    limits: Limits = LIMITS,
    device: str = "cpu",
    by: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[Rerun]:
    """Runs the code behind submissions again, each a folder of records of a leaderboard, and writes a report on each.

    `zoo_folders` are zoos or folders of zoos; `metanet` is where the submitted code lies here, as `score` takes it (None:
    one of the suite). Only records of these `seeds` are compared (none: all), and the seed that chose on validation is run
    beside them. Each folder's run has the `limits`. With `by`, a maintainer's name, records that all predict the same, or
    close to it, are said to be verified, if neither their R² nor their tau is as submitted more than GAIN above that of the
    run, on average. What is unclear in a folder is reported, and the others go on. Raises ValueError at once where `by` is
    no name, and at the end naming all that could not be run, with why.
    """
    if by is not None:
        check_name(by)
    known, found, failed = opened(zoos_in(zoo_folders)), list[Rerun](), list[str]()
    for home in homes:
        try:
            found.append(_rerun(_submitted(home, known), known, metanet, seeds, limits, device, by, report))
        except (ValueError, OSError, RuntimeError) as error:
            lines = [line.strip() for line in str(error).strip().splitlines()]
            said = lines[-1] if "Traceback" in str(error) else "; ".join(lines)
            failed.append(said if str(home) in said else f"{home}: {said}")
    if len(failed) == 1:
        raise ValueError(failed[0])
    if failed:
        raise ValueError("\n  ".join([f"{len(failed)} submissions could not be run:", *failed]))
    return found


def _submitted(home: Path, known: Mapping[str, Zoo]) -> _Submitted:
    """A submission, whole and of these zoos. Raises ValueError and FileNotFoundError where it is not."""
    home = home.absolute()
    root = home.parents[min(2, len(home.parents) - 1)]
    if not (home / SUBMISSION).exists():
        raise FileNotFoundError(f"{home}: no {SUBMISSION} there; give folders ZOO/TASK/METANET of a leaderboard")
    about = read_submission(home / SUBMISSION, below=root)
    found, problems = examined(sorted(home.glob(SEEDS)), dict(known), below=root)
    for one in found:
        _check_zoos(one.record, known)
    problems += together(found, submitted=True)
    if found:
        record = found[0].record
        expected = records.path_of(Path(), record.task, record.metanet.name, 0).parent.parts
        if (*home.parts[-3:-1], stem(home.name)) != expected:
            problems.append(f"{home}: expected it in {'/'.join(expected)} of a leaderboard's folder")
    if problems or not found:
        more = f" (and {len(problems) - 1} more; `metazoo check` names them)" * (len(problems) > 1)
        raise ValueError(plain(problems[0]) + more if problems else f"{home}: no records there")
    return _Submitted(root, home, {one.record.seed: one for one in found}, about)


def _check_zoos(record: Record, known: Mapping[str, Zoo]) -> None:
    for zoo in (record.task.zoo, record.task.test_zoo):
        if zoo.manifest_sha256 not in known:
            if other := next((one for one in known.values() if one.spec.name == zoo.name), None):
                bytes_ = f"its manifest has SHA-256 {other.manifest_sha256[:8]}, the records' {zoo.manifest_sha256[:8]}"
                raise ValueError(f"{other.folder} is {zoo.name} of other bytes: {bytes_}; get the zoo of the records")
            raise FileNotFoundError(f"the zoo {zoo.label()} is not among those given")


def _rerun(
    submitted: _Submitted,
    known: Mapping[str, Zoo],
    metanet: str | None,
    seeds: Sequence[int],
    limits: Limits,
    device: str,
    by: str | None,
    report: Callable[[str], None],
) -> Rerun:
    name, wanted = _code(submitted, metanet), sorted({*(seeds or submitted.held)})
    if lacking := [seed for seed in wanted if seed not in submitted.held]:
        raise ValueError(f"{submitted.home}: no record of seed {lacking[0]}; there are {sorted(submitted.held)}")
    what = f"{len(wanted)} of {len(submitted.held)} records, at most {limits.seconds:g} s"
    report(f"{plain(submitted.name)}: running {plain(name)}, {what}")
    with TemporaryDirectory() as folder:
        again = _again(submitted, _job(submitted, known, name, wanted, Path(folder)), limits, device)
    others = {seed: [one for key, one in submitted.held.items() if key != seed] for seed in wanted}
    found = tuple(compared(submitted.held[seed], again[seed], submitted.name, others[seed]) for seed in wanted)
    for one in found:
        report(f"{plain(submitted.name)}, {one.line()}")
    if any(one.verdict != "same" for one in found):
        report(f"{plain(submitted.name)}: {_machines(submitted.first, again[wanted[0]].record)}")
    path = submitted.root / FOLDER / RERUNS / f"of-{','.join(submitted.name.split('/'))}.json"
    files.write_json(path, _told(submitted, found, again[wanted[0]].record), below=submitted.root)
    whole = Rerun(submitted.home, path, found)
    if by is None or whole.verdict == "different":
        return whole
    if wanted != sorted(submitted.held):
        report(f"{plain(submitted.name)}: not called verified: {len(wanted)} of {len(submitted.held)} records were run")
        return whole
    if more := {name: gain for name, gain in gained(found).items() if gain > GAIN}:
        told = " and ".join(f"{name} is {gain:.3f} more" for name, gain in more.items())
        rest = f"{told} as submitted than again, on average; rounding gives at most {GAIN}"
        report(f"{plain(submitted.name)}: not called verified: {rest}")
        return whole
    note = f"the code was run again on the same zoo: {whole.verdict} predictions for all {len(found)} records"
    read = {one.file: one.sha256 for one in found}
    verified = verify(submitted.home, submitted.root, tier="verified", by=by, note=note, read=read)
    return Rerun(submitted.home, path, found, verified)


def _code(submitted: _Submitted, metanet: str | None) -> str:
    """The metanet's name here, for `score`. Raises ValueError where it is not the records', FileNotFoundError without."""
    told, about = submitted.first.metanet, submitted.about
    if of_the_suite(told.name) is not None:
        return told.name
    file = told.code.file if told.code else "file.py"
    if metanet is None:
        get = f"get {plain(about.code_url)} at commit {about.commit[:8]}"
        give = f"give --metanet path/to/{plain(file)}:{told.name.rpartition(':')[2]}"
        raise FileNotFoundError(f"{submitted.home}: its code is not here; {get}, and {give}")
    name = metanet if split(metanet)[1] else metanet + split(told.name)[1]
    if name_of(name) != told.name:
        raise ValueError(f"{submitted.home}: its records are of {plain(told.name)}, and {metanet} would be {name_of(name)}")
    return name


def _job(submitted: _Submitted, known: Mapping[str, Zoo], name: str, wanted: Sequence[int], out: Path) -> Job:
    """The job that made these records, with the seed that chose first."""
    record = submitted.first
    task, first = record.task, record.tuned.get("with_seed", 0)
    if type(first) is not int or not 0 <= first < 10**6:
        raise ValueError(f"{submitted.home}: tuned.with_seed is {first!r}, expected a seed")
    return Job(
        zoo=known[task.zoo.manifest_sha256].folder,
        tests=(known[task.test_zoo.manifest_sha256].folder,),
        metanet=name,
        target=task.target,
        seeds=[first, *(seed for seed in wanted if seed != first)],
        training=_training(submitted),
        out=out,
        inputs=task.inputs,
        shift=task.shift,
        train_nets=task.train_nets,
        pairs=task.pairs,
    )


def _training(submitted: _Submitted) -> Training:
    """How the records say that they were trained, whatever a recipe says. Raises ValueError where they say it wrongly."""
    record, names = submitted.first, {one.name for one in fields(Training)} - {"device", "augment", "given"}
    told = record.tuned.get("training") or {}
    if not isinstance(told, dict) or not told.keys() <= names | {"device"}:
        raise ValueError(f"{submitted.home}: tuned.training has settings that this release does not know")
    settings: dict[str, Any] = {key: value for key, value in told.items() if key in names}
    return validated(submitted.home, _TRAINING, {**settings, "augment": record.augment, "given": [*settings]})


def _again(submitted: _Submitted, job: Job, limits: Limits, device: str) -> dict[int, Stored]:
    """The records that the code makes now, by seed, their predictions read. Raises as `run` and `_check_code` do."""
    fitter, threads = Fitter(limits), torch.get_num_threads()
    torch.set_num_threads(1)  # what is read of nets in this process depends on no number of threads
    try:
        _check_code(submitted, fitter.describe(job.metanet))
        found = [records.stored(path) for path in run(job, fitter, device=device)]
        for one in found:
            _ = one.frame
        return {one.record.seed: one for one in found}
    finally:
        torch.set_num_threads(threads)
        with suppress(OSError):
            fitter.close()


def _check_code(submitted: _Submitted, found: About) -> None:
    told, code = submitted.first.metanet, found.code and found.code[1]
    if found.version != told.version:
        raise ValueError(f"{submitted.home}: made with version {told.version} of {told.name}; here it is {found.version}")
    if found.reads != told.reads:
        said = (
            f"say that it reads {plain(told.reads or 'an input of its own')}; this reads {found.reads or 'one of its own'}"
        )
        raise ValueError(f"{submitted.home}: its records {said}")
    if of_the_suite(told.name) is None and (told.code is None or code != told.code.sha256):
        was = f"SHA-256 {told.code.sha256[:8]} of {plain(told.code.file)}" if told.code else "no code"
        where = f"{plain(submitted.about.code_url)} at commit {submitted.about.commit[:8]}"
        raise ValueError(f"{submitted.home}: its records name {was}, and this is {(code or 'unknown')[:8]}; get {where}")


def _machines(submitted: Record, again: Record) -> str:
    """Whether the records were made where the code runs now, as they say: other processors and versions round otherwise."""
    was, here = submitted.environment, again.environment
    differing = [f"{key} {str(was.get(key))[:60]}, here {here[key]}" for key in here if was.get(key) != here[key]]
    return plain(f"made elsewhere, as the records say: {'; '.join(differing)}") if differing else "made on such a machine"


def _told(submitted: _Submitted, found: Sequence[Compared], again: Record) -> dict[str, Any]:
    """The report: what was run, where, and how each record compares."""
    here = software()
    return {
        "schema": SCHEMA,
        "folder": submitted.name,
        "verdict": worst(one.verdict for one in found),
        "date": date.today().isoformat(),
        "code_url": submitted.about.code_url,
        "commit": submitted.about.commit,
        "code": again.metanet.code and asdict(again.metanet.code),
        "metazoo": here and asdict(here),
        "environment": again.environment,
        "records": [asdict(one) for one in found],
    }
