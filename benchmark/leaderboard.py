"""The leaderboard: records in, a table out, for the terminal and as Markdown."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from benchmark import records
from benchmark.metrics import METRICS
from benchmark.records import Record

SHOWN = ("r2", "tau")  # in the printed tables; the cells hold all
HEADS = {"r2": "R²", "tau": "tau"}
NOTE = "* the prediction is constant and ranks nothing; tau is set to 0"


@dataclass(frozen=True)
class Leaderboard:
    """Mean and standard deviation over seeds of each metanet on each zoo.

    `cells` has a row for each (target, zoo, metanet): floor, seeds, nets, and for each metric its mean and std (unbiased
    over seeds; NaN for one seed).
    """

    cells: pd.DataFrame

    def boards(self) -> list[pd.DataFrame]:
        """The cells of each table: one for a target and what its zoos have in common, their families beside each other."""
        return [cells for _, cells in self.cells.groupby(["target", "board"], sort=False)]


def leaderboard(folder: Path) -> Leaderboard:
    """The leaderboard of all records under a folder. Raises as `records.read_all` does."""
    return from_records(records.read_all(folder))


def from_records(found: list[Record]) -> Leaderboard:
    """The leaderboard of these records."""
    rows = pd.DataFrame(
        {
            "target": record.task["target"],
            "board": record.task["zoo"].removesuffix(f"-{record.task['family']}"),
            "zoo": record.label(),
            "family": record.task["family"],
            "metanet": record.metanet["name"],
            "floor": record.metanet["floor"],
            "parameters": record.metanet["parameters"],
            "test_nets": record.task["nets"]["test"],
            "constant": record.constant_prediction,
            **{metric: record.test[metric] for metric in METRICS},
        }
        for record in found
    )
    grouped = rows.groupby(["target", "board", "zoo", "family", "metanet"], sort=False)
    cells = grouped.agg(
        floor=("floor", "first"),
        parameters=("parameters", "first"),
        test_nets=("test_nets", "first"),
        seeds=("metanet", "size"),
        constant=("constant", "any"),
        **{f"{metric}_mean": (metric, "mean") for metric in METRICS},
        **{f"{metric}_std": (metric, "std") for metric in METRICS},
    ).reset_index()
    return Leaderboard(cells)


def _columns(cells: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a board: metanets by mean R², then floors; a pair of columns a zoo."""
    order = cells.groupby("metanet").agg(floor=("floor", "first"), r2=("r2_mean", "mean"))
    order = order.sort_values(["floor", "r2"], ascending=[True, False])
    zoos = _heads(cells)
    heads = ["metanet", *(f"{name} {HEADS[metric]}" for name in zoos.values() for metric in SHOWN), "seeds"]
    at = {(row["zoo"], row["metanet"]): row for _, row in cells.iterrows()}
    rows = []
    for name, row in order.iterrows():
        found = [at.get((zoo, name)) for zoo in zoos]
        values = ["" if cell is None else _cell(cell, metric) for cell in found for metric in SHOWN]
        seeds = "/".join(map(str, sorted({int(cell["seeds"]) for cell in found if cell is not None})))
        rows.append([f"{name} (floor)" if row["floor"] else str(name), *values, seeds])
    return heads, rows


def _heads(cells: pd.DataFrame) -> dict[str, str]:
    """What to call each zoo of a board: its family, and where two have the same, its name and hash."""
    family = dict(zip(cells["zoo"], cells["family"], strict=True))
    return family if len(set(family.values())) == len(family) else {zoo: zoo for zoo in family}


def _about(cells: pd.DataFrame) -> str:
    return f"{cells['target'].iloc[0]} of {cells['board'].iloc[0]} nets: mean±standard deviation over seeds, on test nets"


def _cell(row: pd.Series, metric: str) -> str:
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    mean = round(mean, 3) + 0.0  # no -0.000
    text = f"{mean:.3f}" if pd.isna(std) else f"{mean:.3f}±{std:.3f}"
    return f"{text} *" if metric == "tau" and row["constant"] else text


def to_table(cells: pd.DataFrame) -> Table:
    """A board for the terminal."""
    heads, rows = _columns(cells)
    table = Table(title=_about(cells), caption=NOTE if cells["constant"].any() else None)
    for head in heads:
        table.add_column(head, justify="left" if head == "metanet" else "right")
    for row in rows:
        table.add_row(*map(escape, row), style="dim" if row[0].endswith("(floor)") else None)
    return table


def to_markdown(cells: pd.DataFrame) -> str:
    """A board as a Markdown table; names are escaped, since they may come from others."""
    heads, rows = _columns(cells)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    table = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    note = f"\n\n{_escaped(NOTE)}" if cells["constant"].any() else ""
    return f"{_escaped(_about(cells))}\n\n{table}{note}\n"


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("|", "\\|").replace("<", "&lt;")
