"""Pictures of results: predicted against true, and scores against the number of training nets."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import zoo as zoos
from benchmark.records.records import Stored
from benchmark.statistics.derived import derived
from zoo.dataset.figure import Figure


def predicted_against_true(found: Sequence[Stored], zoo_folders: list[Path]) -> Figure:
    """A panel for each zoo (row) and metanet (column): each test net's true target and its prediction.

    `found` are records on one target; of several seeds the first is drawn. Raises ValueError where a record's zoo is
    not among `zoo_folders`.
    """
    opened = {zoo.manifest_sha256: zoo for zoo in map(zoos.open, zoo_folders)}
    drawn: dict[tuple[str, str], Stored] = {}
    for one in sorted(found, key=lambda one: (one.record.metanet.baseline, one.path)):  # baselines to the right
        zoo = one.record.task.test_zoo
        if zoo.manifest_sha256 not in opened:
            raise ValueError(f"{one.path} is of zoo {zoo.label()}, which is not among those given")
        drawn.setdefault((zoo.manifest_sha256, one.record.metanet.name), one)
    rows = list(dict.fromkeys(zoo for zoo, _ in drawn))
    columns = list(dict.fromkeys(name for _, name in drawn))
    figure = Figure(figsize=(2.4 * len(columns) + 0.6, 2.6 * len(rows) + 0.4), layout="constrained")
    panels = figure.subplots(len(rows), len(columns), squeeze=False, sharex="row", sharey="row")
    for row, digest in enumerate(rows):
        for column, name in enumerate(columns):
            axes = panels[row, column]
            if (digest, name) not in drawn:
                axes.set_axis_off()
                continue
            frame = drawn[digest, name].frame
            frame = frame[frame["split"] == "test"]
            true = frame["target"].to_numpy()
            ends = [float(np.min(true)), float(np.max(true))]
            axes.plot(ends, ends, color="0.6", linewidth=1)
            axes.scatter(true, frame["prediction"], s=7, alpha=0.6, linewidths=0)
            margin = 0.25 * (ends[1] - ends[0])
            axes.set_ylim(ends[0] - margin, ends[1] + margin)  # a wild prediction must not squeeze the others
            scores = derived(drawn[digest, name].frame).test
            axes.set_title(f"{name}\nR² {scores['r2']:.2f}, tau {scores['tau']:.2f}", fontsize="small")
        panels[row, 0].set_ylabel(f"{opened[digest].spec.family}\npredicted", fontsize="small")
    for axes in panels[-1]:
        axes.set_xlabel(f"true {next(iter(drawn.values())).record.task.target.replace('_', ' ')}", fontsize="small")
    return figure


def sample_efficiency(cells: pd.DataFrame) -> Figure:
    """A panel for each task and zoo: R² against the number of training nets, a line a metanet, with 95% intervals.

    `cells` are a leaderboard's; tasks that differ in that number only are one. Raises ValueError where no metanet was
    scored with two or more numbers of nets.
    """
    cells = cells[cells["fitted_on"] == cells["zoo"]]
    cells = cells.assign(curve=[re.sub(r",nets=\d+", "", task) for task in cells["task"]])
    counts = cells.groupby(["curve", "zoo", "metanet"])["train_nets"].transform("nunique")
    cells = cells[(counts > 1) & ~cells["task"].str.contains("shift=")]
    if cells.empty:
        raise ValueError("no metanet has records with two or more numbers of training nets; `metazoo score --train-nets`")
    panels = list(cells.groupby(["curve", "zoo"], sort=False))
    figure = Figure(figsize=(4.2 * len(panels) + 0.6, 3.6), layout="constrained")
    for axes, ((curve, zoo), found) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, line in found.groupby("metanet", sort=False):
            line = line.sort_values("train_nets")
            style = "--" if line["baseline"].iloc[0] else "-"
            (drawn,) = axes.plot(line["train_nets"], line["r2_mean"], style, marker="o", markersize=3, label=name)
            axes.fill_between(line["train_nets"], line["r2_low"], line["r2_high"], alpha=0.12, color=drawn.get_color())
        axes.set_xscale("log")
        axes.set_xticks(sorted(found["train_nets"].unique()), [str(n) for n in sorted(found["train_nets"].unique())])
        axes.minorticks_off()
        axes.set_ylim(max(-0.5, found["r2_low"].min()) - 0.05, 1.02)
        axes.set_xlabel("training nets")
        axes.set_title(f"{curve.replace('_', ' ')}, {zoo}", fontsize="small")
        axes.legend(fontsize="x-small")
    figure.axes[0].set_ylabel("R² on test nets")
    return figure
