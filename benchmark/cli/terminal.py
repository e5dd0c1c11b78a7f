"""What all verbs share: the application, the terminal, common options, progress."""

import os
import shlex
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from benchmark.cli import completion
from benchmark.cli.verb import MORE_HELP, Verb

if TYPE_CHECKING:
    from zoo.jobs.status import Status

app = typer.Typer(
    help="Zoos of trained networks, and metanetworks scored on them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
reference_app = typer.Typer(
    no_args_is_help=True, help="Zoos and tasks that are the same for everyone: build, score, status."
)
app.add_typer(reference_app, name="reference", rich_help_panel="Reference")
console = Console(width=None if sys.stdout and sys.stdout.isatty() else 150)  # None: closed; no terminal: wide, for tables
MOST_REMARKS = 20  # lines on records that are left out, or state other scores than theirs
Function = TypeVar("Function", bound=Callable[..., None])
SAY_EVERY = 10  # seconds between lines of progress where the output is no terminal

Folder = Annotated[Path, typer.Argument(help="A zoo's folder.", autocompletion=completion.zoos)]
Folders = Annotated[list[Path], typer.Argument(help="Zoos' folders.", autocompletion=completion.zoos)]
MetanetsOption = Annotated[
    list[str],
    typer.Option(
        "--metanet",
        help="A name (`metazoo metanets` lists them), package.module:NAME, path/to/file.py:NAME, or all; may be repeated.",
        autocompletion=completion.metanets,
    ),
]
ImagesOption = Annotated[Path | None, typer.Option("--images", help="Folder of Parquet files in the hub's layout.")]
DownloadOption = Annotated[bool, typer.Option("--download", help="Fetch the images from the hub, into data/images.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of one thread each; default: physical cores, or GPUs.")
]
SpecArgument = Annotated[
    str,
    typer.Argument(
        help="A built-in spec's name (`metazoo specs` lists them), or a TOML or JSON file.",
        metavar="SPEC",
        autocompletion=completion.specs,
    ),
]
NetsOption = Annotated[int | None, typer.Option(help="How many nets.")]
SeedOption = Annotated[int | None, typer.Option(min=0, help="The zoo's seed.")]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="FIELD=VALUE, for any field of the spec; may be repeated.")
]
DeviceOption = Annotated[str, typer.Option(help="Where to train: cpu, cuda (all GPUs of the machine), or cuda:1 and so on.")]
ZoosOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--zoo", help="A zoo, or a folder of zoos, to compare labels with; may be repeated.", autocompletion=completion.zoos
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(help="A target, or a hyper-parameter; default: test_accuracy, or the first target that was measured."),
]


def _print_version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        print(f"metazoo {version('metazoo')}")
        raise typer.Exit
    return wanted


def command(
    panel: str,
    name: str | None = None,
    *,
    example: str,
    more_help: Callable[[str], str] | None = None,
    of: typer.Typer = app,
) -> Callable[[Function], Function]:
    """Makes a function a verb of the command line, under that heading of the help, which ends with an example of it.

    `more_help` gives what the help of the verb says beside, where a word is given before `--help`; `of` is the application
    or a group of verbs in it.
    Every path that it is given begins with the home folder where the user wrote `~`: the shell expands it in front only,
    and not in `--out=~/x`.
    """

    def made(verb: Function) -> Function:
        @wraps(verb)
        def run(**given: Any) -> None:
            verb(**{parameter: _from_home(value) for parameter, value in given.items()})

        setattr(run, MORE_HELP, more_help)
        of.command(name, cls=Verb, rich_help_panel=panel, epilog=escape(f"Example: metazoo {example}"))(run)
        return verb

    return made


def _from_home(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_from_home(part) for part in value]
    return value.expanduser() if isinstance(value, Path) else value


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def workers_of(given: int | None, device: str = "cpu") -> int:
    """As given; else the number of physical cores, or of those that this process may use if they are fewer, or of GPUs."""
    if device != "cpu":
        import torch

        return given or (device == "cuda" and torch.cuda.device_count()) or 1
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return given or min(psutil.cpu_count(logical=False) or usable, usable)


def overrides(settings: list[str], nets: int | None, seed: int | None) -> dict[str, Any]:
    """A spec's fields as given by --set, --nets and --seed. Raises BadParameter where one has no value."""
    fields: dict[str, Any] = {}
    for setting in settings:
        field, equals, text = setting.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set takes FIELD=VALUE, such as recipe.epochs=[2,12]; found {setting!r}")
        try:
            fields[field.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            fields[field.strip()] = text.strip()
    return fields | ({} if nets is None else {"nets": nets}) | ({} if seed is None else {"seed": seed})


@contextmanager
def stoppable(then: str = "what is finished is kept, and the same command goes on from there") -> Iterator[None]:
    """Ends the command on Ctrl-C with a word on what the same command does `then`, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        console.print(f"stopped; {then}")
        raise typer.Exit(130) from None


class Bar:
    """A build's progress: a bar with the time left on a terminal, else a line now and then."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        left = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[units]}"))
        self.bar = Progress(*left, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console)
        self.tasks: dict[str, Any] = {}
        self.said = time.monotonic()

    def __enter__(self) -> "Bar":
        if console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, name: str, status: "Status") -> None:
        """Draws how far the zoo of that name is."""
        now = time.monotonic()
        units = f"{status.done}/{status.units} units" + f", {status.failed} failed" * bool(status.failed)
        if console.is_terminal:
            if name not in self.tasks:
                self.tasks[name] = self.bar.add_task(name, total=status.all_epochs, units=units)
            self.bar.update(self.tasks[name], completed=status.epochs, units=units)
        elif now - self.said > SAY_EVERY:
            from zoo.messages import duration

            self.said = now
            left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
            console.print(f"{name}: {units}, {status.epochs / status.all_epochs:.0%}{left}")


def target_of(given: str | None, zoo_folder: Path) -> str:
    """The target that was given, or the zoo's headline. Raises ValueError where nothing was measured."""
    import zoo

    found = given or zoo.open(zoo_folder).headline
    if found is None:
        raise ValueError(f"{zoo_folder}: no target was measured; give --target, such as a hyper-parameter")
    return found


def print_board(board: Any, kind: str, *, short: bool = False) -> None:
    """Prints a leaderboard, a table a task; of kind terminal, transfer matrices first. Then, what is not on it and why.

    `short` leaves out the columns that `columns.brief` does.
    """
    from benchmark.leaderboard.columns import brief
    from benchmark.leaderboard.latex_csv import to_csv, to_latex
    from benchmark.leaderboard.tables import frame_tables, to_markdown, to_table

    boards = [brief(cells) for cells in board.boards()] if short else board.boards()
    if kind in ("json", "csv"):
        text = board.cells.to_json(orient="records", indent=1) + "\n" if kind == "json" else to_csv(board.cells)
        print(text, end="")
    elif kind == "terminal":
        for (task, metanet), matrix in board.matrices().items():
            title = f"{metanet}, {task}: R² fitted on one zoo (row), tested on another (column)"
            print_tables(frame_tables(matrix, title, width=console.width))
        for cells in boards:
            console.print(to_table(cells, width=console.width))
    else:
        for cells in boards:
            print(to_markdown(cells) if kind == "markdown" else to_latex(cells))
    print_remarks(board.remarks(), to_errors=kind != "terminal")


def print_tracks(board: Any) -> None:
    """Prints a leaderboard's mean over tracks."""
    from benchmark.leaderboard.tables import frame_tables
    from benchmark.leaderboard.tracks import in_words, tracks

    title = "tau by track (rank), and gain over the recipe; †: runs the nets; -: no records on all its tasks"
    print_tables(frame_tables(in_words(tracks(board)), title, width=console.width))


def print_tables(tables: Iterable[Any]) -> None:
    """Prints tables, one below the other."""
    for table in tables:
        console.print(table)


def say(line: str) -> None:
    """Prints a line as it is, however wide the terminal."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_remarks(remarks: list[str], *, to_errors: bool = False) -> None:
    """Prints some of what is to be said of records, and how many more there are; a format that is read on has it apart."""
    from zoo.messages import plain

    said = [plain(line) for line in remarks[:MOST_REMARKS]]
    if len(remarks) > MOST_REMARKS:
        said.append(f"and {len(remarks) - MOST_REMARKS} more; `metazoo check` names all that is wrong")
    where = Console(stderr=True, width=console.width) if to_errors else console
    for line in said:
        where.print(line, markup=False, highlight=False, soft_wrap=True)


def command_line() -> str:
    """The command that runs, as a shell takes it."""
    return shlex.join(["metazoo", *sys.argv[1:]])


def check_picture(picture: Path | None) -> None:
    """Raises ValueError on a picture of another kind, before anything is computed."""
    if picture is not None and picture.suffix not in (".png", ".svg"):
        raise ValueError(f"{picture}: a picture is a .png or an .svg file")
