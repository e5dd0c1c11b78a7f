"""Scoring metanets on every task of a size, by the function that `metazoo score` calls."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmark.reference.elsewhere import left_out
from benchmark.reference.reference import Reference, Task
from benchmark.reference.status import zoo_status
from benchmark.scoring.find import find_metanet, names_of
from benchmark.scoring.score import is_of_one
from benchmark.scoring.score import score as scored
from metanets import METANETS, Training
from metanets.inputs.canonical import split
from metanets.inputs.unable import UnableError
from metanets.table import of_the_suite
from zoo.jobs.main_guard import end_if_starting
from zoo.messages import choose


def score(
    reference: Reference,
    size: str,
    folder: Path | str,
    metanets: Sequence[str],
    *,
    out: Path | str,
    only: Sequence[str] = (),
    final: bool = False,
    workers: int = 1,
    device: str = "cpu",
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Scores these metanets on a size's tasks, whose zoos are in `folder`; returns the paths of the records.

    `metanets` are as `benchmark.scoring.score.score` takes them; `only` names some tasks, which may be on final zoos where
    `final` says so. What cannot do a task is left out there, and reported. Metanets with a recipe keep it, all others are
    trained as the size says. Records that are there are kept. Of a user's own code only a run shows that it cannot do a
    task. Raises ValueError on unknown names, on a task on final zoos without `final`, and, at the end, where a metanet
    failed on a task that it can do, or has a record there that cannot be read; FileNotFoundError, before anything is
    trained, where a zoo is not whole.
    """
    end_if_starting()
    tasks = reference.tasks_named(size, only, final=final)
    _check_zoos(reference, size, tasks, Path(folder).expanduser())
    closed = [
        task.name for task in reference.tasks_of(size, final=True) if task not in reference.tasks_of(size, final=False)
    ]
    if closed and not final and not only:
        report(f"not opened without --final: {', '.join(closed)}")
    paths, failed = dict[Path, None](), list[str]()
    for task in tasks:
        folders = [Path(folder).expanduser() / name for name in task.zoos]
        names = _names(metanets, task)
        left = left_out(task, folders, names)
        for name, why in left.items():
            report(f"{task.name}: {name} is left out: {why}")
        able, own = [name for name in names if name not in left and ":" not in name], [n for n in names if ":" in n]
        run = partial(scored, folders, **task.options(), out=out, workers=workers, command=command, report=report)
        trained, kept = reference.sizes[size].training.training(device), Training(device=device)
        with_recipe = [name for name in able if find_metanet(name).recipe]
        groups = [(with_recipe, kept), ([name for name in able if name not in with_recipe], trained)]
        for group, training in [*groups, *(([name], trained) for name in own)]:
            made, wrong = _each(partial(run, training=training), group)
            paths |= dict.fromkeys(made)
            for name, error in wrong.items():
                report(f"{task.name}: {name} is left out: {error}")
                if not isinstance(error, UnableError):
                    failed.append(f"{task.name}: {error}")
    if failed:
        others = [f"the records of the others are kept; `metazoo leaderboard {out}` shows them"] * bool(paths)
        raise ValueError("\n  ".join([f"{len(failed)} metanet(s) failed on a task:", *failed, *others]))
    return sorted(paths)


def _each(run: Callable[..., list[Path]], names: list[str]) -> tuple[list[Path], dict[str, Exception]]:
    """The records of these metanets, and of each that fails why: it ends no other.

    They share the workers. Where one fails, the others are run again each alone, and what they have made is kept.
    """
    try:
        return run(metanets=names) if names else [], {}
    except Exception as error:
        if not is_of_one(error):
            raise
        if len(names) == 1:
            return [], {names[0]: error}
    alone = [_each(run, [name]) for name in names]
    return [path for made, _ in alone for path in made], {name: why for _, wrong in alone for name, why in wrong.items()}


def _check_zoos(reference: Reference, size: str, tasks: Sequence[Task], folder: Path) -> None:
    """Raises FileNotFoundError where a zoo of these tasks is not whole."""
    entries = {entry.name: entry for task in tasks for entry in reference.entries_of(task)}
    states = [zoo_status(entry, folder) for entry in entries.values()]
    if lacking := [one for one in states if one.state != "whole"]:
        told = "; ".join(f"{one.entry.name} is {one.line()}" for one in lacking)
        names = {one.entry.name for one in lacking}
        others = " ".join(f"--only {task.name}" for task in tasks if not names & {*task.zoos})
        advice = f"`metazoo reference build {size} --folder {folder}` makes them" + f"; without them: {others}" * bool(
            others
        )
        raise FileNotFoundError(f"{folder}: {told}; {advice}")


def _names(metanets: Sequence[str], task: Task) -> list[str]:
    """The metanets that these names mean for a task, each once. Raises ValueError on a name of the suite that is none."""
    found = list[str]()
    for given in metanets:
        if split(given)[0] == "all":
            found += names_of([given], pairs=task.pairs is not None)
        elif ":" not in given and of_the_suite(given) is None:
            choose({**METANETS, "all": None}, given, "metanet")
        else:
            found.append(given)
    return list(dict.fromkeys(found))
