"""A folder of Ray Tune trials: where it is, and what a trial's folder has in it; its weights are read elsewhere.

A trial is a folder with `params.json`, `result.json` (a line of JSON an epoch) and the state dict of each epoch,
`checkpoint_N/checkpoints` or `checkpoint_00000N/checkpoints`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from zoo.importers.modelzoos import results as trial_results
from zoo.importers.modelzoos.results import Results
from zoo.messages import some_numbers
from zoo.untrusted.json import read_json
from zoo.untrusted.litter import inside

PICKLED = (
    "Its authors' dataset*.pt are pickled objects of their classes, which are never loaded: give the folder of raw trials "
    "(params.json, result.json, checkpoint_N/checkpoints), which they publish as a zip beside it"
)
CHECKPOINT = re.compile(r"checkpoint_([0-9]{1,9})")
DEPTH = 4  # folders from the one given down to the zoo's
PLACES = 5  # that a message names

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Trial:
    """A trial's parameters, its results by iteration, the files of its weights by number; results written twice."""

    folder: Path
    params: dict[str, Any]
    results: Results
    checkpoints: dict[int, Path]
    repeated: int
    told: dict[str, int] = field(default_factory=dict)  # what was found in the results -> how many of them

    def used(self, epoch: int | None) -> int:
        """The number of the checkpoint that the net's weights are of. Raises ValueError where it is missing."""
        number = max(self.checkpoints) if epoch is None else epoch
        if number not in self.checkpoints:
            raise ValueError(f"{self.folder}: no checkpoint {number}; it has {some_numbers(self.checkpoints)}")
        return number


def find(path: Path) -> Path:
    """The folder of the trials: `path`, or the only one not far below. Raises ValueError where there is none, or several."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder; expected one with a folder for each trial")
    if path.is_file():
        raise ValueError(f"{path} is a file. {PICKLED}")
    if _is_trial(path):
        raise ValueError(f"{path} is one trial; give the folder that holds the trials")
    places = [path]
    for _ in range(DEPTH + 1):
        found = [place for place in places if folders(place)[0]]
        if len(found) > 1:
            names = ", ".join(place.relative_to(path).as_posix() for place in found[:PLACES])
            raise ValueError(f"{path} holds {len(found)} zoos ({names}); import one at a time")
        if found:
            return found[0]
        places = [part for place in places for part in _inside(place)]
    if pickled := next(iter(inside(path, "**/*.pt")), None):
        raise ValueError(f"{path} has {pickled.relative_to(path)}, but no trials. {PICKLED}")
    raise ValueError(f"{path}: no folder in it is a trial, with params.json, result.json and checkpoint_N/checkpoints")


def folders(root: Path) -> tuple[list[Path], list[Path]]:
    """The folders that are trials, sorted by name, and those that are none."""
    found = {folder: _is_trial(folder) for folder in _inside(root)}
    return [folder for folder in found if found[folder]], [folder for folder in found if not found[folder]]


def _inside(folder: Path) -> list[Path]:
    return [part for part in inside(folder) if part.is_dir()]


def _is_trial(folder: Path) -> bool:
    named = any((folder / name).exists() for name in ("params.json", "result.json"))
    return named or any(CHECKPOINT.fullmatch(part.name) for part in inside(folder))


def each(look: Callable[[Item], Found], items: Iterable[Item], faults: list[str] | None) -> list[Found]:
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


def read(folder: Path) -> Trial:
    """A trial but for its weights. Raises ValueError naming the file that is missing or damaged."""
    if not folder.name.isprintable():
        raise ValueError(f"{folder.parent}: the name {folder.name!r} of a trial has characters that cannot be printed")
    results, repeated, told = trial_results.read(folder / "result.json")
    params = dict(_flat(read_json(folder / "params.json", nan=True)))
    checkpoints = _checkpoints(folder)
    if told[trial_results.BROKEN_OFF]:  # the checkpoint of a result that was half written, if it has one, has no result
        checkpoints = {at: path for at, path in checkpoints.items() if at <= max(results)} or checkpoints
    return Trial(folder, params, results, checkpoints, repeated, told)


def _flat(value: dict[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{inside}{key}::")
        else:
            yield f"{inside}{key}", inner


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
