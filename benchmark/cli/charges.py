"""The verb that looks at what training conserves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.cli.terminal import Folder, check_picture, command, command_line, console

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.landscape.orbits.drift import Drift


@command("Zoos", example="charges zoos/standard")
def charges(
    zoo_folder: Folder,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the charges before and after training; a .png or .svg file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare the conserved quantities of nets before and after training; the drifts become columns of the zoo."""
    import zoo
    from zoo.dataset.plots import save
    from zoo.landscape.orbits.drift import drift, keep

    check_picture(picture)
    made = zoo.open(zoo_folder)
    found = drift(made)
    if picture is not None:
        from zoo.landscape.orbits.charges_picture import picture as drawn

        save(drawn(found, f"{made.spec.name}: charges of {len(found.index)} nets"), picture)
    written = keep(made, found, command_line())
    if as_json:
        print(found.frame.to_json(orient="records"))
        return
    console.print(_table(found, escape(str(zoo_folder))))
    for name in ("charge_drift", "size_drift"):
        if name in written.frame:
            low, middle, high = written.frame[name].quantile([0.25, 0.5, 0.75])
            console.print(f"{name}: quartiles over nets {low:.3g}, {middle:.3g}, {high:.3g}", highlight=False)
    console.print(f"{len(written.columns)} columns in {written.path}", highlight=False, soft_wrap=True)


def _table(found: "Drift", title: str) -> Table:
    from zoo.landscape.orbits.charges import distance

    caption = "mean ± standard deviation over nets and channels; drift: mean |Q_end - Q_start|"
    table = Table(title=title, caption=caption)
    for head in ("conserved", "of", "charges a net", "start of training", "end", "drift"):
        table.add_column(head)
    for name, start in found.start.items():
        end, kind = found.end[name], "scales" if name in found.group.scales else "mix"
        moved = float(distance(found.start, found.end, [name]).mean())
        kind = "size" if name in found.group.sizes else kind
        table.add_row(kind, escape(name), f"{start[0].numel()}", _spread(start), _spread(end), f"{moved:.3g}")
    return table


def _spread(values: "Tensor") -> str:
    return f"{values.mean():.3g} ± {values.std(correction=0):.2g}"
