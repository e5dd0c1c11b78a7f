"""What differs between trials: columns out of their params.json."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import nan
from typing import Any

import numpy as np

from zoo.messages import is_column, plain_column, plain_line
from zoo.untrusted import entries
from zoo.untrusted.entries import Column, Where

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
RESULT, RAN, SAME = "results", "where and how the source ran", "the same in all trials"  # why a parameter is left out
WORDS = 200  # characters of a text parameter


@dataclass(frozen=True)
class Parameters:
    """Columns out of params.json: their values, what each is, which are words, and what was left out."""

    values: dict[str, np.ndarray]
    named: dict[str, str]
    seeds: dict[str, str]
    text: tuple[str, ...]
    notes: list[str]


def differing(params: list[dict[str, Any]], *, taken: set[str], trials: Sequence[str] = ()) -> Parameters:
    """The parameters that differ between trials, but for those that are results, or of the machine.

    Names of columns in `taken` are not given again; `trials` are their names, for messages. Raises ValueError naming the
    trial whose value is a word where nearly all others are numbers.
    """
    values: dict[str, np.ndarray] = {}
    named: dict[str, str] = {}
    seeds: dict[str, str] = {}
    text: list[str] = []
    told: list[str] = []
    left: dict[str, list[str]] = {RESULT: [], RAN: [], SAME: []}
    for key in dict.fromkeys(key for one in params for key in one):
        found = [one.get(key) for one in params]
        if why := _left_out(key, found):
            left[why].append(f"{key} {found[0]}" if why == SAME else key)
            continue
        column = _column(key, taken | values.keys())
        read = _as_column(found, f"{key} of params.json", lambda row: f"trial {trials[row] if trials else row}")
        values[column], told = read.values, [*told, *[read.note] * bool(read.note)]
        text += [column] if read.values.dtype.kind == "O" else []
        about = PARAMETERS.get(key, ("", "parameter of the source"))[1]
        (seeds if SEED.search(key) else named)[column] = plain_line(f"{about}: {key} of params.json")
    notes = [f"left out of params.json, {why}: {', '.join(keys)}" for why, keys in left.items() if keys]
    return Parameters(values, named, seeds, tuple(text), [*told, *notes])


def _left_out(key: str, found: list[Any]) -> str:
    """Why a parameter with these values is no column; empty where it is one."""
    numbers = all(value is None or isinstance(value, int | float) for value in found)
    if numbers and MEASURED.search(key):
        return RESULT
    if MACHINE.search(key) or any(isinstance(value, str) and re.search(r"[/\\]", value) for value in found):
        return RAN
    return SAME if len({json.dumps(value, sort_keys=True) for value in found}) == 1 else ""


def _column(key: str, taken: set[str]) -> str:
    """Our name of a parameter: its own in small letters, where that can be and is free."""
    plain = plain_column(key)
    for name in (PARAMETERS.get(key, (plain, ""))[0], plain):
        if is_column(name) and name not in taken and not name.startswith("trajectory"):
            return name
    return next(name for number in count(len(taken)) if (name := f"parameter_{number}") not in taken)


def _as_column(found: list[Any], what: str, where: Where) -> Column:
    """The column of these values: whole numbers, other numbers with NaN for none, or words."""
    if all(type(value) is int and abs(value) < 2**63 for value in found):
        return Column(np.array(found, np.int64))
    if all(value is None or isinstance(value, int | float) for value in found):
        return Column(np.array([nan if value is None else float(value) for value in found]))
    words = [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in found]
    if all(value is None or type(value) in (int, float, str) for value in found):  # numbers may be written as texts
        read = entries.column(words, what, where)
        if read.values.dtype.kind != "O":
            return read
        return Column(_plain(words), note=read.note)
    return Column(_plain(words))


def _plain(words: list[str]) -> np.ndarray:
    return np.array([plain_line(word)[:WORDS] for word in words], object)
