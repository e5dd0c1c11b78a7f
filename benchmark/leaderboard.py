"""The leaderboard: records in, a table out, for the terminal and as Markdown."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.table import Table

from benchmark import records
from benchmark.metrics import METRICS
from benchmark.records import Record

HEADS = {"r2": "R²", "tau": "tau", "mae": "MAE"}


@dataclass(frozen=True)
class Leaderboard:
    """Mean and standard deviation over seeds of each metanet on each zoo.

    `cells` has a row for each (target, zoo, metanet): floor, seeds, nets, and for each metric its mean and std (unbiased
    over seeds; NaN for one seed).
    """

    cells: pd.DataFrame

    def boards(self) -> list[tuple[str, pd.DataFrame]]:
        """The cells target by target."""
        return [(str(target), cells) for target, cells in self.cells.groupby("target", sort=False)]


def leaderboard(folder: Path) -> Leaderboard:
    """The leaderboard of all records under a folder. Raises as `records.read_all` does."""
    return from_records(records.read_all(folder))


def from_records(found: list[Record]) -> Leaderboard:
    """The leaderboard of these records."""
    rows = pd.DataFrame(
        {
            "target": record.task["target"],
            "zoo": record.label(),
            "metanet": record.metanet["name"],
            "floor": record.metanet["floor"],
            "parameters": record.metanet["parameters"],
            "test_nets": record.task["nets"]["test"],
            "constant": record.constant_prediction,
            **{metric: record.test[metric] for metric in METRICS},
        }
        for record in found
    )
    grouped = rows.groupby(["target", "zoo", "metanet"], sort=False)
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
    zoos = list(dict.fromkeys(cells["zoo"]))
    short = {zoo: zoo.rsplit("-", 1)[0] for zoo in zoos}
    if len(set(short.values())) < len(zoos):
        short = {zoo: zoo for zoo in zoos}
    heads = ["metanet", *(f"{short[zoo]}: {HEADS[metric]}" for zoo in zoos for metric in ("r2", "tau")), "seeds"]
    at = cells.set_index(["zoo", "metanet"])
    rows = []
    for name, row in order.iterrows():
        values = [
            _cell(at.loc[(zoo, name)], metric) if (zoo, name) in at.index else "" for zoo in zoos for metric in ("r2", "tau")
        ]
        seeds = sorted({int(at.loc[(zoo, name), "seeds"]) for zoo in zoos if (zoo, name) in at.index})
        rows.append([f"{name} (floor)" if row["floor"] else str(name), *values, "/".join(map(str, seeds))])
    return heads, rows


def _cell(row: pd.Series, metric: str) -> str:
    mean, std = row[f"{metric}_mean"], row[f"{metric}_std"]
    text = f"{mean:.3f}" if pd.isna(std) else f"{mean:.3f} ± {std:.3f}"
    return f"{text} (constant)" if metric == "tau" and row["constant"] else text


def to_table(target: str, cells: pd.DataFrame) -> Table:
    """A board for the terminal."""
    heads, rows = _columns(cells)
    table = Table(title=f"{target}: mean ± standard deviation over seeds, on test nets")
    for head in heads:
        table.add_column(head, justify="left" if head == "metanet" else "right")
    for row in rows:
        table.add_row(*row, style="dim" if row[0].endswith("(floor)") else None)
    return table


def to_markdown(target: str, cells: pd.DataFrame) -> str:
    """A board as a Markdown table; names are escaped, since they may come from others."""
    heads, rows = _columns(cells)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    table = "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in line) + " |" for line in lines
    )
    return f"**{target}**, mean ± standard deviation over seeds, on test nets\n\n{table}\n"
