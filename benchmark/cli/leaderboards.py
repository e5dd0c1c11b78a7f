"""The verbs of a public leaderboard: submissions, checks, pages, files for others."""

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
    stoppable,
    workers_of,
)
from zoo.messages import plain


@command(
    "Leaderboards",
    example='submit results --code https://example.org/me/code --contact me --citation "Me 2026" --external-data none',
)
def submit(
    paths: Annotated[
        list[Path], typer.Argument(help="Records, folders of them, or the folder that `score` wrote.", metavar="RECORDS")
    ],
    code: Annotated[str, typer.Option(help="Address of the code, http or https.")],
    contact: Annotated[str, typer.Option(help="Whom to ask.")],
    citation: Annotated[str, typer.Option(help="How to cite it: text or BibTeX.")],
    external_data: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="What it learned from besides the zoos' training nets, as its page says; or none."
        ),
    ],
    commit: Annotated[
        str | None,
        typer.Option(
            help="The code's commit, 40 hexadecimal digits; default: HEAD of where you are, if git tracks the code."
        ),
    ] = None,
    to: Annotated[Path, typer.Option(help="The leaderboard's folder of records.")] = Path("data/results"),
    zoo_folders: ZoosOption = None,
    hardware: Annotated[str, typer.Option(help="What it ran on.")] = "not given",
    supersedes: Annotated[str | None, typer.Option(metavar="NAME", help="The folder under --to that this corrects.")] = None,
) -> None:
    """Check records and add them to a leaderboard's folder, as a submission."""
    from benchmark.records import records
    from benchmark.reference.lite import is_lite
    from benchmark.submissions.submission import submission
    from benchmark.submissions.submit import groups, submit

    if not all(path.exists() for path in paths):
        groups(paths)  # says so, before the commit is asked for
    about = submission(
        code_url=code,
        commit=commit or _head(paths),
        contact=contact,
        citation=citation,
        hardware=hardware,
        external_data=external_data,
        supersedes=supersedes,
    )
    written = submit(paths, about, to=to, zoo_folders=zoo_folders or (), report=say)
    labels = "labels checked" if zoo_folders else "labels not checked: no --zoo"
    for folder, names in written.items():
        record = records.read(next(one for one in names if one.match("seed-*.json")))
        lite = ", a Lite run" * is_lite(record.task.test_zoo.name)
        say(f"{folder}: {len(names)} files{lite}, {labels}; commit {about.commit[:8]}")
    say(f"external data: {about.external or 'none'}")


def _head(paths: list[Path]) -> str:
    """The commit that the working directory's repository is at, where the code of these records is in it.

    Raises ValueError where there is none, it has changes, or it does not have the code.
    """
    from benchmark.records import records
    from benchmark.scoring.software import git
    from benchmark.submissions.submit import groups
    from zoo.untrusted.files import sha256

    commit, changed = git(Path.cwd(), "rev-parse", "HEAD"), git(Path.cwd(), "status", "--porcelain", "--untracked-files=no")
    if commit is None or changed is None:
        raise ValueError("the working directory is in no git repository with a commit; give --commit")
    if changed:
        raise ValueError(f"there are changes that commit {commit[:8]} does not have; commit them, or give --commit")
    tracked = [Path(name) for name in (git(Path.cwd(), "ls-files", "-z", ":/") or "").split("\0")]
    for path in (path for group in groups(paths) for path in group):
        code = records.read(path).metanet.code
        same = (one for one in tracked if code and one.name == code.file and one.is_file() and not one.is_symlink())
        if code is None or all(sha256(one) != code.sha256 for one in same):
            lacking = f"its {plain(code.file)}, as scored," if code else "code, which it does not name,"
            raise ValueError(f"{path}: {lacking} is not in commit {commit[:8]}, where you are; give --commit")
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


@command(
    "Leaderboards",
    "verify-submission",
    example="verify-submission data/results/*/*/mine.Mine --zoos data/zoos --metanet checkout/mine.py:Mine",
)
def verify_submission(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders ZOO/TASK/METANET of a leaderboard, as `submit` wrote them.")
    ],
    zoos: Annotated[list[Path], typer.Option(help="A zoo that the records are of, or a folder of zoos; may be repeated.")],
    metanet: Annotated[
        str | None, typer.Option(help="The submitted code, from a checkout of its commit: path/to/file.py:NAME. It is run.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this seed's record; may be repeated. Default: all records.")
    ] = None,
    seconds: Annotated[
        int | None,
        typer.Option(min=1, max=10**7, help="Seconds that the code may take for a folder of records; default: 3600."),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(min=1, max=10**5, help="Gigabytes of memory that it may take; default: 8.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="WHO",
            help="Your name: has the board say verified, where all records are same, or close and no better than again.",
        ),
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Run a submission's code again, within limits, and compare what it predicts; exit code 1 where that is different."""
    from benchmark.scoring.fitter import Limits
    from benchmark.submissions.rerun import LIMITS, rerun

    say("This runs the submitter's code as you, with limits, an empty HOME and no token variables, and in no sandbox.")
    limits = Limits(seconds or LIMITS.seconds, memory * 10**9 if memory else LIMITS.memory)
    with stoppable("reports that are written are kept; the same command runs all again, --seed and fewer folders only some"):
        found = rerun(folders, zoos, metanet=metanet, seeds=seed or (), limits=limits, device=device, by=by, report=say)
    for one in found:
        tier = f"; verified, as {one.verified} says" if one.verified else ""
        say(f"{one.verdict}: {one.folder}; report: {one.report}{tier}")
    if any(one.verdict == "different" for one in found):
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
