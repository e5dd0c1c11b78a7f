"""Which metanets cannot do a task: they read no nets of its zoos, or fitted on one zoo none of another."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

import zoo as zoos
from benchmark.reference.reference import Task
from benchmark.scoring.fit import Fits, Fitting, Given
from benchmark.scoring.readable import unreadable
from benchmark.scoring.task import FEWEST
from metanets import METANETS, Training
from metanets.baselines import LEAVES
from metanets.inputs.canonical import split
from metanets.table import fitting, of_the_suite
from zoo import Zoo
from zoo.dataset.nets import Inputs

TRIED = Training(epochs=1, batch=FEWEST, learning_rates=(1e-3,), given=("epochs", "batch", "learning_rates"))
CHOSEN = {"learning_rate": 1e-3, "smallest_leaf": min(LEAVES), "steps": 1}  # as if a first seed had chosen these: quick
NETS = 2 * FEWEST  # that are fitted on to find out


def left_out(task: Task, folders: Sequence[Path], names: Iterable[str]) -> dict[str, str]:
    """Those of the suite's metanets that cannot do the task on the zoos in these folders, each with why.

    Where metanets are tested on other zoos than they were fitted on, each is fitted to a few nets to find out, with made-up
    targets. A user's own code is not run here, and counts as one that can. Raises ValueError on an unknown name.
    """
    able = fitting(pairs=task.pairs is not None)
    what = "it reads nets one by one" if task.pairs is not None else "it reads pairs of nets"
    ours = [name for name in names if of_the_suite(name) is not None]
    found = {name: what for name in ours if split(name)[0] in METANETS and split(name)[0] not in able}
    opened = [zoos.open(folder) for folder in folders]
    for zoo in opened:
        left = unreadable(zoo, [name for name in ours if name not in found], task.inputs)
        found |= {name: f"{zoo.spec.name}: {why}" for name, why in left.items()}
    if task.transfer:
        for name in (name for name in ours if name not in found):
            if why := next(filter(None, (_elsewhere(*two, name, task.inputs) for two in permutations(opened, 2))), None):
                found[name] = why
    return found


def _elsewhere(zoo: Zoo, test: Zoo, name: str, inputs: Inputs) -> str | None:
    """What a metanet that was fitted on a few nets of a zoo says of nets of another; None where it predicts."""
    metanet = of_the_suite(name)
    entries: Inputs = "all" if metanet is None or metanet.input.whole else inputs
    train, validation, others = (
        Given(one.nets(part, inputs=entries, most=NETS), one.layout)
        for one, part in ((zoo, "train"), (zoo, "validation"), (test, "validation"))
    )
    target, unseen = (np.linspace(0, 1, len(given.read)) for given in (train, validation))
    fits = Fits()
    fits.fit(Fitting(name, [0], [0], TRIED, train, validation, target, unseen, CHOSEN))
    try:
        fits.predict(others, [0], elsewhere=True)
    except ValueError as error:
        return f"fitted on {zoo.spec.name}, tested on {test.spec.name}: {error}"
    return None
