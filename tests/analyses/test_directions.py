"""Gains between two zoos: each score against a slow and plain one, and what must not change them."""

import numpy as np
import pytest
from made_records import ASYMMETRIC, NETS, STANDARD, put

from benchmark.analyses.directions import BINS, SCORES, Predicted, directions, main, matched, read
from benchmark.statistics.beyond import r2_beyond, tau_beyond
from benchmark.statistics.intervals import difference_of, weights_of
from benchmark.statistics.metrics import kendall_tau, r2
from metanets.table import RECIPES

SEEDS, RESAMPLES = 2, 12


def made(*, nets=50, spread=0.1, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    told = rng.normal(size=nets)
    true = 0.5 + spread * (told + 0.5 * rng.normal(size=nets)).round(1)
    predicted = {name: true + noise * rng.normal(size=(SEEDS, nets)) for name in ("mlp", "statnn")}
    return Predicted(np.arange(nets), true, {**predicted, RECIPES[1]: np.stack([0.5 + spread * told] * SEEDS)})


def slow(zoo, rival, first, name, weights):
    """Each score of each seed on one resample, as loops over nets and repeated entries say it."""
    drawn = np.repeat(np.arange(len(weights)), weights.astype(int))
    true, lists = zoo.target, {score: [] for score in SCORES}
    cuts = sorted(np.quantile([*zoo.target, *rival.target], np.arange(1, BINS) / BINS))
    bins = [[sum(value >= cut for cut in cuts) for value in of.target] for of in (zoo, rival)]
    here, there = ([sum(w for w, at in zip(weights, of, strict=True) if at == b) for b in range(BINS)] for of in bins)
    own = [w * min(1, there[b] / here[b]) if w else 0.0 for w, b in zip(weights, bins[0], strict=True)]
    mean = np.average(true, weights=own)
    for guess in zoo.predicted[name]:
        lists["r2"].append(r2(true[drawn], guess[drawn]))
        lists["tau"].append(kendall_tau(true[drawn], guess[drawn]))
        errors, total = (true[drawn] - guess[drawn]) ** 2, (first.target[drawn] - first.target[drawn].mean()) ** 2
        lists["r2_same_variance"].append(1 - errors.sum() / total.sum())
        lists["r2_same_targets"].append(1 - np.dot(own, (true - guess) ** 2) / np.dot(own, (true - mean) ** 2))
        if (weights == 1).all():  # on resamples, `tables_beyond` has tests of its own
            baseline = zoo.predicted[RECIPES[1]].mean(axis=0)
            lists["r2_beyond"].append(r2_beyond(true, guess, baseline))
            lists["tau_beyond"].append(tau_beyond(true, guess, baseline))
    return lists


def test_gains_and_intervals_are_those_of_the_slow_way():
    one, other = made(), made(spread=0.2, noise=0.08, seed=1)
    found = directions(one, other, resamples=RESAMPLES).set_index(["metanet", "score"])
    draws = next(weights_of(50, RESAMPLES, 0, None, at_once=RESAMPLES + 1))
    for name in ("mlp", "statnn"):
        pairs = [(one, other), (other, one)]
        tables = [[slow(zoo, rival, one, name, weights) for weights in draws] for zoo, rival in pairs]
        for score in SCORES:
            before, after = ([row[score] for row in table if row[score]] for table in tables)
            told = found.loc[name, score]
            wanted = np.mean(before[0]), np.mean(after[0]), np.mean(after[0]) - np.mean(before[0])
            assert told[["one", "other", "gain"]].tolist() == pytest.approx(wanted), score
            if len(before) > 1:
                sure = difference_of(np.array(after), np.array(before))
                assert (told["low"], told["high"], told["p"]) == pytest.approx((sure.low, sure.high, sure.p)), score


def test_weighted_nets_are_as_many_in_each_bin_and_none_is_lost_without_need():
    one, other, weights = made().target, made(spread=0.3, seed=1).target, np.ones((1, 50))
    kept = [matched(weights, *pair)[0] for pair in ((one, other), (other, one))]
    edges = np.quantile([*one, *other], np.arange(1, BINS) / BINS)
    counts = [
        np.bincount(np.searchsorted(edges, of, side="right"), w, BINS) for of, w in zip((one, other), kept, strict=True)
    ]
    np.testing.assert_allclose(*counts)
    assert (matched(weights, one, one) == 1).all()


def test_a_zoo_gains_nothing_over_itself_and_the_recipe_is_not_beyond_itself():
    found = directions(made(), made(), resamples=RESAMPLES)
    assert (found["gain"] == 0).all()
    assert ((found["low"] <= 0) & (found["high"] >= 0)).all()
    assert found.groupby("metanet").size().to_dict() == {"mlp": 6, "statnn": 6, RECIPES[1]: 4}


def test_only_the_score_that_has_ones_variance_knows_the_scale_of_the_others_targets():
    one, other = made(), made(noise=0.1, seed=1)
    half = {name: predicted / 2 for name, predicted in other.predicted.items()}
    halves = Predicted(other.index, other.target / 2, half)
    plain, halved = (directions(one, of, resamples=RESAMPLES) for of in (other, halves))
    same = ~plain["score"].str.startswith("r2_same")
    np.testing.assert_allclose(plain.loc[same, "gain"], halved.loc[same, "gain"], atol=1e-12)
    assert (plain["gain"] < halved["gain"] - 0.01)[plain["score"] == "r2_same_variance"].all()


def test_records_are_read_in_the_order_of_their_nets_and_compared_in_words(tmp_path, capsys):
    folders = [put(tmp_path, "mlp", zoo, noise=noise).parent for zoo, noise in ((STANDARD, 2.0), (ASYMMETRIC, 0.1))]
    one, other = map(read, folders)
    assert (np.diff(one.index) > 0).all()
    assert one.predicted["mlp"].shape == (5, NETS)
    main([*map(str, folders), "--metanet", "mlp"])
    _, *said = capsys.readouterr().out.splitlines()
    assert [words in line for line, words in zip(said, list(SCORES.values())[:4], strict=True)] == [True] * 4
    with pytest.raises(ValueError, match="expected records of one task on one zoo"):
        read(tmp_path)
    with pytest.raises(ValueError, match="only 10 of 40 test nets are in both"):
        directions(one, Predicted(other.index + 30, other.target, other.predicted))
    with pytest.raises(SystemExit, match="dmc"):
        main([*map(str, folders), "--metanet", "dmc"])
