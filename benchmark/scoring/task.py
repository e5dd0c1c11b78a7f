"""What a task is on a zoo: which nets are fitted on, chosen on and tested on, and whether that can be scored."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

import zoo as zoos
from benchmark.records import records
from benchmark.statistics.metrics import is_constant
from zoo import Zoo
from zoo.dataset import not_a_zoo
from zoo.dataset.nets import Inputs
from zoo.messages import choose
from zoo.storage.manifest import MANIFEST, check_bytes

FEWEST = 8  # nets in a split: below, no R² or tau means anything


def opened(folders: Iterable[Path]) -> dict[str, Zoo]:
    """Whole zoos by their manifests' hashes, each once, whatever the folder. Raises ValueError on a damaged one."""
    found: dict[str, Zoo] = {}
    for folder in folders:
        not_a_zoo.check(folder)
        if (folder / MANIFEST).exists() and (problems := list(check_bytes(folder))):
            raise ValueError("\n  ".join([f"{folder} is damaged:", *problems]))
        zoo = zoos.open(folder)
        found.setdefault(zoo.manifest_sha256, zoo)
    return found


def check_task(zoo: Zoo, target: str) -> None:
    """Raises ValueError where the target cannot be scored on this zoo."""
    zoo.check_target(target)
    settled = zoo.columns[~left_out(zoo, target)]
    for split in zoo.parts:
        values = settled.loc[settled["split"] == split, target]
        if len(values) < FEWEST:
            have = "did not diverge" if zoo.source_of(target) is None else f"have a number in {target}"
            raise ValueError(f"{zoo.folder}: {len(values)} nets in {split} {have}; scoring needs {FEWEST} or more")
        if is_constant(values.to_numpy(np.float64)):  # whole numbers and bools are targets too
            raise ValueError(f"{zoo.folder}: {target} is {values.iloc[0]:g} for every {split} net; nothing to predict")


def left_out(zoo: Zoo, target: str) -> np.ndarray:
    """Which nets [net] no task with this target uses: diverged ones, and those without a number in a derived column."""
    diverged = zoo.columns["diverged"].to_numpy()
    return diverged if zoo.source_of(target) is None else diverged | zoo.columns[target].isna().to_numpy()


def rows_of(zoo: Zoo, test: Zoo, target: str, shift: str | None, train_nets: int | None) -> dict[str, np.ndarray]:
    """Split -> indices of the nets that are used of it, of `zoo` for training and validation, of `test` for the test.

    Raises ValueError where there are too few, or all have the same target.
    """
    parts = {
        split: one.columns[(one.columns["split"] == split) & ~left_out(one, target)]
        for split, one in _sources(zoo, test).items()
    }
    if shift is not None:
        for one in (zoo, test):
            choose(dict.fromkeys(n for n in one.hyper_parameters if n in one.targets), shift, "hyper-parameter")
        parts = {split: frame[frame[shift].notna()] for split, frame in parts.items()}  # on which side, nobody knows
        middle = parts["train"][shift].median()
        parts = {split: frame[(frame[shift] > middle) == (split == "test")] for split, frame in parts.items()}
    if train_nets is not None:
        wanted = {"train": train_nets, "validation": max(FEWEST, train_nets // 2)}
        parts |= {split: parts[split].head(count) for split, count in wanted.items()}
        if len(parts["train"]) < train_nets:
            raise ValueError(f"{zoo.folder}: {len(parts['train'])} nets for training; {train_nets} are asked for")
    for split, frame in parts.items():
        if len(frame) < FEWEST:
            raise ValueError(f"{zoo.folder}: {len(frame)} nets of {split} for this task; scoring needs {FEWEST} or more")
        if missing := int(frame[target].isna().sum()):
            raise ValueError(f"{zoo.folder}: {missing} {split} nets that did not diverge have no {target}; nothing to score")
        if is_constant(frame[target].to_numpy(np.float64)):
            raise ValueError(f"{zoo.folder}: {target} is the same for every {split} net of this task; nothing to predict")
    return {split: frame["index"].to_numpy() for split, frame in parts.items()}


def _sources(zoo: Zoo, test: Zoo) -> dict[str, Zoo]:
    return {"train": zoo, "validation": zoo, "test": test}


def _derived(zoo: Zoo, test: Zoo, target: str) -> dict[str, str] | None:
    """How a task names the files of a derived target: that of the zoo, and that of another zoo that is tested on."""
    names = {target: zoo} | ({f"{target} of {test.spec.name}": test} if test.manifest_sha256 != zoo.manifest_sha256 else {})
    found = {name: one.source_of(target) for name, one in names.items()}
    return {name: one.sha256 for name, one in found.items() if one is not None} or None


def reference(zoo: Zoo) -> records.ZooReference:
    """How records name a zoo."""
    return records.ZooReference(
        name=zoo.spec.name, family=zoo.spec.family, manifest_sha256=zoo.manifest_sha256, source=zoo.source
    )


def task_of(zoo: Zoo, test: Zoo, target: str, inputs: Inputs, shift: str | None, train_nets: int | None) -> records.Task:
    """The task of predicting `target` on `test` after fitting on `zoo`. Raises as `rows_of` does."""
    rows = rows_of(zoo, test, target, shift, train_nets)
    return records.Task(
        target=target,
        inputs=inputs,
        zoo=reference(zoo),
        test_zoo=reference(test),
        shift=shift,
        train_nets=train_nets,
        nets={"train": len(rows["train"]), "validation": len(rows["validation"]), "test": len(rows["test"])},
        diverged_left_out=int(sum(left_out(one, target).sum() for one in {one.folder: one for one in (zoo, test)}.values())),
        derived=_derived(zoo, test, target),
    )
