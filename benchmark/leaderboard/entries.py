"""Which records a board can show, as what, and which are left out; no row mixes two metanets."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmark.leaderboard.names import is_of_the_suite, label
from benchmark.records.corrections import SUBMISSION
from benchmark.records.predictions import keys
from benchmark.records.records import Record, Stored
from benchmark.statistics.derived import Derived, derived
from benchmark.submissions.record_checks import bad_rows, bad_scores, misstated
from benchmark.submissions.submission import Submission, read_submission
from zoo.storage import files

Key = tuple[str, str, str]  # task, test zoo, metanet
Columns = dict[str, np.ndarray]  # of nets, by name
_Item = TypeVar("_Item")
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Entry:
    """A record that a board can show: what it is called there, the scores that its predictions give, its test nets in order.

    `nets` tells which nets it was fitted and tested on, and what their targets were: those of one task must have the same.
    """

    path: Path
    record: Record
    label: str
    submission: Submission | None
    scores: Derived
    tested: Columns
    nets: str

    @property
    def key(self) -> Key:
        """Task, test zoo, metanet."""
        return self.record.task.name(), self.record.task.test_zoo.label(), self.label

    @property
    def own(self) -> bool:
        """Whether it is of the suite's own code."""
        return is_of_the_suite(self.record.metanet, self.submission)


@dataclass(frozen=True)
class Sorted:
    """What records are good for: those shown by what they are seeds of, lines on those left out, and on those misstated."""

    shown: dict[Key, tuple[Entry, ...]]
    left_out: tuple[str, ...]
    misstated: tuple[str, ...]


def sorted_out(found: Iterable[Stored]) -> Sorted:
    """Records that can be shown together, seeds in order, and a line for each that cannot or states other scores."""
    left_out: list[str] = []
    submissions: dict[Path, Submission | None] = {}
    entries = []
    for one in found:
        try:
            entries.append(_entry(one, submissions))
        except ValueError as error:
            left_out.append(f"{one.path}: {error}" if str(one.path.parent) not in str(error) else str(error))
    wrong = [f"{one.path}: {line}" for one in entries for line in misstated(one.record, one.scores)]
    shown: dict[Key, tuple[Entry, ...]] = {}
    for of_task in grouped(entries, lambda one: one.key[:2]).values():
        alike = _largest(of_task, lambda one: one.nets, "its nets, or their targets, are not those of", left_out)
        for key, seeds in grouped(alike, lambda one: one.key).items():
            model = _largest(seeds, _model, "its name, code, version or parameters are not those of", left_out)
            shown[key] = tuple(sorted(_once(model, left_out), key=lambda one: one.record.seed))
    return Sorted(shown, tuple(left_out), tuple(wrong))


def _entry(one: Stored, submissions: dict[Path, Submission | None]) -> Entry:
    """Raises ValueError where it cannot be scored, or its submission is none."""
    home = one.path.parent
    if home not in submissions:
        path = home / SUBMISSION
        submissions[home] = read_submission(path, below=one.below) if path.is_symlink() or path.exists() else None
    if problems := list(bad_rows(one)):
        raise ValueError("; ".join(problems))
    scores = derived(one.frame)
    if problems := list(bad_scores(scores)):
        raise ValueError("; ".join(problems))
    submission, nets = submissions[home], _in_order(one.frame)
    tested = {name: values[: one.record.task.nets["test"]] for name, values in nets.items()}
    name = label(one.record.metanet, submission)
    return Entry(one.path, one.record, name, submission, scores, tested, _told(one.record, nets))


def _in_order(frame: pd.DataFrame) -> Columns:
    """The columns of the test nets, in order, and of the validation nets behind them."""
    known = (frame["split"] != "test").to_numpy()
    columns = {name: frame[name].to_numpy() for name in (*keys(frame), "target", "prediction")}
    order = np.lexsort([*(columns[key] for key in reversed(keys(frame))), known])
    return {name: values[order] for name, values in columns.items()}


def _told(record: Record, nets: Columns) -> str:
    """A hash of the task, wherever its zoos are from and whatever is said of them, and of the nets with their targets."""
    task = asdict(record.task)
    del task["facts"]  # which records of before do not tell
    for name in ("zoo", "test_zoo"):
        del task[name]["source"]
    columns = [nets[name].tobytes() for name in (*keys(nets), "target")]
    return files.hash_of(json.dumps(task, sort_keys=True).encode() + b"".join(columns))


def _model(one: Entry) -> tuple[object, ...]:
    """What all seeds of a row have in common: two names, or two hashes, may read the same in a label."""
    metanet = one.record.metanet
    return metanet.name, metanet.version, metanet.parameters, metanet.code


def grouped(items: Iterable[_Item], kind: Callable[[_Item], _Kind]) -> dict[_Kind, list[_Item]]:
    """The items of each kind, in their order."""
    found: dict[_Kind, list[_Item]] = {}
    for one in items:
        found.setdefault(kind(one), []).append(one)
    return found


def _largest(entries: Sequence[Entry], kind: Callable[[Entry], object], wrong: str, left_out: list[str]) -> list[Entry]:
    """Those of one kind: the suite's own, else that of most metanets and seeds, else the first; others are left out."""
    kinds = list(grouped(entries, kind).values())
    kept = max(kinds, key=lambda of: (any(one.own for one in of), len({one.label for one in of}), len(of)))
    rest = (one for of in kinds if of is not kept for one in of)
    left_out += [f"{one.path}: {wrong} {kept[0].path}" for one in rest]
    return kept


def _once(entries: Iterable[Entry], left_out: list[str]) -> list[Entry]:
    """Each seed once; a second record of one is left out."""
    seeds: dict[int, Entry] = {}
    for one in entries:
        first = seeds.setdefault(one.record.seed, one)
        if first is not one:
            left_out.append(f"{one.path}: seed {one.record.seed} of {one.label} is in {first.path} too; keep one of them")
    return list(seeds.values())
