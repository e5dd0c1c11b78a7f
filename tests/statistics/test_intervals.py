import time
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, rankdata

from benchmark.statistics.intervals import (
    difference,
    difference_of,
    holm,
    interval,
    interval_of,
    mean_ranks,
    pairs,
    resampled,
)
from benchmark.statistics.metrics import METRICS, kendall_tau, mean_absolute_error, r2, r2_of_rows
from benchmark.statistics.taus import taus

SCALES = np.array([0.8, 1.0, 1.25])  # of a seed's errors, so that seeds differ; each as likely
SHARED, OWN = 0.4, 0.2  # standard deviations of the errors that all seeds make and that each makes
VARIANCE = (SHARED**2 + OWN**2) * SCALES**2  # of the errors of a seed, where the target's is 1
POPULATION = {"r2": np.mean(1 - VARIANCE), "tau": np.mean(2 / np.pi * np.arcsin(1 / np.sqrt(1 + VARIANCE)))}


def predictions(rng, true, *, seeds=5):
    """Predictions [seed, net] whose scores over all nets and seeds are POPULATION."""
    shared, own = SHARED * rng.normal(size=len(true)), OWN * rng.normal(size=(seeds, len(true)))
    return true + rng.choice(SCALES, size=(seeds, 1)) * (shared + own)


def example(nets=60, seeds=5, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=nets)
    return true, predictions(rng, true, seeds=seeds), predictions(rng, true, seeds=seeds) + 0.1


def quick_tau(true, predicted):
    """Kendall's tau over the pairs of different nets, where no two nets tie: scipy's takes ten times as long on 60 nets."""
    less, predicted_less = true[:, None] < true, predicted[:, None] < predicted
    return float(2 * np.count_nonzero(less & predicted_less) / np.count_nonzero(less) - 1)


def test_the_quick_tau_is_kendalls():
    true, predicted, _ = example()
    nets = np.random.default_rng(0).integers(60, size=60)
    assert quick_tau(true[nets], predicted[0, nets]) == pytest.approx(kendall_tau(true[nets], predicted[0, nets]))


@pytest.mark.parametrize(("name", "metric"), [("r2", r2), ("tau", quick_tau)])
def test_the_interval_covers_the_population_value_as_often_as_it_says(name, metric):
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(200):
        true = rng.normal(size=60)
        found = interval(true, predictions(rng, true), metric, resamples=200)
        covered.append(found.low <= POPULATION[name] <= found.high)
    assert 0.90 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize("metric", [r2, quick_tau], ids=["r2", "tau"])
def test_the_interval_of_a_difference_covers_and_equal_metanets_are_seldom_told_apart(metric):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(150):
        true = rng.normal(size=60)
        found.append(difference(true, predictions(rng, true), predictions(rng, true), metric, resamples=100))
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.92
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.08
    assert np.mean([one.p <= 0.5 for one in found]) >= 0.2  # nor is p so careful that it says nothing


def test_a_real_difference_is_found():
    true, one, _ = example()
    worse = one + np.random.default_rng(5).normal(size=60)
    found = difference(true, one, worse, r2, resamples=500)
    assert 0 < found.low < found.value < found.high
    assert 1 / 501 <= found.p < 0.01


@pytest.mark.parametrize("name", METRICS)
def test_the_value_is_the_mean_over_seeds_and_lies_in_the_interval(name):
    true, one, other = example()
    metric = METRICS[name]
    found = interval(true, one, metric, resamples=200)
    assert found.value == pytest.approx(np.mean([metric(true, values) for values in one]))
    assert found.low < found.value < found.high
    between = difference(true, one, other, metric, resamples=50)
    assert between.value == pytest.approx(found.value - interval(true, other, metric, resamples=50).value)
    assert between.value - between.low == pytest.approx(between.high - between.value)


def test_one_seed_gives_the_percentile_bootstrap_of_scipy():
    true, predicted, _ = example(seeds=1)
    found = interval(true, predicted, r2, resamples=4000)
    theirs = bootstrap(
        (true, predicted[0]), r2, paired=True, vectorized=False, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=0.1 * (theirs.high - theirs.low))


def test_seeds_that_predict_alike_give_the_interval_of_one():
    true, predicted, _ = example()
    one, five = (interval(true, np.repeat(predicted[:1], seeds, axis=0), r2, resamples=100) for seeds in (1, 5))
    assert (five.value, five.low, five.high) == pytest.approx((one.value, one.low, one.high))


def test_seeds_that_differ_widen_the_interval():
    true, predicted, _ = example()
    same = interval(true, np.repeat(predicted[:1], 5, axis=0), r2)
    apart = interval(true, predicted[:1] + np.linspace(-0.4, 0.4, 5)[:, None], r2)
    assert apart.high - apart.low > same.high - same.low


def test_nets_predicted_exactly_leave_the_seeds_alone_to_be_drawn():
    true, errors = np.arange(60.0), np.array([1.0, 2.0, 4.0])
    found = interval(true, true + errors[:, None], mean_absolute_error)
    assert (found.value, found.low, found.high) == (pytest.approx(7 / 3), 1, 4)  # of two seeds of three: 1 to 4


def test_more_confidence_is_a_wider_interval():
    true, one, other = example()
    narrow, wide = (interval(true, one, r2, level=level, resamples=200) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    narrow, wide = (difference(true, one, other, r2, level=level, resamples=200) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.p == wide.p


def test_the_same_seed_gives_the_same_interval_and_the_global_state_is_untouched():
    true, one, other = example()
    before = np.random.get_state()[1].tolist()
    first, again, other_seed = (interval(true, one, r2, resamples=100, seed=seed) for seed in (0, 0, 1))
    assert first == again != other_seed
    assert len({difference(true, one, other, r2, resamples=100, seed=seed) for seed in (3, 3, 4)}) == 2
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize("seeds", [1, 5])
def test_a_metanet_differs_from_itself_by_exactly_nothing(seeds):
    true, one, _ = example(seeds=seeds)
    found = difference(true, one, one, r2, resamples=100)
    assert (found.value, found.p) == (0, 1)
    assert found.low == -found.high
    assert (found.high == 0) == (seeds == 1)  # the same nets are drawn for both, the seeds are not


def test_two_metanets_may_have_different_numbers_of_seeds():
    true, one, other = example()
    assert difference(true, one[:1], other, r2, resamples=20).p <= 1


@pytest.mark.parametrize("resamples", [19, 20, 99, 500])
def test_zero_is_outside_the_interval_exactly_where_p_is_small(resamples):
    true, one, other = example()
    for shift in np.linspace(0, 0.3, 7):
        found = difference(true, one, other + shift, r2, resamples=resamples)
        assert (found.low > 0 or found.high < 0) == (found.p <= 0.05)


def test_too_few_resamples_for_the_level_bound_nothing():
    true, one, other = example()
    found = difference(true, one, other + 9, r2, resamples=18)
    assert (found.low, found.high, found.p) == (-np.inf, np.inf, pytest.approx(1 / 19))


def test_swapping_two_metanets_of_one_seed_turns_the_sign():
    true, one, other = example(seeds=1)
    found, turned = difference(true, one, other, r2), difference(true, other, one, r2)
    assert (turned.value, turned.low, turned.high, turned.p) == (-found.value, -found.high, -found.low, found.p)


def test_a_difference_is_paired_so_that_what_nets_share_cancels():
    true, one, _ = example(seeds=1)
    better = one + 0.05 * (true - one)
    alone, paired = interval(true, one, r2), difference(true, better, one, r2)
    assert paired.high - paired.low < (alone.high - alone.low) / 5
    assert paired.p < 0.05


def test_resamples_of_one_true_value_are_left_out():
    true = np.array([0.0, 0.0, 0.0, 1.0])  # a third of the resamples has no 1
    found = interval(true, np.array([[0.1, 0.2, 0.0, 0.8]]), r2, resamples=50)
    assert np.isfinite([found.low, found.high]).all()
    between = difference(true, np.array([[0.1, 0.2, 0.0, 0.8]]), np.array([[0.4, 0.2, 0.0, 0.8]]), r2, resamples=50)
    assert np.isfinite(between.value)
    assert 0 < between.p <= 1


def test_nets_of_one_true_value_are_refused():
    with pytest.raises(ValueError, match="more than one true value"):
        interval(np.ones(10), np.zeros((2, 10)), r2, resamples=5)
    with pytest.raises(ValueError, match="more than one true value"):
        difference(np.ones(10), np.zeros((2, 10)), np.zeros((2, 10)), kendall_tau, resamples=5)


@pytest.mark.parametrize("predicted", [np.zeros((2, 9)), np.zeros((0, 10)), np.full((2, 10), np.nan)])
def test_predictions_that_do_not_fit_the_nets_are_refused(predicted):
    with pytest.raises(ValueError, match=r"\[seed, net\] of 10 nets|20 of 20 predictions are not finite"):
        interval(np.arange(10.0), predicted, r2)


def test_pairs_are_the_differences_with_holms_correction():
    true, one, other = example()
    given_predictions = {"a": one, "b": other, "c": other[:1] + 2}
    found = pairs(true, given_predictions, r2, resamples=200, seed=4)
    assert list(zip(found["one"], found["other"], strict=True)) == list(combinations("abc", 2))
    for row in found.itertuples():
        alone = difference(true, given_predictions[row.one], given_predictions[row.other], r2, resamples=200, seed=4)
        assert (row.difference, row.low, row.high, row.p) == (alone.value, alone.low, alone.high, alone.p)
    assert found["p_holm"].tolist() == holm(found["p"].to_numpy()).tolist()


def test_one_metanet_makes_no_pair():
    true, one, _ = example()
    assert pairs(true, {"a": one}, r2, resamples=10).empty


def slow_holm(p_values):
    """The k-th smallest of m is multiplied by m - k + 1; none is less than the one before, nor over 1."""
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = least
    return adjusted


@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.02, 0.5])), max_size=12))
def test_holm_agrees_with_the_slow_way_and_keeps_the_order(p_values):
    adjusted = holm(np.array(p_values, np.float64))
    assert adjusted.tolist() == pytest.approx(slow_holm(p_values))
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p_values)]) >= 0).all()


def test_holm_of_a_known_example():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_holm_refuses_what_is_no_probability(bad):
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm(np.array([0.5, bad]))


def test_mean_ranks_give_the_best_one_and_share_ties():
    scores = pd.DataFrame({"a": [0.9, 0.5], "b": [0.7, 0.5], "c": [0.1, 0.2]}, index=["zoo", "other"])
    assert mean_ranks(scores).to_dict() == {"a": 1.25, "b": 1.75, "c": 3}
    assert mean_ranks(scores, lower_is_better=True).to_dict() == {"a": 2.75, "b": 2.25, "c": 1}


def test_mean_ranks_are_those_of_scipy():
    scores = np.random.default_rng(0).integers(5, size=(20, 6)) / 5
    slow = np.mean([rankdata(-row) for row in scores], axis=0)
    assert mean_ranks(pd.DataFrame(scores)).to_numpy() == pytest.approx(slow)


def test_mean_ranks_are_of_metanets_with_a_score_on_every_zoo_and_others_change_nothing():
    scores = pd.DataFrame({"a": [0.9, 0.1], "b": [0.7, np.nan], "c": [0.1, 0.9]})
    assert mean_ranks(scores).dropna().to_dict() == mean_ranks(scores[["a", "c"]]).to_dict() == {"a": 1.5, "c": 1.5}
    assert list(mean_ranks(scores).index) == ["a", "b", "c"]


@pytest.mark.parametrize("seeds", [1, 3])
def test_r2_of_rows_and_tables_made_once_are_the_slow_ones(seeds):
    generator = np.random.default_rng(0)
    true = generator.normal(size=50)
    one, other = (true + generator.normal(size=(seeds, 50)) for _ in range(2))
    assert r2_of_rows(true, one).tolist() == [r2(true, row) for row in one]
    assert np.isnan(r2_of_rows(np.ones(50), one)).all()
    slow = lambda true, predicted: r2(true, predicted)  # noqa: E731 - not r2 itself, so one row at a time
    tables = [resampled(true, predicted, r2) for predicted in (one, other)]
    np.testing.assert_array_equal(tables[0], resampled(true, one, slow))
    assert interval_of(tables[0]) == interval(true, one, slow)
    assert difference_of(*tables) == difference(true, one, other, slow)


def test_r2_of_a_thousand_resamples_of_a_large_zoo_takes_a_moment():
    true, one, _ = example(nets=2500)
    begun = time.process_time()
    interval(true, one, r2)
    assert time.process_time() - begun < 5  # 0.5 s; the rest is for the checks of the shapes, which only tests make


@pytest.mark.parametrize("ends", [None, np.stack([np.arange(30) % 9, 9 + np.arange(30) % 7], axis=1)], ids=["nets", "pairs"])
def test_taus_at_once_are_those_one_by_one(ends):
    rng = np.random.default_rng(0)
    true = rng.integers(6, size=30).astype(float)
    predicted = np.stack([rng.normal(size=30), np.round(true + rng.normal(size=30)), np.zeros(30)])
    fast = resampled(true, predicted, kendall_tau, resamples=50, ends=ends)
    slow = resampled(true, predicted, lambda one, other: kendall_tau(one, other), resamples=50, ends=ends)
    np.testing.assert_allclose(fast, slow, atol=1e-12)
    weights = np.array([[2.0, 1, 0, 3]])
    at = [0, 0, 1, 3, 3, 3]
    assert taus(weights, true[:4], predicted[:2, :4])[0, 1] == pytest.approx(kendall_tau(true[at], predicted[1][at]))


def test_tau_of_enormous_predictions_is_that_of_their_order():
    order, weights = np.array([0.0, -1, 1, -1, 0.5]), np.ones((1, 5))
    assert taus(weights, np.arange(5.0), 1e308 * order[None]) == taus(weights, np.arange(5.0), order[None])
