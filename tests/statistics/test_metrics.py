import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error as sklearn_mae
from sklearn.metrics import r2_score

from benchmark.statistics.metrics import (
    METRICS,
    kendall_tau,
    mean_absolute_error,
    r2,
    recalibrated_r2,
    scores,
    spearman,
    worst_decile,
)

FLOATS = arrays(np.float64, 12, elements=st.floats(-1e3, 1e3, width=16))
TIED = arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def slow_tau_b(true, predicted):
    """Kendall's tau-b over all pairs."""
    pairs = [(np.sign(true[i] - true[j]), np.sign(predicted[i] - predicted[j])) for i in range(len(true)) for j in range(i)]
    agree = sum(a * b for a, b in pairs)
    return agree / np.sqrt(sum(a != 0 for a, _ in pairs) * sum(b != 0 for _, b in pairs))


@given(st.one_of(FLOATS, TIED), st.one_of(FLOATS, TIED))
@settings(deadline=None)
def test_metrics_agree_with_scikit_learn_scipy_and_the_slow_way(true, predicted):
    assume(np.ptp(true) > 0)
    assert r2(true, predicted) == pytest.approx(r2_score(true, predicted))
    assert mean_absolute_error(true, predicted) == pytest.approx(sklearn_mae(true, predicted))
    if np.ptp(predicted) > 0:
        assert kendall_tau(true, predicted) == pytest.approx(kendalltau(true, predicted, variant="b").statistic)
        assert kendall_tau(true, predicted) == pytest.approx(slow_tau_b(true, predicted), abs=1e-12)
        assert spearman(true, predicted) == pytest.approx(spearmanr(true, predicted).statistic)
        assert spearman(true, predicted) == pytest.approx(pearsonr(rankdata(true), rankdata(predicted))[0], abs=1e-12)


@given(st.one_of(FLOATS, TIED), st.one_of(FLOATS, TIED))
@settings(deadline=None)
def test_the_worst_decile_is_the_mean_error_of_the_nets_predicted_worst(true, predicted):
    worst = np.argsort(np.abs(true - predicted))[-2:]  # 12 nets: a tenth is 1.2, rounded up
    assert worst_decile(true, predicted) == pytest.approx(sklearn_mae(true[worst], predicted[worst]))
    assert worst_decile(true, predicted) >= mean_absolute_error(true, predicted) * (1 - 1e-12)


@pytest.mark.parametrize(("nets", "worst"), [(1, 1), (10, 1), (11, 2), (20, 2), (100, 10)])
def test_the_worst_decile_has_at_least_one_net(nets, worst):
    errors = np.random.default_rng(0).permutation(np.arange(float(nets)))
    assert worst_decile(np.zeros(nets), errors) == pytest.approx(np.arange(nets)[-worst:].mean())


@given(st.one_of(FLOATS, TIED), st.one_of(FLOATS, TIED), st.one_of(FLOATS, TIED), st.one_of(FLOATS, TIED))
@settings(deadline=None)
def test_recalibrated_r2_is_that_of_a_linear_regression_on_validation(true, predicted, other_true, other_predicted):
    assume(np.ptp(true) > 0)
    line = LinearRegression().fit(other_predicted[:, None], other_true)
    found = recalibrated_r2(true, predicted, validation_true=other_true, validation_predicted=other_predicted)
    assert found == pytest.approx(r2_score(true, line.predict(predicted[:, None])), rel=1e-6, abs=1e-6)


@given(st.floats(-100, 100), st.floats(0.01, 100), st.sampled_from([-1, 1]))
@settings(deadline=None)
def test_recalibrated_r2_forgives_every_scale_and_offset(offset, scale, sign):
    true, other = np.random.default_rng(0).normal(size=(2, 30))
    noise, other_noise = np.random.default_rng(1).normal(size=(2, 30)) / 2
    plain = recalibrated_r2(true, true + noise, validation_true=other, validation_predicted=other + other_noise)
    moved = recalibrated_r2(
        true,
        offset + sign * scale * (true + noise),
        validation_true=other,
        validation_predicted=offset + sign * scale * (other + other_noise),
    )
    assert moved == pytest.approx(plain)


def test_recalibration_leaves_the_truth_perfect_and_never_learns_from_test():
    true, other = np.random.default_rng(0).normal(size=(2, 30))
    assert recalibrated_r2(true, 3 * true - 1, validation_true=other, validation_predicted=3 * other - 1) == pytest.approx(1)
    assert recalibrated_r2(true, -true, validation_true=other, validation_predicted=other) < 0


@pytest.mark.parametrize("same", [0.0, 0.1, 1e9])
def test_a_constant_validation_prediction_recalibrates_to_the_validation_mean(same):
    true, predicted, other = np.random.default_rng(0).normal(size=(3, 30))
    found = recalibrated_r2(true, predicted, validation_true=other, validation_predicted=np.full(30, same))
    assert found == pytest.approx(r2(true, np.full(30, other.mean())))


@given(st.one_of(FLOATS, TIED), st.one_of(FLOATS, TIED), st.sampled_from([np.arctan, np.exp, lambda x: 2 * x + 5]))
@settings(deadline=None)
def test_rank_correlations_are_blind_to_increasing_maps_and_turn_with_decreasing_ones(true, predicted, increasing):
    assume(np.ptp(true) > 0)
    ranks = rankdata(predicted, method="dense") / len(predicted)
    for metric in (kendall_tau, spearman):
        assert metric(true, increasing(ranks)) == pytest.approx(metric(true, predicted), abs=1e-12)
        assert metric(true, -increasing(ranks)) == pytest.approx(-metric(true, predicted), abs=1e-12)


def test_the_mean_has_r2_zero_and_the_truth_one():
    true = np.array([0.1, 0.4, 0.9])
    assert r2(true, np.full(3, true.mean())) == pytest.approx(0)
    assert scores(true, true) == {"r2": 1, "tau": 1, "spearman": 1, "mae": 0, "worst_decile": 0}


def test_a_constant_prediction_ranks_nothing_and_a_constant_target_has_no_correlation():
    values, same = np.array([1.0, 2.0, 3.0]), np.ones(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kendall_tau(values, same) == spearman(values, same) == 0
        assert np.isnan(kendall_tau(same, values))
        assert np.isnan(spearman(same, values))
        assert np.isnan(r2(same, values))
        assert np.isnan(recalibrated_r2(same, values, validation_true=values, validation_predicted=values))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_predictions_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 3"):
        scores(np.arange(3.0), np.array([0, bad, 1]))


def test_a_prediction_for_each_net_is_demanded_never_broadcast():
    with pytest.raises(ValueError, match="each of 3"):
        scores(np.arange(3.0), np.zeros(1))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_blind_to_the_order_of_the_nets(name):
    rng = np.random.default_rng(0)
    true, predicted, order = rng.normal(size=30), rng.normal(size=30), rng.permutation(30)
    assert METRICS[name](true, predicted) == pytest.approx(METRICS[name](true[order], predicted[order]))
