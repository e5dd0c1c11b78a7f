"""Pictures: curves between nets with bands, barriers against distance, and fans of curves from the start of training."""

import numpy as np

from zoo.dataset.figure import Figure
from zoo.landscape.connect import Connected
from zoo.landscape.interpolate import Interpolated

FAN = 200  # curves that are drawn, at most: more cover each other


def of_pairs(found: Connected, title: str) -> Figure:
    """Mean test loss and accuracy along the lines, with bands of a standard deviation; each barrier against the distance."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    loss, accuracy, distance = figure.subplots(1, 3)
    for what, curves in found.curves.items():
        for axes, values in ((loss, curves.loss), (accuracy, curves.accuracy)):
            times = np.linspace(0, 1, values.shape[1])
            middle, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
            (line,) = axes.plot(times, middle, label=what)
            axes.fill_between(times, middle - spread, middle + spread, alpha=0.15, color=line.get_color(), linewidth=0)
        part = found.frame[found.frame["remove"] == what]
        distance.scatter(part["distance"], part["barrier_mid"], s=8, alpha=0.5, linewidths=0, label=what)
    loss.set(xlabel="from one net to the other", ylabel="test loss, nats")
    accuracy.set(xlabel="from one net to the other", ylabel="test accuracy", ylim=(0, 1))
    distance.set(xlabel="distance of both nets' weights", ylabel="barrier in the middle, nats")
    loss.legend(title="removed before", fontsize="small")
    pairs = len(next(iter(found.curves.values())).loss)
    figure.suptitle(f"{title}: {pairs} pairs of nets, mean and standard deviation")
    return figure


def of_starts(found: Interpolated, accuracy: np.ndarray, title: str) -> Figure:
    """The training loss on the line from each net's initial weights, coloured by its test accuracy, as in `accuracy`."""
    from matplotlib.cm import ScalarMappable  # behind Figure, which sees to the backend
    from matplotlib.colors import Normalize

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    losses = found.curves.loss[:FAN]
    times = np.linspace(0, 1, losses.shape[1])
    colours = ScalarMappable(Normalize(np.nanmin(accuracy), np.nanmax(accuracy)), "viridis")
    figure.colorbar(colours, ax=axes, label="test accuracy")
    for curve, number in zip(losses, accuracy, strict=False):
        axes.plot(times, curve, color=colours.to_rgba(number), linewidth=0.7, alpha=0.7)
    axes.set(xlabel="from the initial weights to the trained ones", ylabel="training loss, nats")
    axes.set_title(f"{title}: {len(losses)} of {len(found.curves.loss)} nets")
    return figure
