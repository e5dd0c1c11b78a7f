"""The verbs of a public leaderboard: submissions, checks, pages, files for others."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.terminal import (
    DeviceOption,
    DownloadOption,
    ImagesOption,
    NetsOption,
    OverwriteOption,
    SettingsOption,
    SpecArgument,
    WorkersOption,
    ZoosOption,
    command,
    console,
    overrides,
    say,
    workers_of,
)


@command(
    "Leaderboards", example='submit results --code https://example.org/me/code --contact me@example.org --citation "Me 2026"'
)
def submit(
    paths: Annotated[
        list[Path], typer.Argument(help="Records, folders of them, or the folder that `score` wrote.", metavar="RECORDS")
    ],
    code: Annotated[str, typer.Option(help="Address of the code, http or https.")],
    contact: Annotated[str, typer.Option(help="Whom to ask.")],
    citation: Annotated[str, typer.Option(help="How to cite it: text or BibTeX.")],
    commit: Annotated[
        str | None,
        typer.Option(help="The code's commit, 40 hexadecimal digits; default: HEAD of the repository that you are in."),
    ] = None,
    to: Annotated[Path, typer.Option(help="The leaderboard's folder of records.")] = Path("data/results"),
    zoo_folders: ZoosOption = None,
    hardware: Annotated[str, typer.Option(help="What it ran on.")] = "not given",
    external_data: Annotated[
        str | None, typer.Option(help="What else than the zoo it learned from; default: nothing.")
    ] = None,
    supersedes: Annotated[str | None, typer.Option(metavar="NAME", help="The folder under --to that this corrects.")] = None,
) -> None:
    """Check records and add them to a leaderboard's folder, as a submission."""
    from benchmark.submissions.submission import submission
    from benchmark.submissions.submit import submit

    about = submission(
        code_url=code,
        commit=commit or _head(),
        contact=contact,
        citation=citation,
        hardware=hardware,
        external_data=external_data or False,
        supersedes=supersedes,
    )
    written = submit(paths, about, to=to, zoo_folders=zoo_folders or (), report=say)
    labels = "labels checked" if zoo_folders else "labels not checked: no --zoo"
    for folder, names in written.items():
        say(f"{folder}: {len(names)} files, {labels}; commit {about.commit[:8]}")


def _head() -> str:
    """The commit that the working directory's repository is at. Raises ValueError where there is none, or changes to it."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError("the working directory is in no git repository with a commit; give --commit") from error
    if changed.stdout:
        raise ValueError(f"there are changes that commit {commit[:8]} does not have; commit them, or give --commit")
    return commit


@command("Leaderboards", example="check results --zoo zoos/standard")
def check(
    results: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("data/results"),
    zoo_folders: ZoosOption = None,
) -> None:
    """Derive everything in a folder of records again, and name what is wrong."""
    from benchmark.submissions.check import check

    found = check(results, zoo_folders or ())
    for line in found.problems:
        say(line)
    console.print(f"{found.records} records, the labels of {found.labelled} checked; {len(found.problems)} problem(s)")
    if found.problems:
        raise typer.Exit(1)


@command("Leaderboards", example="fresh digits-resnet8-standard --out zoos/fresh")
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
    from benchmark.submissions.verification import fresh

    loaded = zoo.load(spec, overrides(settings or [], nets, None))
    count = workers_of(workers, device)
    seed = fresh(loaded, out, images_folder=images, download=download, workers=count, device=device)
    console.print(f"{out}: {len(zoo.open(out))} nets from seed {seed}", soft_wrap=True)


@command("Leaderboards", example="page results --out site --zoo zoos/standard")
def page(
    results: Annotated[Path, typer.Argument(help="A folder of records.")] = Path("data/results"),
    out: Annotated[Path, typer.Option(help="The site's folder.")] = Path("site"),
    zoo_folders: Annotated[
        list[Path] | None, typer.Option("--zoo", metavar="FOLDER", help="A zoo to draw; may be repeated.")
    ] = None,
    project: Annotated[str | None, typer.Option(metavar="URL", help="The project's address, for links to code.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write the leaderboard as a static site: tables, pictures, a page for each metanet and zoo."""
    from benchmark.site.writing import write

    print(write(results, out, zoo_folders=zoo_folders, overwrite=overwrite, project=project))


@command("Leaderboards", example="emit results --out emitted --release hf://datasets/ME/digits")
def emit(
    results: Annotated[Path, typer.Argument(help="A folder of records.")],
    out: Annotated[Path, typer.Option(help="Where the files go.")],
    release: Annotated[
        str | None,
        typer.Option(
            help="Where the zoos were published: hf://datasets/USER/NAME, or a folder. Default: where they are from."
        ),
    ] = None,
    repository: Annotated[str | None, typer.Option(help="USER/NAME on the hub, where --release is not on the hub.")] = None,
    source: Annotated[str | None, typer.Option(help="The leaderboard's address.")] = None,
) -> None:
    """Write results as the hub's benchmark pages read them, and BibTeX for zoos and records.

    They are of the data set that `publish` made of the zoos, in its configs.
    """
    from benchmark.leaderboard.hub_results import emit

    to_errors = partial(print, file=sys.stderr)
    for path in emit(results, out, release=release, repository=repository, source=source, report=to_errors):
        print(path)
