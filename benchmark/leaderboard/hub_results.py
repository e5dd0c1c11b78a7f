"""Results for the hub's benchmark pages, and citations.

`eval.yaml` (in a zoo's dataset repository: name, description, evaluation_framework, tasks of id, config, split) and
`.eval_results/*.yaml` (in a metanet's model repository: dataset of id and task_id, value, date, source, notes) are as
huggingface.co/docs/hub/eval-results and huggingface_hub 2.4's `parse_eval_result_entries` describe them; a benchmark page is
in beta and shows up only once the hub's people have put the data set, and `evaluation_framework`, on their lists.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmark.leaderboard.latex_csv import escape_latex
from benchmark.leaderboard.leaderboard import Leaderboard, leaderboard
from benchmark.records.corrections import SUBMISSION
from benchmark.records.records import Record, ZooReference
from benchmark.submissions.submission import read_submission
from zoo.hub.address import locate
from zoo.hub.citation import ADDRESS, PUBLISHED, REPOSITORY
from zoo.hub.remote_manifest import configs_of
from zoo.storage import files

FRAMEWORK = "metazoo"
METRICS = {"r2": "R²", "tau": "Kendall's tau-b"}  # a hub task has one value, and higher is better
LONGEST = 120  # characters of a file's name, of the 255 that there may be
CITED = {  # what every use builds on
    "metazoo": {
        "title": "metazoo: the benchmark suite for metanetworks",
        "author": "{The metazoo authors}",
        "year": "2026",
    },
    "lim2024empirical": {
        "title": "The Empirical Impact of Neural Parameter Symmetries, or Lack Thereof",
        "author": "Lim, Derek and Putterman, Theo and Walters, Robin and Maron, Haggai and Jegelka, Stefanie",
        "year": "2024",
        "note": "NeurIPS 2024, arXiv:2405.20231",
    },
}


@dataclass(frozen=True)
class Published:
    """Where a zoo was published: a data set of the hub, USER/NAME, and a config of it."""

    repository: str
    config: str


def emit(
    folder: Path,
    out: Path,
    *,
    release: Path | str | None = None,
    repository: str | None = None,
    source: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Writes all that the hub and those who cite want from the records under `folder`; returns the paths.

        out/datasets/USER/NAME/eval.yaml                    a task for each config, task and metric
        out/models/METANET/.eval_results/USER-NAME.yaml     the means over seeds
        out/citations.bib                                   metazoo, the paper, each zoo, each record

    `release` is where the zoos were published, an address or a folder as `publish` leaves it, and `repository` its USER/NAME
    on the hub, which an address on the hub tells. Without it, zoos that were fetched from the hub are those of the data set
    that their records name. What was published nowhere is reported, and only cited. `source` is the address of the
    leaderboard. Raises as `leaderboard` and `zoo.hub.fetch.fetch` do.
    """
    if source is not None and not re.fullmatch(ADDRESS, source):
        raise ValueError(f"the leaderboard's address: found {source!r}, expected https://...")
    board = leaderboard(folder)
    found = {path: record for result in board.results for path, record in zip(result.paths, result.records, strict=True)}
    homes = published(found.values(), release=release, repository=repository)
    contents = {out / "citations.bib": bibtex(found)}
    places = slugs(home.repository for home in homes.values())
    names, cells = slugs(map(str, board.cells["metanet"].unique())), board.cells[board.cells["zoo"].isin([*homes])]
    for of, rows in cells.groupby(cells["zoo"].map(lambda zoo: homes[zoo].repository), sort=False):
        contents[out / "datasets" / str(of) / "eval.yaml"] = _yaml(eval_yaml(str(of), rows, homes))
        for name, own in rows.groupby("metanet", sort=False):
            path = out / "models" / names[str(name)] / ".eval_results" / f"{places[str(of)]}.yaml"
            contents[path] = _yaml(eval_results(board, own, homes=homes, source=source))
    for path, text in contents.items():
        files.write(path, text.encode(), below=out)
    for zoo in dict.fromkeys(map(str, board.cells["zoo"])):
        if zoo not in homes:
            why = "not of this release" if release else "of no data set that is known (--release says of which)"
            report(f"{zoo} is {why}, and is only cited")
    return list(contents)


def published(
    found: Iterable[Record], *, release: Path | str | None = None, repository: str | None = None
) -> dict[str, Published]:
    """Where the test zoos of these records were published, by their labels; those that were not are left out."""
    zoos = {record.task.test_zoo.label(): record.task.test_zoo for record in found}
    if release is None:
        if repository is not None:
            raise ValueError(f"{repository} is the name of a release on the hub: say where that release lies as well")
        sources = {label: PUBLISHED.fullmatch(zoo.source or "") for label, zoo in zoos.items()}
        return {label: Published(match["repository"], match["config"]) for label, match in sources.items() if match}
    own = getattr(locate(str(release)), "repo", None)
    if repository is not None and own not in (None, repository):
        raise ValueError(f"{release} is {own} on the hub, and not {repository}: leave the repository out")
    repository = repository or own
    if repository is None:
        raise ValueError(
            f"{release} does not tell what it is called on the hub: give its repository, --repository USER/NAME"
        )
    if not re.fullmatch(REPOSITORY, repository):
        raise ValueError(f"{repository!r} is no data set of the hub; expected USER/NAME, of letters, digits and . _ -")
    configs = configs_of(str(release))
    of_release = {label: configs.get(zoo.manifest_sha256) for label, zoo in zoos.items()}
    return {label: Published(repository, config) for label, config in of_release.items() if config is not None}


def eval_yaml(repository: str, cells: pd.DataFrame, homes: dict[str, Published]) -> dict[str, Any]:
    """What `eval.yaml` says of a data set: its tasks, in their configs, are those that it has results of (`cells`)."""
    pairs = dict.fromkeys(zip(cells["task"].astype(str), cells["zoo"].astype(str), strict=True))
    tasks = [
        {"id": task_id(homes[zoo].config, task, metric), "config": homes[zoo].config, "split": "test"}
        for task, zoo in pairs
        for metric in METRICS
    ]
    description = (
        "The weights of trained neural networks; a metanet predicts the target that a task names from them. "
        "Each config is a zoo. Values are means over seeds on the test nets."
    )
    return {
        "name": repository.split("/")[1],
        "description": description,
        "evaluation_framework": FRAMEWORK,
        "tasks": tasks,
    }


def task_id(config: str, task: str, metric: str) -> str:
    """A task's name within a data set; where it is long or has other characters, with the beginning of a hash."""
    name = f"{config}-{task}"
    short = slug(name)[:LONGEST]
    return f"{short if short == name else f'{short}-{sha256(name.encode()).hexdigest()[:10]}'}-{metric}"


def eval_results(
    board: Leaderboard, cells: pd.DataFrame, *, homes: dict[str, Published], source: str | None
) -> list[dict[str, Any]]:
    """What a file in `.eval_results` says of one metanet (`cells`, of one data set): an entry for each task and metric."""
    at = {result.key: result.records for result in board.results}
    entries = []
    for _, row in cells.iterrows():
        of_cell, home = at[row["task"], row["zoo"], row["metanet"]], homes[row["zoo"]]
        for metric, words in METRICS.items():
            entry = {
                "dataset": {"id": home.repository, "task_id": task_id(home.config, str(row["task"]), metric)},
                "value": round(float(row[f"{metric}_mean"]), 6),
                "date": max(record.date for record in of_cell),
                **({} if source is None else {"source": {"url": source, "name": "metazoo's leaderboard"}}),
                "notes": _notes(row, of_cell, metric, words),
            }
            entries.append(entry)
    return entries


def _notes(row: pd.Series, of_cell: tuple[Record, ...], metric: str, words: str) -> str:
    first = of_cell[0]
    spread = "" if pd.isna(row[f"{metric}_std"]) else f", standard deviation {row[f'{metric}_std']:.6f}"
    parts = [
        f"{words}, mean of {len(of_cell)} seed{'s' * (len(of_cell) > 1)}{spread}",
        f"{row['metanet']} version {first.metanet.version}{' (baseline)' * bool(row['baseline'])}",
        *([] if first.metanet.parameters is None else [f"{first.metanet.parameters} parameters"]),
        f"{row['test_nets']} test nets, fitted on {row['train_nets']} nets of {row['fitted_on']}",
        f"manifest {first.task.test_zoo.manifest_sha256}",
    ]
    return "; ".join(parts)


def bibtex(found: dict[Path, Record]) -> str:
    """Entries for metazoo, the paper, each zoo and each record, names escaped. The paths tell whose a record is."""
    zoos = {zoo.label(): zoo for record in found.values() for zoo in (record.task.zoo, record.task.test_zoo)}
    entries = [*CITED.items()]
    entries += [(f"zoo-{label}", _zoo_fields(zoo, found.values())) for label, zoo in zoos.items()]
    entries += [(record_key(record), _record_fields(path, record)) for path, record in found.items()]
    return "\n".join(_entry(key, fields) for key, fields in dict(entries).items())


def record_key(record: Record) -> str:
    """The record's BibTeX key: readable, and its own by the hash of what it is a record of."""
    what = [record.task.name(), record.task.test_zoo.label(), record.metanet.name, record.seed, record.predictions.sha256]
    return f"record-{slug(record.metanet.name)}-{record.seed}-{sha256(json.dumps(what).encode()).hexdigest()[:10]}"


def _zoo_fields(zoo: ZooReference, found: Iterable[Record]) -> dict[str, str]:
    first = min(record.date for record in found if zoo in (record.task.zoo, record.task.test_zoo))
    return {
        "title": escape_latex(f"{zoo.label()}, a zoo of {zoo.family} nets"),
        "year": first[:4],  # and no author: records do not say who made a zoo
        "note": f"SHA-256 of its manifest: {zoo.manifest_sha256}",
    }


def _record_fields(path: Path, record: Record) -> dict[str, str]:
    submission = path.with_name(SUBMISSION)
    if submission.exists():  # by others, who say how to cite them
        whose = {"howpublished": escape_latex(read_submission(submission).citation)}
    else:
        whose = {} if ":" in record.metanet.name else {"author": "{The metazoo authors}"}
    title = f"{record.metanet.name} on {record.task.name()} of {record.task.test_zoo.label()}, seed {record.seed}"
    return {
        "title": escape_latex(title),
        **whose,
        "year": record.date[:4],
        "note": escape_latex(f"metazoo record of {record.date}; SHA-256 of the predictions: {record.predictions.sha256}"),
    }


def _entry(key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"]) + "\n"


def slug(name: str) -> str:
    """The name with letters, digits, `_`, `.` and `-` only, fit for a file or a key; never hidden, never a path."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-") or sha256(name.encode()).hexdigest()[:10]


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Each name's slug; where several names would have the same, with the beginning of the name's hash."""
    plain = {name: slug(name)[:LONGEST] for name in names}
    shared = Counter(found.lower() for found in plain.values())
    return {
        name: found if shared[found.lower()] == 1 else f"{found}-{sha256(name.encode(errors='replace')).hexdigest()[:10]}"
        for name, found in plain.items()
    }


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
