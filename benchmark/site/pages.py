"""What stands on each page of the site: the values for its template, and the pictures that these need."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd

from benchmark.leaderboard.tables import about, families, legend, ordered
from benchmark.scoring.task import reference
from benchmark.site import pictures
from benchmark.site.site_data import TIERS, Source
from benchmark.site.svg import slug
from zoo.dataset.reader import Zoo
from zoo.dataset.summary import QUANTILES, summary
from zoo.spec.imported import Imported
from zoo.spec.spec import SPECS, to_json
from zoo.storage import files


def index(source: Source, made: dict[str, bytes]) -> dict[str, Any]:
    """The first page: a board for each task and architecture, transfer, sample efficiency."""
    boards = sorted(source.board.boards(), key=lambda cells: _place(cells["task"].iloc[0]))
    tasks: dict[str, list[dict[str, Any]]] = {}
    for cells in boards:
        tasks.setdefault(cells["task"].iloc[0], []).append(_board(cells, source, made))
    cells = source.board.cells
    counts = {
        "tasks": len(tasks),
        "zoos": len(set(cells["zoo"])),
        "metanets": len(set(cells.loc[~cells["floor"], "metanet"])),
        "floors": len(set(cells.loc[cells["floor"], "metanet"])),
        "records": int(cells["seeds"].sum()),
    }
    latest = max(record.date for result in source.results.values() for record in result.records)
    return {
        "tasks": tasks,
        "counts": counts,
        "latest": latest,
        "tiers": TIERS,
        "matrices": pictures.matrices(source.board, made),
        "curves": pictures.curves(cells, made),
    }


def _place(task: str) -> tuple[int, str, int]:
    """Where a task stands: plain tasks first, and those of a sample-efficiency curve by their number of nets."""
    nets = re.search(r",nets=(\d+)", task)
    return task.count(",") + (nets is not None), re.sub(r"\d+", "", task), int(nets[1][:9]) if nets else 0


def _board(cells: pd.DataFrame, source: Source, made: dict[str, bytes]) -> dict[str, Any]:
    names = ordered(cells)
    labels = families(cells)
    title = about(cells)
    rows = [_row(name, cells[cells["metanet"] == name], labels, source) for name in names]
    drawn = [pictures.forest(cells, names, labels, title, made)]
    if "nets=" not in cells["task"].iloc[0] and cells.loc[cells["parameters"] > 1, "metanet"].nunique() > 1:
        drawn.append(pictures.against_parameters(cells, labels, title, made))
    given = [source.opened[label] for label in labels if label in source.opened]
    target = cells["target"].iloc[0]
    if given and cells["task"].iloc[0] == target and all(target in zoo.targets for zoo in given):
        drawn.append(pictures.histograms(given, target, made))
    shown = ["r2", "tau", *["gain"] * bool(cells["gain"].notna().any())]
    return {
        "id": slug(title),
        "title": title,
        "board": cells["board"].iloc[0],
        "legend": legend(cells),
        "labels": labels,
        "shown": shown,
        "rows": rows,
        "pictures": drawn,
        "floors": bool(cells["floor"].any()),
    }


def _row(name: str, cells: pd.DataFrame, labels: dict[str, str], source: Source) -> dict[str, Any]:
    """A metanet's line on a board: its cell of each zoo, where it has one, and what does not depend on the zoo."""
    at = {row["zoo"]: _cell(row, source) for row in cells.to_dict("records")}
    found = list(at.values())
    return {
        "metanet": name,
        "floor": found[0]["floor"],
        "zoos": [at.get(zoo) for zoo in labels],
        "parameters": sorted({cell["parameters"] for cell in found if cell["parameters"] is not None}),
        "seconds": float(np.mean([cell["seconds"] for cell in found])),
        "seeds": sorted({cell["seeds"] for cell in found}),
        "tier": min((cell["tier"] for cell in found), key=TIERS.index),
    }


def _cell(row: dict[Any, Any], source: Source) -> dict[str, Any]:
    """A row of `Leaderboard.cells` for templates: None for what there is not, with its tier and seconds of fitting."""
    key = row["task"], row["zoo"], row["metanet"]
    values = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    values["parameters"] = None if values["parameters"] is None else int(values["parameters"])
    seconds = float(np.mean([record.seconds for record in source.results[key].records]))
    return {**values, "tier": source.tiers[key], "seconds": seconds}


def metanet(name: str, source: Source, made: dict[str, bytes]) -> dict[str, Any]:
    """A metanet's page: its results, who submitted them, and how to have them again."""
    cells = source.board.cells
    results = [
        source.results[key] for key in sorted(source.results, key=lambda key: (_place(key[0]), key)) if key[2] == name
    ]
    found = [record for result in results for record in result.records]
    rows = [_cell(row, source) for row in cells[cells["metanet"] == name].to_dict("records")]
    return {
        "metanet": found[0].metanet,
        "versions": sorted({record.metanet.version for record in found}),
        "rows": sorted(rows, key=lambda row: (_place(row["task"]), row["zoo"])),
        "results": [(result, pictures.predicted_against_true(result, made)) for result in results],
        "commands": list(dict.fromkeys(record.command for record in found)),
        "environments": _distinct([record.environment for record in found]),
        "submissions": _distinct(source.submissions.get(name, [])),
        "tuned": _distinct([{k: v for k, v in record.tuned.items() if k != "with_seed"} for record in found]),
    }


def _distinct(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())


def zoo(label: str, source: Source, made: dict[str, bytes]) -> dict[str, Any]:
    """A zoo's page: its results and symmetries, and where the zoo itself is given, what it holds."""
    tasks = [record.task for result in source.results.values() for record in result.records]
    references = [zoo for task in tasks for zoo in (task.zoo, task.test_zoo) if zoo.label() == label]
    opened = source.opened.get(label)
    references += [reference(opened)] if opened else []
    cells = source.board.cells
    rows = [_cell(row, source) for row in cells[cells["zoo"] == label].to_dict("records")]
    values = {
        "label": label,
        "name": references[0].name,
        "family": references[0].family,
        "hashes": sorted({zoo.manifest_sha256 for zoo in references}),
        "rows": sorted(rows, key=lambda row: (_place(row["task"]), row["floor"], -row["r2_mean"])),
        "built_in": references[0].name in SPECS,
        "symmetries": source.symmetries.get(label, []),
        "summary": None,
        "imported": None,
    }
    return values if opened is None else {**values, **_opened(label, opened, {row["target"] for row in rows}, made)}


def _opened(label: str, zoo: Zoo, targets: set[str], made: dict[str, bytes]) -> dict[str, Any]:
    """What is known of a zoo whose folder is there. Its spec is put beside its page, to build it again."""
    drawn = [name for name in zoo.targets if name in targets | {"test_accuracy", "generalisation_gap"}] or zoo.targets[:1]
    first = "test_accuracy" if "test_accuracy" in drawn else drawn[0] if drawn else None
    has_others = any(name in zoo.targets and name != first for name in zoo.hyper_parameters)  # an imported zoo may have none
    spec = f"{slug(label)}.spec.json"
    made[f"zoos/{spec}"] = files.to_json(to_json(zoo.spec))
    return {
        "summary": summary(zoo) | {"folder": ""},  # where it lies here is nobody's business
        "quantile_names": [f"q{quantile:g}" for quantile in QUANTILES],
        "spec": zoo.spec,
        "spec_file": spec,
        "imported": zoo.spec.provenance if isinstance(zoo.spec, Imported) else None,
        "pictures": [
            *(pictures.histograms([zoo], name, made) for name in drawn),
            *([pictures.against_hyper_parameters(zoo, first, made)] if first and has_others else []),
        ],
    }
