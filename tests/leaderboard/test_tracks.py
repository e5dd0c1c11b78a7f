"""Tracks: a score is a plain mean of means; who lacks a task that counts has none; ranks are those of sorted means."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.cli import main
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.leaderboard.tracks import TRACKS, in_words, track_of, tracks
from benchmark.records.facts import Facts
from benchmark.records.records import read
from benchmark.scoring.score import score
from metanets import Training

TASKS = {"in zoo": ["plain"], "few nets": ["nets=16", "nets=32"], "pairs": ["pairs=9"]}
NAMES = ["good", "better", "wild", "lacking", "strange"]


def cells(rng: np.random.Generator) -> pd.DataFrame:
    """A row for each task, zoo and metanet but one, which is not of the suite, and a task that it alone has."""
    rows = [
        {
            "track": track,
            "task": task,
            "zoo": zoo,
            "metanet": name,
            "own": name != "strange",
            "r2_mean": rng.normal(0.5, 0.6),
        }
        for track, names in TASKS.items()
        for task in names
        for zoo in ("a", "b")
        for name in NAMES
        if (name, task, zoo) != ("lacking", "nets=32", "b")
    ]
    rows.append({"track": "shift", "task": "mine", "zoo": "a", "metanet": "strange", "own": False, "r2_mean": 1.0})
    return pd.DataFrame(rows)


def test_the_score_of_a_track_is_the_plain_mean_of_its_tasks_with_nothing_below_zero():
    made = cells(np.random.default_rng(0))
    found = tracks(made)
    assert "shift" not in found  # of a stranger's own task nobody is asked
    for name in NAMES:
        means = []
        for track, names in TASKS.items():
            own = made[(made["metanet"] == name) & made["task"].isin(names)]["r2_mean"]
            complete = len(own) == 2 * len(names)
            means.append(np.mean([max(0.0, value) for value in own]) if complete else np.nan)
            np.testing.assert_allclose(found.loc[name, track], means[-1])
        np.testing.assert_allclose(found.loc[name, "mean"], np.mean(means))
    assert found.loc["lacking", ["few nets", "few nets rank", "mean", "rank"]].isna().all()
    assert found.index[-1] == "lacking"
    others = found.drop(index="lacking")
    assert others["rank"].tolist() == [1, 2, 3, 4]
    assert others["mean"].is_monotonic_decreasing
    assert in_words(found).loc["lacking", "few nets"] == "-"
    assert in_words(found).iloc[0, 0] == f"{others['mean'].iloc[0]:.3f} (1)"


def test_every_task_has_a_track(standard, tmp_path):
    quick = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    task = read(score([standard], ["mean"], "test_accuracy", out=tmp_path, seeds=1, training=quick)[0]).task
    other = replace(task.zoo, family="w_asymmetric", manifest_sha256="0" * 64)
    told = {
        "in zoo": task,
        "shift": replace(task, shift="epochs"),
        "transfer": replace(task, test_zoo=other),
        "few nets": replace(task, train_nets=16),
        "pairs": replace(task, pairs=9),
    }
    assert {track: track_of(one) for track, one in told.items()} == {track: track for track in told}
    assert task.facts is not None
    assert task.facts.varied
    assert track_of(replace(task, facts=Facts(None, []))) == "hidden axes"
    assert track_of(replace(task, facts=None)) == "in zoo"  # a record of before, of a built-in spec
    hidden = replace(task.zoo, name="digits-size-resnet8-standard")
    assert track_of(replace(task, facts=None, zoo=hidden, test_zoo=hidden)) == "hidden axes"
    assert {*told, "hidden axes"} == {*TRACKS}


def test_the_command_shows_them(standard, tmp_path, monkeypatch, capsys):
    for train_nets in (None, [16]):
        names = ["mean", "trees_hyper_parameters"]
        score([standard], names, "test_accuracy", out=tmp_path, seeds=1, train_nets=train_nets)
    found = tracks(leaderboard(tmp_path).cells)
    for options in ([], ["--format", "json"], ["--format", "csv"]):
        monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(tmp_path), "--tracks", *options])
        with pytest.raises(SystemExit, match="0"):
            main.app()
        said = capsys.readouterr().out
        if "json" in options:
            assert [row["metanet"] for row in json.loads(said)] == found.index.tolist()
        else:
            assert all(name in said for name in ("few nets", "in zoo", *found.index))
    monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(tmp_path), "--tracks", "--format", "latex"])
    with pytest.raises(SystemExit, match="2"):
        main.app()
    said = " ".join(re.findall(r"[\w;-]+", capsys.readouterr().err))  # in a frame, in lines
    assert "no format latex" in said
