"""The verbs of metanets themselves: which there are, and what fitted ones predict of new nets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli.terminal import Folder, command, console


@command("Scores", example="metanets")
def metanets() -> None:
    """List the metanets and baselines: what they read, how they are fitted."""
    from metanets import METANETS

    table = Table("metanet", "reads", "fitted", "kind")
    for name, metanet in METANETS.items():
        kind = "baseline" if metanet.baseline else "runs nets" if metanet.reads_function else "reads weights"
        table.add_row(name, str(metanet.reads), "by gradient" if metanet.trained_by_gradient else "at once", kind)
    console.print(table)


@command("Scores", example="predict models/statnn zoos/standard --out predictions.csv")
def predict(
    model: Annotated[
        str, typer.Argument(help="The folder of a fitted metanet, as Estimator.save leaves it; hf://USER/NAME; or s3://...")
    ],
    zoo_folder: Folder,
    metanet: Annotated[
        str | None,
        typer.Option(help="One's own that was fitted: package.module:NAME or path/to/file.py:NAME, which is run."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A new .csv or .json file; default: CSV is printed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Predict for a zoo's nets by a fitted metanet: index, split, prediction, and the target where it is known."""
    from benchmark.scoring.predictions import KINDS, predictions, text_of, write

    kinds = (".json",) if as_json else KINDS
    if out is not None and out.suffix not in kinds:
        raise ValueError(f"{out}: expected a name that ends in {' or '.join(kinds)}")
    found = predictions(model, zoo_folder, metanet)
    if out is None:
        print(text_of(found, ".json" if as_json else ".csv"), end="")
        return
    write(found, out)
    console.print(f"{len(found)} predictions in {out}", markup=False, highlight=False)
