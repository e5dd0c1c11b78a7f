"""The verbs of what could be built: the built-in specs, and what a zoo would take."""

import json
from typing import Annotated

import typer

from benchmark.cli import completion
from benchmark.cli.terminal import (
    DeviceOption,
    NetsOption,
    SettingsOption,
    SpecArgument,
    WorkersOption,
    command,
    console,
    overrides,
    workers_of,
)


@command("Zoos", example="specs digits-resnet8-standard")
def specs(
    name: Annotated[
        str | None, typer.Argument(help="Print this spec as JSON, to edit.", autocompletion=completion.specs)
    ] = None,
) -> None:
    """List the built-in specs, or print one."""
    from zoo.spec.spec import SPECS, load, to_json

    if name is None:
        console.print("\n".join(SPECS))
    else:
        print(json.dumps(to_json(load(name)), indent=1))


@command("Zoos", example="plan cifar10-resnet8-standard --nets 10000 --machines 4")
def plan(
    spec: SpecArgument,
    nets: NetsOption = None,
    settings: SettingsOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = "cpu",
    machines: Annotated[int, typer.Option(min=1, help="How many machines like this one.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to try, at least.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Estimate the time, memory and disk that a zoo will take, from a few seconds of training on random images."""
    import zoo
    from zoo.jobs.estimate import estimate

    loaded = zoo.load(spec, overrides(settings or [], nets, None))
    count = workers_of(workers, device)
    found = estimate(loaded, workers=count, device=device, machines=machines, seconds=seconds)
    if as_json:
        print(json.dumps(found.to_json(), indent=1))
        return
    console.print("\n".join(found.lines()), highlight=False, soft_wrap=True)
