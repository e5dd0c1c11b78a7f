"""The verbs of the reference: zoos and tasks that are the same for everyone."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.cli.terminal import (
    Bar,
    DeviceOption,
    DownloadOption,
    ImagesOption,
    MetanetsOption,
    WorkersOption,
    command,
    command_line,
    console,
    print_board,
    print_remarks,
    reference_app,
    say,
    stoppable,
    workers_of,
)

if TYPE_CHECKING:
    from benchmark.reference.status import ReferenceStatus

SizeArgument = Annotated[str, typer.Argument(help="Which zoos and tasks: tiny, small or full.", metavar="SIZE")]
FolderOption = Annotated[Path, typer.Option(help="Where the zoos are, each in a folder of its name.")]
HOME = Path("data/zoos")  # of zoos, unless --folder says another
FinalOption = Annotated[bool, typer.Option("--final", help="Open the final zoos too: for the final table, and only then.")]
ReferenceOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A reference of your own in TOML; default: reference-v1.")
]


@command("Reference", "build", example="reference build tiny", of=reference_app)
def reference_build(
    size: SizeArgument,
    folder: FolderOption = HOME,
    only: Annotated[list[str] | None, typer.Option(help="This zoo; may be repeated. Default: all of the size.")] = None,
    final: FinalOption = False,
    images: ImagesOption = None,
    download: DownloadOption = False,
    workers: WorkersOption = None,
    device: DeviceOption = "cpu",
    reference: ReferenceOption = None,
) -> None:
    """Build the zoos of a size; whole ones are kept, stopped ones go on."""
    from benchmark.reference.build import build
    from benchmark.reference.reference import V1, read

    with stoppable(), Bar() as bar:
        made = build(
            read(reference or V1),
            size,
            folder,
            only=only or [],
            final=final,
            images_folder=images,
            download=download,
            workers=workers_of(workers, device),
            device=device,
            command=command_line(),
            progress=bar.show,
            report=say,
        )
    say(f"{len(made)} zoos under {folder}")
    if lacking := [one for one in made if one.state != "whole"]:
        told = [f"{one.folder}: {one.line()}" for one in lacking]
        advice = "the same command goes on with them, and builds anew damaged ones that are moved away"
        raise ValueError(
            f"{len(told)} not whole; {advice}:" + "".join(f"{chr(10) if told[1:] else ''} {one}" for one in told)
        )


@command(
    "Reference",
    "score",
    example="reference score tiny --metanet mine.py:Mine --out results",
    of=reference_app,
)
def reference_score(
    size: SizeArgument,
    metanet: MetanetsOption,
    out: Annotated[Path, typer.Option(help="Where the records go.")],
    folder: FolderOption = HOME,
    only: Annotated[list[str] | None, typer.Option(help="This task; may be repeated. Default: all of the size.")] = None,
    final: FinalOption = False,
    workers: WorkersOption = None,
    device: DeviceOption = "cpu",
    reference: ReferenceOption = None,
) -> None:
    """Score metanets on every task of a size; records that are there are kept."""
    from benchmark.leaderboard.leaderboard import from_paths
    from benchmark.reference.reference import V1, read
    from benchmark.reference.score import score

    with stoppable():
        paths = score(
            read(reference or V1),
            size,
            folder,
            metanet,
            out=out,
            only=only or [],
            final=final,
            workers=workers_of(workers, device),
            device=device,
            command=command_line(),
            report=say,
        )
    if paths:
        print_board(from_paths(paths), "terminal")
    say(f"{len(paths)} records under {out}")


@command("Reference", "status", example="reference status tiny --results results", of=reference_app)
def reference_status(
    size: SizeArgument,
    folder: FolderOption = HOME,
    results: Annotated[Path | None, typer.Option(help="A folder of records, to say which tasks are done.")] = None,
    metanet: Annotated[
        list[str] | None, typer.Option(help="One that is to have records; may be repeated. Default: all that have some.")
    ] = None,
    final: FinalOption = False,
    reference: ReferenceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say which zoos of a size are whole, and which metanets have all records of its tasks; exit code 1 where some lack."""
    from benchmark.reference.reference import V1, read
    from benchmark.reference.status import status

    chosen = read(reference or V1)
    found = status(chosen, size, folder, results=results, metanets=metanet or [], final=final)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        _show(found, f"{chosen.name}, {size}")
    print_remarks([f"left out: {line}" for line in found.left_out], to_errors=as_json)
    if found.missing:
        raise ValueError(f"{folder}: not whole: {', '.join(found.missing)}")


def _show(found: "ReferenceStatus", title: str) -> None:
    zoos = Table("zoo", "role", "state", "bytes", title=escape(title))
    for one in found.zoos:
        zoos.add_row(one.entry.name, one.entry.role, escape(one.line()), one.bytes)
    console.print(zoos)
    if found.tasks is None:
        return
    tasks = Table("task", "track", "all records", "some lack", "cannot do it")
    for task in found.tasks:
        lacking = ", ".join(f"{name} ({count} of {task.records})" for name, count in task.lacking.items())
        tasks.add_row(
            *(task.task.name, task.task.track, escape(", ".join(task.whole))),
            escape(lacking),
            escape(", ".join(task.unable)),
        )
    console.print(tasks)
