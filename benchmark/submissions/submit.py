"""Submitting: the records of one metanet on one task, with who stands behind them, checked and copied to a leaderboard.

Everything here may come from a stranger. A submission is never changed: a correction lies beside it and supersedes it,
and what maintainers found when they ran it again stands elsewhere (see `benchmark.submissions.verification`).
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from benchmark.records import records
from benchmark.records.corrections import SUBMISSION, contact_of, stem, superseded
from benchmark.records.predictions import PREDICTIONS_BYTES
from benchmark.records.readable import has_records, readable
from benchmark.records.records import Record, Stored
from benchmark.scoring.task import opened, zoos_in
from benchmark.submissions.cross_checks import Seen, at_odds, other_nets, together
from benchmark.submissions.record_checks import bad_rows, examined, is_known
from benchmark.submissions.submission import Submission
from metanets.table import of_the_suite
from zoo.messages import plain
from zoo.storage import files
from zoo.untrusted.files import read_bytes, remove

SEEDS = "seed-*.json"  # the records in a folder of one metanet on one task


def submit(
    paths: Sequence[Path],
    about: Submission,
    *,
    to: Path,
    zoo_folders: Sequence[Path] = (),
    report: Callable[[str], None] = lambda line: None,
) -> dict[Path, tuple[Path, ...]]:
    """Checks records and copies them with `about` to where they belong under `to`: a submission a metanet and task.

    `paths` are records, folders of them, or whatever folder `score` wrote; of one with folders in it, what the suite
    itself has is left aside, and reported. All is checked before anything is copied. Returns each new folder and the files
    in it, the last of them `submission.json`, without which a stopped copy counts for nothing and the same call goes on.
    Nothing is overwritten: records that `score` has put there already stay, if they are these. With zoos every record
    must be of one of them; with or without, labels must be those of the records that are under `to` already. Raises
    ValueError listing all that is wrong, and FileExistsError where something else is in the way.
    """
    known, given, problems, found = opened(zoos_in(zoo_folders)), groups(paths, report), list[str](), list[list[Stored]]()
    if about.supersedes is not None and len(given) > 1:
        told = f"expected one metanet on one task, found {len(given)} folders of records"
        raise ValueError(f"--supersedes {about.supersedes} corrects one folder: {told}")
    for group in given:
        read, wrong = examined(group, known)
        found.append(read)
        problems += [*wrong, *together(read, submitted=True)]
    every = [one for group in found for one in group]
    problems += _disagreeing(every, to)
    if known:
        lacking = [one for one in every if not is_known(one.record, known)]
        problems += [f"{one.path}: fitted or tested on a zoo that is not among those given by --zoo" for one in lacking]
    if problems:
        raise ValueError("\n  ".join([f"refused, {len(problems)} problem(s):", *map(plain, problems)]))
    about = replace(about, labels_checked=bool(known))  # not the submitter's to say
    submission, written = {SUBMISSION: files.to_json(asdict(about))}, dict[Path, tuple[Path, ...]]()
    for read in found:
        folder = _destination(to, read[0].record, about)
        contents = {name: data for one in read for name, data in _contents(one).items()}
        written[folder] = _copied(folder, to, contents | submission)
    return written


def groups(paths: Sequence[Path], report: Callable[[str], None] = lambda line: None) -> list[list[Path]]:
    """The files of records by the folder that they lie in, each one metanet on one task, as `submit` takes them."""
    found: dict[Path, dict[Path, None]] = {}  # each file once, however often it is given
    asked = set[Path]()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder; give records, or a folder that holds them")
        whole = path.is_dir() and not any(path.glob(SEEDS))
        for file in sorted(path.glob(f"**/{SEEDS}")) if whole else sorted(path.glob(SEEDS)) if path.is_dir() else [path]:
            found.setdefault(file.parent, {})[file] = None
            asked |= set() if whole else {file.parent}
    for folder in [folder for folder in found if folder not in asked]:
        if ours := _of_the_suite(found[folder]):
            del found[folder]
            report(f"{folder}: left aside, the suite has {ours}; give this folder itself to submit it")
    if not found:
        where = ", ".join(map(str, paths))
        raise FileNotFoundError(f"{where}: no records of a metanet of yours; give their files, or a folder that holds them")
    return [[*group] for group in found.values()]


def _of_the_suite(paths: Iterable[Path]) -> str | None:
    """The suite's metanet that these records are of, as far as they can be read; None where one is of another's code."""
    names = set[str | None]()
    for path in paths:
        with suppress(ValueError):  # named where all records are examined
            metanet = records.read(path).metanet
            names.add(metanet.name if metanet.code is None and of_the_suite(metanet.name) else None)
    return names.pop() if len(names) == 1 else None


def _disagreeing(found: Sequence[Stored], to: Path) -> list[str]:
    """Where records have other nets or labels than those under `to`, which were there first, or than each other."""
    seen: dict[tuple[object, ...], tuple[Path, pd.Series]] = {}
    tasks: dict[tuple[str, str, str], Seen] = {}
    zoos = {zoo.manifest_sha256 for one in found for zoo in (one.record.task.zoo, one.record.task.test_zoo)}
    for one in readable(to)[0] if has_records(to) else ():
        task = one.record.task
        if zoos & {task.zoo.manifest_sha256, task.test_zoo.manifest_sha256} and not list(bad_rows(one)):
            _ = [*at_odds(one, seen), *other_nets(one, tasks)]  # what is wrong among them is `check`'s to say
    return [f"{one.path}: {line}" for one in found for line in (*at_odds(one, seen), *other_nets(one, tasks))]


def _contents(found: Stored) -> dict[str, bytes]:
    """The predictions first: a record is there when they are."""
    return {found.record.predictions.file: found.predictions, found.path.name: found.data}


def _destination(to: Path, record: Record, about: Submission) -> Path:
    """The folder for these records. Raises ValueError where what is superseded is not there or not these records' own, and
    FileExistsError where somebody else's are in the way.
    """
    supersedes = about.supersedes
    plain = records.path_of(to, record.task, record.metanet.name, 0).parent
    numbered = (plain.with_name(f"{plain.name}.{number}") for number in range(2, 10**6))
    folder = plain if supersedes is None else next(one for one in numbered if not (one / SUBMISSION).exists())
    links = [place for place in (plain, folder, *plain.parents[:2]) if place.is_symlink()]
    if links:
        raise ValueError(f"{links[0]} is a link; nothing is written through links")
    theirs = contact_of(plain, below=to)
    if theirs not in (None, about.contact):
        raise FileExistsError(
            f"{plain} was submitted by {theirs!r}, not by {about.contact!r}; give your metanet another name"
        )
    if supersedes is None:
        return folder
    old = plain.with_name(supersedes)
    if stem(supersedes) != plain.name or not any(old.glob(SEEDS)):
        raise ValueError(f"no records of {plain.name} at {old}; --supersedes takes the name of a folder in {plain.parent}")
    if not (old / SUBMISSION).exists():
        raise ValueError(f"{old} was submitted by nobody: it is the leaderboard's own, which no submission supersedes")
    if old in superseded(plain.parent):
        raise ValueError(f"{old} is superseded already; name the newest folder of {plain.name} in {plain.parent}")
    return folder


def _copied(folder: Path, to: Path, contents: dict[str, bytes]) -> tuple[Path, ...]:
    """Writes these files, in order. Raises FileExistsError, before anything is written, where others are in the way."""
    for path in sorted(folder.iterdir()) if folder.exists() else []:
        if path.match(files.TEMPORARY):
            remove(path, below=to)  # of a copy that was stopped
        elif path.name not in contents or read_bytes(path, PREDICTIONS_BYTES, below=to) != contents[path.name]:
            raise FileExistsError(f"{path} is there already and is not of this submission; --supersedes adds a correction")
    for name, data in contents.items():
        path = folder / name
        if not files.publish(path, data, below=to) and read_bytes(path, PREDICTIONS_BYTES, below=to) != data:
            raise FileExistsError(f"{path}: another submission was written at the same time; try again")
    return tuple(folder / name for name in contents)
