"""The verbs that look at what lies between nets, and along their training; they write derived columns."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmark.cli.terminal import (
    SAY_EVERY,
    DownloadOption,
    Folder,
    ImagesOption,
    check_picture,
    command,
    command_line,
    console,
    stoppable,
)

if TYPE_CHECKING:
    import pandas as pd

PointsOption = Annotated[int, typer.Option(min=3, help="Points on each line, both ends included; an odd number.")]
PictureOption = Annotated[Path | None, typer.Option(help="Draw the curves into this file, .png or .svg.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@command("Landscape", example="connect zoos/standard --pairs 8 --points 5")
def connect(
    zoo_folder: Folder,
    other: Annotated[Path | None, typer.Argument(help="A second zoo; pairs are then of one net each.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs; each split has its share.")] = 200,
    least_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only nets whose test accuracy is at least that.")
    ] = None,
    points: PointsOption = 25,
    test_images: Annotated[int, typer.Option(min=1, help="Test images that all nets are measured on.")] = 1000,
    remove: Annotated[
        str, typer.Option(help="What is removed before: none, permutation, scale, scale+permutation, with commas.")
    ] = "none,permutation,scale,scale+permutation",
    by: Annotated[Literal["weights", "activations"], typer.Option(help="What permutations are found by.")] = "weights",
    seed: Annotated[int, typer.Option(min=0, help="Of the pairs, and of the alignment.")] = 0,
    picture: PictureOption = None,
    out: Annotated[Path | None, typer.Option(help="A folder of records, to keep a report for `metazoo page`.")] = None,
    images: ImagesOption = None,
    download: DownloadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure loss barriers between pairs of nets, as they are and with symmetries removed; adds columns of pairs."""
    import zoo
    from zoo.landscape import connect as room
    from zoo.landscape.material import images_of
    from zoo.symmetry import group_of
    from zoo.training.machine import keep_memory

    if out is not None and other is not None:
        raise typer.BadParameter("a report is of the pairs of one zoo; leave --out or the second zoo away")
    check_picture(picture)
    keep_memory()
    made, second = zoo.open(zoo_folder), None if other is None else zoo.open(other)
    settings = room.Settings(points, test_images, by, seed, least_accuracy)
    asked = [what.strip() for what in remove.split(",")]
    left_out = [what for what in asked if what not in room.possible(group_of(made.blueprint), asked)]
    image_set = images_of(made, folder=images, download=download)
    with stoppable(), _progress(made.spec.name) as progress:
        found = room.connect(
            made,
            image_set,
            other=second,
            pairs=pairs,
            remove=asked,
            settings=settings,
            progress=progress,
        )
    kept = room.keep(made, found, settings, command_line(), second)
    table = room.summary(found, made.spec.family)
    _show(table, f"{made.spec.name}{'' if second is None else f' to {second.spec.name}'}, barriers", as_json=as_json)
    if left_out and not as_json:
        console.print(f"{made.spec.family} nets have nothing to remove by {', '.join(left_out)}", soft_wrap=True)
    if (count := table["pairs"].max()) < pairs and not as_json:
        console.print(f"{count} pairs, not {pairs}: a split of few such nets has no more for its share", soft_wrap=True)
    _end(kept.path, len(kept.frame), as_json=as_json)
    if out is not None:
        from benchmark.analyses import connectivity
        from benchmark.scoring.task import reference

        connectivity.keep(out, connectivity.report(reference(made), found, settings, command_line()))
    if picture is not None:
        from zoo.dataset import plots
        from zoo.landscape.pictures import of_pairs

        plots.save(of_pairs(found, made.spec.name), picture)


@command("Landscape", example="interpolate zoos/standard --nets 16 --picture starts.png")
def interpolate(
    zoo_folder: Folder,
    nets: Annotated[int | None, typer.Option(min=1, help="How many nets, by a stable hash; default: all.")] = None,
    points: PointsOption = 25,
    official: Annotated[
        bool, typer.Option("--official", help="Convexity by the formula of the published code too, which is wrong.")
    ] = False,
    picture: PictureOption = None,
    images: ImagesOption = None,
    download: DownloadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Follow the training loss on the line from each net's initial weights to its final ones; adds columns of nets."""
    import zoo
    from zoo.landscape import interpolate as room
    from zoo.landscape.material import images_of
    from zoo.training.machine import keep_memory

    check_picture(picture)
    keep_memory()
    made = zoo.open(zoo_folder)
    settings = room.Settings(points, official=official)
    image_set = images_of(made, folder=images, download=download)
    with stoppable(), _progress(made.spec.name) as progress:
        found = room.interpolate(made, image_set, nets=nets, settings=settings, progress=progress)
    kept = room.keep(made, found, settings, command_line())
    _show(room.summary(found, made.spec.family), f"{made.spec.name}, from the initial weights", as_json=as_json)
    _end(kept.path, len(kept.frame), as_json=as_json)
    if picture is not None:
        from zoo.dataset import plots
        from zoo.landscape.pictures import of_starts

        accuracy = made.columns["test_accuracy"].to_numpy()[found.frame["index"]]
        plots.save(of_starts(found, accuracy, made.spec.name), picture)


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much is done: a bar on a terminal, else a line now and then."""
    left = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*left, console=console, disable=not console.is_terminal) as bar:
        task, said = bar.add_task(name), time.monotonic()

        def show(done: int, of: int) -> None:
            nonlocal said
            bar.update(task, completed=done, total=of)
            if not console.is_terminal and time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                typer.echo(f"{name}: {done:,} of {of:,}", err=True)  # apart from what --json prints

        yield show


def _show(table: "pd.DataFrame", title: str, *, as_json: bool) -> None:
    """Prints a table of numbers; those of which there is a column NAME_sd as mean ± standard deviation."""
    if as_json:
        print(json.dumps(json.loads(table.to_json(orient="records")), indent=1))
        return
    names = [str(name) for name in table if not str(name).endswith("_sd")]
    shown = Table(*(name.replace("_", " ") for name in names), title=title, padding=(0, 0))
    for _, row in table.iterrows():
        shown.add_row(*(_cell(row[name], row.get(f"{name}_sd")) for name in names))
    console.print(shown)


def _cell(value: object, spread: float | None) -> str:
    if not isinstance(value, float):
        return str(value).replace("_", " ").replace("+", " + ")  # so that it breaks there
    digits = 1 if abs(value) >= 10 else 3 if abs(value) >= 0.1 else 4
    return f"{value:.{digits}f}" if spread is None else f"{value:.{digits}f}±{spread:.{digits}f}"


def _end(path: Path, rows: int, *, as_json: bool) -> None:
    if not as_json:
        console.print(f"{path}: {rows:,} rows", soft_wrap=True, markup=False, highlight=False)
