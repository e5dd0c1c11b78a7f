"""Scoring from Python: one zoo or many, one metanet or many, by name or as they are; and the board of what came of it."""

import inspect
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from io import StringIO
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from rich.console import Console

import zoo
from benchmark.leaderboard.leaderboard import Leaderboard, from_paths
from benchmark.leaderboard.tables import to_html, to_table
from benchmark.scoring import score as scoring
from benchmark.scoring.find import code_of_object
from benchmark.scoring.fit import Own
from benchmark.scoring.readable import unreadable
from metanets import METANETS, Estimator, Training
from metanets.fit import LOG
from metanets.own import metanet_of, own_name
from metanets.table import fitting
from zoo import Zoo
from zoo.messages import unknown

NOT_OPTIONS = ("zoo_folders", "metanets", "target", "out", "own")  # of `scoring.score`, but given here otherwise
NOT_OF_BASELINES = ("canonical",)  # options that are of the metanets asked for alone


class Scores(list[Path]):
    """The paths of the records that `score` left in `folder`; shows itself as their `board`, baselines included."""

    def __init__(self, paths: Sequence[Path], folder: Path, board: Leaderboard) -> None:
        super().__init__(paths)
        self.folder, self.board = folder, board

    def __repr__(self) -> str:
        width = max(40, get_terminal_size((150, 24)).columns)
        console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
        for cells in self.board.boards():
            console.print(to_table(cells, width=width))
        return "\n".join([console.file.getvalue().rstrip(), *self.board.remarks()])  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        return "".join(map(to_html, self.board.boards()))


def score(
    zoos: Zoo | Path | str | Sequence[Zoo | Path | str],
    metanets: Any,
    target: str | None = None,
    *,
    out: Path | str | None = None,
    baselines: bool = True,
    **options: Any,
) -> Scores:
    """Scores one metanet or many on one zoo or many, beside the baselines; returns the records' paths, which show a board.

    A zoo is an opened one, a folder, or an address such as hf://... A metanet is a name (in METANETS, `package.module:NAME`,
    `path/to/file.py:NAME`, `all`), an `nn.Module` class, a regressor of scikit-learn's kind, a `Metanet` or an `Estimator`;
    several are a list, or a dict by names of one's own. What is no name is fitted in this process. The target is by default
    `test_accuracy`, or the first that was measured. Records go to `out`, or to a new temporary folder, which stays where all
    went well: it is the result's `folder`, and the caller's to delete.

    `options` are those of `benchmark.scoring.score.score`, most of all:

    - `seeds=5`: how many, from 0 on; `workers=1`: processes
    - `training=mz.Training(epochs=10, batch=32)`: how metanets are trained; defaults are a recipe's or the paper's
    - `inputs="all"`: fixed entries of nets are read too; `canonical=True`: nets in canonical form
    - `transfer=True`, `test_zoos=[...]`, `shift="learning_rate"`, `train_nets=[64]`, `pairs=900`: other tasks
    - `overwrite=True`: records that are there are made anew
    - `report=print`: gets each line on how far it is; without it the logger `metazoo` does

    What that raises is raised, and TypeError where there is no such option.
    """
    _check_options(options)
    options.setdefault("report", LOG.info)
    folders = _folders(zoos)
    target = target or zoo.open(folders[0]).headline or "test_accuracy"
    names, own = _named(metanets)
    with _results(out) as folder:
        paths = scoring.score(folders, names, target, out=folder, own=own, **options)
        others: list[Path] = []
        if baselines:
            controls = _controls(folders, names, options)
            kept = {name: value for name, value in options.items() if name not in NOT_OF_BASELINES}
            others = scoring.score(folders, controls, target, out=folder, **kept)
        return Scores(paths, folder, from_paths([*dict.fromkeys([*paths, *others])]))


def _check_options(options: Mapping[str, Any]) -> None:
    """Raises TypeError on one that there is not, with the nearest, or where it belongs."""
    taken = [name for name in inspect.signature(scoring.score).parameters if name not in NOT_OPTIONS]
    of_training = {field.name for field in fields(Training)}
    for name, value in options.items():
        if name not in taken and name in of_training:
            raise TypeError(f"{name} is a setting of training: give training=mz.Training({name}={value!r})")
        if name not in taken:
            raise TypeError(unknown("option", name, taken))


@contextmanager
def _results(out: Path | str | None) -> Iterator[Path]:
    """Where records go. A temporary folder is gone again where this fails: nobody has been told of it."""
    if out is not None:
        yield Path(out).expanduser()
        return
    folder = Path(tempfile.mkdtemp(prefix="metazoo-scores-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _controls(folders: list[Path], names: list[str], options: dict[str, Any]) -> list[str]:
    """The baselines that were not asked for, and that can read every zoo."""
    found = [name for name in fitting(pairs=options.get("pairs") is not None) if METANETS[name].baseline]
    found = [name for name in found if name not in names]
    for place in folders:
        unable = unreadable(zoo.open(place), found, options.get("inputs", "trained"))
        found = [name for name in found if name not in unable]
    return found


def _folders(zoos: Any) -> list[Path]:
    """The zoos' folders. Raises ValueError where there is none, or they are given with names."""
    if isinstance(zoos, Mapping):
        raise ValueError("zoos have names of their own; give several as a list")
    found = [_folder(one) for one in ([zoos] if isinstance(zoos, Zoo | Path | str) else zoos)]
    if not found:
        raise ValueError("there is no zoo to score on; give one or more")
    return found


def _folder(given: Zoo | Path | str) -> Path:
    if isinstance(given, Zoo):
        return given.folder
    return zoo.open(given).folder if isinstance(given, str) and "://" in given else Path(given)


def _metanet_of(given: Estimator) -> Any:
    """What an estimator fits. Raises ValueError where it has settings, which are of the whole call."""
    plain = Estimator(given.given)
    if (given.seed, given.training, given.inputs) != (plain.seed, plain.training, plain.inputs):
        raise ValueError(f"{given.name} is an Estimator with settings of its own; give `score` seeds, training and inputs")
    return given.given


def _named(metanets: Any) -> tuple[list[str], dict[str, Own]]:
    """The names of metanets, and those that are objects by the names that they get. Raises ValueError where two get one."""
    if isinstance(metanets, Mapping):
        labelled = [(f"own:{name}", one) for name, one in metanets.items()]
    else:
        labelled = [("", one) for one in (metanets if isinstance(metanets, list | tuple) else [metanets])]
    names, own = list[str](), dict[str, Own]()
    for label, given in labelled:
        one = _metanet_of(given) if isinstance(given, Estimator) else given
        name = one if isinstance(one, str) else label or own_name(one)
        names.append(name)
        if isinstance(one, str):
            continue
        if name in own:
            raise ValueError(f"two metanets would both be {name} in records; give them as a dict, by names of your own")
        own[name] = metanet_of(one, name), code_of_object(one)
    if not names:
        raise ValueError("there is no metanet to score; give one or more")
    return names, own
