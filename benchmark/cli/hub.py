"""The verbs by which zoos travel: publish, fetch, import, vet; and whether this machine is fit."""

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli import completion
from benchmark.cli.terminal import Folder, command, say, stoppable

if TYPE_CHECKING:
    from zoo.hub.release import Release


@command("Travel", example="publish zoos/standard zoos/w_asymmetric --to hf://datasets/ME/digits --dry-run")
def publish(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Zoos' folders, or the folder of one fitted metanet.", metavar="FOLDERS", autocompletion=completion.zoos
        ),
    ],
    to: Annotated[
        str, typer.Option(help="hf://datasets/USER/NAME (a model: hf://USER/NAME), s3://BUCKET/PREFIX, a folder.")
    ],
    name: Annotated[str | None, typer.Option(help="The card's title; default: the last part of --to.")] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Of the weights, as the hub abbreviates it; default: cc-by-4.0, of imported zoos unknown."),
    ] = None,
    authors: Annotated[
        list[str] | None,
        typer.Option(help="Who made what is published; may be repeated. Default: of imported zoos unknown."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="A folder of records; those of what is published go on the card. Default: data/results."),
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Default: m and the beginning of the manifest's SHA-256.")] = None,
    private: Annotated[bool, typer.Option("--private", help="A new repository is private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print files and sizes only.")] = False,
) -> None:
    """Publish zoos as one data set, or a fitted metanet as a model, with a card and checksums; read it back and compare."""
    from zoo.hub.publish import publish

    on_hub = re.fullmatch(r"hf://(?:datasets/)?([^@]*)(?:@.*)?", to)
    title = name or Path(to).expanduser().resolve().name.split("@")[0]  # the last part of an address too
    said: dict[str, Any] = {"name": title, "licence": licence, "authors": " and ".join(authors or [])}
    made = _release_of(folders, results, repository=on_hub[1] if on_hub else "USER/NAME", **said)
    with stoppable():
        done = publish(made, to, tag=tag, dry_run=dry_run, private=private, report=say)
    if not dry_run:
        say(f"{len(done.uploaded)} files sent ({sum(done.uploaded.values()):,} bytes), {len(done.skipped)} were there")
        say(f"{done.where}" + f", commit {done.revision}" * bool(done.revision) + f", tag {done.tag}" * bool(done.tag))


def _release_of(folders: list[Path], results: Path | None, **said: Any) -> "Release":
    """What is published of these folders, with the scores among `results`; it is said where there are none.

    Raises ValueError where a model is one of several, FileNotFoundError where the `results` given are no records.
    """
    import zoo
    from benchmark.leaderboard.tables import markdown_of
    from benchmark.records.of_model import scores_of
    from benchmark.records.readable import has_records
    from metanets.model_card import model_release
    from metanets.model_folder import is_model
    from zoo.hub.release import release

    if results is not None and not has_records(results):
        raise FileNotFoundError(f"{results}: no records there; `metazoo score` writes them")
    scored = results or Path("data/results")
    if models := [folder for folder in folders if is_model(folder)]:
        if len(folders) > 1:
            raise ValueError(f"{models[0]} is a fitted metanet, which is published by itself; found {len(folders)} folders")
        test = scores_of(models[0], scored)
        _say_whether(scored, bool(test), "of this very fit: its metanet, seed, target, zoo and what was chosen")
        return model_release(models[0], test=test, **said)
    opened = [zoo.open(folder) for folder in folders]
    for one in opened:
        for line in one.left_aside:
            say(f"{one.folder}: derived columns that are not published: {line}")
    scores = markdown_of(scored, {one.manifest_sha256 for one in opened})
    _say_whether(scored, bool(scores), "of what is published")
    return release(folders, scores=scores, **said)


def _say_whether(results: Path, found: bool, of: str) -> None:
    if not found:
        say(f"{results}: no records {of}; the card has no scores on test nets")


@command("Travel", example="fetch hf://datasets/ME/digits --config digits-resnet8-standard --out zoos/fetched")
def fetch(
    source: Annotated[
        str,
        typer.Argument(help="hf://datasets/USER/NAME, also with @REVISION and /CONFIG behind it; s3://...; or a folder."),
    ],
    out: Annotated[Path, typer.Option(help="The zoo's folder, a new one; or one whose fetch was stopped.")],
    config: Annotated[str | None, typer.Option(help="Which of the published zoos; default: the only one.")] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, a tag or a commit; default: the newest.")] = None,
) -> None:
    """Fetch a published zoo: pinned, compared with its checksums, vetted."""
    import zoo
    from zoo.hub.fetch import fetch

    with stoppable():
        folder = fetch(source, out, config=config, revision=revision, report=say)
    say(f"{folder}: {len(zoo.open(folder))} nets")


def _of_the_format(kind: str) -> str:
    """What an importer says of its format and options. Raises ValueError where there is none of that name."""
    from zoo.importers.import_zoo import IMPORTERS
    from zoo.messages import choose

    importer = choose(IMPORTERS, kind, "kind of zoo")
    options = [one for one in inspect.signature(importer).parameters.values() if one.kind is one.KEYWORD_ONLY]
    told = ", ".join(f"{one.name}={one.default}" if one.default else one.name for one in options)
    return f"--set for {kind}, with defaults: {told}\n\n{inspect.getdoc(importer)}"


@command("Travel", name="import", example="import state-dicts nets --out zoos/mine", more_help=_of_the_format)
def import_(
    kind: Annotated[str, typer.Argument(help="small-cnn-zoo, modelzoos, asymmetric-networks or state-dicts.")],
    path: Annotated[Path, typer.Argument(help="A folder or an archive, as it was published.")],
    out: Annotated[Path, typer.Option(help="The zoo's folder, a new one.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE, an option of this kind, which `metazoo import KIND --help` tells; may be repeated."
        ),
    ] = None,
) -> None:
    """Bring a zoo that others trained, or a folder of your own nets, into this format."""
    import zoo
    from benchmark.scoring.task import FEWEST
    from zoo.importers.import_zoo import import_zoo
    from zoo.spec.columns import SPLITS
    from zoo.spec.imported import Imported, lines_of

    options = {}
    for setting in settings or []:
        option, equals, value = setting.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set takes NAME=VALUE; found {setting!r}")
        options[option.strip()] = value.strip()
    with stoppable("nothing is kept; the same command begins anew"):
        import_zoo(kind, path, out, options=options)
    made = zoo.open(out)
    for line in lines_of(made.spec) if isinstance(made.spec, Imported) else ():
        say(line)
    counts = made.columns["split"].value_counts()
    splits = ", ".join(f"{counts.get(split, 0)} {split}" for split in SPLITS)
    say(f"{out}: {len(made)} nets of {made.blueprint.trained.numel():,} weights ({splits})")
    if lacking := [split for split in SPLITS if counts.get(split, 0) < FEWEST]:
        say(f"scoring needs {FEWEST} or more nets of each split, and has fewer of {' and '.join(lacking)}: import more nets")


@command("Travel", example="vet zoos/fetched")
def vet(zoo_folder: Folder) -> None:
    """Look through a zoo from others before anything reads it, and refuse what a zoo does not need."""
    from zoo.dataset.vet import report

    say(report(zoo_folder))


@command("Travel", example="doctor --offline")
def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask whether the hub can be reached.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look at versions, disk, devices and the hub, and say what to do about what is wrong."""
    from benchmark.doctor.doctor import doctor

    found = doctor(online=not offline)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        for line in found.lines():
            say(line)
    if not found.healthy:
        raise typer.Exit(1)
