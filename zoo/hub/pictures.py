"""The pictures of a release: how what is predicted of the nets is distributed, and how it goes with what was drawn."""

import io
from dataclasses import replace

import numpy as np

from zoo.dataset import plots
from zoo.dataset.figure import Figure
from zoo.dataset.reader import Zoo

Pictures = dict[str, tuple[str, Figure]]  # captions and pictures, by path


def pictures(zoos: list[Zoo]) -> Pictures:
    """For zoos that can stand in one picture, a histogram of each target; and the headline against all that was drawn.

    The targets are the hidden axes where there are any, or else the zoo's headline.
    """
    groups: dict[tuple[object, ...], list[Zoo]] = {}
    for zoo in zoos:
        if zoo.headline:
            key = (zoo.spec.image_task, zoo.spec.architecture, zoo.headline, *zoo.hidden_axes, *zoo.hyper_parameters)
            groups.setdefault(key, []).append(zoo)
    made: Pictures = {}
    for number, members in enumerate(groups.values(), start=1):
        made |= _of_group(f"pictures/{number}-{members[0].spec.image_task}", members)
    return made


def png(figure: Figure) -> bytes:
    """The figure as PNG: the same bytes for the same figure, by one version of matplotlib."""
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=150, metadata={"Software": None})  # the version would change the bytes
    return memory.getvalue()


def _of_group(path: str, zoos: list[Zoo]) -> Pictures:
    first, headline = zoos[0], str(zoos[0].headline)
    made: Pictures = {}
    for target in first.hidden_axes or [headline]:
        caption, known = _captioned(zoos, target)
        made[f"{path}-{target}.png"] = (f"Histogram: {caption}", plots.histograms(known, target))
    if plots.drawn(zoos, headline):
        caption, known = _captioned(zoos, headline)
        against = "what was drawn for each net" if first.hidden_axes else "each hyper-parameter"
        figure = plots.against_hyper_parameters(known, headline)
        made[f"{path}-hyper_parameters.png"] = (f"{caption}, against {against}", figure)
    return made


def _captioned(zoos: list[Zoo], target: str) -> tuple[str, list[Zoo]]:
    """What is shown, and the zoos less nets that did not diverge and yet have no finite target, as imported ones may."""
    known = [replace(z, columns=z.columns[np.isfinite(z.columns[target]) | z.columns["diverged"]]) for z in zoos]
    left_out = sum(map(len, zoos)) - sum(map(len, known))
    return plots.title(zoos, target) + f" ({left_out} without one are left out)" * bool(left_out), known
