"""The leaderboard as a static site: pages of all tasks, of each metanet and of each zoo, that work from files.

Whatever stands in records comes from others: Jinja2 escapes it, files are named by slugs, and nothing in it is a link
unless it is an http(s) URL. The same records and zoos give the same bytes.
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import zoo as zoos
from benchmark import pictures, records, symmetry
from benchmark.leaderboard import FLOOR, Leaderboard, Result, from_paths
from benchmark.pictures import slug
from benchmark.records import SUBMISSION, ZooReference
from benchmark.submission import read_submission
from benchmark.symmetry import NAME, Report
from benchmark.tables import about, families, legend, ordered
from benchmark.trust import tier
from zoo import files
from zoo.imported import Imported
from zoo.reader import Zoo
from zoo.spec import SPECS, to_json
from zoo.summary import QUANTILES, summary

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("style.css", "page.js")
GENERATOR = '<meta name="generator" content="metazoo page">'  # marks a site that --overwrite may replace
SELF_REPORTED = "self-reported"
TIERS = (SELF_REPORTED, "verified", "reproduced")  # from the least trusted on


@dataclass(frozen=True)
class Source:
    """What the pages are made of. `results` are by key, seeds in order; `tiers` by key;
    `submissions` by metanet; `symmetries` and `opened` zoos by label."""

    board: Leaderboard
    results: dict[tuple[str, str, str], Result]
    tiers: dict[tuple[str, str, str], str]
    submissions: dict[str, list[dict[str, Any]]]
    symmetries: dict[str, list[Report]]
    opened: dict[str, Zoo]


def write(results: Path, out: Path, *, zoo_folders: list[Path] | None = None, overwrite: bool = False) -> Path:
    """Writes the site of the records under `results` into the folder `out`; returns its index.html.

    Raises FileExistsError where `out` holds anything, unless it is a site and is to be overwritten, and as
    `leaderboard` does.
    """
    made = site(results, zoo_folders or [])
    index = out / "index.html"
    if out.exists() and any(out.iterdir()) and not _is_begun(out, made):
        if not (index.is_file() and GENERATOR in index.read_text(errors="replace")):
            raise FileExistsError(f"{out} holds something other than a site of `metazoo page`; give another folder")
        if not overwrite:
            raise FileExistsError(f"{out} has a site; --overwrite replaces it")
        for pattern in ("metanets/*.html", "zoos/*.html", "zoos/*.json", "pictures/*.svg"):
            for old in out.glob(pattern):
                old.unlink()
    for pattern in (files.TEMPORARY, f"*/{files.TEMPORARY}"):
        for left in out.glob(pattern):
            left.unlink()
    for name in sorted(made, key=index.name.__eq__):  # the index last: with it the site is whole
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        files.write(out / name, made[name])
    return index


def _is_begun(out: Path, made: dict[str, bytes]) -> bool:
    """Whether the folder holds nothing but what this very site's writing leaves where it is stopped."""
    found = [path for path in out.rglob("*") if path.is_symlink() or not path.is_dir()]
    if out / "index.html" in found:
        return False
    known = {out / name: data for name, data in made.items()}
    return not any(path.is_symlink() for path in found) and all(
        path.match(files.TEMPORARY) or (path in known and path.read_bytes() == known[path]) for path in found
    )


def site(results: Path, zoo_folders: list[Path]) -> dict[str, bytes]:
    """The site's files by their path in it. Raises as `leaderboard` and `zoo.open` do."""
    source = _source(results, zoo_folders)
    cells = source.board.cells
    made = {name: (TEMPLATES / name).read_bytes() for name in ASSETS}
    made |= {"cells.csv": _csv(cells), "cells.json": _json(cells)}
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.finalize = lambda value: printable(value) if type(value) is str else value  # Markup is no plain str
    environment.filters |= {"slug": slug, "url": web_address, "in_words": in_words}
    environment.globals |= {"generator": GENERATOR, "floor_name": FLOOR, "labels": _zoo_pages(source)}
    pages = [("index.html", "index.html", "", _index(source, made))]
    for name in cells["metanet"].unique():
        pages.append((f"metanets/{slug(name)}.html", "metanet.html", "../", _metanet(name, source, made)))
    for label, file in _zoo_pages(source).items():
        pages.append((file, "zoo.html", "../", _zoo(label, source, made)))
    for file, template, root, values in pages:
        made[file] = environment.get_template(template).render(root=root, **values).encode(errors="replace")
    return made


def printable(text: str) -> str:
    """Text without control characters, such as those that turn the direction of writing; lines stay."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def web_address(value: object) -> str:
    """The value where it is an http(s) URL, else nothing."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[!-~]{1,2000}", value):
        return ""
    try:
        return value if urlsplit(value).hostname else ""
    except ValueError:
        return ""


def in_words(value: object) -> str:
    """A value of JSON as a line of text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {in_words(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _source(results: Path, zoo_folders: list[Path]) -> Source:
    paths = records.paths(results)
    board = from_paths(paths)
    ordered = [replace(one, records=tuple(sorted(one.records, key=lambda record: record.seed))) for one in board.results]
    tiers: dict[tuple[str, str, str], str] = {}
    submissions: dict[str, list[dict[str, Any]]] = {}
    for folder, path in {path.parent: path for path in paths}.items():
        record = records.read(path)
        key = record.task.name(), record.task.test_zoo.label(), record.metanet.name
        tiers[key] = min(tiers.get(key, TIERS[-1]), _tier(folder), key=TIERS.index)
        if (folder / SUBMISSION).exists():
            submissions.setdefault(record.metanet.name, []).append(asdict(read_submission(folder / SUBMISSION)))
    opened = {_reference(zoo).label(): zoo for zoo in map(zoos.open, zoo_folders)}
    symmetries: dict[str, list[Report]] = {}
    for path in sorted(results.glob("*/" + NAME.format("*"))):
        report = symmetry.read(path)
        symmetries.setdefault(report.zoo.label(), []).append(report)
    return Source(board, {result.key: result for result in ordered}, tiers, submissions, symmetries, opened)


def _tier(folder: Path) -> str:
    """What maintainers found of the records in a folder; self-reported where that is damaged, or of other records."""
    try:
        return tier(folder)
    except (OSError, ValueError):
        return SELF_REPORTED


def _reference(zoo: Zoo) -> ZooReference:
    return ZooReference(name=zoo.spec.name, family=zoo.spec.family, manifest_sha256=zoo.manifest_sha256)


def _csv(cells: pd.DataFrame) -> bytes:
    """The cells as CSV, at full precision; a name that a spreadsheet would run as a formula gets a quote before it."""
    texts = cells.select_dtypes(exclude="number").columns
    guarded = cells.assign(**{name: cells[name].map(_no_formula) for name in texts})
    return guarded.to_csv(index=False, lineterminator="\n").encode(errors="replace")


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value


def _json(cells: pd.DataFrame) -> bytes:
    rows = [{str(key): None if pd.isna(x) else x for key, x in row.items()} for row in cells.to_dict("records")]
    return files.to_json(rows)


def _zoo_pages(source: Source) -> dict[str, str]:
    """The page of each zoo, by label."""
    cells = source.board.cells
    labels = [*dict.fromkeys([*cells["zoo"], *cells["fitted_on"], *source.opened])]
    return {label: f"zoos/{slug(label)}.html" for label in labels}


# index.html


def _index(source: Source, made: dict[str, bytes]) -> dict[str, Any]:
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


# a page of a metanet, a page of a zoo


def _metanet(name: str, source: Source, made: dict[str, bytes]) -> dict[str, Any]:
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


def _zoo(label: str, source: Source, made: dict[str, bytes]) -> dict[str, Any]:
    tasks = [record.task for result in source.results.values() for record in result.records]
    references = [zoo for task in tasks for zoo in (task.zoo, task.test_zoo) if zoo.label() == label]
    opened = source.opened.get(label)
    references += [_reference(opened)] if opened else []
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
    drawn = [name for name in zoo.targets if name in targets | {"test_accuracy", "generalisation_gap"}]
    first = "test_accuracy" if "test_accuracy" in drawn else drawn[0]
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
            pictures.against_hyper_parameters(zoo, first, made),
        ],
    }
