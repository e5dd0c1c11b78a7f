"""One record looked at: read as what may be hostile, and compared with its predictions and, where they are given, its zoos.

Labels are compared with the zoo's where the zoo is given. Where it is not, those in the predictions are taken.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from benchmark.records import records
from benchmark.records.corrections import SAFE_IN_WORDS, folder_of, is_folder
from benchmark.records.predictions import keys
from benchmark.records.records import Record, Stored
from benchmark.scoring.task import examples_of, task_of
from benchmark.statistics.derived import Derived, derived
from zoo import Zoo

TOLERANCE = 1e-6  # between a score and the one recomputed; where scores are enormous, what rounding gives
SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")  # that are predicted


def is_known(record: Record, known: dict[str, Zoo]) -> bool:
    """Whether both zoos of a record's task are given, so that its labels can be compared."""
    return {record.task.zoo.manifest_sha256, record.task.test_zoo.manifest_sha256} <= known.keys()


def examined(paths: Iterable[Path], known: dict[str, Zoo], *, below: Path | None = None) -> tuple[list[Stored], list[str]]:
    """Those records that can be read, `below` as in `records.stored`, and all that is wrong with any."""
    found, problems = [], []
    for path in paths:
        try:
            one = records.stored(path, below=below)
            _ = one.frame  # reads its predictions
        except ValueError as error:
            problems.append(str(error))
            continue
        found.append(one)
        problems += [f"{path}: {line}" for line in _problems(one, known)]
    return found, problems


def _problems(found: Stored, known: dict[str, Zoo]) -> list[str]:
    """What is wrong with one record."""
    lines = [*_bad_names(found), *_bad_zoos(found), *bad_rows(found)]
    if not lines:
        scores = derived(found.frame)
        lines = [*bad_scores(scores), *misstated(found.record, scores)]
    return lines + (list(_bad_labels(found, known)) if is_known(found.record, known) else [])


def _bad_names(found: Stored) -> Iterator[str]:
    record, stem = found.record, f"seed-{found.record.seed}"
    for what, name in (("task", record.task.name()), ("metanet", folder_of(record.metanet.name))):
        if not is_folder(name):
            yield f"the {what}'s name {name[:250]!r} cannot be a folder's: {SAFE_IN_WORDS}"
    if (found.path.name, record.predictions.file) != (f"{stem}.json", f"{stem}.parquet"):
        yield f"expected the files {stem}.json and {stem}.parquet, found the second named {record.predictions.file}"


def _bad_zoos(found: Stored) -> Iterator[str]:
    zoo, test = found.record.task.zoo, found.record.task.test_zoo
    if zoo != test and zoo.manifest_sha256 == test.manifest_sha256:
        yield f"one zoo by its hash, but {zoo.name} ({zoo.family}) and {test.name} ({test.family}); expected one name"


def bad_rows(found: Stored) -> Iterator[str]:
    """Whether there is one finite number for each net."""
    nets, frame = found.record.task.nets, found.frame
    names = frame["split"].to_numpy(object)
    if strange := sorted(set(names) - {"validation", "test"}):
        yield f"predictions of the splits {str(strange)[:100]}, expected validation and test"
    parts = {split: names == split for split in SPLITS}
    for split, part in parts.items():
        if (count := int(part.sum())) != nets[split] or not count:
            yield f"{count} predictions of {split} nets, expected {nets[split]}, one a net"
    one_zoo = found.record.task.zoo == found.record.task.test_zoo
    told = [*(frame[key].to_numpy() for key in keys(frame)), *([] if one_zoo else [parts["test"]])]
    if twice := len(frame) - np.unique(np.stack(told), axis=1).shape[1]:
        yield f"{twice} net(s) are predicted twice, expected one prediction a net"
    for column in ("target", "prediction"):
        if count := int((~np.isfinite(frame[column].to_numpy())).sum()):
            yield f"{count} {column}(s) are not finite, expected a number for each net"


def bad_scores(scores: Derived) -> Iterator[str]:
    """Whether the predictions give scores that are numbers."""
    for split, found in (("validation", scores.validation), ("test", scores.test)):
        for name, value in found.items():
            if not math.isfinite(value):
                yield f"the predictions give {split} {name} {value!r}, expected a number"


def misstated(record: Record, scores: Derived) -> Iterator[str]:
    """Where the scores that a record states are not those of its predictions."""
    for split, told, found in (("validation", record.validation, scores.validation), ("test", record.test, scores.test)):
        if told.keys() != found.keys():
            yield f"{split} scores {sorted(told)}, expected {sorted(found)}"
        for name, value in found.items():
            if name in told and not math.isclose(told[name], value, abs_tol=TOLERANCE, rel_tol=1e-11):
                yield f"{split} {name} is said to be {told[name]!r}, but the predictions give {value!r}"
    if scores.constant != record.constant_prediction:
        yield f"constant_prediction is said to be {record.constant_prediction}, but the predictions are not so"


def _bad_labels(found: Stored, known: dict[str, Zoo]) -> Iterator[str]:
    """Compares task, nets and targets with those of the zoos."""
    task = found.record.task
    zoo, test = known[task.zoo.manifest_sha256], known[task.test_zoo.manifest_sha256]
    try:
        for one in (zoo, test) if task.pairs is None else ():
            one.check_target(task.target)
        rows = examples_of(zoo, test, task.target, task.shift, task.train_nets, task.pairs)
        expected = task_of(zoo, test, task.target, task.inputs, task.shift, task.train_nets, task.pairs)
    except ValueError as error:
        yield f"no such task: {error}"
        return
    for name, value in asdict(expected).items():
        if name == "facts" and task.facts is None:  # of a record made before they were told
            continue
        if getattr(task, name) != getattr(expected, name):  # not as dicts: where a zoo was fetched from is free
            yield f"task.{name} is said to be {asdict(task)[name]}, but the zoo gives {value}"
    for split in ("validation", "test"):
        part, true = (_labels(frame) for frame in (found.frame[found.frame["split"] == split], rows[split]))
        missing, strange = true.index.difference(part.index), part.index.difference(true.index)
        if len(missing) or len(strange):
            yield f"{split} nets of the task without a prediction: {some(missing)}; not of the task: {some(strange)}"
            continue
        wrong = part.index[part != true[part.index]]
        if len(wrong):
            yield f"the {task.target} of {split} nets {some(wrong)} is not what the zoo has"


def _labels(frame: pd.DataFrame) -> pd.Series:
    """The targets, by net or pair."""
    return frame.set_index(keys(frame))["target"]


def some(index: pd.Index) -> str:
    """How many, and the first of them."""
    return f"{len(index)} ({', '.join(map(str, index[:5]))}{', ...' * (len(index) > 5)})" if len(index) else "none"
