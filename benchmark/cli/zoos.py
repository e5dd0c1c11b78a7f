"""The verbs that make zoos and look into them."""

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.cli.terminal import (
    Bar,
    DeviceOption,
    DownloadOption,
    Folder,
    Folders,
    ImagesOption,
    NetsOption,
    OverwriteOption,
    SeedOption,
    SettingsOption,
    SpecArgument,
    TargetOption,
    command,
    console,
    overrides,
    say,
    stoppable,
    target_of,
    workers_of,
)


@command("Zoos", example="build digits-resnet8-standard --nets 64 --out zoos/standard")
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
        typer.Option(min=0, help="Processes of one thread each; default: physical cores, or GPUs. 0: prepare only."),
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
    loaded = zoo.load(spec, overrides(settings or [], nets, seed))
    begun = time.monotonic()
    with stoppable(), Bar() as bar:
        zoo.build(
            loaded,
            out,
            images_folder=images,
            download=download,
            masks_folder=masks,
            workers=0 if workers == 0 else workers_of(workers, device),
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


@command("Zoos", example="work zoos/standard")
def work(zoo_folder: Folder, device: DeviceOption = "cpu") -> None:
    """Train units of a zoo that is being built, beside any other workers, until none is left."""
    import zoo
    from zoo.jobs.workers import check_failures

    with stoppable():
        zoo.work(zoo_folder, device=device)
    check_failures(zoo_folder)
    console.print(f"{zoo_folder}: no unit is left; `metazoo build` with the zoo's spec writes the shards")


@command("Zoos", example="status zoos/standard")
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


@command("Zoos", example="watch zoos/standard")
def watch(
    zoo_folder: Folder,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 2,
) -> None:
    """Follow a build until it is finished, or until Ctrl-C, which stops the watching only."""
    from rich.live import Live

    from benchmark.cli.watch import line, watch

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


@command("Zoos", example="info zoos/standard")
def info(zoo_folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Count a zoo's nets and show how its targets and hyper-parameters are distributed."""
    import zoo
    from zoo.dataset.summary import QUANTILES, summary
    from zoo.messages import plain

    opened = zoo.open(zoo_folder)
    found = summary(opened)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for name in ("zoo", "family", "architecture", "images", "weights", "nets", "shards", "manifest_sha256"):
        value = found[name]
        text = ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) if isinstance(value, dict) else value
        console.print(f"{name:16} {text}", highlight=False, soft_wrap=True)
    for one in opened.derived.values():
        say(f"{'derived':16} {one} ({plain(one.note.command)})")
    for line in opened.left_aside:
        say(f"{'left aside':16} {line}")
    table = Table("column", *(f"q{quantile:g}" for quantile in QUANTILES), "drawn from")
    for name, values in found["quantiles"].items():
        table.add_row(name, *(f"{value:.4g}" for value in values), found["draws"].get(name, ""))
    console.print(table)


def _plain(item: Any) -> str:
    return f"{item['nets']} ({item['diverged']} diverged)" if isinstance(item, dict) else f"{item}"


@command("Zoos", example="verify zoos/standard --nets 16")
def verify(
    zoo_folder: Folder,
    nets: Annotated[int, typer.Option(min=0, help="How many random nets to measure again.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
    images: ImagesOption = None,
    download: DownloadOption = False,
    source: Annotated[
        Path | None, typer.Option(help="Of moved copies: the zoo of their nets, to compare logits with.")
    ] = None,
) -> None:
    """Check a zoo's files, columns and weights, and measure some of its nets again."""
    import zoo
    from zoo.spec.imported import Imported

    problems = zoo.verify(
        zoo_folder, nets=nets, images_folder=images, download=download, seed=seed, source=source, report=say
    )
    if problems:
        raise ValueError("\n  ".join([f"{len(problems)} problem(s)", *problems]))
    built = not isinstance(zoo.open(zoo_folder).spec, Imported)
    again = (
        f"; {nets} nets measured again gave their stored accuracies" if built else "; an imported zoo is not measured again"
    )
    console.print(f"{zoo_folder}: nothing wrong{again}", soft_wrap=True)


@command("Zoos", example="audit zoos/standard")
def audit(
    zoo_folder: Folder,
    target: TargetOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Shuffles the labels; moves the nets.")] = 0,
    of_distribution: Annotated[
        bool, typer.Option("--distribution", help="Instead, tell nets from nets moved by their symmetries.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look for leaks: baselines fitted to shuffled labels, nets or seeds met twice, bad labels."""
    from benchmark.analyses.audit import audit
    from benchmark.analyses.distribution import distribution

    if of_distribution:
        moved = distribution(zoo_folder, seed=seed)
        print(json.dumps(moved.to_json(), indent=1) if as_json else "\n".join(moved.lines()))
        return
    found = audit(zoo_folder, target_of(target, zoo_folder), seed=seed)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        say("\n".join(found.lines()))
    if found.findings:
        raise typer.Exit(1)


@command("Zoos", example="plot zoos/standard zoos/w_asymmetric --out pictures")
def plot(
    zoo_folders: Folders,
    out: Annotated[Path, typer.Option(help="Where the pictures go.")],
    target: TargetOption = None,
    kind: Annotated[Literal["png", "svg"], typer.Option(help="The pictures' format.")] = "png",
) -> None:
    """Draw a target's histograms by family, and the target against each hyper-parameter."""
    import zoo
    from zoo.dataset import plots

    target = target_of(target, zoo_folders[0])
    opened = [zoo.open(folder) for folder in zoo_folders]
    for one in opened:
        one.check_target(target)
    print(plots.save(plots.histograms(opened, target), out / f"{target}-histograms.{kind}"))
    print(plots.save(plots.against_hyper_parameters(opened, target), out / f"{target}-hyper_parameters.{kind}"))


@command("Zoos", example="export zoos/standard --net 3 --out net.safetensors")
def export(
    zoo_folder: Folder,
    out: Annotated[Path, typer.Option(help="The file to write; of kind official, the folder.")],
    net: Annotated[int | None, typer.Option(min=0, help="The net's index; of kind official, none: all nets.")] = None,
    kind: Annotated[
        Literal["safetensors", "state_dict", "official"],
        typer.Option(help="What to write; official: the whole zoo, as the paper's code reads it."),
    ] = "safetensors",
    overwrite: OverwriteOption = False,
) -> None:
    """Write one net with the paper's tensor names, or the whole zoo in the paper's layout."""
    import zoo
    from zoo.dataset.export import export
    from zoo.importers.asymmetric_networks.export import export_official

    if (net is None) != (kind == "official"):
        raise typer.BadParameter("give --net INDEX for one net, or --kind official without --net for the whole zoo")
    if net is None or kind == "official":
        print(export_official(zoo.open(zoo_folder), out, overwrite=overwrite))
    else:
        print(export(zoo.open(zoo_folder), net, out, kind=kind, overwrite=overwrite))
