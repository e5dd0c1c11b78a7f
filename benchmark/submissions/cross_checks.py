"""Whether records agree: with each other as those of one metanet on one task, and with others of the same zoo or task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmark.records.facts import Facts
from benchmark.records.predictions import keys
from benchmark.records.records import Stored, Task
from benchmark.reference.lite import task_of
from benchmark.submissions.record_checks import some
from metanets.table import of_the_suite


@dataclass(frozen=True)
class Seen:
    """What the first record of a task says, for others to be compared with."""

    path: Path
    nets: pd.DataFrame
    facts: Facts | None


FEWEST_SEEDS = 5  # of a submission; a baseline may have fewer, since most do not depend on the seed


def fewest_seeds(task: Task) -> int:
    """How many seeds a submission has at least: where the reference asks for fewer on a task, so many are enough."""
    asked = task_of(task)
    return FEWEST_SEEDS if asked is None else min(FEWEST_SEEDS, asked.seeds)


def together(found: Sequence[Stored], *, submitted: bool) -> list[str]:
    """What is wrong with records as those of one metanet on one task; fewer seeds are enough where nothing is submitted."""
    if not found:
        return []
    first, seeds, lines = found[0], [one.record.seed for one in found], []
    kinds = [(one.record.task, one.record.metanet.name, one.record.metanet.version) for one in found]
    others = [one for one, kind in zip(found, kinds, strict=True) if kind != kinds[0]]
    lines += [f"{one.path}: not of the same task, metanet and version as {first.path}" for one in others]
    for what, of in (("code", _code), ("parameters", _parameters)):
        lines += [
            f"{one.path}: its {what} ({of(one)}) differs from that of {first.path} ({of(first)})"
            for one in found
            if of(one) != of(first)
        ]
    if len(set(seeds)) < len(seeds):
        lines.append(f"{first.path.parent}: seeds {sorted(seeds)}, expected each once")
    if submitted:
        name = first.record.metanet.name
        ours = of_the_suite(name)
        baseline = ours is not None and ours.baseline
        if len(set(seeds)) < (fewest := fewest_seeds(first.record.task)) and not baseline:
            lines.append(f"{first.path.parent}: {len(set(seeds))} seed(s), a submission has {fewest} or more")
        elif set(seeds) != {*range(len(set(seeds)))} and not baseline:
            lines.append(
                f"{first.path.parent}: seeds {sorted(set(seeds))}, a submission has 0, 1, 2 and so on: none is chosen"
            )
        if any(one.record.metanet.baseline != baseline for one in found):
            lines.append(
                f"{first.path.parent}: {name} is {'' if baseline else 'not '}among the suite's baselines; records differ"
            )
    return lines


def _code(one: Stored) -> str:
    code = one.record.metanet.code
    return "unknown" if code is None else code.sha256


def _parameters(one: Stored) -> str:
    count = one.record.metanet.parameters
    return "not counted" if count is None else f"{count:,}"


def at_odds(found: Stored, seen: dict[tuple[object, ...], tuple[Path, pd.Series]]) -> Iterator[str]:
    """Compares the labels with those of the records `seen` before of the same zoo and target, and adds them."""
    task = found.record.task
    for split, zoo in (("validation", task.zoo), ("test", task.test_zoo)):
        part = found.frame[found.frame["split"] == split]
        part = part.drop_duplicates(keys(part)).set_index(keys(part))["target"]
        key = zoo.manifest_sha256, task.target, task.pairs is None, *(task.derived or {}).values()
        path, others = seen.get(key, (found.path, part))
        common = part.index.intersection(others.index)
        if (wrong := part[common] != others[common]).any():
            yield f"the {task.target} of {split} nets {some(common[wrong])} is not that of {path}"
        elif len(common) < len(part):
            others = others.combine_first(part)
        seen[key] = path, others


def other_nets(found: Stored, tasks: dict[tuple[str, str, str], Seen]) -> Iterator[str]:
    """Compares the nets, and the facts of their zoo, with those of the first record of the same task that tells them.

    Scores on other nets would not compare.
    """
    task, columns = found.record.task, ["split", *keys(found.frame), "target"]
    nets = found.frame[columns].sort_values(columns, ignore_index=True)
    key = task.name(), task.zoo.manifest_sha256, task.test_zoo.manifest_sha256
    first = tasks.get(key, Seen(found.path, nets, task.facts))
    if not nets.equals(first.nets):
        yield f"its nets, or their {task.target}, are not those of {first.path}"
    if None not in (task.facts, first.facts) and task.facts != first.facts:
        yield f"task.facts are {task.facts}, and in {first.path} {first.facts}"
    tasks[key] = replace(first, facts=first.facts or task.facts)
