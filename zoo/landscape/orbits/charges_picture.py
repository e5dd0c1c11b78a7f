"""A picture of the charges of a zoo's nets: before training and after it."""

import numpy as np

from zoo.dataset.figure import Figure
from zoo.landscape.orbits.drift import Drift

SHOWN = 6  # spaces, in two rows of three
BINS = 40
TAILS = (0.005, 0.995)  # quantiles between which charges are drawn: single nets lie far out


def picture(found: Drift, title: str) -> Figure:
    """The charges of all channels of all nets at the start and at the end of training, in a panel for each of SHOWN spaces.

    Of nets without free scales and mixes, those of the sizes.
    """
    names = (found.channels or [*found.group.sizes])[:SHOWN]
    figure = Figure(figsize=(9, 2.3 * -(-len(names) // 3) + 0.9), layout="constrained")
    panels = figure.subplots(-(-len(names) // 3), min(3, len(names)), squeeze=False).flatten()
    for axes, name in zip(panels, names, strict=False):
        sides = [part[name].flatten().numpy() for part in (found.start, found.end)]
        low, high = (float(value) for value in np.quantile(np.concatenate(sides), TAILS))
        bins = np.linspace(low, high if high > low else low + 1, BINS).tolist()
        for values, label in zip(sides, ("start of training", "end of training"), strict=True):
            axes.hist(values, bins=bins, alpha=0.55, label=label)
        axes.set(title=name, yticks=[])
    for axes in panels[len(names) :]:
        axes.remove()
    figure.suptitle(title, fontsize="medium")
    figure.supxlabel("charge, of each channel of each net" if found.channels else "sum of squares", fontsize="medium")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize="small")
    return figure
