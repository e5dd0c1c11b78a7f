"""Tracks: a score is a plain mean of means; who lacks a task that counts has none; ranks are those of sorted means."""

import io
import itertools
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from made_records import ASYMMETRIC, STANDARD, put
from rich.console import Console
from scipy.stats import kendalltau

from benchmark.cli import main
from benchmark.leaderboard.leaderboard import Leaderboard, leaderboard
from benchmark.leaderboard.ranking import ranked
from benchmark.leaderboard.tables import frame_tables
from benchmark.leaderboard.track import TRACKS, track_of
from benchmark.leaderboard.tracks import in_words, not_counted, tracks
from benchmark.records.facts import Facts
from benchmark.records.records import Task, read
from benchmark.scoring.score import score
from metanets import Training

TASKS = {"in zoo": [{}], "few nets": [{"train_nets": 16}, {"train_nets": 32}], "shift": [{"shift": "epochs"}]}
NOISE = {"ridge": 0.5, "probe": 1.0, "trees_hyper_parameters": 2.0, "mlp": 3.0}  # the last lacks a task
PLAIN = Task("test_accuracy", "trained", STANDARD, STANDARD, None, None, {"train": 64, "validation": 40, "test": 40}, 0)


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Leaderboard:
    """Three metanets on two zoos, another that lacks a task, and one not of the suite with a task that it alone has."""
    folder = tmp_path_factory.mktemp("records")
    for zoo, options in itertools.product((STANDARD, ASYMMETRIC), itertools.chain(*TASKS.values())):
        task = replace(PLAIN, zoo=zoo, test_zoo=zoo, **options)
        for name, noise in NOISE.items():
            if name != "mlp" or options or zoo == STANDARD:
                put(folder, name, zoo, noise=noise, task=task, seeds=(0, 1, 2))
    put(folder, "mine.Mine", code="d", noise=0.1, task=replace(PLAIN, inputs="all"))
    return leaderboard(folder)


def test_the_score_of_a_track_is_the_plain_mean_of_its_tasks(board):
    found, cells = tracks(board), board.cells
    for name in NOISE:
        means = []
        for track, options in TASKS.items():
            own = cells[(cells["metanet"] == name) & (cells["track"] == track)]["tau_mean"]
            means.append(own.mean() if len(own) == 2 * len(options) else np.nan)
            np.testing.assert_allclose(found.loc[name, track], means[-1])
        np.testing.assert_allclose(found.loc[name, "mean"], np.mean(means))
    whole = found.loc[["ridge", "probe", "trees_hyper_parameters"]]
    assert whole["rank"].tolist() == [1, 2, 3]
    assert whole["position"].iloc[[0, 2]].tolist() == [1, 3]
    others = found.drop(index=whole.index)  # of a stranger's own task nobody is asked
    assert others[["in zoo", "mean", "rank", "gain", "position"]].isna().all(axis=None)
    words = in_words(found)
    assert words.loc["mlp"].tolist().count("-") == 4
    assert words["mean"].iloc[0].startswith(f"{whole['mean'].iloc[0]:.3f} [")
    assert words.loc["trees_hyper_parameters", "gain"] == "-"


def test_ranks_are_among_the_rows_that_are_shown(board):
    found = tracks(board)
    shown = found[found["mean"].notna()]
    assert in_words(shown)["few nets"].tolist() == [f"{tau:.3f} ({rank})" for rank, tau in enumerate(shown["few nets"], 1)]
    assert in_words(found.iloc[::-1])["few nets"].tolist()[::-1] == in_words(found)["few nets"].tolist()


def test_what_does_not_count_is_said(board):
    (few,) = not_counted(board)
    assert few.endswith(": test_accuracy,inputs=all (in zoo, 1 zoo)")
    assert "fewer than half" in few


def test_a_lite_run_has_scores_and_no_place(tmp_path):
    for name, noise in NOISE.items():
        for zoo in (STANDARD, ASYMMETRIC):
            put(tmp_path, name, replace(zoo, name=f"tiny-{zoo.name}"), noise=noise)
    lite = leaderboard(tmp_path)
    assert lite.cells["lite"].all()
    assert lite.cells["position"].isna().all()
    assert ranked(lite.cells).ranks == {}
    assert ranked(lite.cells.assign(lite=False)).ranks.keys() == NOISE.keys()
    assert tracks(lite).empty
    assert not_counted(lite) == ["not counted: records of a Lite run, which rank nothing"]


def test_a_board_of_several_tracks_ends_with_the_mean_over_them(tmp_path, monkeypatch, capsys):
    def lines() -> list[str]:
        monkeypatch.setattr(sys, "argv", ["metazoo", "leaderboard", str(tmp_path)])
        with pytest.raises(SystemExit):
            main.main()
        return capsys.readouterr().out.splitlines()

    for task in (PLAIN, replace(PLAIN, train_nets=16)):
        for name, noise in NOISE.items():
            put(tmp_path, name, noise=noise, task=task)
        shown = [line for line in lines() if "tau by track" in line]
        assert len(shown) == (task != PLAIN)
    assert max(place for place, line in enumerate(lines()) if "attainable" in line) < lines().index(shown[0])


@pytest.mark.parametrize("width", [40, 80, 150])
def test_the_tracks_fit_a_terminal_and_no_number_is_broken(board, width):
    words = in_words(tracks(board))
    console = Console(file=io.StringIO(), width=width)
    console.print(*frame_tables(words, "tau", width=width), sep="\n")
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert all(cell in text for cell in words.to_numpy().flatten())


def test_a_track_beside_is_not_in_the_mean(board, monkeypatch):
    monkeypatch.setattr("benchmark.leaderboard.tracks.BESIDE", {"shift"})
    found = tracks(board).loc[["ridge", "probe", "trees_hyper_parameters"]]
    np.testing.assert_allclose(found["mean"], found[["in zoo", "few nets"]].mean(axis="columns"))
    assert found["shift"].notna().all()


def test_the_interval_of_the_mean_is_that_of_a_plain_bootstrap(board):
    found = tracks(board)
    for name in ("probe", "trees_hyper_parameters"):
        own = [result for result in board.results if result.label == name]
        rng, means = np.random.default_rng(0), []
        for _ in range(400):
            nets, seeds = rng.integers(40, size=40), rng.integers(3, size=2)
            of_tracks = []
            for track in TASKS:
                taus = [
                    kendalltau(one.target[nets], one.predicted[at][nets]).statistic
                    for one in own
                    if track_of(one.records[0].task) == track
                    for at in seeds
                ]
                of_tracks.append(np.mean(taus))
            means.append(np.mean(of_tracks))
        low, high = np.quantile(means, (0.025, 0.975))
        assert found.loc[name, "mean high"] - found.loc[name, "mean low"] == pytest.approx(high - low, rel=0.25)
        assert found.loc[name, "mean low"] == pytest.approx(low, abs=0.25 * (high - low))
    assert found.loc["probe", "gain low"] < found.loc["probe", "gain"] < found.loc["probe", "gain high"]


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
    found = tracks(leaderboard(tmp_path))
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
