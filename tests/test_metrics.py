import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau
from sklearn.metrics import mean_absolute_error as sklearn_mae
from sklearn.metrics import r2_score

from benchmark.metrics import METRICS, kendall_tau, mean_absolute_error, r2, scores

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


def test_the_mean_has_r2_zero_and_the_truth_one():
    true = np.array([0.1, 0.4, 0.9])
    assert r2(true, np.full(3, true.mean())) == pytest.approx(0)
    assert (r2(true, true), kendall_tau(true, true), mean_absolute_error(true, true)) == (1, 1, 0)


def test_a_constant_prediction_has_tau_zero_and_a_constant_target_nothing():
    values, same = np.array([1.0, 2.0, 3.0]), np.ones(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kendall_tau(values, same) == 0
        assert np.isnan(kendall_tau(same, values))
        assert np.isnan(r2(same, values))


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
