"""Leaderboards as tables, for the terminal and as Markdown."""

import re
from collections.abc import Callable, Collection
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from benchmark.leaderboard.leaderboard import BASELINE, from_records
from benchmark.records import records
from benchmark.statistics.intervals import mean_ranks
from zoo.messages import plain

HEADS = {"r2": "R²", "tau": "tau", "gain": "gain"}
NOTE = "* the prediction is constant and ranks nothing; tau is set to 0"


def about(cells: pd.DataFrame) -> str:
    """A board's title."""
    return f"{cells['task'].iloc[0]} of {cells['board'].iloc[0]} nets"


def legend(cells: pd.DataFrame) -> str:
    """What a board's numbers mean."""
    told = BASELINE in set(cells["metanet"])
    gain = (
        f"; gain: in R² over {BASELINE}"
        if told
        else f"; not scored: the baseline {BASELINE}, so what the weights add is unknown"
    )
    note = f"; {NOTE}" if cells["constant"].any() else ""
    return f"mean±standard deviation over seeds [95% interval over test nets and seeds]{gain}{note}"


def families(cells: pd.DataFrame) -> dict[str, str]:
    """What to call each zoo of a board: its family, and where two have the same, its label."""
    family = dict(zip(cells["zoo"], cells["family"], strict=True))
    return family if len(set(family.values())) == len(family) else {zoo: zoo for zoo in family}


def ordered(cells: pd.DataFrame) -> list[str]:
    """The metanets of a board by mean R², then the baselines."""
    order = cells.groupby("metanet").agg(baseline=("baseline", "first"), r2=("r2_mean", "mean"))
    return [str(name) for name in order.sort_values(["baseline", "r2"], ascending=[True, False]).index]


def to_table(cells: pd.DataFrame) -> Table:
    """A board for the terminal."""
    heads, rows = _columns(cells, plain)
    table = Table(title=_literal(about(cells)), caption=escape(legend(cells)))
    for head in heads:
        if head == "metanet":
            table.add_column(head, overflow="fold")  # names give way, numbers do not
        else:
            table.add_column(escape(head), justify="right", min_width=len("0.000±0.000 *") if " " in head else None)
    for row in rows:
        table.add_row(*map(escape, row), style="dim" if row[0].endswith("(baseline)") else None)
    return table


def frame_table(frame: pd.DataFrame, title: str) -> Table:
    """Any small frame for the terminal, numbers to three places."""
    table = Table(title=_literal(title))
    for head in (frame.index.name or "", *frame.columns):
        table.add_column(_literal(head), justify="right")
    for name, row in frame.iterrows():
        table.add_row(_literal(name), *(f"{x:.3f}" if isinstance(x, float) else _literal(x) for x in row))
    return table


def to_markdown(cells: pd.DataFrame) -> str:
    """A board as a Markdown table; names are escaped, since they may come from others: no links, no pictures, no lines."""
    heads, rows = _columns(cells, _inert)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    table = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    return f"{_escaped(_inert(about(cells)))}: {_escaped(legend(cells))}\n\n{table}\n"


def markdown_of(folder: Path, manifests: Collection[str]) -> str:
    """The boards of the zoos with these manifests, for their data set's card; empty where the folder has no such records.

    Transfer from other zoos is left out, since the card describes these.
    """
    if not any(folder.glob("**/seed-*.json")):
        return ""
    of_these = [
        one
        for one in records.load(folder)
        if {one.record.task.zoo.manifest_sha256, one.record.task.test_zoo.manifest_sha256} <= set(manifests)
    ]
    return "\n".join(map(to_markdown, from_records(of_these).boards())) if of_these else ""


def _columns(cells: pd.DataFrame, shown_as: Callable[[str], str]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a board: metanets by mean R², then baselines; a few columns a zoo, and the mean rank over zoos."""
    baseline = cells.groupby("metanet")["baseline"].first()
    zoos = families(cells)
    ranks = _ranks(cells)
    shown = [name for name in HEADS if name != "gain" or cells["gain"].notna().any()]
    heads = ["metanet", *(f"{shown_as(name)} {HEADS[kind]}" for name in zoos.values() for kind in shown)]
    heads += [*["rank"] * bool(ranks), "seeds"]
    at = {(row["zoo"], row["metanet"]): row for _, row in cells.iterrows()}
    rows = []
    for name in ordered(cells):
        found = [at.get((zoo, name)) for zoo in zoos]
        values = ["" if cell is None else _text(cell, kind) for cell in found for kind in shown]
        seeds = "/".join(map(str, sorted({int(cell["seeds"]) for cell in found if cell is not None})))
        rank = [ranks[name]] if ranks else []
        rows.append([shown_as(name) + " (baseline)" * bool(baseline[name]), *values, *rank, seeds])
    return heads, rows


def _ranks(cells: pd.DataFrame) -> dict[str, str]:
    """Each metanet's mean rank by R² over the zoos of a board; empty where there is nothing to rank."""
    table = cells.pivot(index="zoo", columns="metanet", values="r2_mean")
    if min(table.shape) < 2 or table.dropna().empty:
        return {}
    return {str(name): f"{rank:.1f}" for name, rank in mean_ranks(table).items()}


def _text(row: pd.Series, kind: str) -> str:
    if kind == "gain":
        return "" if pd.isna(row["gain"]) else f"{row['gain']:+.3f}{_bounds(row, 'gain', '+.2f')}"
    mean, std = row[f"{kind}_mean"], row[f"{kind}_std"]
    mean = round(mean, 3) + 0.0  # no -0.000
    text = f"{mean:.3f}" if pd.isna(std) else f"{mean:.3f}±{std:.3f}"
    if kind == "tau":
        return f"{text} *" if row["constant"] else text
    return f"{text}{_bounds(row, 'r2', '.2f')}"


def _bounds(row: pd.Series, kind: str, form: str) -> str:
    low, high = row[f"{kind}_low"], row[f"{kind}_high"]
    return "" if pd.isna(low) else f" [{low:{form}}, {high:{form}}]"


def _literal(value: object) -> str:
    """A value for the terminal, which neither Rich nor the terminal takes for anything but text."""
    return escape(plain(str(value)))


def _inert(name: str) -> str:
    """A name in Markdown that begins nothing; what `_escaped` escapes is left to it."""
    return re.sub(r"[\\`\[\]~#>&]", r"\\\g<0>", plain(name))


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("|", "\\|").replace("<", "&lt;")
