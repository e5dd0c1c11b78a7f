"""The verbs of what changes a net's weights and not what it computes: show it, and move nets by it."""

import json
from math import lgamma, log
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.cli.terminal import Folder, command, console, stoppable


@command("Zoos", example="group digits-resnet8-standard")
def group(
    of: Annotated[
        str, typer.Argument(help="A zoo's folder, a built-in spec's name, or a TOML or JSON file.", metavar="ZOO|SPEC")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the symmetries of a zoo's nets: which channels may be permuted, scaled or mixed, and what ties the others."""
    import zoo
    from zoo.spec.resolve import blueprint
    from zoo.symmetry import group_of
    from zoo.symmetry.group import acting, masked

    folder = Path(of).expanduser()
    net = zoo.open(folder).blueprint if folder.is_dir() else blueprint(zoo.load(of))
    free = group_of(net)
    every = masked(acting(net.layout), net.trained.new_ones(len(net.trained)))
    found: dict[str, Any] = {
        "permutations": _row(free.orders, every.orders),
        "scales": _row(free.scales, every.scales),
        "mixes": _row(free.mixes, every.mixes),
        "sizes": {"free": list(free.sizes), "tied": [name for name in every.sizes if name not in free.sizes]},
        "log10_permutations": sum(lgamma(size + 1) for size in free.orders.values()) / log(10),
        "dimension": free.dimension,
    }
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table(title=escape(str(of)), caption=_summary(found))
    for head in ("symmetry", "free", "tied by what is fixed"):
        table.add_column(head)
    for name in ("permutations", "scales", "mixes", "sizes"):
        table.add_row(name, *(_words(found[name][side]) for side in ("free", "tied")))
    console.print(table)


@command("Zoos", example="move zoos/standard --copies 4 --out zoos/moved")
def move(
    zoo_folder: Folder,
    out: Annotated[Path, typer.Option(help="The folder of the new zoo.")],
    kinds: Annotated[
        str, typer.Option(help="Symmetries to move nets by: permutation, scale, mix, size; with commas.")
    ] = "permutation,scale,size",
    copies: Annotated[int, typer.Option(min=1, max=1000, help="How many copies of each net.")] = 1,
    largest: Annotated[float, typer.Option(min=1, max=30, help="Scales and sizes lie between 1 / LARGEST and this.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the symmetries drawn.")] = 0,
) -> None:
    """Write a zoo of moved copies: nets with other weights that compute the same, with their targets and splits."""
    from zoo.dataset.move import move

    chosen = tuple(dict.fromkeys(filter(None, kinds.split(","))))
    with stoppable():
        folder = move(zoo_folder, out, kinds=chosen, copies=copies, largest=largest, seed=seed)
    console.print(f"{folder}: {copies} moved copies of each net of {zoo_folder}", soft_wrap=True)


def _row(free: dict[str, Any], every: dict[str, Any]) -> dict[str, Any]:
    return {"free": free, "tied": {space: size for space, size in every.items() if space not in free}}


def _words(found: Any) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{space} {_size(size)}" for space, size in found.items()) or "none"
    return ", ".join(found) or "none"


def _size(size: Any) -> str:
    return f"{size[0]} x GL({size[1]})" if isinstance(size, tuple) else str(size)


def _summary(found: dict[str, Any]) -> str:
    return f"10^{found['log10_permutations']:.1f} permutations; continuous symmetries of dimension {found['dimension']}"
