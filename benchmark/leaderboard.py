"""The leaderboard: records in, tables out, for the terminal and as Markdown."""

from collections.abc import Collection
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.table import Table

from benchmark import records
from benchmark.metrics import METRICS, r2
from benchmark.records import Record
from benchmark.uncertainty import difference, interval, mean_ranks, pairs

FLOOR = "trees_hyper_parameters"  # what can be told without the weights: a metanet's gain is over this
METRIC_NAMES = (*METRICS, "r2_recalibrated")
HEADS = {"r2": "R²", "tau": "tau", "gain": "gain"}
NOTE = "* the prediction is constant and ranks nothing; tau is set to 0"


@dataclass(frozen=True)
class Result:
    """All seeds of one metanet on one task: their records, the test nets' targets, and each seed's predictions of them."""

    records: tuple[Record, ...]
    target: np.ndarray  # net
    predicted: np.ndarray  # seed net

    @property
    def key(self) -> tuple[str, str, str]:
        """Task, test zoo, metanet."""
        return _key(self.records[0])


@dataclass(frozen=True)
class Leaderboard:
    """What all records say, derived from them and their predictions.

    `cells` has a row for each (task, zoo, metanet): the zoo it was fitted on and the one it was tested on, floor,
    parameters, seeds, nets; each metric's mean and std over seeds (unbiased; NaN for one seed); the 95% interval of R² over
    test nets and seeds, `r2_low` and `r2_high`; and the `gain` in R² over FLOOR on the same nets, with its interval (NaN
    for FLOOR itself and where it has no record). Intervals are NaN where a metanet has one seed, which says nothing of how
    much training differs.
    """

    results: tuple[Result, ...]
    cells: pd.DataFrame

    def boards(self) -> list[pd.DataFrame]:
        """The cells of each table: one for a task and what its zoos have in common, their families beside each other."""
        return [cells for _, cells in self.cells.groupby(["task", "board"], sort=False)]

    def pairs(self) -> pd.DataFrame:
        """The differences in R² of all pairs of metanets on each task and zoo, Holm-corrected within each."""
        frames = []
        for (task, zoo), found in _grouped(self.results).items():
            if len(found) > 1:
                predicted = {result.key[2]: result.predicted for result in found}
                frames.append(pairs(found[0].target, predicted, r2).assign(task=task, zoo=zoo))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def matrices(self, metric: str = "r2") -> dict[tuple[str, str], pd.DataFrame]:
        """(task, metanet) -> its mean score fitted on one zoo (row) and tested on another (column), for transfer tasks."""
        found = {}
        for (plain, metanet), cells in self.cells.groupby(["plain_task", "metanet"], sort=False):
            if (cells["fitted_on"] != cells["zoo"]).any():
                found[str(plain), str(metanet)] = cells.pivot(index="fitted_on", columns="zoo", values=f"{metric}_mean")
        return found


def leaderboard(folder: Path) -> Leaderboard:
    """The leaderboard of all records under a folder. Raises as `records.paths` and `from_paths` do."""
    return from_paths(records.paths(folder))


def from_paths(paths: list[Path]) -> Leaderboard:
    """The leaderboard of these records. Raises ValueError where a record or its predictions are damaged or do not fit."""
    results = _results(paths)
    cells = []
    for found in _grouped(results).values():
        floor = next((result for result in found if result.key[2] == FLOOR), None)
        cells += [_cell(result, floor) for result in found]
    return Leaderboard(results, pd.DataFrame(cells))


def markdown_of(folder: Path, manifests: Collection[str]) -> str:
    """The boards of the zoos with these manifests, for their data set's card; empty where the folder has no such records.

    Transfer from other zoos is left out, since the card describes these.
    """
    found = []
    for path in records.paths(folder) if any(folder.glob("**/seed-*.json")) else []:
        task = records.read(path).task
        if {task.zoo.manifest_sha256, task.test_zoo.manifest_sha256} <= set(manifests):
            found.append(path)
    return "\n".join(map(to_markdown, from_paths(found).boards())) if found else ""


def _key(record: Record) -> tuple[str, str, str]:
    return record.task.name(), record.task.test_zoo.label(), record.metanet.name


def _results(paths: list[Path]) -> tuple[Result, ...]:
    grouped: dict[tuple[str, str, str], list[tuple[Path, Record]]] = {}
    for path in paths:
        record = records.read(path)
        grouped.setdefault(_key(record), []).append((path, record))
    return tuple(_result(found) for found in grouped.values())


def _result(found: list[tuple[Path, Record]]) -> Result:
    frames = []
    for path, record in sorted(found, key=lambda pair: pair[1].seed):
        frame = records.read_predictions(path, record)
        frames.append(frame[frame["split"] == "test"].sort_values("index"))
        if not (frames[-1][["index", "target"]].to_numpy() == frames[0][["index", "target"]].to_numpy()).all():
            raise ValueError(f"{path}: its test nets or their targets are not those of {found[0][0]}")
    predicted = np.stack([frame["prediction"].to_numpy(np.float64) for frame in frames])
    return Result(tuple(record for _, record in found), frames[0]["target"].to_numpy(np.float64), predicted)


def _grouped(results: tuple[Result, ...]) -> dict[tuple[str, str], list[Result]]:
    """The results on each task and zoo."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault(result.key[:2], []).append(result)
    return found


def _cell(result: Result, floor: Result | None) -> dict[str, object]:
    first = result.records[0]
    task, metanet, name = first.task, first.metanet, first.task.name()
    scores = pd.DataFrame([record.test for record in result.records])
    told = metanet.floor or len(result.records) > 1  # as Leaderboard says
    sure = interval(result.target, result.predicted, r2)
    gain = None if floor is None or floor is result else difference(result.target, result.predicted, floor.predicted, r2)
    return {
        "task": name,
        "plain_task": name.split(",from=")[0],
        "target": task.target,
        "board": task.test_zoo.name.removesuffix(f"-{task.test_zoo.family}"),
        "fitted_on": task.zoo.label(),
        "zoo": task.test_zoo.label(),
        "family": task.test_zoo.family,
        "metanet": metanet.name,
        "floor": metanet.floor,
        "parameters": metanet.parameters,
        "train_nets": task.nets["train"],
        "test_nets": task.nets["test"],
        "seeds": len(result.records),
        "constant": any(record.constant_prediction for record in result.records),
        **{f"{metric}_mean": scores[metric].mean() for metric in METRIC_NAMES},
        **{f"{metric}_std": scores[metric].std() for metric in METRIC_NAMES},
        "r2_low": sure.low if told else nan,
        "r2_high": sure.high if told else nan,
        "gain": nan if gain is None else gain.value,
        "gain_low": gain.low if gain and told else nan,
        "gain_high": gain.high if gain and told else nan,
    }


def _columns(cells: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a board: metanets by mean R², then floors; a few columns a zoo, and the mean rank over zoos."""
    order = cells.groupby("metanet").agg(floor=("floor", "first"), r2=("r2_mean", "mean"))
    order = order.sort_values(["floor", "r2"], ascending=[True, False])
    zoos = _heads(cells)
    ranks = _ranks(cells)
    shown = [name for name in HEADS if name != "gain" or cells["gain"].notna().any()]
    heads = ["metanet", *(f"{name} {HEADS[kind]}" for name in zoos.values() for kind in shown)]
    heads += [*["rank"] * bool(ranks), "seeds"]
    at = {(row["zoo"], row["metanet"]): row for _, row in cells.iterrows()}
    rows = []
    for name, row in order.iterrows():
        found = [at.get((zoo, name)) for zoo in zoos]
        values = ["" if cell is None else _text(cell, kind) for cell in found for kind in shown]
        seeds = "/".join(map(str, sorted({int(cell["seeds"]) for cell in found if cell is not None})))
        rank = [ranks[str(name)]] if ranks else []
        rows.append([f"{name} (floor)" if row["floor"] else str(name), *values, *rank, seeds])
    return heads, rows


def _ranks(cells: pd.DataFrame) -> dict[str, str]:
    """Each metanet's mean rank by R² over the zoos of a board; empty where there is nothing to rank."""
    table = cells.pivot(index="zoo", columns="metanet", values="r2_mean")
    if min(table.shape) < 2 or table.dropna().empty:
        return {}
    return {str(name): f"{rank:.1f}" for name, rank in mean_ranks(table).items()}


def _heads(cells: pd.DataFrame) -> dict[str, str]:
    """What to call each zoo of a board: its family, and where two have the same, its name and hash."""
    family = dict(zip(cells["zoo"], cells["family"], strict=True))
    return family if len(set(family.values())) == len(family) else {zoo: zoo for zoo in family}


def about(cells: pd.DataFrame) -> str:
    """A board's title."""
    return f"{cells['task'].iloc[0]} of {cells['board'].iloc[0]} nets"


def legend(cells: pd.DataFrame) -> str:
    """What a board's numbers mean."""
    told = FLOOR in set(cells["metanet"])
    gain = f"; gain: in R² over {FLOOR}" if told else f"; not scored: the floor {FLOOR}, so what the weights add is unknown"
    note = f"; {NOTE}" if cells["constant"].any() else ""
    return f"mean±standard deviation over seeds [95% interval over test nets and seeds]{gain}{note}"


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


def to_table(cells: pd.DataFrame) -> Table:
    """A board for the terminal."""
    heads, rows = _columns(cells)
    table = Table(title=escape(about(cells)), caption=escape(legend(cells)))
    for head in heads:
        if head == "metanet":
            table.add_column(head, overflow="fold")  # names give way, numbers do not
        else:
            table.add_column(head, justify="right", min_width=len("0.000±0.000 *") if " " in head else None)
    for row in rows:
        table.add_row(*map(escape, row), style="dim" if row[0].endswith("(floor)") else None)
    return table


def frame_table(frame: pd.DataFrame, title: str) -> Table:
    """Any small frame for the terminal, numbers to three places."""
    table = Table(title=escape(title))
    for head in (frame.index.name or "", *frame.columns):
        table.add_column(str(head), justify="right")
    for name, row in frame.iterrows():
        table.add_row(escape(str(name)), *(f"{x:.3f}" if isinstance(x, float) else escape(str(x)) for x in row))
    return table


def to_markdown(cells: pd.DataFrame) -> str:
    """A board as a Markdown table; names are escaped, since they may come from others."""
    heads, rows = _columns(cells)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    table = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    return f"{_escaped(about(cells))}: {_escaped(legend(cells))}\n\n{table}\n"


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("|", "\\|").replace("<", "&lt;")
