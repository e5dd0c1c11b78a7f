"""What a task is on a zoo: which nets are fitted on, chosen on and tested on, and whether that can be scored."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

import zoo as zoos
from benchmark.records import records
from benchmark.records.facts import facts_of
from benchmark.scoring.pairs import pairs_of, targets
from benchmark.statistics.metrics import is_constant
from zoo import Zoo
from zoo.dataset import not_a_zoo, zoo_json
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


def zoos_in(folders: Iterable[Path]) -> list[Path]:
    """Zoos' folders, of folders that hold zoos these; no link in them is followed."""
    found = list[Path]()
    for folder in folders:
        holds = folder.is_dir() and not (folder / zoo_json.FILE).exists()
        inside = sorted(folder.iterdir()) if holds else []
        found += [one for one in inside if not one.is_symlink() and (one / zoo_json.FILE).is_file()] or [folder]
    return found


def check_task(zoo: Zoo, target: str) -> None:
    """Raises ValueError where the target cannot be scored on this zoo."""
    if target not in zoo.targets and target in targets(zoo):
        raise ValueError(f"{zoo.folder}: {target} is a number of pairs of nets; say how many pairs with --pairs")
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


def examples_of(
    zoo: Zoo, test: Zoo, target: str, shift: str | None, train_nets: int | None, pairs: int | None
) -> dict[str, pd.DataFrame]:
    """Split -> the examples of it that are used: a column `index` of nets, or `i` and `j` of pairs, and `target`.

    Raises ValueError as `rows_of` and `pairs_of` do, and where pairs are asked for together with what picks nets.
    """
    if pairs is None:
        rows, sources = rows_of(zoo, test, target, shift, train_nets), _sources(zoo, test)
        values = {split: sources[split].columns[target].to_numpy(np.float64) for split in rows}
        return {split: pd.DataFrame({"index": index, "target": values[split][index]}) for split, index in rows.items()}
    if shift is not None or train_nets is not None:
        raise ValueError("a task on pairs of nets takes no shift and no number of training nets; leave them away")
    known = {one.manifest_sha256: pairs_of(one, target, pairs) for one in {zoo.folder: zoo, test.folder: test}.values()}
    parts = {split: known[one.manifest_sha256][split] for split, one in _sources(zoo, test).items()}
    if constant := [split for split, part in parts.items() if is_constant(part["target"].to_numpy())]:
        raise ValueError(f"{zoo.folder}: {target} is the same for every pair of {constant[0]} nets; nothing to predict")
    return parts


def _sources(zoo: Zoo, test: Zoo) -> dict[str, Zoo]:
    return {"train": zoo, "validation": zoo, "test": test}


def derived_of(zoo: Zoo, test: Zoo, target: str, *, pairs: bool) -> dict[str, str] | None:
    """How a task names the files of a derived target: that of the zoo, and that of another zoo that is tested on."""
    names = {target: zoo} | ({f"{target} of {test.spec.name}": test} if test.manifest_sha256 != zoo.manifest_sha256 else {})
    found = {name: targets(one).get(target, [None])[0] if pairs else one.source_of(target) for name, one in names.items()}
    return {name: one.sha256 for name, one in found.items() if one is not None} or None


def reference(zoo: Zoo) -> records.ZooReference:
    """How records name a zoo."""
    return records.ZooReference(
        name=zoo.spec.name, family=zoo.spec.family, manifest_sha256=zoo.manifest_sha256, source=zoo.source
    )


def task_of(
    zoo: Zoo,
    test: Zoo,
    target: str,
    inputs: Inputs,
    shift: str | None,
    train_nets: int | None,
    pairs: int | None = None,
) -> records.Task:
    """The task of predicting `target` on `test` after fitting on `zoo`. Raises as `examples_of` does."""
    rows = examples_of(zoo, test, target, shift, train_nets, pairs)
    return records.Task(
        target=target,
        inputs=inputs,
        zoo=reference(zoo),
        test_zoo=reference(test),
        shift=shift,
        train_nets=train_nets,
        nets={"train": len(rows["train"]), "validation": len(rows["validation"]), "test": len(rows["test"])},
        diverged_left_out=int(sum(left_out(one, target).sum() for one in {one.folder: one for one in (zoo, test)}.values())),
        derived=derived_of(zoo, test, target, pairs=pairs is not None),
        pairs=pairs,
        facts=facts_of(test),
    )
