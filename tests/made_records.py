"""Records of made-up predictions, written where `score` would put them: quick, and of whatever kind a test wants."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.records import records
from benchmark.records.records import Code, Method, Record, Task, ZooReference
from benchmark.statistics.derived import derived
from benchmark.submissions.submission import submission
from metanets.table import METANETS, RECIPES
from zoo.storage import files

BASELINE = RECIPES[1]  # the recipe of these records: there is no other
NETS = 40
STANDARD = ZooReference(name="digits-resnet8-standard", family="standard", manifest_sha256="a" * 64)
ASYMMETRIC = ZooReference(name="digits-resnet8-w_asymmetric", family="w_asymmetric", manifest_sha256="b" * 64)
THIRD = ZooReference(name="digits-resnet8-smaller", family="smaller", manifest_sha256="c" * 64)
ABOUT = {
    "code_url": "https://example.org/x",
    "commit": "0" * 40,
    "contact": "someone",
    "citation": "@misc{x}",
    "external_data": "none",
}


def frame_of(name: str, seed: int, noise: float) -> pd.DataFrame:
    """Predictions of NETS validation and NETS test nets, the same for the same arguments; their targets never change."""
    true = np.random.default_rng(0).uniform(0.2, 0.9, 2 * NETS)
    guess = true + noise * np.random.default_rng([seed, *name.encode()]).normal(0, 0.2, 2 * NETS)
    splits = np.repeat(["validation", "test"], NETS)
    return pd.DataFrame({"index": np.arange(2 * NETS), "split": splits, "target": true, "prediction": guess})


def put(
    folder: Path,
    name: str,
    zoo: ZooReference = STANDARD,
    *,
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
    noise: float = 0.3,
    frames: dict[int, pd.DataFrame] | None = None,
    code: str | None = None,
    parameters: int | None = 10,
    version: int = 1,
    submitted: bool = False,
    task: Task | None = None,
    **fields: object,
) -> Path:
    """Writes the records, one a seed; returns their folder."""
    task = task or Task("test_accuracy", "trained", zoo, zoo, None, None, {"train": 64, "validation": NETS, "test": NETS}, 0)
    task = dataclasses.replace(task, target=fields.pop("target", task.target))
    path = records.path_of(folder, task, name, 0)
    for seed in seeds:
        frame = frame_of(name, seed, noise) if frames is None else frames[seed]
        given, path = derived(frame), records.path_of(folder, task, name, seed)
        reference, data = records.predictions_file(path, frame)
        record = Record(
            schema=records.SCHEMA,
            task=task,
            metanet=Method(
                name,
                version,
                name in METANETS and METANETS[name].baseline,
                None if name == BASELINE else parameters,
                code=None if code is None else Code("mine.py", code * 64),
            ),
            seed=seed,
            tuned={},
            chosen={},
            validation=given.validation,
            test=given.test,
            test_split=records.TEST_READ,
            constant_prediction=given.constant,
            predictions=reference,
            command="metazoo score",
            seconds=1.5,
            date="2026-11-21",
            environment={},
        )
        records.write(path, dataclasses.replace(record, **fields), data)
    if submitted:
        files.write_json(path.parent / "submission.json", dataclasses.asdict(submission(**ABOUT)))
    return path.parent


def suite(folder: Path, *zoos: ZooReference) -> Path:
    """Records of two metanets and a baseline of the suite on each of these zoos."""
    for zoo in zoos or (STANDARD, ASYMMETRIC):
        for name, noise in (("statnn", 0.2), ("dmc", 0.5), (BASELINE, 0.9)):
            put(folder, name, zoo, noise=noise)
    return folder
