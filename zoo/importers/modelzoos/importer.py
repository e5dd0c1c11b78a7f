"""The Model Zoos of Schürholt et al. 2022 (arXiv 2209.14764), and others kept as folders of Ray Tune trials.

So are the zoos of SANE, PhaseTransition and WeightCLIP. What a trial is stands in `trials.py`.
"""

import re
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd

from zoo.importers.infer_layout import inferred_layout, without_statistics
from zoo.importers.modelzoos import conventions, image_names, results, trials
from zoo.importers.modelzoos import parameters as trial_parameters
from zoo.importers.modelzoos import weights as trial_weights
from zoo.importers.modelzoos.conventions import UNITS
from zoo.importers.modelzoos.trials import Trial
from zoo.importers.modelzoos.weights import COUNTER, Looked
from zoo.importers.source_files import digests
from zoo.importers.source_zoo import BY_LINEAGE, Foreign, one_by_one, split_by_lineage
from zoo.messages import choose, plain_line, plain_name
from zoo.nets.layout import Layout, total
from zoo.spec.imported import Imported, Provenance

COLUMNS = {
    "lineage": "number of the trial in the source, sorted by name",
    "trial": "the source's name of the trial",
    "checkpoint": "number of the checkpoint that the weights are of",
}
TAKEN = {"index", "diverged", "split", "weights", "trajectory", *COLUMNS, *results.TARGETS}
PUBLISHED = {"CNN": ("CNN-s", (2464, 2864)), "CNN3": ("CNN-l", (10853,))}  # model::type -> weights, by input channels

URL = "https://github.com/ModelZoos/ModelZooDataset"
LICENCE = "CC BY 4.0"
CITATION = "Schürholt, Taskiran, Knyazev, Giró-i-Nieto, Borth 2022, Model Zoos, arXiv 2209.14764"


@dataclass(frozen=True)
class _Source:
    """The trials that are used, with all that was decided about them."""

    root: Path
    looked: list[Looked]
    faults: list[str]
    layout: Layout
    numbers: tuple[int, ...]
    step: int
    unit: float

    @property
    def trials(self) -> list[Trial]:
        """The trials that are used."""
        return [one.trial for one in self.looked]

    def measured(self, trial: Trial, number: int) -> dict[str, float]:
        """The source's results of a checkpoint, in our names and units; empty where there are none."""
        return results.measured(trial.results.get(number + self.step, {}), self.unit)

    def weights(self, row: int) -> np.ndarray:
        """The weights of a net."""
        return trial_weights.vector(self.looked[row].path, self.layout)

    def trajectory(self, rows: np.ndarray) -> np.ndarray:
        """The weights at each checkpoint, [net, checkpoint, weight]; NaN where a net has no such checkpoint."""
        values = np.full((len(rows), len(self.numbers), total(self.layout)), nan, np.float32)
        for place, row in enumerate(rows):
            checkpoints = self.looked[row].trial.checkpoints
            for column, number in enumerate(self.numbers):
                if number in checkpoints:
                    values[place, column] = trial_weights.vector(checkpoints[number], self.layout)
        return values


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
    root = trials.find(path)
    faults: list[str] | None = [] if broken == "skip" else None
    read = trials.each(lambda folder: _trial(folder, at, paired=offset == "auto"), trials.folders(root)[0], faults)
    step = conventions.offset(root, read) if offset == "auto" else int(offset)
    unit = UNITS[accuracy] or conventions.unit(root, read)
    conventions.check_accuracies(read, unit)
    looked = trials.each(lambda trial: trial_weights.look(trial, at, wanted), read, faults)
    trial_weights.check_alike(looked)
    layout, numbers = inferred_layout(looked[0].shapes), trial_weights.steps(looked, wanted)
    return _foreign(
        _Source(root, looked, faults or [], layout, numbers, step, unit),
        name=name or plain_name(root.name) or "modelzoos",
        images=images or image_names.named_in((root.name, str(looked[0].trial.params.get("dataset::dump", "")))),
        origin={"url": url, "licence": licence, "citation": citation},
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


def _trial(folder: Path, epoch: int | None, *, paired: bool) -> Trial:
    """A trial's numbers; its weights are looked at later. With `paired`, its checkpoints must have results."""
    trial = trials.read(folder)
    trial.used(epoch)
    if paired:
        conventions.check_paired(trial)
    return trial


def _foreign(source: _Source, *, name: str, images: str, origin: dict[str, str]) -> Foreign:
    numbers = source.numbers
    ends = [source.measured(one.trial, one.used) for one in source.looked]
    points = [[source.measured(trial, number) for number in numbers] for trial in source.trials]
    targets = results.targets([*ends, *(point for net in points for point in net)])
    parameters = trial_parameters.differing(
        [trial.params for trial in source.trials], taken=TAKEN, trials=[trial.folder.name for trial in source.trials]
    )
    assumed = tuple(origin.values()) == (URL, LICENCE, CITATION)
    about = Imported(
        name=name,
        family="standard",
        architecture=plain_name(str(source.trials[0].params.get("model::type", ""))) or "unknown",
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
    curves = {
        column: np.array([[point.get(column, nan) for point in net] for net in points], np.float32) for column in targets
    }
    return Foreign(
        about,
        source.layout,
        _frame(source.looked, {column: [end.get(column, nan) for end in ends] for column in targets}, parameters.values),
        one_by_one(source.weights, source.layout),
        trained,
        fixed,
        trajectory=source.trajectory if numbers else None,
        curves=curves if numbers else {},
    )


def _frame(looked: list[Looked], targets: dict[str, list[float]], parameters: dict[str, np.ndarray]) -> pd.DataFrame:
    """The columns, a row a net.

    A net whose loss is not finite has diverged; where it has no accuracy either, it was not measured.
    """
    names = [one.trial.folder.name for one in looked]
    frame = pd.DataFrame({"lineage": np.arange(len(names)), "trial": names, "checkpoint": [one.used for one in looked]})
    frame = frame.assign(**{column: np.array(values) for column, values in targets.items()}, **parameters)
    frame["split"] = split_by_lineage(names)
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


def _counted(trials: list[Trial]) -> dict[str, int]:
    """What was found in the results of trials, and how often."""
    return {what: sum(trial.told.get(what, 0) for trial in trials) for what in (results.BROKEN_OFF, results.PERCENT)}


def _notes(source: _Source, ends: list[dict[str, float]], *, assumed: bool) -> list[str]:
    """What was found, what was decided, and how many nets it concerns."""
    faults, used = source.faults, [one.used for one in source.looked]
    kind, sizes = PUBLISHED.get(str(source.trials[0].params.get("model::type")), ("", ()))
    published = " or ".join(f"{size:,}" for size in sizes)
    counters, repeated = source.looked[0].counters, sum(trial.repeated for trial in source.trials)
    others = len(trials.folders(source.root)[1])
    early, missing = sum(number < max(used) for number in used), sum(not end for end in ends)
    renumbered = sum(one.shapes.keys() != source.looked[0].shapes.keys() for one in source.looked)
    told = {f"{count} {what}": count for what, count in _counted(source.trials).items()} | {
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
