"""The symmetry report: how much predictions change when nets' weights change but the functions they compute do not."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as strict_dataclass

import zoo as zoos
from benchmark.analyses.worst_case import worst_case
from benchmark.records.records import RECORD_BYTES, STRICT, Name, ZooReference, validated
from benchmark.scoring.find import find_metanet, names_of
from benchmark.scoring.fit import named
from benchmark.scoring.task import check_task, left_out
from benchmark.statistics.metrics import is_constant, mean_absolute_error, r2
from metanets import Examples, Metanet, Training
from metanets.metanet import Fitted
from zoo import Nets, Zoo
from zoo.seeds import stream
from zoo.storage import files
from zoo.symmetry import Group, act, draw, group_of
from zoo.untrusted.json import read_json

NAME = "symmetry-{}.json"  # of the report on a target, in a zoo's folder of the results
Positive = Annotated[float, Field(ge=0)]
MOVES = {  # what a report moves nets by -> kinds of symmetry
    "permutation": ("permutation",),
    "scaling": ("scale",),
    "size": ("size",),
    "together": ("permutation", "scale", "mix", "size"),
}
EXACT = 1e-5  # of the target's standard deviation: what float32 leaves of an equality


@strict_dataclass(frozen=True, config=STRICT)
class Row:
    """How far the predictions of one metanet move; see `symmetry`.

    None: the predictions are all equal, or the report is of the version before and does not say.
    """

    metanet: Name
    r2: float
    permutation: Positive
    permutation_relative: Positive | None
    scaling: Positive
    scaling_relative: Positive | None
    size: Positive | None = None
    size_relative: Positive | None = None
    together: Positive | None = None
    together_relative: Positive | None = None
    moved_r2: float | None = None
    worst: Positive | None = None
    worst_relative: Positive | None = None
    worst_r2: float | None = None
    exact: bool | None = None


@strict_dataclass(frozen=True, config=STRICT)
class Report:
    """The symmetry report of a zoo and target, as it is kept beside the zoo's records."""

    schema: Literal["metazoo-symmetry-1", "metazoo-symmetry-2"]
    zoo: ZooReference
    target: Name
    command: str
    rows: list[Row]


_REPORT = TypeAdapter(Report).validate_json


def keep(results: Path, zoo_folder: Path, target: str, frame: pd.DataFrame, command: str) -> Path:
    """Writes what `symmetry` found to the results' folder; returns the path."""
    made = zoos.open(zoo_folder)
    zoo = ZooReference(name=made.spec.name, family=made.spec.family, manifest_sha256=made.manifest_sha256)
    values: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    rows = [Row(**row) for row in values]
    report = Report(schema="metazoo-symmetry-2", zoo=zoo, target=target, command=command, rows=rows)
    path = results / zoo.label() / NAME.format(target)
    files.write_json(path, asdict(report), below=results)
    return path


def read(path: Path, *, below: Path | None = None) -> Report:
    """A report from a file that may be hostile; `below` as in `records.stored`.

    Raises ValueError naming the file and the fields at fault.
    """
    value = read_json(path, below=below or path.parent, most=RECORD_BYTES, controls=True)
    return validated(path, _REPORT, value)


def symmetry(
    zoo_folder: Path,
    metanets: list[str],
    *,
    target: str = "test_accuracy",
    training: Training = Training(),
    seed: int = 0,
    draws: int = 4,
) -> pd.DataFrame:
    """Fits each metanet as `score` does, then has it predict the validation nets again, moved by their symmetries.

    A row a metanet: `r2` on validation; then, for each of MOVES, the mean absolute change of a prediction over nets and
    `draws`, in the target's units, and with `_relative` in standard deviations of the predictions (NaN where these are all
    equal). 0: blind to the symmetry; 1.13: as far apart as the predictions for two random nets, if normally distributed.
    `moved_r2` is R² of nets moved by all `together`. `worst` is the mean change to the worst prediction for each net within
    scales of 10% (see `worst_case`), `worst_r2` its R². `exact`: no prediction moves by more than EXACT of the target's
    standard deviation under permutation and scaling. Moved weights are in float64. The test nets are not read. Raises
    ValueError on a zoo whose nets have no permutations, or that `score` would refuse.
    """
    made = zoos.open(zoo_folder)
    check_task(made, target)
    names = dict.fromkeys(names_of(metanets))
    found = {name: find_metanet(name) for name in names}
    group = group_of(made.blueprint)
    if not group.orders:
        raise ValueError(
            f"{made.folder}: {made.spec.family} nets have none of these symmetries, since what is fixed in them ties "
            f"their channels; give a zoo of standard nets"
        )
    train, validation = (_nets(made, split, target) for split in ("train", "validation"))
    true, rows = made.columns[target].to_numpy(np.float64), []
    for name, metanet in found.items():
        known, held = (Examples(metanet.features(nets), true[nets.index], nets.layout) for nets in (train, validation))
        with named(name, seed):
            fitted = metanet.fit(known, held, training=training.following(metanet.recipe), seed=seed)
        before = fitted.predict(held.features)
        if not np.isfinite(before).all():
            raise ValueError(f"{name} on {zoo_folder}: predictions are not finite; expected a number for each net")
        row = {"metanet": name, "r2": r2(held.target, before)}
        moved = {kind: _moved(fitted, metanet, validation, group.only(MOVES[kind]), kind, seed, draws) for kind in MOVES}
        worst = worst_case(fitted, metanet, validation, held.target, group, seed=seed)
        spread = float("nan") if is_constant(before) else float(before.std())
        for kind, after in {**moved, "worst": worst[None]}.items():
            change = float(np.mean([mean_absolute_error(before, one) for one in after]))
            row |= {kind: change, f"{kind}_relative": change / spread}
        row["moved_r2"] = float(np.mean([r2(held.target, after) for after in moved["together"]]))
        row["worst_r2"] = r2(held.target, worst)
        in_float64 = fitted.predict(metanet.features(replace(validation, weights=validation.weights.double())))
        farthest = max(np.abs(moved[kind] - in_float64).max() for kind in ("permutation", "scaling"))
        row["exact"] = bool(farthest <= EXACT * held.target.std())
        rows.append(row)
    return pd.DataFrame(rows)


def _moved(
    fitted: Fitted, metanet: Metanet, nets: Nets, group: Group, kind: str, seed: int, draws: int
) -> Float[np.ndarray, "draw net"]:
    """The predictions for the nets, moved by so many elements each."""
    found = []
    for number in range(draws):
        element = draw(group, len(nets), stream(seed, "symmetry", kind, number))
        moved = act(nets.weights.double(), nets.layout, element)
        found.append(fitted.predict(metanet.features(replace(nets, weights=moved))))
    return np.stack(found)


def _nets(made: Zoo, split: str, target: str) -> Nets:
    """A split's nets with whole vectors; a hyper-parameter that is the target is hidden, as in `score`."""
    nets = made.nets(split, inputs="all")
    nets = nets.only(~left_out(made, target)[nets.index])
    hidden = nets.hyper_parameters.drop(columns=target, errors="ignore")
    return replace(nets, weights=nets.weights.float(), hyper_parameters=hidden)
