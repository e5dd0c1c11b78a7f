"""How far a reference is here: its zoos in a folder, and the records of its tasks."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

import zoo as zoos
from benchmark.records.readable import readable
from benchmark.records.records import Record
from benchmark.reference.elsewhere import left_out
from benchmark.reference.reference import Entry, Reference, Task
from benchmark.scoring.pairs import UNTOUCHED
from benchmark.scoring.task import derived_of
from zoo import Spec, Zoo
from zoo.dataset import zoo_json
from zoo.dataset.derived import WORDS
from zoo.jobs.plan import PLAN
from zoo.landscape.connect import ANALYSIS, MEANINGS
from zoo.landscape.pairs import pairs_of
from zoo.spec import to_json
from zoo.storage.manifest import held

State = Literal["missing", "partly built", "whole", "of another spec", "damaged"]


@dataclass(frozen=True)
class ZooStatus:
    """A zoo in a folder: `nets` of it are trained. `bytes` compares the manifest with the frozen one, where all are.

    `note` says what lacks or is wrong.
    """

    entry: Entry
    folder: Path
    state: State
    nets: int = 0
    manifest_sha256: str | None = None
    note: str = ""

    @property
    def bytes(self) -> str:
        """`as frozen`, `other bytes` or `not frozen`; empty where nets lack."""
        if self.manifest_sha256 is None:
            return ""
        frozen = self.entry.manifest_sha256
        return "not frozen" if frozen is None else "as frozen" if frozen == self.manifest_sha256 else "other bytes"

    def line(self) -> str:
        """The state in words."""
        count = f" ({self.nets} of {self.entry.nets} nets)" * (self.state == "partly built")
        return f"{self.state}{count}" + f": {self.note}" * bool(self.note)

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {
            "zoo": self.entry.name,
            "role": self.entry.role,
            "state": self.state,
            "nets": self.nets,
            "of": self.entry.nets,
            "bytes": self.bytes or None,
            "manifest_sha256": self.manifest_sha256,
            "note": self.note,
        }


@dataclass(frozen=True)
class TaskStatus:
    """The records of a task: which metanets have all, of which some lack (how many there are), and which cannot read it."""

    task: Task
    records: int  # for each metanet
    whole: list[str] = field(default_factory=list)
    lacking: dict[str, int] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        told = {"task": self.task.name, "track": self.task.track, "records": self.records}
        return {**told, "whole": self.whole, "lacking": self.lacking, "unable": self.unable}


@dataclass(frozen=True)
class ReferenceStatus:
    """All of a size. `tasks` is None where no results were asked for; `left_out` has a line on each record not readable."""

    zoos: list[ZooStatus]
    tasks: list[TaskStatus] | None
    left_out: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """What is not whole, by name: zoos, then tasks."""
        tasks = [one.task.name for one in self.tasks or [] if one.lacking or not one.whole]
        return [one.entry.name for one in self.zoos if one.state != "whole"] + tasks

    def to_json(self) -> dict[str, Any]:
        """The parts, as JSON values."""
        tasks = None if self.tasks is None else [one.to_json() for one in self.tasks]
        zoos = [one.to_json() for one in self.zoos]
        return {"zoos": zoos, "tasks": tasks, "missing": self.missing, "left_out": [*self.left_out]}


def status(
    reference: Reference,
    size: str,
    folder: Path | str,
    *,
    results: Path | str | None = None,
    metanets: Iterable[str] = (),
    final: bool = False,
) -> ReferenceStatus:
    """Looks at a size's zoos in `folder`, and at the records under `results` of these metanets, by their names in records.

    Without `metanets` they are all that have a record of one of the tasks. A record that cannot be read counts as none, and
    is named. With `final` the final zoos are looked at too.
    Raises ValueError on an unknown size, FileNotFoundError where the folder is not there, or where all zoos are whole and no
    record under `results` is of one of the tasks.
    """
    folder = Path(folder).expanduser()
    entries, tasks = reference.of_size(size, final=final), reference.tasks_of(size, final=final)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; `metazoo reference build {size} --folder {folder}` makes it")
    found = {entry.name: zoo_status(entry, folder) for entry in entries}
    if results is None:
        return ReferenceStatus([*found.values()], None)
    results = Path(results).expanduser()
    made, left = _records(results)
    have = {task.name: _counts(task, found, made) for task in tasks}
    names = list(dict.fromkeys([*metanets, *sorted({name for counts in have.values() for name in counts})]))
    if not names and all(one.state == "whole" for one in found.values()):
        what = f"no record of a task of {reference.name} {size}"
        told = f"{results}: {what}; `metazoo reference score {size} --out {results}` makes them"
        raise FileNotFoundError("\n  ".join([told, *left]))
    done = [_task_status(task, found, have[task.name], names) for task in tasks]
    return ReferenceStatus([*found.values()], done, tuple(left))


def zoo_status(entry: Entry, folder: Path) -> ZooStatus:
    """How far one zoo is in the reference's folder; one that cannot be read is `damaged`, whatever it is."""
    place = folder / entry.name
    try:
        return _zoo_status(entry, place, entry.loaded())
    except (ValueError, OSError) as error:
        return ZooStatus(entry, place, "damaged", note=str(error))


def _zoo_status(entry: Entry, place: Path, spec: Spec) -> ZooStatus:
    if place.is_symlink():
        raise ValueError("a link, which is not followed; put the zoo itself there")
    if not (place / zoo_json.FILE).is_file():
        return ZooStatus(entry, place, "missing")
    if differing := _differing(place, spec):
        return ZooStatus(entry, place, "of another spec", note=differing)
    nets = held(place)
    if nets > spec.nets:
        return ZooStatus(entry, place, "of another spec", nets, note=f"{nets} nets there, {spec.nets} expected")
    if nets < spec.nets:
        done = zoos.status(place).nets if (place / PLAN).is_file() else 0  # a build that was stopped before it had a plan
        return ZooStatus(entry, place, "partly built", nets + done)
    made = zoos.open(place)
    if not connected(made, entry):
        return ZooStatus(entry, place, "partly built", nets, made.manifest_sha256, "its pairs are not connected")
    return ZooStatus(entry, place, "whole", nets, made.manifest_sha256)


def connected(made: Zoo, entry: Entry) -> bool:
    """Whether the very pairs that an entry says are connected in its zoo as it says, with every number, or it names none."""
    there = made.derived.get("connect")
    if entry.connect is None or there is None or there.of != "pairs":
        return entry.connect is None
    if there.note.analysis != ANALYSIS or there.note.other is not None or not {*MEANINGS} <= {*there.columns}:
        return False
    settings, frame = entry.connect.settings(), there.frame
    plain = frame[frame[WORDS] == UNTOUCHED] if WORDS in frame else frame
    wanted = pairs_of(made, entry.connect.pairs, settings.seed)[["i", "j"]]
    first = plain[["i", "j"]].head(len(wanted))  # a task takes the file's first pairs
    return there.note.settings == settings.told() and first.to_numpy().tolist() == wanted.to_numpy().tolist()


def _differing(place: Path, spec: Spec) -> str:
    """The parts of the spec that differ from those of the zoo in the folder; empty where none does."""
    found, wanted = to_json(zoo_json.read(place, nets=spec.nets).spec), to_json(spec)
    return ", ".join(name for name in wanted if found.get(name) != wanted[name])


def _keys(task: Task, found: dict[str, ZooStatus]) -> dict[tuple[str, str, int | None], dict[str, str] | None]:
    """(zoo fitted on, zoo tested on, training nets) of each record of one seed -> the files of derived columns it names.

    Zoos are told by their manifests' hashes. Empty where a zoo of the task is not ready for it.
    """
    if not _ready(task, found):
        return {}
    opened = [zoos.open(found[name].folder) for name in task.zoos]
    pairs = product(opened, opened) if task.transfer else zip(opened, opened, strict=True)
    return {
        (zoo.manifest_sha256, test.manifest_sha256, number): derived_of(zoo, test, task.target, pairs=task.pairs is not None)
        for zoo, test in pairs
        for number in (task.train_nets or (None,))
    }


def _ready(task: Task, found: dict[str, ZooStatus]) -> bool:
    """Whether all nets of a task's zoos are there, and for a task on pairs these too."""
    own = [found[name] for name in task.zoos]
    return all(one.manifest_sha256 is not None and (task.pairs is None or one.state == "whole") for one in own)


def _counts(task: Task, found: dict[str, ZooStatus], made: Iterable[Record]) -> dict[str, int]:
    """Metanet -> how many of a task's records are there. None are while a zoo's nets or pairs are not."""
    keys, there = _keys(task, found), set[tuple[str, object, int]]()  # each once: records of others may lie beside ours
    for record in made:
        on = record.task
        key = (on.zoo.manifest_sha256, on.test_zoo.manifest_sha256, on.train_nets)
        options = (on.target, on.inputs, on.shift, on.pairs)
        same = key in keys and options == (task.target, task.inputs, task.shift, task.pairs)
        if same and on.derived == keys[key] and record.seed < task.seeds:
            there.add((record.metanet.name, key, record.seed))
    return dict(Counter(name for name, _, _ in there))


def _records(results: Path) -> tuple[list[Record], list[str]]:
    """Those that can be read, and a line on each that cannot."""
    try:
        found, problems = readable(results)
    except FileNotFoundError:
        return [], []
    return [one.record for one in found], problems


def _task_status(task: Task, found: dict[str, ZooStatus], counts: dict[str, int], names: list[str]) -> TaskStatus:
    number = len(task.zoos) ** (2 if task.transfer else 1) * len(task.train_nets or (None,)) * task.seeds
    whole = [name for name in names if counts.get(name, 0) == number]
    others = [name for name in names if name not in whole]
    folders = [found[name].folder for name in task.zoos]
    unable = left_out(task, folders, others) if _ready(task, found) else {}
    return TaskStatus(task, number, whole, {name: counts.get(name, 0) for name in others if name not in unable}, unable)
