"""The symmetry report: how much predictions change when nets' weights change but the functions they compute do not."""

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

import zoo as zoos
from benchmark.analyses.certificates import EXACT, Certificate, Change, Kind, exactness
from benchmark.analyses.worst_case import worst_case
from benchmark.scoring.find import code_of, find_metanet, name_of, names_of
from benchmark.scoring.fit import named, own_random_numbers, stream_of
from benchmark.scoring.job import settings_of
from benchmark.scoring.task import check_task, left_out
from benchmark.statistics.metrics import is_constant, r2
from metanets import Examples, Metanet, Training
from metanets.fit import predict
from metanets.metanet import Fitted
from metanets.mistakes import MistakeError
from zoo import Nets, Zoo
from zoo.seeds import stream
from zoo.symmetry import Group, act, draw, group_of

MOVES: dict[Kind, tuple[str, ...]] = {  # what a report moves nets by -> kinds of symmetry
    "permutation": ("permutation",),
    "scaling": ("scale",),
    "size": ("size",),
    "together": ("permutation", "scale", "mix", "size"),
}
Predict = Callable[[Nets], Float[np.ndarray, " net"]]


def symmetry(
    zoo_folder: Path,
    metanets: list[str],
    *,
    target: str = "test_accuracy",
    training: Training = Training(),
    seed: int = 0,
    draws: int = 4,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
    done: Callable[[Certificate], object] = lambda certificate: None,
) -> list[Certificate]:
    """Fits each metanet as `score` does, then has it predict the validation nets again, moved by their symmetries.

    A certificate a metanet. For each of MOVES that the nets have, and so many `draws`, predictions for moved nets are
    compared with those for the nets as they are; a relative change of 1.13 is as far as the predictions for two random
    nets are apart, if normally distributed. `worst` are the worst predictions within scales of 10% (see `worst_case`).
    Weights, features and predictions are in float64, but for those of metanets that compute in float32 whatever they are
    given. `report` gets a line a metanet, and `done` each certificate as soon as it is there. The test nets are not read.
    Raises ValueError on a zoo whose nets have no symmetries, or that `score` would refuse.
    """
    made = zoos.open(zoo_folder)
    check_task(made, target)
    names = dict.fromkeys(names_of(metanets))
    found = {name: find_metanet(name) for name in names}
    group = group_of(made.blueprint)
    if not group:
        raise ValueError(
            f"{made.folder}: {made.spec.family} nets have none of these symmetries, since what is fixed in them ties "
            f"their channels; give a zoo of standard nets"
        )
    train, validation = (_nets(made, split, target) for split in ("train", "validation"))
    true, rows = made.columns[target].to_numpy(np.float64), []
    for name, metanet in found.items():
        known, held = (Examples(metanet.features(nets), true[nets.index], nets.layout) for nets in (train, validation))
        trained = training.following(metanet.recipe)
        report(f"{zoo_folder}: {name}")
        with named(name, seed), own_random_numbers(stream_of(seed, name_of(name), "symmetry")):
            fitted = metanet.fit(known, held, training=trained, seed=seed)
        if not np.isfinite(fitted.predict(held.features)).all():
            raise ValueError(f"{name} on {zoo_folder}: predictions are not finite; expected a number for each net")
        code, settings = code_of(name), settings_of(trained) if metanet.trained_by_gradient else None
        about: dict[str, Any] = {"metanet": name_of(name), "version": metanet.version, "code": code and code[1]}
        about |= {"training": settings, "seed": seed, "command": command}
        with own_random_numbers(stream_of(seed, name_of(name), "symmetry")):
            rows.append(_certificate(about, metanet, fitted, validation, held.target, group, seed=seed, draws=draws))
        done(rows[-1])
    return rows


def _certificate(
    about: dict[str, Any],
    metanet: Metanet,
    fitted: Fitted,
    nets: Nets,
    true: Float[np.ndarray, " net"],
    group: Group,
    *,
    seed: int,
    draws: int,
) -> Certificate:
    in_float64 = replace(nets, weights=nets.weights.double())
    predicted = _in_float64(metanet, fitted, in_float64)
    before = predicted(in_float64)
    parts = {kind: group.only(kinds) for kind, kinds in MOVES.items()}
    moved = {kind: _moved(predicted, nets, part, kind, seed, draws) for kind, part in parts.items() if part}
    changes = {kind: _change(before, after, true) for kind, after in moved.items()}
    worst = None
    if group.scales:
        worst = worst_case(fitted.module, metanet, predicted, nets, true, group, seed=seed)
        changes["worst"] = _change(before, worst[None], true)
    return Certificate(
        **about,
        r2=r2(true, before),
        changes=changes,
        moved_r2=float(np.mean([r2(true, after) for after in moved["together"]])),
        worst_r2=None if worst is None else r2(true, worst),
        exact=exactness(changes),
    )


def _change(
    before: Float[np.ndarray, " net"], after: Float[np.ndarray, "draw net"], true: Float[np.ndarray, " net"]
) -> Change:
    moved, spread = np.abs(after - before), true.std()
    mean = float(moved.mean())
    return Change(
        mean=mean,
        relative=None if is_constant(before) else mean / float(before.std()),
        share=float((moved > EXACT * spread).mean()),
        largest=float(moved.max() / spread),
    )


def _in_float64(metanet: Metanet, fitted: Fitted, nets: Nets) -> Predict:
    """What the metanet predicts of nets in float64, up to the prediction where it is a module that can compute so."""
    if fitted.module is not None:
        module = copy.deepcopy(fitted.module).double()
        with suppress(MistakeError):  # a user's own, which makes float32 numbers of its own
            predict(module, metanet.features(nets.only(np.arange(len(nets)) < 2)), kind=torch.float64)
            return lambda nets: predict(module, metanet.features(nets), kind=torch.float64)
    return lambda nets: fitted.predict(metanet.features(nets))


def _moved(predicted: Predict, nets: Nets, group: Group, kind: str, seed: int, draws: int) -> Float[np.ndarray, "draw net"]:
    """The predictions for the nets, moved by so many elements each."""
    found = []
    for number in range(draws):
        element = draw(group, len(nets), stream(seed, "symmetry", kind, number))
        found.append(predicted(replace(nets, weights=act(nets.weights.double(), nets.layout, element))))
    return np.stack(found)


def _nets(made: Zoo, split: str, target: str) -> Nets:
    """A split's nets with whole vectors; a hyper-parameter that is the target is hidden, as in `score`."""
    nets = made.nets(split, inputs="all")
    nets = nets.only(~left_out(made, target)[nets.index])
    hidden = nets.hyper_parameters.drop(columns=target, errors="ignore")
    return replace(nets, weights=nets.weights.float(), hyper_parameters=hidden)
