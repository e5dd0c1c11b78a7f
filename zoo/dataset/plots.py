"""Pictures of zoos: a target's distribution by family, and against each hyper-parameter."""

import io
from pathlib import Path

import numpy as np

from zoo.dataset.figure import Figure
from zoo.dataset.reader import Zoo
from zoo.spec.columns import LOGARITHMIC
from zoo.storage import files

BINS = 24


def histograms(zoos: list[Zoo], target: str) -> Figure:
    """The distribution of the target in each zoo, over the same bins; diverged nets are left out and counted."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    settled = [zoo.columns.loc[~zoo.columns["diverged"], target].astype(float) for zoo in zoos]
    values = [column[np.isfinite(column)] for column in settled]  # imported zoos may lack some
    bins = np.histogram_bin_edges(np.concatenate(values), bins=BINS).tolist()
    for zoo, column, name in zip(zoos, values, _names(zoos), strict=True):
        diverged = int(zoo.columns["diverged"].sum())
        low, high = column.quantile([0.25, 0.75])
        label = f"{name}: {len(column)} nets, quartiles {low:.2f} to {high:.2f}, {diverged} diverged"
        axes.hist(column, bins=bins, alpha=0.55, label=label)
    axes.set(xlabel=_words(target), ylabel="nets", title=title(zoos, target))
    axes.legend(fontsize="small")
    return figure


def against_hyper_parameters(zoos: list[Zoo], target: str) -> Figure:
    """The target of each net against all that was drawn for it but itself, in one panel each.

    That is hyper-parameters and hidden axes; those that are the same in all nets are left out, unless all are.
    """
    if not (names := drawn(zoos, target) or _known(zoos, target)):
        raise ValueError(f"{zoos[0].folder}: no hyper-parameter to draw {target} against")
    figure = Figure(figsize=(3.2 * len(names), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        for zoo, label in zip(zoos, _names(zoos), strict=True):
            settled = zoo.columns[~zoo.columns["diverged"]]
            axes.scatter(settled[name], settled[target], s=6, alpha=0.5, linewidths=0, label=label)
        axes.set(xlabel=_words(name), xscale="log" if name in LOGARITHMIC else "linear")
    figure.axes[0].set_ylabel(_words(target))
    marks, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(marks, labels, loc="outside upper center", ncols=len(zoos), fontsize="small", markerscale=2)
    return figure


def drawn(zoos: list[Zoo], target: str) -> list[str]:
    """The hyper-parameters and hidden axes that nets of these zoos differ in, less the target."""
    return [name for name in _known(zoos, target) if any(zoo.columns[name].nunique() > 1 for zoo in zoos)]


def title(zoos: list[Zoo], target: str) -> str:
    """What a picture of a target shows: of which nets, on which images."""
    nets, images = (", ".join(dict.fromkeys(getattr(zoo.spec, of) for zoo in zoos)) for of in ("architecture", "image_task"))
    return f"{_words(target)} of {nets} nets on {images}"


def save(figure: Figure, path: Path) -> Path:
    """Writes a picture, in the format of the path's suffix (png or svg)."""
    memory = io.BytesIO()
    figure.savefig(memory, format=path.suffix[1:], dpi=150)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, memory.getvalue())
    return path


def _known(zoos: list[Zoo], target: str) -> list[str]:
    names = [*zoos[0].hidden_axes, *zoos[0].hyper_parameters]
    return [name for name in names if name != target and all(name in zoo.targets for zoo in zoos)]


def _names(zoos: list[Zoo]) -> list[str]:
    """What tells these zoos apart: families, names, or names with the beginning of the manifest's hash."""
    families, names = [zoo.spec.family for zoo in zoos], [zoo.spec.name for zoo in zoos]
    labels = [f"{zoo.spec.name}-{zoo.manifest_sha256[:8]}" for zoo in zoos]
    return next((found for found in (families, names) if len({*found}) == len(zoos)), labels)


def _words(name: str) -> str:
    return name.replace("_", " ")
