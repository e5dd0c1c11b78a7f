"""Pictures of results: predicted against true."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import zoo as zoos
from benchmark import records


def predicted_against_true(paths: list[Path], zoo_folders: list[Path]) -> Figure:
    """A panel for each zoo (row) and metanet (column): each test net's true target and its prediction.

    `paths` are records on one target; of several seeds the first is drawn. Raises ValueError where a record's zoo is
    not among `zoo_folders`.
    """
    opened = {zoo.manifest_sha256: zoo for zoo in map(zoos.open, zoo_folders)}
    drawn: dict[tuple[str, str], tuple[Path, records.Record]] = {}
    found = [(path, records.read(path)) for path in sorted(paths)]
    for path, record in sorted(found, key=lambda pair: bool(pair[1].metanet["floor"])):  # floors to the right
        if record.task["manifest_sha256"] not in opened:
            raise ValueError(f"{path} is of zoo {record.label()}, which is not among those given")
        drawn.setdefault((record.task["manifest_sha256"], record.metanet["name"]), (path, record))
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
            path, record = drawn[digest, name]
            frame = records.read_predictions(path, record)
            frame = frame[frame["split"] == "test"]
            true = opened[digest].columns[record.task["target"]].to_numpy()[frame["index"]]
            ends = [float(np.min(true)), float(np.max(true))]
            axes.plot(ends, ends, color="0.6", linewidth=1)
            axes.scatter(true, frame["prediction"], s=7, alpha=0.6, linewidths=0)
            margin = 0.25 * (ends[1] - ends[0])
            axes.set_ylim(ends[0] - margin, ends[1] + margin)  # a wild prediction must not squeeze the others
            axes.set_title(f"{name}\nR² {record.test['r2']:.2f}, tau {record.test['tau']:.2f}", fontsize="small")
        panels[row, 0].set_ylabel(f"{opened[digest].spec.net.family}\npredicted", fontsize="small")
    for axes in panels[-1]:
        axes.set_xlabel(f"true {next(iter(drawn.values()))[1].task['target'].replace('_', ' ')}", fontsize="small")
    return figure
