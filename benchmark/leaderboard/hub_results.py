"""Results for the hub's benchmark pages, and citations.

`eval.yaml` (in a zoo's dataset repository: name, description, evaluation_framework, tasks of id, config, split) and
`.eval_results/*.yaml` (in a metanet's model repository: dataset of id and task_id, value, date, source, notes) are as
huggingface.co/docs/hub/eval-results and huggingface_hub 2.4's `parse_eval_result_entries` describe them; a benchmark page is
in beta and shows up only once the hub's people have put the data set, and `evaluation_framework`, on their lists.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
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


def emit(folder: Path, out: Path, *, namespace: str = "metazoo", source: str | None = None) -> list[Path]:
    """Writes all that the hub and those who cite want from the records under `folder`; returns the paths.

        out/datasets/ZOO/eval.yaml                          a task for each task and metric
        out/models/METANET/.eval_results/ZOO.yaml           the means over seeds
        out/citations.bib                                   metazoo, the paper, each zoo, each record

    `namespace` is who owns the data sets on the hub, `source` the address of the leaderboard. Raises as `leaderboard` does.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", namespace):
        raise ValueError(f"{namespace!r} is no owner of data sets; expected letters, digits, and . _ - between them")
    board = leaderboard(folder)
    found = {path: record for result in board.results for path, record in zip(result.paths, result.records, strict=True)}
    names, ids = (slugs(map(str, board.cells[column].unique())) for column in ("metanet", "task"))
    contents = {out / "citations.bib": bibtex(found)}
    for zoo, cells in board.cells.groupby("zoo", sort=False):
        about = eval_yaml(_reference(found.values(), str(zoo)), cells, ids)
        contents[out / "datasets" / str(zoo) / "eval.yaml"] = _yaml(about)
        for name, own in cells.groupby("metanet", sort=False):
            path = out / "models" / names[str(name)] / ".eval_results" / f"{zoo}.yaml"
            contents[path] = _yaml(eval_results(board, own, namespace=namespace, source=source))
    for path, text in contents.items():
        files.write(path, text.encode(), below=out)
    return list(contents)


def eval_yaml(zoo: ZooReference, cells: pd.DataFrame, ids: dict[str, str]) -> dict[str, Any]:
    """What `eval.yaml` says of a zoo: its tasks, called by `ids`, are those that it has results of."""
    description = (
        f"The weights of trained {zoo.family} nets; a metanet predicts the target that a task names from them. "
        f"Values are means over seeds on the test nets. SHA-256 of the zoo's manifest: {zoo.manifest_sha256}."
    )
    names = [f"{ids[str(task)]}-{metric}" for task in cells["task"].unique() for metric in METRICS]
    tasks = [{"id": name, "config": "default", "split": "test"} for name in names]
    return {"name": zoo.label(), "description": description, "evaluation_framework": FRAMEWORK, "tasks": tasks}


def eval_results(board: Leaderboard, cells: pd.DataFrame, *, namespace: str, source: str | None) -> list[dict[str, Any]]:
    """What `.eval_results/ZOO.yaml` says of one metanet (`cells`, of one zoo): an entry for each task and metric."""
    at = {result.key: result.records for result in board.results}
    ids = slugs(str(task) for task in board.cells["task"].unique())
    entries = []
    for _, row in cells.iterrows():
        of_cell = at[row["task"], row["zoo"], row["metanet"]]
        for metric, words in METRICS.items():
            entry = {
                "dataset": {"id": f"{namespace}/{row['zoo']}", "task_id": f"{ids[row['task']]}-{metric}"},
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


def _reference(found: Iterable[Record], label: str) -> ZooReference:
    return next(record.task.test_zoo for record in found if record.task.test_zoo.label() == label)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
