"""The command line: each verb parses, calls one public function, and prints what it returns."""

import json
import os
import shlex
import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from zoo.status import Status

app = typer.Typer(
    help="Zoos of trained networks, and metanetworks scored on them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(width=None if sys.stdout.isatty() else 150)  # no terminal: wide enough for the tables
SAY_EVERY = 10  # seconds between lines of progress where the output is no terminal

Folder = Annotated[Path, typer.Argument(help="A zoo's folder.")]
Folders = Annotated[list[Path], typer.Argument(help="Zoos' folders.")]
ImagesOption = Annotated[Path | None, typer.Option("--images", help="Folder of Parquet files in the hub's layout.")]
DownloadOption = Annotated[bool, typer.Option("--download", help="Fetch the images from the hub, into data/images.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="Processes of one thread each; default: physical cores.")]
SpecArgument = Annotated[
    str, typer.Argument(help="A built-in spec's name (see `metazoo specs`), or a TOML or JSON file.", metavar="SPEC")
]
NetsOption = Annotated[int | None, typer.Option(help="How many nets.")]
SeedOption = Annotated[int | None, typer.Option(help="The zoo's seed.")]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="FIELD=VALUE, for any field of the spec; may be repeated.")
]
DeviceOption = Annotated[str, typer.Option(help="Where nets are trained: cpu, cuda, or cuda:1 and so on.")]
ZoosOption = Annotated[
    list[Path] | None, typer.Option("--zoo", help="A zoo's folder, to compare labels with; may be repeated.")
]
TargetOption = Annotated[str, typer.Option(help="A target, or a hyper-parameter.")]


def main() -> None:
    """Runs the command; an error the user can act on is printed without a traceback, and the exit code is 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        Console(stderr=True, soft_wrap=True).print(f"metazoo: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)


def _workers(given: int | None) -> int:
    """The number of physical cores, or of those that this process may use if they are fewer."""
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return given or min(psutil.cpu_count(logical=False) or usable, usable)


def _overrides(settings: list[str], nets: int | None, seed: int | None) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    for setting in settings:
        field, equals, text = setting.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set takes FIELD=VALUE, such as recipe.epochs=[2,12]; found {setting!r}")
        try:
            overrides[field.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            overrides[field.strip()] = text.strip()
    return overrides | ({} if nets is None else {"nets": nets}) | ({} if seed is None else {"seed": seed})


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ends the command on Ctrl-C with a word on how to go on, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("stopped; what is finished is kept, and the same command goes on from there")
        raise typer.Exit(130) from None


class _Bar:
    """A build's progress: a bar with the time left on a terminal, else a line now and then."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        left = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[units]}"))
        self.bar = Progress(*left, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console)
        self.tasks: dict[str, Any] = {}
        self.said = time.monotonic()

    def __enter__(self) -> "_Bar":
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
            from zoo.durations import duration

            self.said = now
            left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
            console.print(f"{name}: {units}, {status.epochs / status.all_epochs:.0%}{left}")


@app.command()
def specs(name: Annotated[str | None, typer.Argument(help="Print this spec as JSON, to edit.")] = None) -> None:
    """List the built-in specs, or print one."""
    from zoo.spec import SPECS, load, to_json

    if name is None:
        console.print("\n".join(SPECS))
    else:
        print(json.dumps(to_json(load(name)), indent=1))


@app.command()
def plan(
    spec: SpecArgument,
    nets: NetsOption = None,
    settings: SettingsOption = None,
    workers: WorkersOption = None,
    machines: Annotated[int, typer.Option(min=1, help="How many machines like this one.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to try, at least.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Estimate the time, memory and disk that a zoo will take, from a few seconds of training on random images."""
    import zoo
    from zoo.estimate import estimate

    loaded = zoo.load(spec, _overrides(settings or [], nets, None))
    found = estimate(loaded, workers=_workers(workers), machines=machines, seconds=seconds)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
        return
    console.print("\n".join(found.lines()), highlight=False, soft_wrap=True)


@app.command()
def build(
    spec: SpecArgument,
    out: Annotated[Path, typer.Option(help="The zoo's folder; an unfinished or smaller zoo of this spec goes on.")],
    nets: NetsOption = None,
    seed: SeedOption = None,
    settings: SettingsOption = None,
    trajectory: Annotated[
        str | None, typer.Option(help="Epochs, such as 0,1,5, after which each net's weights are kept too; 0: the start.")
    ] = None,
    images: ImagesOption = None,
    download: DownloadOption = False,
    masks: Annotated[Path | None, typer.Option(help="Folder of the paper's W-asymmetric mask files.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes of one thread each; default: physical cores, on a GPU one. 0: prepare only."),
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run the workers on this Ray cluster; `auto` finds it.")
    ] = None,
    device: DeviceOption = "cpu",
    overwrite: OverwriteOption = False,
) -> None:
    """Train a zoo, or go on with one."""
    import zoo

    if trajectory is not None:
        settings = [*(settings or []), f"trajectory=[{trajectory}]"]
    loaded = zoo.load(spec, _overrides(settings or [], nets, seed))
    begun = time.monotonic()
    with _stoppable(), _Bar() as bar:
        zoo.build(
            loaded,
            out,
            images_folder=images,
            download=download,
            masks_folder=masks,
            workers=0 if workers == 0 else _workers(workers) if device == "cpu" else workers or 1,
            ray=ray,
            device=device,
            overwrite=overwrite,
            report=lambda progress: bar.show(loaded.name, progress),
        )
    if workers == 0 and not (out / "MANIFEST.sha256").exists():
        console.print(f"{out} is ready: run `metazoo work {out}` as often and on as many machines as you like,")
        console.print("then this command again without --workers 0, to write the shards", soft_wrap=True)
        return
    console.print(f"{out}: {len(zoo.open(out))} nets, {time.monotonic() - begun:.0f} s")


@app.command()
def work(zoo_folder: Folder, device: DeviceOption = "cpu") -> None:
    """Train units of a zoo that is being built, beside any other workers, until none is left."""
    import zoo
    from zoo.workers import check_failures

    with _stoppable():
        zoo.work(zoo_folder, device=device)
    check_failures(zoo_folder)
    console.print(f"{zoo_folder}: no unit is left; `metazoo build` with the zoo's spec writes the shards")


@app.command()
def status(zoo_folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Show how far a build is: units done, running and failed, nets an hour, the time left."""
    import zoo

    found = zoo.status(zoo_folder)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        console.print("\n".join(found.lines()), highlight=False)
    if found.failed:
        raise typer.Exit(1)


@app.command()
def watch(
    zoo_folder: Folder,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 2,
) -> None:
    """Follow a build until it is finished, or until Ctrl-C, which stops the watching only."""
    from rich.live import Live

    from benchmark.watch import line, watch

    found, live = None, Live(console=console, auto_refresh=False)
    try:
        with live if console.is_terminal else nullcontext():
            for found in watch(zoo_folder, every=every):
                if console.is_terminal:
                    live.update(escape("\n".join([str(zoo_folder), *found.lines()])), refresh=True)
                else:
                    console.print(f"{time.strftime('%H:%M:%S')} {line(found)}", highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if found and found.failed:
        raise typer.Exit(1)


@app.command()
def info(zoo_folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Count a zoo's nets and show how its targets and hyper-parameters are distributed."""
    import zoo
    from zoo.summary import QUANTILES, summary

    found = summary(zoo.open(zoo_folder))
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for name in ("zoo", "family", "architecture", "images", "weights", "nets", "shards", "manifest_sha256"):
        value = found[name]
        text = ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) if isinstance(value, dict) else value
        console.print(f"{name:16} {text}", highlight=False, soft_wrap=True)
    table = Table("column", *(f"q{quantile:g}" for quantile in QUANTILES), "range in the spec")
    for name, values in found["quantiles"].items():
        given = found["ranges"].get(name)
        table.add_row(name, *(f"{value:.4g}" for value in values), f"{given[0]:g} to {given[1]:g}" if given else "")
    console.print(table)


def _plain(item: Any) -> str:
    return f"{item['nets']} ({item['diverged']} diverged)" if isinstance(item, dict) else f"{item}"


@app.command()
def verify(
    zoo_folder: Folder,
    nets: Annotated[int, typer.Option(min=0, help="How many random nets to measure again.")] = 4,
    seed: Annotated[int, typer.Option(help="Which ones.")] = 0,
    images: ImagesOption = None,
    download: DownloadOption = False,
) -> None:
    """Check a zoo's files, columns and weights, and measure some of its nets again."""
    import zoo

    problems = zoo.verify(zoo_folder, nets=nets, images_folder=images, download=download, seed=seed)
    if problems:
        raise ValueError("\n  ".join([f"{len(problems)} problem(s)", *problems]))
    console.print(f"{zoo_folder}: nothing wrong; {nets} nets measured again gave their stored accuracies")


@app.command()
def audit(
    zoo_folder: Folder,
    target: TargetOption = "test_accuracy",
    seed: Annotated[int, typer.Option(help="Shuffles the labels.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look for leaks: floors fitted to shuffled labels, nets or seeds met twice, bad labels."""
    from benchmark.audit import audit

    found = audit(zoo_folder, target, seed=seed)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        console.print("\n".join(found.lines()), markup=False, highlight=False, soft_wrap=True)
    if found.findings:
        raise typer.Exit(1)


@app.command()
def plot(
    zoo_folders: Folders,
    out: Annotated[Path, typer.Option(help="Where the pictures go.")],
    target: TargetOption = "test_accuracy",
    kind: Annotated[Literal["png", "svg"], typer.Option(help="The pictures' format.")] = "png",
) -> None:
    """Draw a target's histograms by family, and the target against each hyper-parameter."""
    import zoo
    from zoo import plots
    from zoo.choices import unknown

    opened = [zoo.open(folder) for folder in zoo_folders]
    for one in opened:
        if target not in one.targets:
            raise ValueError(f"{one.folder}: {unknown('target', target, one.targets)}")
    print(plots.save(plots.histograms(opened, target), out / f"{target}-histograms.{kind}"))
    print(plots.save(plots.against_hyper_parameters(opened, target), out / f"{target}-hyper_parameters.{kind}"))


@app.command()
def export(
    zoo_folder: Folder,
    out: Annotated[Path, typer.Option(help="The file to write; of kind official, the folder.")],
    net: Annotated[int | None, typer.Option(help="The net's index; of kind official, none: all nets.")] = None,
    kind: Annotated[
        Literal["safetensors", "state_dict", "official"],
        typer.Option(help="What to write; official: the whole zoo, as the paper's code reads it."),
    ] = "safetensors",
    overwrite: OverwriteOption = False,
) -> None:
    """Write one net with the paper's tensor names, or the whole zoo in the paper's layout."""
    import zoo
    from zoo.export import export, export_official

    if (net is None) != (kind == "official"):
        raise typer.BadParameter("give --net INDEX for one net, or --kind official without --net for the whole zoo")
    if net is None or kind == "official":
        print(export_official(zoo.open(zoo_folder), out, overwrite=overwrite))
    else:
        print(export(zoo.open(zoo_folder), net, out, kind=kind, overwrite=overwrite))


@app.command()
def score(
    zoo_folders: Folders,
    metanet: Annotated[list[str], typer.Option(help="A metanet's name, `package.module:NAME`, or all; may be repeated.")],
    target: TargetOption = "test_accuracy",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 5,
    out: Annotated[Path, typer.Option(help="Where the records go.")] = Path("data/results"),
    inputs: Annotated[Literal["trained", "all"], typer.Option(help="Trained entries only, or fixed ones too.")] = "trained",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each metanet.")] = 50,
    batch: Annotated[int, typer.Option(min=2, help="Nets a step; for a small zoo, take fewer.")] = 128,
    learning_rate: Annotated[
        list[float] | None, typer.Option(min=0, help="A rate to choose from on validation; may be repeated.")
    ] = None,
    permute: Annotated[bool, typer.Option("--permute", help="Train on nets with their channels in random orders.")] = False,
    transfer: Annotated[bool, typer.Option("--transfer", help="Test each fit on every one of the zoos.")] = False,
    shift: Annotated[
        str | None, typer.Option(help="A hyper-parameter: fit on nets up to its median, test on those beyond.")
    ] = None,
    train_nets: Annotated[
        list[int] | None, typer.Option(min=8, help="Fit on so many nets only; may be repeated, for a curve.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where metanets are trained: cpu, cuda, or cuda:1 and so on.")] = "cpu",
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fit metanets on zoos and write a record for each seed."""
    from benchmark.leaderboard import from_paths
    from benchmark.score import score
    from metanets.metanet import LEARNING_RATES, Training

    rates = tuple(learning_rate or LEARNING_RATES)
    training = Training(epochs=epochs, batch=batch, learning_rates=rates, device=device, permute=permute)
    with _stoppable():
        paths = score(
            zoo_folders,
            metanet,
            target,
            out=out,
            seeds=seeds,
            training=training,
            inputs=inputs,
            transfer=transfer,
            shift=shift,
            train_nets=train_nets,
            workers=_workers(workers) if device == "cpu" else workers or 1,
            overwrite=overwrite,
            command=_command(),
            report=lambda line: console.print(line, markup=False, highlight=False),
        )
    _print_board(from_paths(paths), "terminal")
    console.print(f"{len(paths)} records under {out}")


@app.command()
def symmetry(
    zoo_folder: Folder,
    metanet: Annotated[list[str], typer.Option(help="A metanet's name, `package.module:NAME`, or all; may be repeated.")],
    target: TargetOption = "test_accuracy",
    seed: Annotated[int, typer.Option(help="Of the metanets and of the symmetries.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A folder of records, to keep the report for `metazoo page`.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each metanet.")] = 50,
    batch: Annotated[int, typer.Option(min=2, help="Nets a step; for a small zoo, take fewer.")] = 128,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Fit metanets on a zoo, and show how far its nets' symmetries move their predictions."""
    from benchmark.symmetry import keep, symmetry
    from metanets.metanet import Training

    with _stoppable():
        found = symmetry(zoo_folder, metanet, target=target, training=Training(epochs=epochs, batch=batch), seed=seed)
    if out is not None:
        keep(out, zoo_folder, target, found, _command())
    if as_json:
        print(found.to_json(orient="records", indent=1))
        return
    note = "mean change of predictions under random symmetries; in brackets, in their standard deviations"
    table = Table(title=escape(f"{zoo_folder}, {target}"), caption=note)
    for head in ("metanet", "validation R²", "permutation", "scaling"):
        table.add_column(head, justify="left" if head == "metanet" else "right")
    for row in found.to_dict("records"):
        moved = (f"{row[kind]:.2g} ({row[f'{kind}_relative']:.2g})" for kind in ("permutation", "scaling"))
        table.add_row(escape(row["metanet"]), f"{row['r2']:.3f}", *moved)
    console.print(table)


@app.command()
def leaderboard(
    results: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("data/results"),
    kind: Annotated[
        Literal["terminal", "markdown", "latex", "csv", "json"], typer.Option("--format", help="How to print it.")
    ] = "terminal",
    pairs: Annotated[bool, typer.Option("--pairs", help="Compare all pairs of metanets instead, Holm-corrected.")] = False,
) -> None:
    """Print the leaderboard of all records in a folder."""
    from benchmark.formats import to_csv
    from benchmark.leaderboard import frame_table, leaderboard

    if pairs and kind == "latex":
        raise typer.BadParameter("--pairs has no LaTeX; take --format csv or json")
    board = leaderboard(results)
    if not pairs:
        _print_board(board, kind)
    elif kind == "json":
        print(board.pairs().to_json(orient="records", indent=1))
    elif kind == "csv":
        print(to_csv(board.pairs()), end="")
    else:
        for (task, zoo), found in board.pairs().groupby(["task", "zoo"], sort=False):
            frame = found.drop(columns=["task", "zoo"]).set_index("one")
            console.print(frame_table(frame, f"{task}, {zoo}: differences in R², 95% intervals"))


@app.command()
def compare(
    one: Annotated[str, typer.Argument(help="A metanet with records.", metavar="A")],
    other: Annotated[str, typer.Argument(help="Another.", metavar="B")],
    results: Annotated[Path, typer.Option(help="A folder of records.")] = Path("data/results"),
    task: Annotated[str, typer.Option(help="A task's name, as the leaderboard prints it.")] = "test_accuracy",
    metric: Annotated[str, typer.Option(help="r2, tau, spearman, mae or worst_decile.")] = "r2",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say by how much metanet A is above B on each zoo that both were scored on, and whether that can be told."""
    from benchmark.compare import compare

    found = compare(one, other, results, task=task, metric=metric)
    if as_json:
        print(json.dumps([comparison.to_json() for comparison in found], indent=1))
        return
    for comparison in found:
        console.print(comparison.sentence(), markup=False, highlight=False, soft_wrap=True)


@app.command()
def emit(
    results: Annotated[Path, typer.Argument(help="A folder of records.")],
    out: Annotated[Path, typer.Option(help="Where the files go.")],
    namespace: Annotated[str, typer.Option(help="Who owns the zoos' data sets on the hub.")] = "metazoo",
    source: Annotated[str | None, typer.Option(help="The leaderboard's address.")] = None,
) -> None:
    """Write results as the hub's benchmark pages read them, and BibTeX for zoos and records."""
    from benchmark.emit import emit

    for path in emit(results, out, namespace=namespace, source=source):
        print(path)


@app.command()
def curve(
    results: Annotated[Path, typer.Argument(help="A folder of records of `score --train-nets`.")],
    out: Annotated[Path, typer.Option(help="The picture, .png or .svg.")],
) -> None:
    """Draw scores against the number of training nets."""
    from benchmark.leaderboard import leaderboard
    from benchmark.plots import sample_efficiency
    from zoo.plots import save

    print(save(sample_efficiency(leaderboard(results).cells), out))


@app.command()
def submit(
    paths: Annotated[
        list[Path], typer.Argument(help="Records, or folders of them: one metanet on one task.", metavar="RECORDS")
    ],
    code: Annotated[str, typer.Option(help="Address of the code, http or https.")],
    commit: Annotated[str, typer.Option(help="The code's commit, 40 hexadecimal digits.")],
    contact: Annotated[str, typer.Option(help="Whom to ask.")],
    citation: Annotated[str, typer.Option(help="How to cite it: text or BibTeX.")],
    to: Annotated[Path, typer.Option(help="The leaderboard's folder of records.")] = Path("data/results"),
    zoo_folders: ZoosOption = None,
    hardware: Annotated[str, typer.Option(help="What it ran on.")] = "not given",
    external_data: Annotated[
        str | None, typer.Option(help="What else than the zoo it learned from; default: nothing.")
    ] = None,
    supersedes: Annotated[str | None, typer.Option(metavar="NAME", help="The folder under --to that this corrects.")] = None,
) -> None:
    """Check records and add them to a leaderboard's folder, as a submission."""
    from benchmark.submit import submit
    from benchmark.untrusted import submission

    about = submission(
        code_url=code,
        commit=commit,
        contact=contact,
        citation=citation,
        hardware=hardware,
        external_data=external_data or False,
        supersedes=supersedes,
    )
    folder, written = submit(paths, about, to=to, zoo_folders=zoo_folders or ())
    labels = "labels checked" if zoo_folders else "labels not checked: no --zoo"
    console.print(f"{folder}: {len(written)} files, {labels}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def check(
    results: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("data/results"),
    zoo_folders: ZoosOption = None,
) -> None:
    """Derive everything in a folder of records again, and name what is wrong."""
    from benchmark.submit import check

    found = check(results, zoo_folders or ())
    for line in found.problems:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{found.records} records, the labels of {found.labelled} checked; {len(found.problems)} problem(s)")
    if found.problems:
        raise typer.Exit(1)


@app.command()
def fresh(
    spec: SpecArgument,
    out: Annotated[Path, typer.Option(help="The zoo's folder, a new one.")],
    nets: NetsOption = None,
    settings: SettingsOption = None,
    images: ImagesOption = None,
    download: DownloadOption = False,
    workers: WorkersOption = None,
    device: DeviceOption = "cpu",
) -> None:
    """Build a zoo from a seed that nobody has seen, to verify submissions on."""
    import zoo
    from benchmark.submit import fresh

    loaded = zoo.load(spec, _overrides(settings or [], nets, None))
    count = _workers(workers) if device == "cpu" else workers or 1
    seed = fresh(loaded, out, images_folder=images, download=download, workers=count, device=device)
    console.print(f"{out}: {len(zoo.open(out))} nets from seed {seed}", soft_wrap=True)


@app.command()
def page(
    results: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("data/results"),
    out: Annotated[Path, typer.Option(help="The site's folder.")] = Path("site"),
    zoo_folders: Annotated[
        list[Path] | None, typer.Option("--zoo", metavar="FOLDER", help="A zoo to draw; may be repeated.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write the leaderboard as a static site: tables, pictures, a page for each metanet and zoo."""
    from benchmark.page import write

    print(write(results, out, zoo_folders=zoo_folders, overwrite=overwrite))


def _print_board(board: Any, kind: str) -> None:
    from benchmark.formats import to_csv, to_latex
    from benchmark.leaderboard import frame_table, to_markdown, to_table

    if kind in ("json", "csv"):
        text = board.cells.to_json(orient="records", indent=1) + "\n" if kind == "json" else to_csv(board.cells)
        print(text, end="")
        return
    if kind == "terminal":
        for (task, metanet), matrix in board.matrices().items():
            console.print(frame_table(matrix, f"{metanet}, {task}: R² fitted on one zoo (row), tested on another (column)"))
    for cells in board.boards():
        if kind in ("markdown", "latex"):
            print(to_markdown(cells) if kind == "markdown" else to_latex(cells))
        else:
            console.print(to_table(cells))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes; what is there is kept.")] = Path("data/demo"),
    nets: Annotated[int | None, typer.Option(min=100, help="Nets a family.")] = None,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Do it all on the embedded digits: two zoos, all metanets, leaderboard, pictures."""
    from benchmark.demo import NETS, demo

    begun = time.monotonic()
    with _stoppable(), _Bar() as bar:
        made = demo(
            out,
            nets=nets or NETS,
            workers=_workers(workers),
            overwrite=overwrite,
            command=_command(),
            report=bar.show,
            say=console.print,
        )
    _print_board(made.board, "terminal")
    for picture in made.pictures:
        print(picture)
    console.print(made.sentence, soft_wrap=True)
    console.print(f"{time.monotonic() - begun:.0f} s")


def _command() -> str:
    return shlex.join(["metazoo", *sys.argv[1:]])
