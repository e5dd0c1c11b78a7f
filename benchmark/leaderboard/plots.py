"""Pictures of results: predicted against true, and scores against the number of training nets."""

import re
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import zoo as zoos
from benchmark.records.records import Stored
from benchmark.statistics.derived import derived
from zoo.dataset.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUTSIDE, RED = "prediction outside the panel", "tab:red"
ACROSS = 4  # panels in a line: what can be read at the width of a README


def predicted_against_true(found: Sequence[Stored], zoo_folders: list[Path]) -> Figure:
    """A panel for each zoo and metanet, ACROSS in a line: each test net's true target and its prediction.

    `found` are records on one target; of several seeds the first is drawn, and the scores are the means over seeds that
    boards show. Predictions outside the axes are triangles at their edge. Raises ValueError where a record's zoo is not
    among `zoo_folders`.
    """
    opened = {zoo.manifest_sha256: zoo for zoo in map(zoos.open, zoo_folders)}
    drawn: dict[str, dict[str, list[Stored]]] = {}
    for one in sorted(found, key=lambda one: (one.record.metanet.baseline, one.path)):  # baselines behind
        zoo = one.record.task.test_zoo
        if zoo.manifest_sha256 not in opened:
            raise ValueError(f"{one.path} is of zoo {zoo.label()}, which is not among those given")
        drawn.setdefault(zoo.manifest_sha256, {}).setdefault(one.record.metanet.name, []).append(one)
    across = min(ACROSS, max(map(len, drawn.values())))
    lines = {digest: ceil(len(names) / across) for digest, names in drawn.items()}
    figure = Figure(figsize=(2.3 * across + 0.5, 2.5 * sum(lines.values()) + 0.4), layout="constrained")
    panels = figure.subplots(sum(lines.values()), across, squeeze=False)
    first = 0
    for digest, names in drawn.items():
        part = panels[first : first + lines[digest]]
        for axes, (name, seeds) in zip(part.flat, names.items(), strict=False):
            _panel(axes, name, seeds)
        for axes in part.flat[len(names) :]:
            axes.set_axis_off()
        for axes in part[:, 0]:
            axes.set_ylabel(f"{opened[digest].spec.family}\npredicted", fontsize="small")
        first += lines[digest]
    figure.supxlabel(f"true {found[0].record.task.target.replace('_', ' ')}", fontsize="small")
    if any(OUTSIDE in axes.get_legend_handles_labels()[1] for axes in panels.flat):
        marks = panels[0, 0].scatter([], [], marker="^", s=22, color=RED)
        figure.legend([marks], [OUTSIDE], loc="outside lower right", fontsize="small", frameon=False, borderpad=0)
    return figure


def _panel(axes: "Axes", name: str, seeds: Sequence[Stored]) -> None:
    """One metanet's predictions of one zoo's test nets."""
    frame = seeds[0].frame
    frame = frame[frame["split"] == "test"]
    true, predicted = frame["target"].to_numpy(), frame["prediction"].to_numpy()
    ends = [float(np.min(true)), float(np.max(true))]
    axes.plot(ends, ends, color="0.6", linewidth=1)
    margin = 0.25 * (ends[1] - ends[0])
    low, high = ends[0] - margin, ends[1] + margin  # a wild prediction must not squeeze the others
    axes.set_ylim(low, high)
    inside = (predicted >= low) & (predicted <= high)
    axes.scatter(true[inside], predicted[inside], s=7, alpha=0.6, linewidths=0)
    for marker, place, some in (("v", low, predicted < low), ("^", high, predicted > high)):
        axes.scatter(
            true[some],
            np.full(some.sum(), place),
            marker=marker,
            s=22,
            color=RED,
            clip_on=False,
            zorder=3,
            label=OUTSIDE if some.any() else None,
        )
    scores = [derived(one.frame).test for one in seeds]
    r2, tau = (float(np.mean([one[metric] for one in scores])) for metric in ("r2", "tau"))
    axes.set_title(f"{name}\nR² {r2:.2f}, tau {tau:.2f}", fontsize="medium")


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
