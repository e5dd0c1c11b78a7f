"""The small zoos in `fixtures`, as the format of the day wrote them: what reads them today reads them tomorrow."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.scoring.score import score
from metanets import Training
from metanets.table import fitting
from zoo.dataset.nets import Nets

FOLDERS = {name: Path(__file__).parent / "fixtures" / name for name in ("standard", "w_asymmetric")}
DIGESTS = {  # of the manifests: the fixtures themselves never change
    "standard": "9ebe7de605e092766e87eb5fa6446b2cbfbc719d8340e2febe2bfd3165a50b54",
    "w_asymmetric": "05570a996f9284124e724bb8fb4b2b9e4483968a6c10854cc569e457ce29ed10",
}


@pytest.mark.parametrize("family", FOLDERS)
def test_a_zoo_of_today_opens_and_nothing_is_wrong_with_it(family):
    made = zoo.open(FOLDERS[family])
    assert made.manifest_sha256 == DIGESTS[family]
    assert made.spec.family == family
    assert zoo.verify(FOLDERS[family], nets=3) == []
    nets = {split: made.nets(split, inputs="all") for split in ("train", "validation", "test")}
    assert all(isinstance(part, Nets) for part in nets.values())
    assert {split: len(part) for split, part in nets.items()} == {"train": 16, "validation": 16, "test": 8}
    assert all(torch.isfinite(part.weights.float()).all() for part in nets.values())
    assert np.isfinite(made.columns["test_accuracy"]).all()


def test_zoos_of_today_are_scored_by_every_metanet(tmp_path):
    folders = [Path(shutil.copytree(folder, tmp_path / name)) for name, folder in FOLDERS.items()]
    names = [name for name in fitting(pairs=False) if name != "dmc"]  # their nets are too short for it
    quick = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    paths = score(folders, names, "test_accuracy", out=tmp_path / "results", seeds=1, training=quick)
    assert len(paths) == 2 * len(names)
    cells = leaderboard(tmp_path / "results").cells
    assert set(cells["family"]) == set(FOLDERS)
    assert np.isfinite(cells["r2_mean"]).all()
