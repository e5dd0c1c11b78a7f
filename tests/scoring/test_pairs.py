"""Pair tasks: features of pairs, examples of one split, records, and intervals that resample nets."""

import shutil
from dataclasses import replace
from math import sqrt

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from benchmark.leaderboard.leaderboard import leaderboard
from benchmark.records import records
from benchmark.scoring.pairs import pairs_of, targets
from benchmark.scoring.score import score
from benchmark.statistics.intervals import interval, resampled
from benchmark.statistics.metrics import mean_absolute_error, r2
from benchmark.submissions.check import check
from metanets import METANETS, Training
from metanets.inputs.pairs import both, distances, sum_and_difference
from metanets.inputs.unable import UnableError
from metanets.table import fitting
from zoo.dataset import derived
from zoo.landscape.pairs import shared


def derive(folder, *, count=40):
    """The distance of pairs of nets of each split, and how far apart their learning rates lie."""
    made, rows = zoo.open(folder), []
    for split in made.parts:
        nets = made.columns.loc[(made.columns["split"] == split) & ~made.columns["diverged"], "index"].to_numpy()
        rng = np.random.default_rng(len(split))
        drawn = {tuple(sorted(rng.choice(nets, 2, replace=False))) for _ in range(4 * count)}
        rows += sorted(drawn, key=lambda pair: (pair[0] * 7 + pair[1] * 5) % 31)[:count]
    i, j = np.array(rows).T
    rate = np.log(made.columns["learning_rate"].to_numpy())
    frame = pd.DataFrame({"i": i, "j": j, "remove": "none", "apart": np.abs(rate[i] - rate[j])})
    frame = pd.concat([frame, frame.assign(remove="scale+permutation", apart=-frame["apart"])], ignore_index=True)
    told = {"analysis": "apart-1", "command": "none", "settings": {}, "meanings": {"apart": "a difference, nats"}}
    return derived.write(folder, "apart", frame, **told)


@pytest.fixture(scope="module")
def paired(standard, tmp_path_factory):
    folder = shutil.copytree(standard, tmp_path_factory.mktemp("paired") / "zoo")
    derive(folder)
    return folder


@pytest.fixture(scope="module")
def scored(paired, tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    names = ["statnn", "trees_hyper_parameters", "trees_distance", "ridge", "mean"]
    training = Training(epochs=2, batch=8, learning_rates=(1e-3,), augment=("permutation",))
    score([paired], names, "apart", out=out, seeds=2, training=training, pairs=48)
    return out


@pytest.mark.parametrize("name", [name for name in METANETS if METANETS[name].input.pair is not None])
def test_what_is_read_of_a_pair_does_not_depend_on_which_net_comes_first(standard, name):
    read = METANETS[name].input
    features = read.read(zoo.open(standard).nets("test", inputs="all"))
    pairs = torch.tensor([[0, 1], [2, 3], [5, 4]])
    assert torch.equal(read.of_pairs(features, pairs), read.of_pairs(features, pairs.flip(1)))


def test_the_features_of_a_pair_are_the_sum_and_the_difference_of_those_of_its_nets():
    features = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 5.0]])
    one, other = both(features, torch.tensor([[0, 1], [2, 1]]))
    assert sum_and_difference(one, other).tolist() == [[4, 1, 2, 3], [3, 4, 3, 6]]
    of_dict = sum_and_difference({"a": one}, {"a": other})
    assert of_dict["a sum"].tolist() == [[4, 1], [3, 4]]
    assert of_dict["a difference"].tolist() == [[2, 3], [3, 6]]
    with pytest.raises(UnableError, match="list has no sum"):
        sum_and_difference([1], [2])


def test_distances_are_those_of_numpy():
    one, other = torch.randn(300, 7), torch.randn(300, 7)
    a, b = one.double().numpy(), other.double().numpy()
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / lengths[0] / lengths[1]
    expected = np.stack([np.linalg.norm(a - b, axis=1), cosine, sum(lengths), np.abs(lengths[0] - lengths[1])], axis=1)
    np.testing.assert_allclose(distances(one, other).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_targets_of_pairs_are_named_by_what_was_removed(paired):
    assert list(targets(zoo.open(paired))) == ["apart", "apart_without_scale_permutation"]


def test_both_nets_of_a_pair_are_of_one_split_and_fewer_pairs_are_the_first_of_more(paired):
    made = zoo.open(paired)
    few, many = (pairs_of(made, "apart", count) for count in (40, 64))
    for split, frame in many.items():
        assert set(made.columns["split"][frame[["i", "j"]].to_numpy().ravel()]) == {split}
        pd.testing.assert_frame_equal(few[split], frame.head(len(few[split])))
        assert len(frame) == shared(made, 64)[split]
    assert sum(map(len, many.values())) == 64
    other = pairs_of(made, "apart_without_scale_permutation", 40)
    assert (other["test"]["target"] == -few["test"]["target"]).all()


def test_pairs_of_nets_that_diverged_are_left_out(paired):
    made = zoo.open(paired)
    gone = made.columns["index"].isin(pairs_of(made, "apart", 48)["train"]["i"].head(3))
    parts = pairs_of(replace(made, columns=made.columns.assign(diverged=gone)), "apart", 48)
    assert not gone.to_numpy()[np.concatenate([part[["i", "j"]].to_numpy().ravel() for part in parts.values()])].any()


@pytest.mark.parametrize("name", fitting(pairs=True))
def test_every_metanet_is_fitted_to_pairs(paired, name, tmp_path):
    training = Training(epochs=1, batch=8, learning_rates=(1e-3,))
    assert len(score([paired], [name], "apart", out=tmp_path, seeds=1, training=training, pairs=48)) == 1


def test_a_pair_of_two_splits_is_refused(standard, tmp_path):
    folder = shutil.copytree(standard, tmp_path / "zoo")
    splits = zoo.open(folder).columns.groupby("split")["index"].first()
    frame = pd.DataFrame({"i": [splits["train"]], "j": [splits["test"]], "apart": [1.0]})
    derived.write(folder, "apart", frame, analysis="a-1", command="", settings={}, meanings={"apart": ""})
    with pytest.raises(ValueError, match="pairs of nets of two splits"):
        pairs_of(zoo.open(folder), "apart", 1)


def test_records_of_pairs_say_so_and_pass_the_check(scored, paired):
    paths = records.paths(scored)
    assert len(paths) == 10
    record = records.read(paths[0])
    assert record.task.name() == "apart,pairs=48"
    assert record.task.derived == {"apart": zoo.open(paired).derived["apart"].sha256}
    assert record.task.nets["test"] == len(pairs_of(zoo.open(paired), "apart", 48)["test"])
    frame = records.read_predictions(paths[0], record)
    assert list(frame) == ["i", "j", "split", "target", "prediction"]
    known = pairs_of(zoo.open(paired), "apart", 48)["test"]
    pd.testing.assert_frame_equal(frame.loc[frame["split"] == "test", ["i", "j", "target"]].reset_index(drop=True), known)
    assert check(scored, [paired]).problems == ()


def test_a_label_of_a_pair_that_is_not_the_zoo_s_is_found(scored, paired, tmp_path):
    out = shutil.copytree(scored, tmp_path / "results")
    path = records.paths(out)[0]
    record = records.read(path)
    frame = records.read_predictions(path, record)
    frame.loc[len(frame) - 1, "target"] += 1
    data = records.to_parquet(frame)
    path.with_suffix(".parquet").write_bytes(data)
    text = path.read_text().replace(record.predictions.sha256, records.predictions_file(path, frame)[0].sha256)
    path.write_text(text)
    assert any("is not what the zoo has" in line for line in check(out, [paired]).problems)


def test_boards_show_pairs_with_intervals_over_nets(scored):
    board = leaderboard(scored)
    assert not board.left_out
    assert set(board.cells["task"]) == {"apart,pairs=48"}
    result = next(one for one in board.results if one.label == "ridge")
    row = board.cells.set_index("metanet").loc["ridge"]
    expected = interval(result.target, result.predicted, r2, ends=result.ends)
    assert (row["r2_low"], row["r2_high"]) == (expected.low, expected.high)
    plain = interval(result.target, result.predicted, r2)
    assert (plain.low, plain.high) != (expected.low, expected.high)


def test_a_metanet_of_pairs_alone_is_refused_for_nets(standard, tmp_path):
    assert "trees_distance" not in fitting(pairs=False)
    assert "trees_distance" in fitting(pairs=True)
    assert "mp_gmn" in set(fitting(pairs=False)) - set(fitting(pairs=True))
    with pytest.raises(ValueError, match="mp_gmn reads nets one by one; leave --pairs away"):
        score([standard], ["mp_gmn"], "apart", out=tmp_path, seeds=1, pairs=48)
    with pytest.raises(ValueError, match="trees_distance reads pairs of nets; give --pairs"):
        score([standard], ["trees_distance"], "test_accuracy", out=tmp_path)


def test_what_cannot_be_asked_of_pairs_is_said(paired, tmp_path):
    with pytest.raises(ValueError, match="say how many pairs with --pairs"):
        score([paired], ["mean"], "apart", out=tmp_path)
    with pytest.raises(ValueError, match="unknown target of pairs"):
        score([paired], ["mean"], "test_accuracy", out=tmp_path, pairs=48)
    with pytest.raises(ValueError, match="needs"):
        score([paired], ["mean"], "apart", out=tmp_path, pairs=4800)
    with pytest.raises(ValueError, match="expected 8 or more: ask for more pairs"):
        score([paired], ["mean"], "apart", out=tmp_path, pairs=20)
    with pytest.raises(ValueError, match="takes no shift"):
        score([paired], ["mean"], "apart", out=tmp_path, pairs=48, shift="epochs")


def test_a_resample_of_nets_has_a_pair_as_often_as_the_product_of_its_nets():
    rng = np.random.default_rng(0)
    ends = np.array([(i, j) for i in range(6) for j in range(i)])
    true, guess = rng.normal(size=len(ends)), rng.normal(size=(1, len(ends)))
    found = resampled(true, guess, mean_absolute_error, resamples=20, seed=3, ends=ends)
    again = np.random.default_rng(np.random.default_rng(0).integers(1))  # other numbers: only the law is compared
    assert found.shape == (21, 1)
    errors = np.abs(true - guess[0])
    assert found[0, 0] == pytest.approx(errors.mean())
    possible = set()
    for _ in range(20000):
        times = np.bincount(again.integers(6, size=6), minlength=6)
        weight = times[ends].prod(axis=1)
        possible.add(round(float(weight @ errors / weight.sum()), 10) if weight.sum() else None)
    assert {round(float(value), 10) for value in found[1:, 0] if np.isfinite(value)} <= possible


def test_intervals_over_nets_cover_what_intervals_over_pairs_do_not():
    """Errors that belong to nets: with 30 nets and 90 pairs, intervals over pairs are far too narrow."""
    rng, covered, trials = np.random.default_rng(1), {"nets": 0, "pairs": 0}, 60
    expected = sqrt(2) * sqrt(2 / np.pi)  # of |a + b|, both N(0, 1)
    for trial in range(trials):
        of_net = rng.normal(size=30)
        ends = np.array([rng.choice(30, 2, replace=False) for _ in range(200)])
        errors = of_net[ends].sum(axis=1)
        for name, given in (("nets", ends), ("pairs", None)):
            found = interval(np.zeros(len(ends)), errors[None], mean_absolute_error, resamples=200, seed=trial, ends=given)
            covered[name] += found.low <= expected <= found.high
    assert covered["nets"] >= 0.85 * trials
    assert covered["pairs"] <= 0.7 * trials
