"""What a reference says: its sizes, zoos and tasks, read strictly from a TOML file such as `v1.toml`."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

import zoo as zoos
from benchmark.records.records import Count, Name, Nets, Sha256
from metanets import Training
from zoo import Spec
from zoo.landscape import connect
from zoo.messages import choose, some_names
from zoo.nets.layout import total
from zoo.spec import SPECS, layout_of
from zoo.untrusted.schema import validated
from zoo.untrusted.texts import decoded

V1 = Path(__file__).parent / "v1.toml"
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
Role = Literal["develop", "final"]
Track = Literal["in zoo", "shift", "transfer", "width", "few nets", "hidden axes", "pairs"]
EMBEDDED = "digits"  # the one image task that needs no files


@dataclass(frozen=True, config=STRICT)
class Trained:
    """How metanets without a recipe of their own are trained on zoos of a size."""

    epochs: Nets
    batch: Annotated[int, Field(ge=2)]  # nets a step
    learning_rates: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]

    def training(self, device: str = "cpu") -> Training:
        """The same as scoring takes it."""
        return Training(epochs=self.epochs, batch=self.batch, learning_rates=self.learning_rates, device=device)


@dataclass(frozen=True, config=STRICT)
class Size:
    """A size: the megabytes (10^6 bytes) of weights that its zoos may have together; how metanets are trained on them."""

    megabytes: Nets
    training: Trained


@dataclass(frozen=True, config=STRICT)
class Pairs:
    """Pairs of a zoo's nets that are connected by lines when it is built (see `zoo.landscape.connect`)."""

    pairs: Nets
    points: Annotated[int, Field(ge=3)]
    images: Nets

    def settings(self) -> connect.Settings:
        """How they are connected."""
        return connect.Settings(points=self.points, images=self.images)


@dataclass(frozen=True, config=STRICT)
class Entry:
    """A zoo: a built-in spec, the fields `set` in it, the number of nets and the seed; its name is the spec's too.

    `images`: the image task whose files it needs; None of digits, which are embedded. `manifest_sha256`: the SHA-256 of its
    manifest as it was frozen; None: not frozen yet.
    """

    name: FileName
    size: Name
    role: Role
    spec: Name
    nets: Nets
    seed: Count
    set: dict[str, Any] = field(default_factory=dict)
    images: Name | None = None
    connect: Pairs | None = None
    manifest_sha256: Sha256 | None = None

    def loaded(self) -> Spec:
        """The spec that the zoo is built from. Raises ValueError where there is no such, or a field is wrong."""
        choose(SPECS, self.spec, "spec")
        if own := {"name", "nets", "seed"} & self.set.keys():
            raise ValueError(f"{some_names(sorted(own))}: a field of the zoo, and not of `set`")
        return zoos.load(self.spec, {**self.set, "name": self.name, "nets": self.nets, "seed": self.seed})

    def weight_bytes(self) -> int:
        """The bytes of its weights."""
        spec = self.loaded()
        return spec.nets * total(layout_of(spec)) * (2 if spec.dtype == "float16" else 4)


@dataclass(frozen=True, config=STRICT)
class Task:
    """What is scored: on which zoos, with which options of `score`, for how many seeds. `track`: which question it is."""

    name: FileName
    track: Track
    zoos: Annotated[tuple[FileName, ...], Field(min_length=1)]
    seeds: Nets
    target: Name = "test_accuracy"
    inputs: Literal["trained", "all"] = "trained"
    transfer: bool = False
    shift: Name | None = None
    train_nets: tuple[Nets, ...] = ()
    pairs: Nets | None = None

    def options(self) -> dict[str, Any]:
        """The options as the function `score` has them."""
        few = list(self.train_nets) or None
        return {
            "target": self.target,
            "inputs": self.inputs,
            "seeds": self.seeds,
            "transfer": self.transfer,
            "shift": self.shift,
            "train_nets": few,
            "pairs": self.pairs,
        }


_Named = TypeVar("_Named", Entry, Task)


@dataclass(frozen=True, config=STRICT)
class Reference:
    """A whole file: sizes by name, zoos, and tasks on them. All zoos of a task are of one size and one role: the task's."""

    name: FileName
    sizes: Annotated[dict[FileName, Size], Field(min_length=1)]
    zoos: Annotated[tuple[Entry, ...], Field(min_length=1)]
    tasks: tuple[Task, ...]

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        """Its zoos by their names."""
        return {entry.name: entry for entry in self.zoos}

    def of_size(self, size: str, *, final: bool) -> list[Entry]:
        """The zoos of a size, with `final` those of role final too. Raises ValueError where there is no such size."""
        choose(self.sizes, size, "size")
        return [entry for entry in self.zoos if entry.size == size and (final or entry.role == "develop")]

    def tasks_of(self, size: str, *, final: bool) -> list[Task]:
        """The tasks on these zoos."""
        names = {entry.name for entry in self.of_size(size, final=final)}
        return [task for task in self.tasks if names.issuperset(task.zoos)]

    def zoos_named(self, size: str, only: Sequence[str], *, final: bool) -> list[Entry]:
        """The zoos of a size, or `only` these. Raises ValueError on an unknown name, or a final one's without `final`."""
        return _only(only, self.of_size(size, final=True), self.of_size(size, final=final), f"zoo of {size}")

    def tasks_named(self, size: str, only: Sequence[str], *, final: bool) -> list[Task]:
        """The tasks of a size, or `only` these. Raises as `zoos_named` does."""
        return _only(only, self.tasks_of(size, final=True), self.tasks_of(size, final=final), f"task of {size}")

    def entries_of(self, task: Task) -> list[Entry]:
        """The zoos of a task."""
        return [self.by_name[name] for name in task.zoos]


def _only(names: Sequence[str], every: Sequence[_Named], opened: list[_Named], what: str) -> list[_Named]:
    known = {one.name: one for one in every}
    found = [choose(known, name, what) for name in dict.fromkeys(names)]
    if closed := [one.name for one in found if one not in opened]:
        raise ValueError(f"{', '.join(closed)}: final, opened for the final table only; say --final where this is for it")
    return found or opened


_ADAPTER = TypeAdapter(Reference)


def read(path: Path | str = V1) -> Reference:
    """The reference in a TOML file. Raises ValueError that names the file and every fault of one kind in it.

    Faults are unknown or wrong fields, names that come twice, tasks that name unknown zoos or zoos of two sizes or roles,
    tasks whose options are not their track's, specs that do not load, and images that are not the spec's.
    """
    path = Path(path).expanduser()
    try:
        value = tomllib.loads(decoded(path, path.read_bytes()))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not readable as TOML: {error}") from error
    found = validated(path, _ADAPTER.validate_json, json.loads(json.dumps(value, default=str)))  # a date is no field
    for faults in (_names(found), _tasks(found), _specs(found)):
        if listed := list(faults):
            raise ValueError(f"{path}: {'; '.join(listed)}")
    return found


def _names(reference: Reference) -> Iterable[str]:
    """What is wrong with names: of zoos, tasks and sizes."""
    for what, names in (("zoo", [z.name for z in reference.zoos]), ("task", [task.name for task in reference.tasks])):
        yield from (f"the {what} {name} is there {count} times" for name, count in Counter(names).items() if count > 1)
    for entry in reference.zoos:
        if entry.size not in reference.sizes:
            yield f"zoo {entry.name}: no size {entry.size!r} (known: {', '.join(reference.sizes)})"
    for task in reference.tasks:
        if missing := [name for name in task.zoos if name not in reference.by_name]:
            yield f"task {task.name}: no zoo {some_names(missing)}"
        if len(set(task.zoos)) < len(task.zoos):
            yield f"task {task.name}: a zoo is there twice"


def _tasks(reference: Reference) -> Iterable[str]:
    """What is wrong with tasks: their zoos together, and their options."""
    for task in reference.tasks:
        entries = reference.entries_of(task)
        if len({entry.size for entry in entries}) > 1:
            yield f"task {task.name}: zoos of two sizes"
        if len({entry.role for entry in entries}) > 1:
            yield f"task {task.name}: zoos to develop on beside final ones; make it two tasks"
        given = {
            "shift": task.shift is not None,
            "transfer": task.transfer,
            "train_nets": bool(task.train_nets),
            "pairs": task.pairs is not None,
        }
        own = {"transfer": "transfer", "width": "transfer", "few nets": "train_nets"}.get(task.track, task.track)
        if wrong := [name for name, there in given.items() if there != (name == own)]:
            rule = f"needs {own} and nothing else" if own in given else "has none of them"
            yield f"task {task.name}: the track {task.track!r} {rule} of {', '.join(given)}; wrong: {', '.join(wrong)}"
        if task.transfer and len(entries) < 2:
            yield f"task {task.name}: transfer needs two zoos"
        if task.pairs is not None:
            few = [z.name for z in entries if z.connect is None or z.connect.pairs < task.pairs]
            yield from (f"task {task.name}: zoo {name} has not {task.pairs} pairs to connect" for name in few)


def _specs(reference: Reference) -> Iterable[str]:
    """What is wrong with specs: each by itself, and those of a task on widths together."""
    specs: dict[str, Spec] = {}
    for entry in reference.zoos:
        try:
            specs[entry.name] = spec = entry.loaded()
        except ValueError as error:
            yield f"zoo {entry.name}: {' '.join(str(error).split())}"
            continue
        if entry.images != (needed := None if spec.image_task == EMBEDDED else spec.image_task):
            yield f"zoo {entry.name}: needs {needed or 'no'} images, and says {entry.images or 'none'}"
    for task in reference.tasks:
        if task.track == "width" and specs.keys() >= {*task.zoos}:
            own = [replace(specs[name], name="one", nets=1, net=replace(specs[name].net, width=1.0)) for name in task.zoos]
            if any(one != own[0] for one in own):
                yield f"task {task.name}: the zoos differ in more than width and number of nets"
