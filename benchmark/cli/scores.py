"""The verbs that fit metanets, and show what came of it."""

import json
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.cli.terminal import (
    Bar,
    DeviceOption,
    Folder,
    Folders,
    MetanetsOption,
    OverwriteOption,
    TargetOption,
    WorkersOption,
    command,
    command_line,
    console,
    print_board,
    print_remarks,
    print_tables,
    print_tracks,
    say,
    stoppable,
    target_of,
    workers_of,
)

if TYPE_CHECKING:
    from metanets.metanet import Training

EpochsOption = Annotated[int | None, typer.Option(min=1, help="Epochs of each metanet; default: 50, or its recipe's.")]
BatchOption = Annotated[
    int | None, typer.Option(min=2, help="Nets a step; default: 128, or its recipe's. For a small zoo, take fewer.")
]
RatesOption = Annotated[
    list[float] | None, typer.Option(min=0, help="A rate to choose from on validation; may be repeated.")
]


@command("Scores", example="score zoos/standard --metanet statnn --metanet gp_hyper_parameters --seeds 2 --out results")
def score(
    zoo_folders: Folders,
    metanet: MetanetsOption,
    target: TargetOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 5,
    out: Annotated[Path, typer.Option(help="Where the records go.")] = Path("data/results"),
    inputs: Annotated[Literal["trained", "all"], typer.Option(help="Trained entries only, or fixed ones too.")] = "trained",
    epochs: EpochsOption = None,
    batch: BatchOption = None,
    learning_rate: RatesOption = None,
    augment: Annotated[
        str, typer.Option(help="Move training nets by these symmetries: permutation, scale, mix, size; with commas.")
    ] = "",
    permute: Annotated[bool, typer.Option("--permute", help="The same as --augment permutation.")] = False,
    canonical: Annotated[
        bool, typer.Option("--canonical", help="Read nets in canonical form; the same as NAME+canonical.")
    ] = False,
    transfer: Annotated[bool, typer.Option("--transfer", help="Test each fit on every one of the zoos.")] = False,
    test_zoo: Annotated[
        list[Path] | None, typer.Option(help="Test on this zoo instead, such as moved copies; may be repeated.")
    ] = None,
    shift: Annotated[
        str | None, typer.Option(help="A hyper-parameter: fit on nets up to its median, test on those beyond.")
    ] = None,
    train_nets: Annotated[
        list[int] | None, typer.Option(min=8, help="Fit on so many nets only; may be repeated, for a curve.")
    ] = None,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Predict a number of pairs of nets, such as barrier_mid, from so many pairs.")
    ] = None,
    device: DeviceOption = "cpu",
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fit metanets on zoos and write a record for each seed."""
    from benchmark.leaderboard.leaderboard import from_paths
    from benchmark.scoring.score import score

    kinds = tuple(dict.fromkeys([*filter(None, augment.split(",")), *["permutation"] * permute]))
    training = _training(epochs, batch, learning_rate, device=device, augment=kinds)
    with stoppable():
        paths = score(
            zoo_folders,
            metanet,
            target_of(target, zoo_folders[0]),
            out=out,
            seeds=seeds,
            training=training,
            inputs=inputs,
            transfer=transfer,
            test_zoos=test_zoo or [],
            shift=shift,
            train_nets=train_nets,
            pairs=pairs,
            canonical=canonical,
            workers=workers_of(workers, device),
            overwrite=overwrite,
            command=command_line(),
            report=lambda line: console.print(line, markup=False, highlight=False),
        )
    print_board(from_paths(paths), "terminal")
    console.print(f"{len(paths)} records under {out}")
    if len([*out.glob("**/seed-*.json")]) > len(paths):
        say(f"metazoo leaderboard {out} shows them beside the others there")


@command("Scores", example="symmetry zoos/standard --metanet statnn --metanet ridge --out results")
def symmetry(
    zoo_folder: Folder,
    metanet: MetanetsOption,
    target: TargetOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the metanets and of the symmetries.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A folder of records, to keep the report for `metazoo page`.")] = None,
    epochs: EpochsOption = None,
    batch: BatchOption = None,
    learning_rate: RatesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Fit metanets on a zoo, and show how far its nets' symmetries move their predictions."""
    import zoo
    from benchmark.analyses.certificates import KINDS, Certificate, keep
    from benchmark.analyses.symmetry import symmetry
    from benchmark.scoring.task import reference

    target = target_of(target, zoo_folder)

    def done(certificate: Certificate) -> None:  # each is kept when it is there
        if out is not None:
            keep(out, reference(zoo.open(zoo_folder)), target, [certificate])

    training, told = _training(epochs, batch, learning_rate), command_line()
    report = partial(typer.echo, err=True) if console.is_terminal else lambda line: None  # apart from what --json prints
    with stoppable():
        found = symmetry(
            zoo_folder, metanet, target=target, training=training, seed=seed, command=told, report=report, done=done
        )
    if as_json:
        print(json.dumps([asdict(row) for row in found], indent=1))
        return
    note = "mean change of predictions in standard deviations, for moved nets that compute the same; worst: scales of 10%"
    table = Table(title=escape(f"{zoo_folder}, {target}"), caption=note)
    kinds = [kind for kind in KINDS if kind in found[0].changes]
    for head in ("metanet", "R²", *kinds, "R² moved", "R² worst", "exact"):
        table.add_column(head, justify="left" if head == "metanet" else "right")
    for row in found:
        relative = [row.changes[kind].relative for kind in kinds]
        moved = ("–" if change is None else f"{change:.2g}" for change in relative)  # of predictions that are all equal
        scores = ("–" if score is None else f"{score:.3f}" for score in (row.moved_r2, row.worst_r2))
        exact = "–" if row.exact is None else "yes" if row.exact else "no"
        table.add_row(escape(row.metanet), f"{row.r2:.3f}", *moved, *scores, exact)
    console.print(table)


def _training(epochs: int | None, batch: int | None, rates: list[float] | None, **settings: Any) -> "Training":
    """With these settings, of which None is not given; those that are hold whatever a metanet's recipe says."""
    from metanets.metanet import Training

    given = {"epochs": epochs, "batch": batch, "learning_rates": tuple(rates) if rates else None}
    held: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return Training(**held, **settings, given=tuple(held))


@command("Scores", example="leaderboard results --format markdown")
def leaderboard(
    results: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("data/results"),
    kind: Annotated[
        Literal["terminal", "markdown", "latex", "csv", "json"], typer.Option("--format", help="How to print it.")
    ] = "terminal",
    pairs: Annotated[bool, typer.Option("--pairs", help="Compare all pairs of metanets instead, Holm-corrected.")] = False,
    short: Annotated[
        bool, typer.Option("--brief", help="Without gain, tau beyond the recipe, and certificates: to fit a page.")
    ] = False,
    by_track: Annotated[
        bool, typer.Option("--tracks", help="A row a metanet instead: its mean over tracks of tasks, and its score in each.")
    ] = False,
) -> None:
    """Print the leaderboard of all records in a folder; of several tracks, the mean over them comes last."""
    from benchmark.leaderboard.latex_csv import to_csv
    from benchmark.leaderboard.leaderboard import leaderboard
    from benchmark.leaderboard.tables import frame_tables
    from benchmark.leaderboard.tracks import not_counted, tracks

    if pairs and by_track:
        raise typer.BadParameter("--pairs and --tracks are two tables; take one of them")
    if pairs and kind == "latex":
        raise typer.BadParameter("--pairs has no LaTeX; take --format csv or json")
    if by_track and kind in ("latex", "markdown"):
        raise typer.BadParameter(f"--tracks has no format {kind}; take csv or json")
    board = leaderboard(results)
    if by_track and kind == "terminal":
        print_tracks(board)
    elif by_track:
        rows = tracks(board).reset_index()
        print(rows.to_json(orient="records", indent=1) if kind == "json" else to_csv(rows), end="")
    elif not pairs:
        print_board(board, kind, short=short)
        if kind == "terminal" and board.cells[~board.cells["lite"]]["track"].nunique() > 1:  # last, where the eye is
            print_tracks(board)
            print_remarks(not_counted(board), to_errors=False)
    elif kind == "json":
        print(board.pairs().to_json(orient="records", indent=1))
    elif kind == "csv":
        print(to_csv(board.pairs()), end="")
    else:
        rows = board.pairs()
        if rows.empty:
            console.print("no two metanets have records of the same task and zoo")
        for (task, zoo), found in rows.groupby(["task", "zoo"], sort=False):
            frame = found.drop(columns=["task", "zoo"]).set_index("one")
            title = f"{task}, {zoo}: differences in R², 95% intervals"
            print_tables(frame_tables(frame, title, width=console.width))
    if pairs or by_track:
        print_remarks([*(not_counted(board) if by_track else ()), *board.remarks()], to_errors=kind != "terminal")


@command("Scores", example="compare statnn gp_hyper_parameters --results results")
def compare(
    one: Annotated[str, typer.Argument(help="A metanet with records.", metavar="A")],
    other: Annotated[str, typer.Argument(help="Another.", metavar="B")],
    results: Annotated[Path, typer.Option(help="A folder of records.")] = Path("data/results"),
    task: Annotated[str, typer.Option(help="A task's name, as the leaderboard prints it.")] = "test_accuracy",
    metric: Annotated[str, typer.Option(help="r2, tau, spearman, mae or worst_decile.")] = "r2",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say by how much metanet A is above B on each zoo that both were scored on, and whether that is significant."""
    from benchmark.leaderboard.compare import compare
    from zoo.messages import plain

    found = compare(one, other, results, task=task, metric=metric)
    if as_json:
        print(json.dumps([comparison.to_json() for comparison in found], indent=1))
        return
    for comparison in found:
        console.print(plain(comparison.sentence()), markup=False, highlight=False, soft_wrap=True)


@command("Scores", example="curve results --out curve.png")
def curve(
    results: Annotated[Path, typer.Argument(help="A folder of records of `score --train-nets`.")],
    out: Annotated[Path, typer.Option(help="The picture, .png or .svg.")],
) -> None:
    """Draw scores against the number of training nets."""
    from benchmark.leaderboard.leaderboard import leaderboard
    from benchmark.leaderboard.plots import sample_efficiency
    from zoo.dataset.plots import save

    print(save(sample_efficiency(leaderboard(results).cells), out))


@command("Scores", example="demo --nets 100")
def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes; what is there is kept.")] = Path("data/demo"),
    nets: Annotated[int | None, typer.Option(min=100, help="Nets a family.")] = None,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Do it all on the embedded digits: two zoos, eleven metanets and baselines, leaderboard, pictures, a site."""
    from benchmark.cli.demo import NETS, demo

    begun = time.monotonic()
    with stoppable(), Bar() as bar:
        made = demo(
            out,
            nets=nets or NETS,
            workers=workers_of(workers),
            overwrite=overwrite,
            command=command_line(),
            report=bar.show,
            say=console.print,
        )
    print_board(made.board, "terminal")
    for picture in made.pictures:
        print(picture)
    say(f"\n{made.finding}\n\nThe site: {made.site.resolve().as_uri()}\nWhat to try next:")
    for line in made.next:
        say(f"  {line}")
    say(f"{time.monotonic() - begun:.0f} s")
