"""A derived column as target: nets without a number are left out, and each file makes a task of its own."""

import shutil

import numpy as np
import pandas as pd
import pytest

import zoo
from benchmark.analyses.audit import audit
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.records import records
from benchmark.scoring.score import score
from benchmark.scoring.task import check_task, rows_of, task_of
from benchmark.submissions.check import check
from metanets import Training
from metanets.reading import nets_of
from zoo.dataset import derived

LACKING = (0, 1, 2, 3, 4, 5)  # nets without a number


@pytest.fixture
def own(standard, tmp_path):
    return shutil.copytree(standard, tmp_path / "zoo")


def height(folder, scale=1.0):
    """Heights that follow the accuracy; some nets have none. Returns the file's SHA-256."""
    values = scale * zoo.open(folder).columns["test_accuracy"].to_numpy(np.float64)
    values[list(LACKING)] = np.nan
    frame = pd.DataFrame({"index": np.arange(len(values)), "height": values})
    told = {"analysis": "made_up-1", "command": "none", "settings": {}, "meanings": {"height": "a height, metres"}}
    return derived.write(folder, "heights", frame, **told).sha256


def scored(folders, out, **options):
    given = {"out": out, "seeds": 1, "training": Training(epochs=1, batch=8, learning_rates=(1e-3,)), **options}
    return score(folders, ["mean", "ridge"], "height", **given)


def test_nets_without_a_number_are_left_out_and_the_file_is_named(own, tmp_path):
    sha256, said = height(own), []
    record = records.read(scored([own], tmp_path / "results", report=said.append)[0])
    made = zoo.open(own)
    assert record.task.derived == {"height": sha256}
    assert record.task.diverged_left_out == made.columns["diverged"].sum() + len(LACKING)
    assert sum(record.task.nets.values()) == len(made) - record.task.diverged_left_out
    used = np.concatenate(list(rows_of(made, made, "height", None, None).values()))
    assert not set(used) & set(LACKING)
    assert f"{made.spec.name}: 6 nets have no height, and are left out as diverged ones are" in said
    assert "height" not in nets_of(made, "train", whole=False).hyper_parameters
    assert task_of(made, made, "test_accuracy", "trained", None, None).derived is None


def test_another_file_is_another_task_for_resuming_checks_and_boards(own, tmp_path):
    height(own)
    first, both = scored([own], tmp_path / "both" / "a"), tmp_path / "both"
    assert scored([own], tmp_path / "both" / "a") == first
    assert check(both, [own]).problems == ()
    height(own, scale=2.0)
    with pytest.raises(FileExistsError, match=r"made with derived columns of SHA-256 .* Give another --out, or --overwrite"):
        scored([own], tmp_path / "both" / "a")
    assert any("task.derived is said to be" in line for line in check(both, [own]).problems)
    scored([own], both / "b")
    assert not any("is not that of" in line for line in check(both).problems)  # labels of one file say nothing of the other
    assert any("its nets, or their height, are not those of" in line for line in check(both).problems)
    board = leaderboard(both)
    assert len(board.left_out) == 2
    assert set(board.cells["task"]) == {"height"}


def test_a_transfer_names_both_files(own, asymmetric, tmp_path):
    other = shutil.copytree(asymmetric, tmp_path / "other")
    one, two = height(own), height(other)
    made, test = zoo.open(own), zoo.open(other)
    task = task_of(made, test, "height", "trained", None, None)
    assert task.derived == {"height": one, f"height of {test.spec.name}": two}


def test_an_audit_leaves_out_the_same_nets(own):
    height(own)
    assert audit(own, "height", shuffles={"ridge": 2}).findings == ()


def test_too_few_numbers_are_refused_in_words(own):
    frame = pd.DataFrame({"index": np.arange(10), "height": np.linspace(0, 1, 10)})
    told = {"analysis": "made_up-1", "command": "none", "settings": {}, "meanings": {"height": "a height, metres"}}
    derived.write(own, "heights", frame, **told)
    with pytest.raises(ValueError, match=r"nets in .* have a number in height; scoring needs 8 or more"):
        check_task(zoo.open(own), "height")
