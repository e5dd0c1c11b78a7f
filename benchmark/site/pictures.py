"""The pictures of the site, each with its numbers in words."""

import re
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmark.analyses import connectivity
from benchmark.leaderboard.columns import families
from benchmark.leaderboard.leaderboard import Leaderboard, Result
from benchmark.leaderboard.plots import sample_efficiency
from benchmark.site.scatter import scatter
from benchmark.site.svg import COLOURS, INK, Picture, drawn, picture
from zoo.dataset import plots
from zoo.dataset.reader import Zoo

MOST_POINTS = 1000  # of a scatter: more make an SVG slow and show nothing more
LOWEST = -1.0  # R² that a picture shows: below it there is nothing to compare


def _bounds(row: Any) -> str:
    return "" if pd.isna(row["r2_low"]) else f" [{row['r2_low']:.2f}, {row['r2_high']:.2f}]"


def forest(cells: pd.DataFrame, names: list[str], labels: dict[str, str], title: str) -> Picture:
    """R² with its interval, a line a metanet and zoo. What is below LOWEST is an arrow at the edge."""
    at = {(row["metanet"], row["zoo"]): row for row in cells.to_dict("records")}

    def draw() -> Figure:
        figure = Figure(figsize=(6, 0.9 + 0.16 * len(names) * (1 + len(labels))), layout="constrained")
        axes = figure.subplots()
        lowest = max(LOWEST, min(0.0, float(cells[["r2_mean", "r2_low"]].min(axis=None))))
        for number, (zoo, family) in enumerate(labels.items()):
            shift = (number - (len(labels) - 1) / 2) / (1 + len(labels))
            found = [(line + shift, at[name, zoo]) for line, name in enumerate(names) if (name, zoo) in at]
            colour = COLOURS[number % len(COLOURS)]
            for y, row in found:
                ends = np.clip([row["r2_low"], row["r2_high"]], lowest, 1)
                axes.plot(ends, [y, y], color=colour, linewidth=1.6)
                marker = "<" if row["r2_mean"] < lowest else "o"
                face = "none" if row["baseline"] else colour
                axes.plot(max(row["r2_mean"], lowest), y, marker, color=colour, markerfacecolor=face, markersize=6)
            axes.plot([], [], "o-", color=colour, label=drawn(family))
        if any(row["baseline"] for row in at.values()):
            axes.plot([], [], "o", color=INK, markerfacecolor="none", label="baseline")
        axes.set_yticks(range(len(names)), [drawn(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(lowest - 0.03, 1.02)
        axes.set_xlabel("R² on test nets, 95% intervals" + "; ◂ further left" * bool((cells["r2_mean"] < lowest).any()))
        axes.grid(axis="x", color=INK, alpha=0.15)
        figure.legend(loc="outside upper right", ncols=4, fontsize="small")
        return figure

    told = [f"{name} on {labels[zoo]} {row['r2_mean']:.3f}{_bounds(row)}" for (name, zoo), row in at.items()]
    return picture(("forest", title), draw, f"R² and 95% intervals, {title}: {'; '.join(told)}.")


def against_parameters(cells: pd.DataFrame, labels: dict[str, str], title: str) -> Picture:
    """R² against trained parameters, where they were counted."""
    counted = cells[cells["parameters"] > 1]
    marks = dict(zip(counted["metanet"].unique(), cycle("os^DvPX*<>ph"), strict=False))

    def draw() -> Figure:
        figure = Figure(figsize=(6, 3.4), layout="constrained")
        axes = figure.subplots()
        colours = {zoo: COLOURS[number % len(COLOURS)] for number, zoo in enumerate(labels)}
        for row in counted.to_dict("records"):
            face = "none" if row["baseline"] else colours[row["zoo"]]
            mark, colour = marks[row["metanet"]], colours[row["zoo"]]
            axes.plot(row["parameters"], max(row["r2_mean"], LOWEST), mark, color=colour, markerfacecolor=face)
        for zoo, family in labels.items():
            axes.plot([], [], "-", color=colours[zoo], linewidth=4, label=drawn(family))
        for name, mark in marks.items():
            axes.plot([], [], mark, color=INK, markerfacecolor="none", label=drawn(name))
        axes.set_xscale("log")
        axes.margins(0.08)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.minorticks_off()
        axes.set_xlabel("trained parameters")
        axes.set_ylabel("R² on test nets" + f", not below {LOWEST:g}" * bool((counted["r2_mean"] < LOWEST).any()))
        axes.grid(color=INK, alpha=0.15)
        figure.legend(loc="outside right upper", fontsize="small")
        return figure

    told = [
        f"{row['metanet']} on {labels[row['zoo']]}: {int(row['parameters']):,} parameters, R² {row['r2_mean']:.3f}"
        for row in counted.to_dict("records")
    ]
    return picture(("parameters", title), draw, f"R² against parameters, {title}: {'; '.join(told)}.")


def predicted_against_true(result: Result) -> Picture:
    """The first seed's predictions of the test nets against the truth."""
    first = result.records[0]
    step = -(-len(result.target) // MOST_POINTS)
    true, predicted = result.target, result.predicted[0]
    score = f"R² {result.scores[0].test['r2']:.3f}, tau {result.scores[0].test['tau']:.3f}"
    nets = f"{len(true)} test nets" + f", one in {step} drawn" * (step > 1)
    alt = (
        f"Predicted against true {first.task.target} of {nets}, seed {first.seed}: {score}; "
        f"true from {true.min():.3g} to {true.max():.3g}, predicted from {predicted.min():.3g} to {predicted.max():.3g}."
    )
    return scatter(("predicted", *result.key), true[::step], predicted[::step], target=first.task.target, alt=alt)


def matrices(board: Leaderboard) -> list[tuple[str, str, Picture]]:
    """(task, metanet, heat map) of each transfer matrix, less the zoos between which there is no transfer."""
    found = []
    for (task, metanet), matrix in board.matrices().items():
        off = [(a, b) for a in matrix.index for b in matrix.columns if a != b and pd.notna(matrix.loc[a, b])]
        labels = sorted({label for pair in off for label in pair})
        part = matrix.reindex(index=labels, columns=labels)
        cells = board.cells[board.cells["zoo"].isin(labels)]
        found.append((task, metanet, _heat_map(task, metanet, part, families(cells))))
    return found


def _heat_map(task: str, metanet: str, matrix: pd.DataFrame, short: dict[str, str]) -> Picture:
    values = matrix.to_numpy(float)
    told = [
        f"fitted on {fitted}, tested on {tested}: {values[i, j]:.2f}"
        for i, fitted in enumerate(matrix.index)
        for j, tested in enumerate(matrix.columns)
        if np.isfinite(values[i, j])
    ]

    def draw() -> Figure:
        side = 2.2 + 0.6 * len(matrix)
        figure = Figure(figsize=(side + 0.3, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(values, cmap="RdBu", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 else "black"
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize="small")
        words = [drawn(short[label]) if short.get(label, label) != label else label for label in matrix.index]
        names = [name.replace("-resnet8-", "\nresnet8-") for name in words]
        axes.set_xticks(range(len(names)), names, fontsize="small", rotation=30, ha="right")
        axes.set_yticks(range(len(names)), names, fontsize="small")
        axes.set(xlabel="tested on", ylabel="fitted on")
        return figure

    return picture(("transfer", task, metanet), draw, f"R² of {metanet}, {task}: {'; '.join(told)}.")


def curves(cells: pd.DataFrame) -> list[Picture]:
    """R² against the number of training nets, one picture for each task and zoo that was scored with several."""
    found = []
    cells = cells[~cells["task"].str.contains("shift=")]
    whole = cells.assign(base=[re.sub(r",nets=\d+", "", task) for task in cells["task"]])
    for (base, zoo), part in whole[whole["fitted_on"] == whole["zoo"]].groupby(["base", "zoo"], sort=False):
        named = part.assign(metanet=part["metanet"].map(drawn), task=drawn(base))
        try:
            sample_efficiency(named)
        except ValueError:  # nothing to draw a line through
            continue
        told = [
            f"{row['metanet']} with {row['train_nets']} nets {row['r2_mean']:.3f}{_bounds(row)}"
            for _, row in part.iterrows()
        ]
        alt = f"R² against training nets, {base} of {zoo}: {'; '.join(told)}."
        found.append(picture(("curve", base, zoo), partial(sample_efficiency, named), alt))
    return found


def connected(report: connectivity.Report) -> Picture:
    """The mean test loss on the lines between nets, with bands of a standard deviation over pairs."""

    def draw() -> Figure:
        figure = Figure(figsize=(6, 3.2), layout="constrained")
        axes = figure.subplots()
        for row in report.rows:
            times, loss, spread = np.linspace(0, 1, len(row.loss)), np.array(row.loss), np.array(row.loss_sd)
            (line,) = axes.plot(times, loss, label=row.remove)
            axes.fill_between(times, loss - spread, loss + spread, alpha=0.12, color=line.get_color(), linewidth=0)
        axes.set(xlabel="from one net to the other", ylabel="test loss, nats")
        axes.grid(color=INK, alpha=0.15)
        figure.legend(title="removed before", loc="outside right upper", fontsize="small")
        return figure

    told = [
        f"{row.remove} removed: {row.loss[0]:.3g} at one end, {row.loss[len(row.loss) // 2]:.3g} in the middle"
        for row in report.rows
    ]
    return picture(("connected", report.zoo.label()), draw, f"Mean test loss between nets; {'; '.join(told)}.")


def histograms(given: list[Zoo], target: str) -> Picture:
    """A target's distribution in each zoo."""
    told = []
    for zoo in given:
        settled = zoo.columns.loc[~zoo.columns["diverged"], target]
        settled = settled[np.isfinite(settled)]  # imported zoos may lack some
        low, middle, high = settled.quantile([0.25, 0.5, 0.75])
        told.append(f"{zoo.spec.family}: {len(settled)} nets, median {middle:.3g}, quartiles {low:.3g} to {high:.3g}")
    key = ("histograms", target, *(zoo.manifest_sha256 for zoo in given))
    alt = f"Distribution of {target}. {'; '.join(told)}."

    def draw() -> Figure:
        figure = plots.histograms(given, target)
        figure.axes[0].margins(y=0.08 + 0.08 * len(given))  # room for the legend
        return figure

    return picture(key, draw, alt, names=False)


def against_hyper_parameters(zoo: Zoo, target: str) -> Picture:
    """A target against each hyper-parameter of a zoo."""
    names = [name for name in zoo.hyper_parameters if name in zoo.targets and name != target]
    settled = zoo.columns[~zoo.columns["diverged"]]
    ranks = settled[[*names, target]].corr("spearman")[target]
    told = ", ".join(f"{name} undefined" if pd.isna(ranks[name]) else f"{name} {ranks[name]:+.2f}" for name in names)
    alt = f"{target} of {len(settled)} nets against each hyper-parameter; rank correlations: {told}."
    key = ("hyper-parameters", target, zoo.manifest_sha256)
    return picture(key, lambda: plots.against_hyper_parameters([zoo], target), alt, names=False)
