"""The Model Zoos of Schürholt et al. 2022 (arXiv 2209.14764), and others kept as folders of Ray Tune trials.

A trial is a folder with `params.json`, `result.json` (a line of JSON an epoch) and the state dict of each epoch,
`checkpoint_N/checkpoints` or `checkpoint_00000N/checkpoints`. So are the zoos of SANE, PhaseTransition and WeightCLIP.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import copysign, inf, isfinite, isnan, nan
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from torch import Tensor

from zoo import foreign
from zoo.choices import choose
from zoo.imported import Imported, Provenance, is_column, plain_column, plain_line, plain_name
from zoo.importers import few
from zoo.importers.roles import without_statistics
from zoo.importers.rows import BY_LINEAGE, LARGEST, Foreign, split_by_lineage
from zoo.importers.shapes import Shapes, in_layout, shapes_of, unlike
from zoo.importers.sources import digests
from zoo.layout import Layout, from_shapes, total

RESULTS = {  # key of a result -> our name, and what it is
    "test_acc": ("test_accuracy", "share of the test images classified rightly, measured by the source"),
    "test_loss": ("test_loss", "mean loss on the test images, measured by the source"),
    "val_acc": ("validation_accuracy", "share of the held-out training images classified rightly, measured by the source"),
    "val_loss": ("validation_loss", "mean loss on the held-out training images, measured by the source"),
    "train_acc": (
        "train_accuracy_running",
        "share of the training images classified rightly while the epoch trained, dropout on: not that of these weights",
    ),
    "train_loss": (
        "train_loss_running",
        "mean loss on the training images while the epoch trained, dropout on: not that of these weights",
    ),
    "sparsity_ratio": ("sparsity_ratio", "share of the weights that variational dropout drops"),
}
ACCURACIES = ("test_acc", "val_acc", "train_acc")
UNITS = {"auto": 0.0, "share": 1.0, "percent": 100.0}  # what the source writes for 1
GAP = "generalisation_gap_running"
GAP_IS = "train_accuracy_running - test_accuracy: biased, since the former is of training mode and of earlier weights"
NOT_TRAINED = -999  # the source's train_acc and train_loss of the net before training

PARAMETERS = {  # key of params.json -> our name, and what it is
    "optim::lr": ("learning_rate", "learning rate"),
    "lr": ("learning_rate", "learning rate"),
    "optim::wd": ("weight_decay", "weight decay, as the source's optimiser has it"),
    "weight_decay": ("weight_decay", "weight decay, as the source's optimiser has it"),
    "model::dropout": ("dropout", "dropout rate"),
    "model::nlin": ("activation", "activation of the hidden layers"),
    "model::init_type": ("init", "how weights were initialised"),
    "optim::optimizer": ("optimizer", "optimiser"),
    "training::batchsize": ("batch_size", "images a batch"),
    "batch_size": ("batch_size", "images a batch"),
}
SEED = re.compile(r"(^|[:_])seed$")
MEASURED = re.compile(r"(^|[:_])(acc|accuracy|loss|gap|ggap)($|[:_])")  # WeightCLIP writes results into params.json
MACHINE = re.compile(r"(^|[:_])dir|dump|cuda|gpu|device|workers|resources|verbos|wandb")
COLUMNS = {
    "lineage": "number of the trial in the source, sorted by name",
    "trial": "the source's name of the trial",
    "checkpoint": "number of the checkpoint that the weights are of",
}
TAKEN = {"index", "diverged", "split", "weights", "trajectory", GAP, *COLUMNS, *(name for name, _ in RESULTS.values())}

IMAGES = {  # what the name of the zoo, or of its images, has in it -> image task; the first that is found
    "tiny[-_]?imagenet": "tiny_imagenet",
    "cifar[-_]?100": "cifar100",
    "cifar[-_]?10": "cifar10",
    "f(ashion)?[-_]?mnist": "fashion_mnist",
    "mnist": "mnist",
    "svhn": "svhn",
    "usps": "usps",
    "stl[-_]?10": "stl10",
    "eurosat": "eurosat",
}
PUBLISHED = {"CNN": ("CNN-s", (2464, 2864)), "CNN3": ("CNN-l", (10853,))}  # model::type -> weights, by input channels
PICKLED = (
    "Its authors' dataset*.pt are pickled objects of their classes, which are never loaded: give the folder of raw trials "
    "(params.json, result.json, checkpoint_N/checkpoints), which they publish as a zip beside it"
)
CHECKPOINT = re.compile(r"checkpoint_([0-9]{1,9})")
COUNTER = "num_batches_tracked"  # of BatchNorm: a whole number
STATISTICS = ("running_mean", "running_var")
LAYER = re.compile(r"module_list\.[0-9]+\.")  # nets with dropout have more layers, so other numbers, and the same tensors
DEPTH = 4  # folders from the one given down to the zoo's
WORDS = 200  # characters of a text parameter

URL = "https://github.com/ModelZoos/ModelZooDataset"
LICENCE = "CC BY 4.0"
CITATION = "Schürholt, Taskiran, Knyazev, Giró-i-Nieto, Borth 2022, Model Zoos, arXiv 2209.14764"

T = TypeVar("T")
Found = TypeVar("Found")


@dataclass(frozen=True)
class _Trial:
    """A trial's parameters, its results by iteration, the files of its weights by number; results written twice."""

    folder: Path
    params: dict[str, Any]
    results: dict[int, dict[str, float]]
    checkpoints: dict[int, Path]
    repeated: int

    def used(self, epoch: int | None) -> int:
        """The number of the checkpoint that the net's weights are of. Raises ValueError where it is missing."""
        number = max(self.checkpoints) if epoch is None else epoch
        if number not in self.checkpoints:
            raise ValueError(f"{self.folder}: no checkpoint {number}; it has {few.numbers(self.checkpoints)}")
        return number

    def offsets(self) -> set[int]:
        """The offsets with which every checkpoint has its results; the net before training, number 0, may have none.

        Where there are results from before training (iteration 0), Ray kept a checkpoint of them, so numbers are iterations.
        """
        fits = {0} if self.checkpoints.keys() - {0} <= self.results.keys() else set()
        shifted = {number + 1 for number in self.checkpoints} <= self.results.keys() and 0 not in self.results
        return fits | ({1} if shifted else set())


@dataclass(frozen=True)
class _Looked:
    """What the files of a trial's weights are like; `unlike` says which of them is of another shape than the last one."""

    trial: _Trial
    used: int
    shapes: Shapes
    unlike: str
    diverged: bool
    counters: int
    read: tuple[Path, ...]


@dataclass(frozen=True)
class _Parameters:
    """Columns out of params.json: their values, what each is, which are words, and what was left out."""

    values: dict[str, np.ndarray]
    named: dict[str, str]
    seeds: dict[str, str]
    text: tuple[str, ...]
    notes: list[str]


@dataclass(frozen=True)
class _Source:
    """The trials that are used, with all that was decided about them."""

    root: Path
    looked: list[_Looked]
    faults: list[str]
    layout: Layout
    numbers: tuple[int, ...]
    step: int
    unit: float

    @property
    def trials(self) -> list[_Trial]:
        """The trials that are used."""
        return [one.trial for one in self.looked]

    def measured(self, trial: _Trial, number: int) -> dict[str, float]:
        """The source's results of a checkpoint, in our names and units; empty where there are none."""
        line = trial.results.get(number + self.step, {})
        found = {RESULTS[key][0]: value / self.unit if key in ACCURACIES else value for key, value in line.items()}
        if "train_acc" in line and "test_acc" in line:
            found[GAP] = found["train_accuracy_running"] - found["test_accuracy"]
        return found

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """The weights of these nets, [net, weight]."""
        values = np.empty((len(rows), total(self.layout)), np.float32)
        for place, row in enumerate(rows):
            self._fill(values[place], self.looked[row].trial.checkpoints[self.looked[row].used])
        return values

    def trajectory(self, rows: np.ndarray) -> np.ndarray:
        """The weights at each checkpoint, [net, checkpoint, weight]; NaN where a net has no such checkpoint."""
        values = np.full((len(rows), len(self.numbers), total(self.layout)), nan, np.float32)
        for place, row in enumerate(rows):
            checkpoints = self.looked[row].trial.checkpoints
            for column, number in enumerate(self.numbers):
                if number in checkpoints:
                    self._fill(values[place, column], checkpoints[number])
        return values

    def _fill(self, vector: np.ndarray, path: Path) -> None:
        tensors, _ = _state(path)
        if _plan(shapes_of(tensors)) != _plan(in_layout(self.layout)):
            raise ValueError(f"{path} changed while it was read")
        for entry, tensor in zip(self.layout, tensors.values(), strict=True):
            vector[entry.slice] = tensor.float().reshape(-1).numpy()  # logical order, for any strides


def modelzoos(
    path: Path,
    *,
    epoch: str = "last",
    trajectory: str = "none",
    offset: str = "auto",
    accuracy: str = "auto",
    broken: str = "error",
    name: str = "",
    images: str = "",
    url: str = URL,
    licence: str = LICENCE,
    citation: str = CITATION,
) -> Foreign:
    """The zoo in a folder of trials, or in the only such folder below it: a net is a trial.

    Targets are the source's own, of the chosen checkpoint. Its training accuracy is a mean over the epoch in training
    mode, so it is `train_accuracy_running`, and there is no `train_accuracy`. Hyper-parameters are those that differ
    between trials. Tensors stand in the state dict's order. All weights are looked at once, to find damage before anything
    is written, but a file at a time.

    Options, as texts:
    - `epoch`: number of the checkpoint that a net's weights are of; `last` takes each trial's last.
    - `trajectory`: further checkpoints, with curves of the targets: `all`, or numbers such as `0,5,50`.
    - `offset`: checkpoint n has the results of training_iteration n + offset, 0 or 1. The authors' loader takes those of
      iteration n; so does `auto` where the numbers leave no other reading, and it refuses where they do.
    - `accuracy`: `share`, `percent`, or `auto`: percent if every trial has an accuracy above 1, share if none has.
    - `broken`: `error`, or `skip` to leave out, and count, trials whose files are missing or damaged.
    - `name`, `images` (the image task), `url`, `licence`, `citation`: as they will stand in zoo.json.

    Raises FileNotFoundError where there is no such folder, ValueError naming the file at fault.
    """
    at = None if epoch == "last" else _whole(epoch, "epoch")
    wanted = _wanted(trajectory)
    choose(dict.fromkeys(("auto", "0", "1")), offset, "offset")
    choose(UNITS, accuracy, "unit of accuracies")
    choose(dict.fromkeys(("error", "skip")), broken, "way with broken trials")
    root = _root(path)
    faults: list[str] | None = [] if broken == "skip" else None
    read = _each(lambda folder: _trial(folder, at, paired=offset == "auto"), _folders(root), faults)
    step = _offset(root, read) if offset == "auto" else int(offset)
    unit = UNITS[accuracy] or _unit(root, read)
    _check_accuracies(read, unit)
    looked = _each(lambda trial: _look(trial, at, wanted), read, faults)
    _check_alike(looked)
    source = _Source(root, looked, faults or [], _layout(looked[0].shapes), _steps(looked, wanted), step, unit)
    return _foreign(
        source,
        name=name or plain_name(root.name) or "modelzoos",
        images=images or _images(root, looked[0].trial),
        origin={"url": url, "licence": licence, "citation": citation},
    )


def _foreign(source: _Source, *, name: str, images: str, origin: dict[str, str]) -> Foreign:
    trials, numbers = source.trials, source.numbers
    assumed = tuple(origin.values()) == (URL, LICENCE, CITATION)
    ends = [source.measured(one.trial, one.used) for one in source.looked]
    points = [[source.measured(trial, number) for number in numbers] for trial in trials]
    targets = _targets([*ends, *(point for net in points for point in net)])
    parameters = _parameters(trials)
    about = Imported(
        name=name,
        family="standard",
        architecture=plain_name(str(trials[0].params.get("model::type", ""))) or "unknown",
        image_task=images,
        dtype="float32",
        split=BY_LINEAGE,
        provenance=_provenance(source, [*_notes(source, ends, assumed=assumed), *parameters.notes], origin),
        hyper_parameters=parameters.named,
        targets=targets,
        columns=COLUMNS | parameters.seeds,
        text=("trial", *parameters.text),
        trajectory=tuple(number + source.step for number in numbers),
    )
    trained, fixed = without_statistics(source.layout)
    return Foreign(
        about,
        source.layout,
        _frame(source.looked, {column: [end.get(column, nan) for end in ends] for column in targets}, parameters.values),
        source.rows,
        trained=trained,
        fixed=fixed,
        trajectory=source.trajectory if numbers else None,
        curves={
            column: np.array([[point.get(column, nan) for point in net] for net in points], np.float32)
            for column in (targets if numbers else ())
        },
    )


def _frame(looked: list[_Looked], targets: dict[str, list[float]], parameters: dict[str, np.ndarray]) -> pd.DataFrame:
    """The columns, a row a net.

    A net whose loss is not finite has diverged; where it has no accuracy either, it was not measured.
    """
    trials = [one.trial.folder.name for one in looked]
    frame = pd.DataFrame({"lineage": np.arange(len(trials)), "trial": trials, "checkpoint": [one.used for one in looked]})
    frame = frame.assign(**{column: np.array(values) for column, values in targets.items()}, **parameters)
    frame["split"] = split_by_lineage(trials)
    frame["diverged"] = [one.diverged for one in looked]
    if "test_loss" in frame and "test_accuracy" in frame:
        frame["diverged"] |= np.isfinite(frame["test_accuracy"]) & ~np.isfinite(frame["test_loss"])
    return frame


def _provenance(source: _Source, notes: list[str], origin: dict[str, str]) -> Provenance:
    return Provenance(
        kind="modelzoos",
        title=plain_line(f"{source.root.name}, in the format of the Model Zoos of Schürholt et al. 2022"),
        files=digests({path.relative_to(source.root).as_posix(): path for one in source.looked for path in one.read}),
        notes=tuple(plain_line(note) for note in notes),
        **origin,
    )


def _whole(text: str, what: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"{what} is a whole number, found {text!r}")
    return int(text)


def _wanted(trajectory: str) -> set[int] | None:
    """The checkpoints that are asked for; None: all."""
    if trajectory in ("none", "all"):
        return set() if trajectory == "none" else None
    return {
        _whole(number.strip(), "trajectory is none, all, or numbers such as 0,5,50; each")
        for number in trajectory.split(",")
    }


def _root(path: Path) -> Path:
    """The folder of the trials: `path`, or the only one not far below."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder; expected one with a folder for each trial")
    if path.is_file():
        raise ValueError(f"{path} is a file. {PICKLED}")
    if _is_trial(path):
        raise ValueError(f"{path} is one trial; give the folder that holds the trials")
    places = [path]
    for _ in range(DEPTH + 1):
        found = [place for place in places if _folders(place)]
        if len(found) > 1:
            names = ", ".join(place.relative_to(path).as_posix() for place in found[:5])
            raise ValueError(f"{path} holds {len(found)} zoos ({names}); import one at a time")
        if found:
            return found[0]
        places = [part for place in places for part in _inside(place)]
    if pickled := next(path.rglob("*.pt"), None):
        raise ValueError(f"{path} has {pickled.relative_to(path)}, but no trials. {PICKLED}")
    raise ValueError(f"{path}: no folder in it is a trial, with params.json, result.json and checkpoint_N/checkpoints")


def _inside(folder: Path) -> list[Path]:
    return sorted(part for part in folder.iterdir() if part.is_dir())


def _is_trial(folder: Path) -> bool:
    named = any((folder / name).exists() for name in ("params.json", "result.json"))
    return named or any(CHECKPOINT.fullmatch(part.name) for part in folder.iterdir())


def _folders(root: Path) -> list[Path]:
    return [folder for folder in _inside(root) if _is_trial(folder)]


def _each(look: Callable[[T], Found], items: Iterable[T], faults: list[str] | None) -> list[Found]:
    """What `look` finds of each; what it raises goes to `faults`, and without them on. Raises ValueError if none is left."""
    found = []
    for item in items:
        try:
            found.append(look(item))
        except (ValueError, FileNotFoundError) as error:
            if faults is None:
                raise ValueError(f"{error}; broken=skip leaves such trials out, and counts them") from None
            faults.append(str(error))
    if not found:
        raise ValueError(f"none of the {len(faults or ())} trials can be used; the first: {(faults or ['none'])[0]}")
    return found


def _trial(folder: Path, epoch: int | None, *, paired: bool) -> _Trial:
    """A trial's numbers; its weights are looked at later. With `paired`, its checkpoints must have results."""
    if not folder.name.isprintable():
        raise ValueError(f"{folder.parent}: the name {folder.name!r} of a trial has characters that cannot be printed")
    results, lines = _results(folder / "result.json")
    params = dict(_flat(foreign.json_object(folder / "params.json", nan=True)))
    trial = _Trial(folder, params, results, _checkpoints(folder), lines - len(results))
    trial.used(epoch)
    if paired and not trial.offsets():
        raise ValueError(f"{_ranges(trial)}, which do not belong together; offset=0 or offset=1 says which do")
    return trial


def _flat(value: dict[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{inside}{key}::")
        else:
            yield f"{inside}{key}", inner


def _results(path: Path) -> tuple[dict[int, dict[str, float]], int]:
    """The numbers of each iteration, the last line of it counting, as a trial that goes on writes some again."""
    results: dict[int, dict[str, float]] = {}
    lines = foreign.json_lines(path, nan=True)
    for number, line in enumerate(lines, start=1):
        at = line.get("training_iteration", line.get("epoch"))
        if type(at) is not int or at < 0:
            raise ValueError(f"{path}: line {number}: training_iteration (or epoch) is {at!r}, expected a whole number")
        results[at] = {key: _value(line[key], f"{path}: line {number}: {key}") for key in RESULTS if key in line}
    if not results:
        raise ValueError(f"{path} has no results")
    return results, len(lines)


def _value(value: Any, what: str) -> float:
    if value is not None and type(value) not in (int, float):
        raise ValueError(f"{what} is {value!r}, expected a number, or null for none")
    return nan if value is None or value == NOT_TRAINED else _number(value)


def _number(value: int | float) -> float:
    """The number as float32 can hold it."""
    return copysign(inf, value) if abs(value) > LARGEST else float(value)


def _checkpoints(folder: Path) -> dict[int, Path]:
    """The files of weights by number."""
    found: dict[int, Path] = {}
    for part in _inside(folder):
        match = CHECKPOINT.fullmatch(part.name)
        if match and (part / "checkpoints").is_file():
            if int(match[1]) in found:
                raise ValueError(f"{folder} has checkpoint {int(match[1])} twice, with and without leading zeros")
            found[int(match[1])] = part / "checkpoints"
    if not found:
        raise ValueError(f"{folder} has no weights; expected checkpoint_N/checkpoints")
    return dict(sorted(found.items()))


def _ranges(trial: _Trial) -> str:
    checkpoints, iterations = few.numbers(trial.checkpoints), few.numbers(trial.results)
    return f"{trial.folder}: checkpoints {checkpoints}, results of training_iteration {iterations}"


def _offset(root: Path, trials: list[_Trial]) -> int:
    """The only offset that fits all trials. Raises ValueError where both do, or none."""
    fits = set.intersection(*(trial.offsets() for trial in trials))
    if len(fits) == 1:
        return fits.pop()
    if not fits:
        alone = [next(trial for trial in trials if trial.offsets() == {at}) for at in (0, 1)]
        raise ValueError(
            f"{root}: no offset fits all trials: {_ranges(alone[0])}; {_ranges(alone[1])}; set offset to 0 or 1"
        )
    raise ValueError(
        f"{_ranges(trials[0])}: checkpoint n may have the results of iteration n (offset=0, as the authors' loader reads "
        "them: checkpoint 0 is the net before training) or of iteration n + 1 (offset=1, if the program that trained "
        "numbered checkpoints from 0 and iterations from 1); set offset to the one that holds"
    )


def _unit(root: Path, trials: list[_Trial]) -> float:
    """What the source writes for an accuracy of 1. Raises ValueError where trials differ."""
    peaks = {trial.folder.name: max(values) for trial in trials if (values := _accuracies(trial))}
    percent = [name for name, peak in peaks.items() if peak > 1]
    if percent and len(percent) < len(peaks):
        share = next(name for name in peaks if name not in percent)
        raise ValueError(
            f"{root}: accuracies of {percent[0]} reach {peaks[percent[0]]:g}, those of {share} only {peaks[share]:g}; "
            "set accuracy to percent or share"
        )
    return UNITS["percent" if percent else "share"]


def _accuracies(trial: _Trial) -> list[float]:
    values = [line[key] for line in trial.results.values() for key in ACCURACIES if key in line]
    return [value for value in values if not isnan(value)]


def _check_accuracies(trials: list[_Trial], unit: float) -> None:
    for trial in trials:
        if wrong := [value for value in _accuracies(trial) if not 0 <= value <= unit]:
            raise ValueError(f"{trial.folder / 'result.json'}: an accuracy of {wrong[0]:g}, expected 0 to {unit:g}")


def _look(trial: _Trial, epoch: int | None, wanted: set[int] | None) -> _Looked:
    """Reads each file that is used, once: what is damaged must be known before anything is written."""
    used = trial.used(epoch)
    tensors, counters = _state(trial.checkpoints[used])
    shapes, fault = shapes_of(tensors), ""
    diverged = not all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    others = [number for number in trial.checkpoints if number != used and (wanted is None or number in wanted)]
    for number in others:
        found = shapes_of(_state(trial.checkpoints[number])[0])
        fault = fault or _unlike(trial.checkpoints[number], found, trial.checkpoints[used], shapes)
    paths = [trial.checkpoints[number] for number in (used, *others)]
    read = (trial.folder / "params.json", trial.folder / "result.json", *paths)
    return _Looked(trial, used, shapes, fault, diverged, counters, read)


def _state(path: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors of real numbers in a state dict, and how many counters it has beside."""
    value = foreign.tensors(path)
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{path}: expected a state dict, found {type(value).__name__} of {len(value) if value else 0}")
    counters = 0
    tensors: dict[str, Tensor] = {}
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(
                f"{path}: {plain_line(str(name))} is {type(tensor).__name__}; a state dict holds tensors by name only"
            )
        if name.rpartition(".")[2] == COUNTER:
            counters += 1
        elif not tensor.is_floating_point() or not tensor.numel():
            raise ValueError(f"{path}: {plain_line(name)} is {tensor.dtype} {tuple(tensor.shape)}; expected real numbers")
        else:
            tensors[name] = tensor
    if not tensors:
        raise ValueError(f"{path}: a state dict without weights")
    return tensors, counters


def _unlike(path: Path, shapes: Shapes, first: Path, expected: Shapes) -> str:
    """Which tensor is not there, or not of the shape, as in the first file; empty where all are alike."""
    if _plan(shapes) == _plan(expected):
        return ""
    return unlike(path, shapes, first, expected) or f"{path}: its tensors stand in another order than in {first}"


def _plan(shapes: Shapes) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes in their order, without the numbers of layers, which say how many have no tensors."""
    return [(LAYER.sub("module_list.", name), shape) for name, shape in shapes.items()]


def _check_alike(looked: list[_Looked]) -> None:
    """Raises ValueError naming the first file of weights that is not like those of the first trial."""
    first = looked[0]
    for one in looked:
        paths = one.trial.checkpoints[one.used], first.trial.checkpoints[first.used]
        if fault := _unlike(paths[0], one.shapes, paths[1], first.shapes) or one.unlike:
            raise ValueError(
                f"{fault}; nets of a zoo are of one architecture: keep the trials of each in a folder of its own"
            )


def _layout(shapes: Shapes) -> Layout:
    """The tensors in the state dict's order; roles by shape. Which axes go together is not known, so none is named."""
    norms = {name.rpartition(".")[0] for name in shapes if name.rpartition(".")[2] in STATISTICS}

    def role(name: str) -> str:
        module, _, last = name.rpartition(".")
        if last in STATISTICS:
            return "statistic"
        if module in norms and last in ("weight", "bias"):
            return "scale" if last == "weight" else "shift"
        return {0: "bias", 1: "bias", 2: "linear"}.get(len(shapes[name]), "conv")

    return from_shapes([(name, shape, role(name), (None,) * len(shape)) for name, shape in shapes.items()])


def _steps(looked: list[_Looked], wanted: set[int] | None) -> tuple[int, ...]:
    """The checkpoints of the trajectory."""
    found = {number for one in looked for number in one.trial.checkpoints}
    if missing := (wanted or set()) - found:
        raise ValueError(f"no trial has checkpoint {min(missing)}, which trajectory names; there are {few.numbers(found)}")
    return tuple(sorted(found if wanted is None else wanted))


def _targets(measured: list[dict[str, float]]) -> dict[str, str]:
    """Those that were measured at all, and what they are."""
    known = {column for results in measured for column, value in results.items() if isfinite(value)}
    return {column: text for column, text in {**dict(RESULTS.values()), GAP: GAP_IS}.items() if column in known}


def _parameters(trials: list[_Trial]) -> _Parameters:
    """The parameters that differ between trials, but for those that are results, or of the machine."""
    values: dict[str, np.ndarray] = {}
    named: dict[str, str] = {}
    seeds: dict[str, str] = {}
    text: list[str] = []
    left: dict[str, list[str]] = {"results": [], "where and how the source ran": [], "the same in all trials": []}
    for key in dict.fromkeys(key for trial in trials for key in trial.params):
        found = [trial.params.get(key) for trial in trials]
        numbers = all(value is None or isinstance(value, int | float) for value in found)
        if numbers and MEASURED.search(key):
            left["results"].append(key)
        elif MACHINE.search(key) or any(isinstance(value, str) and re.search(r"[/\\]", value) for value in found):
            left["where and how the source ran"].append(key)
        elif len({json.dumps(value, sort_keys=True) for value in found}) == 1:
            left["the same in all trials"].append(f"{key} {found[0]}")
        else:
            column = _column(key, TAKEN | values.keys())
            words, values[column] = _as_column(found)
            text += [column] if words else []
            about = PARAMETERS.get(key, ("", "parameter of the source"))[1]
            (seeds if SEED.search(key) else named)[column] = plain_line(f"{about}: {key} of params.json")
    notes = [f"left out of params.json, {why}: {', '.join(keys)}" for why, keys in left.items() if keys]
    return _Parameters(values, named, seeds, tuple(text), notes)


def _column(key: str, taken: set[str]) -> str:
    """Our name of a parameter: its own in small letters, where that can be and is free."""
    plain = plain_column(key)
    for name in (PARAMETERS.get(key, (plain, ""))[0], plain):
        if is_column(name) and name not in taken and not name.startswith("trajectory"):
            return name
    return f"parameter_{len(taken)}"


def _as_column(found: list[Any]) -> tuple[bool, np.ndarray]:
    """Whether these values are words, and the column of them: whole numbers, other numbers with NaN for none, or words."""
    if all(type(value) is int and abs(value) < 2**63 for value in found):
        return False, np.array(found, np.int64)
    if all(value is None or isinstance(value, int | float) for value in found):
        return False, np.array([nan if value is None else _number(value) for value in found])
    words = [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in found]
    return True, np.array([plain_line(word)[:WORDS] for word in words], object)


def _notes(source: _Source, ends: list[dict[str, float]], *, assumed: bool) -> list[str]:
    """What was found, what was decided, and how many nets it concerns."""
    trials, faults, used = source.trials, source.faults, [one.used for one in source.looked]
    kind, sizes = PUBLISHED.get(str(trials[0].params.get("model::type")), ("", ()))
    published = " or ".join(f"{size:,}" for size in sizes)
    counters, repeated = source.looked[0].counters, sum(trial.repeated for trial in trials)
    others = len(_inside(source.root)) - len(_folders(source.root))
    early, missing = sum(number < max(used) for number in used), sum(not end for end in ends)
    renumbered = sum(one.shapes.keys() != source.looked[0].shapes.keys() for one in source.looked)
    told = {
        f"{len(faults)} trials cannot be used and are left out; the first: {(faults or [''])[0]}": len(faults),
        f"{total(source.layout):,} weights a net; the published {kind} has {published}": len(sizes),
        f"checkpoint n has the results of iteration {'n + 1' if source.step else 'n'}": True,
        "accuracies are in percent in the source": source.unit != 1.0,
        f"{counters} counters {COUNTER} a net are left out": counters,
        f"{renumbered} nets number the same layers otherwise than the first does, as dropout counts too": renumbered,
        f"{early} nets have weights of an earlier checkpoint than {max(used)}": early,
        f"{missing} nets have no results of their checkpoint, so no targets": missing,
        f"{repeated} results were written again when a trial went on; the last of an iteration counts": repeated,
        f"{others} folders beside the trials are no trials, and were not read": others,
        "url, licence and citation are those of the Model Zoos of 2022, as no others were given": assumed,
        "the splits of the authors' loader follow the order of a file system, so they are not known": True,
    }
    return [note for note, holds in told.items() if holds]


def _images(root: Path, trial: _Trial) -> str:
    """The image task, by the zoo's name or by that of the file of its images."""
    for text in (root.name, str(trial.params.get("dataset::dump", ""))):
        for pattern, task in IMAGES.items():
            if re.search(pattern, text.lower()):
                return task
    return "unknown"
