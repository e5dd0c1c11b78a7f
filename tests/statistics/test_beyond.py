from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau
from sklearn.linear_model import LinearRegression

from benchmark.statistics.beyond import LEAST, MOST, left, r2_beyond, strata, tables_beyond, tau_beyond
from benchmark.statistics.beyond_coverage import covered
from benchmark.statistics.intervals import interval_of, resampled

TIED = arrays(np.float64, 24, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
FLOATS = arrays(np.float64, 24, elements=st.floats(-100, 100, width=16))
VALUES = st.one_of(TIED, FLOATS)


def example(nets=60, seeds=3, seed=0):
    """A target, predictions of it [seed, net] and a baseline, all of which tie now and then."""
    rng = np.random.default_rng(seed)
    baseline = rng.normal(size=nets).round(1)
    true = (baseline + rng.normal(size=nets)).round(1)
    return true, (true + baseline + rng.normal(size=(seeds, nets))).round(1), baseline


def slow_left(values, baseline):
    line = LinearRegression().fit(baseline[:, None], values)
    return values - line.predict(baseline[:, None])


def slow_r2(true, predicted, baseline):
    """How much of what the baseline leaves goes where the prediction is told too, by the two regressions (signed)."""
    both = np.stack([baseline, predicted], axis=1)
    both = both / np.maximum(np.abs(both).max(axis=0), 1e-300)  # else the regression takes the smaller for rounding
    before = np.sum(slow_left(true, baseline) ** 2)
    line = LinearRegression().fit(both, true)
    after = np.sum((true - line.predict(both)) ** 2)
    return np.sign(line.coef_[1]) * (1 - after / before)


def slow_tau(true, predicted, baseline):
    """Over all pairs of nets of one stratum, one by one."""
    rest, guess, within = left(true, baseline), left(predicted, baseline), strata(baseline)
    pairs = [(i, j) for i, j in combinations(range(len(true)), 2) if within[i] == within[j]]
    signs = [(np.sign(rest[i] - rest[j]), np.sign(guess[i] - guess[j])) for i, j in pairs]
    ranked = sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)
    return sum(a * b for a, b in signs) / np.sqrt(ranked) if ranked else 0


@given(VALUES, VALUES, VALUES)
@settings(deadline=None)
def test_r2_beyond_is_the_coefficient_of_partial_determination(true, predicted, baseline):
    both = np.stack([baseline - baseline.mean(), predicted - predicted.mean(), true - true.mean()])
    sizes = np.linalg.svd(both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-300), compute_uv=False)
    assume(sizes[-1] > 1e-3)  # else regressions are of rounding
    assert r2_beyond(true, predicted, baseline) == pytest.approx(slow_r2(true, predicted, baseline), abs=1e-6)
    assert -1 <= r2_beyond(true, predicted, baseline) <= 1


@given(VALUES, VALUES, VALUES)
@settings(deadline=None)
def test_tau_beyond_is_that_of_all_pairs_within_strata(true, predicted, baseline):
    found = tau_beyond(true, predicted, baseline)
    assume(not np.isnan(found))
    assert found == pytest.approx(slow_tau(true, predicted, baseline), abs=1e-12)
    assert -1 <= found <= 1


def test_one_stratum_is_kendalls_tau_of_what_the_lines_leave():
    true, predicted, baseline = example(nets=2 * LEAST - 1)
    wanted = kendalltau(left(true, baseline), left(predicted[0], baseline)).statistic
    assert tau_beyond(true, predicted[0], baseline) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", [r2_beyond, tau_beyond])
def test_edge_cases(metric):
    true, predicted, baseline = example()
    assert metric(true, np.full(60, 0.1), baseline) == 0
    assert metric(true, baseline, baseline) == metric(true, 0.3 - 7 * baseline, baseline) == 0
    assert metric(true, true, baseline) == pytest.approx(1)
    assert metric(true, -true, baseline) == pytest.approx(-1)
    assert np.isnan(metric(true, predicted[0], true))
    assert np.isnan(metric(true, predicted[0], 2 * true - 0.1))
    assert np.isnan(metric(np.full(60, 0.1), predicted[0], baseline))


@pytest.mark.parametrize("metric", [r2_beyond, tau_beyond])
def test_scale_and_multiples_of_the_baseline_change_nothing(metric):
    true, predicted, baseline = example()
    moved = 3 * predicted[0] + 5 * baseline - 2
    assert metric(true, moved.round(9), baseline) == pytest.approx(metric(true, predicted[0], baseline), abs=0.03)
    assert r2_beyond(true, moved, baseline) == pytest.approx(r2_beyond(true, predicted[0], baseline))


def test_against_a_constant_baseline_r2_beyond_is_the_squared_correlation():
    true, predicted, _ = example()
    wanted = np.corrcoef(true, predicted[0])[0, 1] ** 2
    assert r2_beyond(true, predicted[0], np.full(60, 0.1)) == pytest.approx(wanted)


@pytest.mark.parametrize("nets", [1, 7, 8, 16, 60, 122, 2499, 2501, 6000])
def test_strata_are_of_equal_count_in_the_order_of_the_baseline(nets):
    baseline = np.random.default_rng(0).normal(size=nets)
    found = strata(baseline)
    counts = np.bincount(found)
    assert counts.max() - counts.min() <= 1
    assert counts.max() <= MOST
    assert counts.min() >= min(LEAST, nets)
    assert len(counts) >= min(10, max(1, nets // LEAST))
    assert (np.diff(found[np.argsort(baseline)]) >= 0).all()


def test_nets_that_are_predicted_the_same_are_in_strata_of_equal_count_too():
    assert np.bincount(strata(np.zeros(80))).tolist() == [8] * 10
    found = strata(np.repeat([1.0, 0.0], 40))
    assert found[:40].min() > found[40:].max()


@pytest.mark.parametrize("ends", [None, np.random.default_rng(3).integers(12, size=(60, 2))], ids=["nets", "pairs"])
def test_tables_are_the_metrics_of_each_resample(ends):
    true, predicted, baseline = example()
    predicted[1], predicted[2] = 0.1, 2 * baseline  # know nothing beyond, on any resample
    found, taus = tables_beyond(true, predicted, baseline, resamples=30, ends=ends)
    index, draws = np.arange(60.0), []
    resampled(index, index[None], lambda some, _: draws.append(some.astype(int)) or 0.0, resamples=30, ends=ends)
    assert len(draws) == len(found) == len(taus) == 31
    rest, guess, within = left(true, baseline), left(predicted[0], baseline), strata(baseline)
    for row, some in enumerate(draws):
        assert found[row, 0] == pytest.approx(r2_beyond(true[some], predicted[0, some], baseline[some]), abs=1e-9)
        pairs = [(i, j) for i, j in combinations(some, 2) if within[i] == within[j]]
        signs = np.sign([(rest[i] - rest[j], guess[i] - guess[j]) for i, j in pairs]).T
        assert taus[row, 0] == pytest.approx(signs[0] @ signs[1] / np.sqrt(np.prod(np.abs(signs).sum(axis=1))))
    assert not found[:, 1:].any()
    assert not taus[:, 1:].any()
    assert taus[0, 0] == pytest.approx(tau_beyond(true, predicted[0], baseline))


def test_parts_of_resamples_are_the_whole(monkeypatch):
    true, predicted, baseline = example()
    whole = tables_beyond(true, predicted, baseline, resamples=50)
    monkeypatch.setattr("benchmark.statistics.beyond.AT_ONCE", 60 * 7)
    for one, other in zip(whole, tables_beyond(true, predicted, baseline, resamples=50), strict=True):
        np.testing.assert_allclose(one, other)


def test_numbers_of_any_size_have_the_same_scores():
    true, predicted, baseline = example()
    plain = tables_beyond(true, predicted, baseline, resamples=20)
    for scale in (1e-60, 1e60):
        for one, other in zip(plain, tables_beyond(true * scale, predicted, baseline * scale, resamples=20), strict=True):
            np.testing.assert_allclose(one, other, atol=0.02)


def test_what_is_known_is_found_and_what_is_not_has_the_mean_zero():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        baseline, true, guess = rng.normal(size=(3, 20))
        found.append((r2_beyond(true + baseline, guess + baseline, baseline), tau_beyond(true, guess, baseline)))
    assert np.abs(np.mean(found, axis=0)).max() < 0.015  # the square without its sign: 1 / 18, as it should be
    assert np.mean(np.abs(found), axis=0)[0] == pytest.approx(1 / 18, abs=0.012)
    true, predicted, baseline = example(nets=200)
    assert interval_of(tables_beyond(true, predicted, baseline, resamples=100)[0]).low > 0.2


@pytest.mark.parametrize(("knows", "least"), [(0.0, 0.9), (0.7, 0.88)])
def test_intervals_cover_the_population_value_as_often_as_they_say(knows, least):
    shares = covered(knows, nets=60, seeds=5, simulations=150, resamples=150)
    assert all(least <= share <= 1 for share in shares.values()), shares


def test_enormous_predictions_say_what_they_say_at_any_scale():
    true, predicted, baseline = np.random.default_rng(0).normal(size=(3, 60))
    for of in (r2_beyond, tau_beyond):
        assert of(true, predicted * 2.0**660, baseline) == of(true, predicted, baseline)
        assert of(true, predicted, baseline * 2.0**660) == of(true, predicted, baseline)


@pytest.mark.parametrize("power", [-1060, -700, 700, 1000])
def test_a_power_of_two_of_the_baseline_changes_no_bit_of_any_table(power):
    true, predicted, baseline = example()
    whole = np.round(baseline * 10)  # so that the smallest numbers have them too
    plain, other = (tables_beyond(true, predicted, one, resamples=20) for one in (whole, np.ldexp(whole, power)))
    assert all(np.array_equal(a, b) for a, b in zip(plain, other, strict=True))
