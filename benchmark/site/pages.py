"""What stands on each page of the site: the values for its template, and the files that these need beside it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.leaderboard.columns import about, attainable, families, legend, shown
from benchmark.leaderboard.ranking import Ranking, ranked
from benchmark.leaderboard.track import TRACKS
from benchmark.leaderboard.tracks import MEAN, in_words, not_counted, tracks
from benchmark.records.records import Record
from benchmark.scoring.task import reference
from benchmark.site import pictures
from benchmark.site.about import about as about_metanet
from benchmark.site.site_data import TIERS, Source
from benchmark.site.svg import Picture, slug
from benchmark.statistics.derived import Derived
from zoo.dataset.reader import Zoo
from zoo.dataset.summary import QUANTILES, summary
from zoo.spec.imported import Imported
from zoo.spec.spec import SPECS, to_json
from zoo.storage import files

CHANGES = {  # the columns of a symmetry report: each kind of change, in words
    "permutation": "permuted channels",
    "scaling": "rescaled channels",
    "size": "other sizes",
    "together": "all together",
    "worst": "worst of 10% scales",
}

WIDE = 3  # zoos of a board above which it shows one kind of score at a time


@dataclass(frozen=True)
class Page:
    """The values for a page's template, and the name and bytes of each file that it shows or leads to."""

    values: dict[str, Any]
    files: tuple[tuple[str, bytes], ...]


def _page(values: dict[str, Any], drawn: Iterable[Picture], *more: tuple[str, bytes]) -> Page:
    return Page(values, (*(picture.named() for picture in drawn), *more))


def index(source: Source) -> Page:
    """The first page: all tracks, a board for each task and architecture, transfer, sample efficiency."""
    boards = sorted(source.board.boards(), key=lambda cells: _place(cells["task"].iloc[0]))
    tasks: dict[str, list[dict[str, Any]]] = {}
    for cells in boards:
        tasks.setdefault(cells["task"].iloc[0], []).append(_board(cells, source))
    cells = source.board.cells
    counts = {
        "tasks": len(tasks),
        "zoos": len(set(cells["zoo"])),
        "metanets": len(set(cells.loc[~cells["baseline"], "metanet"])),
        "baselines": len(set(cells.loc[cells["baseline"], "metanet"])),
        "records": int(cells["seeds"].sum()),
    }
    latest = max(record.date for result in source.results.values() for record in result.records)
    matrices, curves = pictures.matrices(source.board), pictures.curves(cells)
    drawn = [picture for found in tasks.values() for board in found for picture in board["pictures"]]
    values = {
        "tasks": tasks,
        "tracks": _tracks(source),
        "counts": counts,
        "latest": latest,
        "tiers": TIERS,
        "matrices": matrices,
        "curves": curves,
        "remarks": source.remarks,
        "connected": source.connected,
    }
    return _page(values, [*drawn, *(picture for _, _, picture in matrices), *curves])


def _tracks(source: Source) -> dict[str, Any] | None:
    """The table over all tracks: its heads, a line for each metanet that has a mean, and what does not count; None: there is
    no second track.
    """
    found = tracks(source.board)
    heads = [name for name in TRACKS if name in found]
    found = found[found[MEAN].notna()]
    if len(heads) < 2 or found.empty:
        return None
    words, baseline = in_words(found), source.board.cells.groupby("metanet")["baseline"].first()
    rows = [
        (name, bool(baseline[name]), bool(found.loc[name, "runs"]), [(text, found.loc[name, head]) for head, text in texts])
        for name, texts in zip(found.index, (row.items() for _, row in words.iterrows()), strict=True)
    ]
    about = {head: TRACKS[head] for head in heads}
    return {"heads": list(words.columns), "rows": rows, "about": about, "not_counted": not_counted(source.board)}


def _place(task: str) -> tuple[int, str, int]:
    """Where a task stands: plain tasks first, and those of a sample-efficiency curve by their number of nets."""
    nets = re.search(r",nets=(\d+)", task)
    return task.count(",") + (nets is not None), re.sub(r"\d+", "", task), int(nets[1][:9]) if nets else 0


def _board(cells: pd.DataFrame, source: Source) -> dict[str, Any]:
    ranking = ranked(cells)
    names = list(ranking.in_place)
    labels = families(cells)
    title = about(cells)
    rows = [_row(name, cells[cells["metanet"] == name], labels, source, ranking) for name in names]
    drawn = [pictures.forest(cells, names, labels, title)]
    if "nets=" not in cells["task"].iloc[0] and cells.loc[cells["parameters"] > 1, "metanet"].nunique() > 1:
        drawn.append(pictures.against_parameters(cells, labels, title))
    given = [source.opened[label] for label in labels if label in source.opened]
    target = cells["target"].iloc[0]
    if given and cells["task"].iloc[0] == target and all(target in zoo.targets for zoo in given):
        drawn.append(pictures.histograms(given, target))
    return {
        "id": slug(title),
        "title": title,
        "lite": bool(cells["lite"].any()),
        "board": cells["board"].iloc[0],
        "legend": legend(cells),
        "attainable": attainable(cells),
        "labels": labels,
        "shown": [(zoo, shown(cells, zoo)) for zoo in labels],
        "ranked": bool(ranking.ranks or ranking.incomplete),
        "rows": rows,
        "pictures": drawn,
        "baselines": bool(cells["baseline"].any()),
        "kinds": list(dict.fromkeys(kind for zoo in labels for kind in shown(cells, zoo))),
        "wide": len(labels) > WIDE,
    }


def _row(name: str, cells: pd.DataFrame, labels: dict[str, str], source: Source, ranking: Ranking) -> dict[str, Any]:
    """A metanet's line on a board: its cell of each zoo, where it has one, and what does not depend on the zoo."""
    at = {row["zoo"]: _cell(row, source) for row in cells.to_dict("records")}
    found = list(at.values())
    return {
        "metanet": name,
        "baseline": found[0]["baseline"],
        "runs": found[0]["runs"],
        "zoos": [at.get(zoo) for zoo in labels],
        "parameters": sorted({cell["parameters"] for cell in found if cell["parameters"] is not None}),
        "seconds": float(np.mean([cell["seconds"] for cell in found])),
        "seeds": sorted({cell["seeds"] for cell in found}),
        "rank": ranking.ranks.get(name),
        "incomplete": name in ranking.incomplete,
        "unchecked": any(cell["labels"] for cell in found),
        "notices": list(dict.fromkeys(line for cell in found for line in cell["notices"])),
        "tier": min((cell["tier"] for cell in found), key=TIERS.index),
    }


def _cell(row: dict[Any, Any], source: Source) -> dict[str, Any]:
    """A row of `Leaderboard.cells` for templates: None for what there is not, with its tier and seconds of fitting."""
    key = row["task"], row["zoo"], row["metanet"]
    values = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    values["parameters"] = None if values["parameters"] is None else int(values["parameters"])
    seconds = float(np.mean([record.seconds for record in source.results[key].records]))
    ends = values["gain_high"] if values["gain_high"] is not None else values["gain"]
    values["below"] = not values["baseline"] and ends is not None and ends < 0
    return {**values, "tier": source.tiers[key], "seconds": seconds, "notices": source.notices.get(key, [])}


def metanet(name: str, source: Source) -> Page:
    """A metanet's page: its results, who submitted them, and how to have them again."""
    cells = source.board.cells
    results = [
        source.results[key] for key in sorted(source.results, key=lambda key: (_place(key[0]), key)) if key[2] == name
    ]
    found = [record for result in results for record in result.records]
    rows = [_cell(row, source) for row in cells[cells["metanet"] == name].to_dict("records")]
    drawn = [pictures.predicted_against_true(result) for result in results]
    told = [[_seed(record, scores) for record, scores in zip(one.records, one.scores, strict=True)] for one in results]
    values = {
        "name": name,
        "about": about_metanet(name) if results[0].own else None,
        "baseline": results[0].baseline,
        "own": results[0].own,
        "codes": sorted({code.file + ", SHA-256 " + code.sha256 for record in found if (code := record.metanet.code)}),
        "notices": [line for row in rows for line in row["notices"]],
        "unchecked": any(row["labels"] for row in rows),
        "versions": sorted({record.metanet.version for record in found}),
        "rows": sorted(rows, key=lambda row: (_place(row["task"]), row["zoo"])),
        "results": list(zip(results, drawn, told, strict=True)),
        "commands": list(dict.fromkeys(record.command for record in found)),
        "environments": _distinct([record.environment for record in found]),
        "submissions": _distinct(source.submissions.get(name, [])),
        "tuned": _distinct([_tuned(record) for record in found]),
    }
    return _page(values, drawn)


def _seed(record: Record, scores: Derived) -> dict[str, Any]:
    """A seed with its scores, all derived from its predictions, and what was chosen, less the score that it states."""
    chosen = {name: value for name, value in record.chosen.items() if name != "validation_r2"}
    return {"record": record, "test": scores.test, "validation": scores.validation, "chosen": chosen}


def _tuned(record: Record) -> dict[str, Any]:
    """How a record's metanet was trained, whatever the seed."""
    tuned = {name: value for name, value in record.tuned.items() if name != "with_seed"}
    return tuned | ({"augmented by": ", ".join(record.augment)} if record.augment else {})


def _distinct(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())


def zoo(label: str, source: Source) -> Page:
    """A zoo's page: its results and symmetries, and where the zoo itself is given, what it holds."""
    tasks = [record.task for result in source.results.values() for record in result.records]
    references = [zoo for task in tasks for zoo in (task.zoo, task.test_zoo) if zoo.label() == label]
    opened = source.opened.get(label)
    references += [reference(opened)] if opened else []
    references += [source.connected[label].zoo] if label in source.connected else []
    cells = source.board.cells
    rows = [_cell(row, source) for row in cells[cells["zoo"] == label].to_dict("records")]
    values = {
        "label": label,
        "name": references[0].name,
        "family": references[0].family,
        "hashes": sorted({zoo.manifest_sha256 for zoo in references}),
        "rows": sorted(rows, key=lambda row: (_place(row["task"]), row["baseline"], -row["r2_mean"])),
        "built_in": references[0].name in SPECS,
        "symmetries": source.symmetries.get(label, []),
        "changes": CHANGES,
        "summary": None,
        "imported": None,
    }
    lines = pictures.connected(source.connected[label]) if label in source.connected else None
    page = _page({**values, "connected": source.connected.get(label), "lines": lines}, [lines] if lines else [])
    return page if opened is None else _opened(label, opened, {row["target"] for row in rows}, page)


def _opened(label: str, zoo: Zoo, targets: set[str], page: Page) -> Page:
    """The page with what is known of a zoo whose folder is there; its spec is put beside it, to build the zoo again."""
    drawn = [name for name in zoo.targets if name in targets | {"test_accuracy", "generalisation_gap"}] or zoo.targets[:1]
    first = "test_accuracy" if "test_accuracy" in drawn else drawn[0] if drawn else None
    has_others = any(name in zoo.targets and name != first for name in zoo.hyper_parameters)  # an imported zoo may have none
    spec = f"{slug(label)}.spec.json"
    shown = [pictures.histograms([zoo], name) for name in drawn]
    shown += [pictures.against_hyper_parameters(zoo, first)] if first and has_others else []
    known = {
        "summary": summary(zoo) | {"folder": ""},  # where it lies here is nobody's business
        "quantile_names": [f"q{quantile:g}" for quantile in QUANTILES],
        "spec": zoo.spec,
        "spec_file": spec,
        "imported": zoo.spec.provenance if isinstance(zoo.spec, Imported) else None,
        "pictures": shown,
    }
    return _page({**page.values, **known}, shown, (f"zoos/{spec}", files.to_json(to_json(zoo.spec))), *page.files)
