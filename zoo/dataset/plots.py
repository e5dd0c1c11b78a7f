"""Pictures of zoos: a target's distribution by family, and against each hyper-parameter."""

import io
from pathlib import Path

import numpy as np

from zoo.dataset.figure import Figure
from zoo.dataset.reader import Zoo
from zoo.storage import files

LOGARITHMIC = ("learning_rate", "weight_decay")
BINS = 24


def histograms(zoos: list[Zoo], target: str) -> Figure:
    """The distribution of the target in each zoo, over the same bins; diverged nets are left out and counted."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    settled = [zoo.columns.loc[~zoo.columns["diverged"], target].astype(float) for zoo in zoos]
    values = [column[np.isfinite(column)] for column in settled]  # imported zoos may lack some
    bins = np.histogram_bin_edges(np.concatenate(values), bins=BINS).tolist()
    for zoo, column in zip(zoos, values, strict=True):
        diverged = int(zoo.columns["diverged"].sum())
        low, high = column.quantile([0.25, 0.75])
        label = f"{zoo.spec.family}: {len(column)} nets, quartiles {low:.2f} to {high:.2f}, {diverged} diverged"
        axes.hist(column, bins=bins, alpha=0.55, label=label)
    axes.set(xlabel=_words(target), ylabel="nets", title=f"{_words(target)} of {zoos[0].spec.image_task} nets")
    axes.legend(fontsize="small")
    return figure


def against_hyper_parameters(zoos: list[Zoo], target: str) -> Figure:
    """The target of each net against each hyper-parameter but itself, in one panel each."""
    names = [name for name in zoos[0].hyper_parameters if name in zoos[0].targets and name != target]
    if not names:
        raise ValueError(f"{zoos[0].folder}: no hyper-parameter to draw {target} against")
    figure = Figure(figsize=(3.2 * len(names), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        for zoo in zoos:
            settled = zoo.columns[~zoo.columns["diverged"]]
            axes.scatter(settled[name], settled[target], s=6, alpha=0.5, linewidths=0, label=zoo.spec.family)
        axes.set(xlabel=_words(name), xscale="log" if name in LOGARITHMIC else "linear")
    figure.axes[0].set_ylabel(_words(target))
    marks, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(marks, labels, loc="outside upper center", ncols=len(zoos), fontsize="small", markerscale=2)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Writes a picture, in the format of the path's suffix (png or svg)."""
    memory = io.BytesIO()
    figure.savefig(memory, format=path.suffix[1:], dpi=150)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, memory.getvalue())
    return path


def _words(name: str) -> str:
    return name.replace("_", " ")
