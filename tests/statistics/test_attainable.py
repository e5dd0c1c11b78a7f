from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark.statistics.attainable import MOST_IMAGES, images_of, measured_again, noise_ceiling, tau_without_ties
from benchmark.statistics.metrics import kendall_tau, r2


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=2, max_size=4).map(np.array))
@settings(deadline=None, max_examples=20)
def test_no_prediction_has_more_tau_than_one_and_none_without_ties_more_than_is_said(true):
    assume(np.ptp(true) > 0)
    every = [np.array(guess, np.float64) for guess in product(range(len(true)), repeat=len(true))]
    taus = [kendall_tau(true, guess) for guess in every]
    assert max(taus) == pytest.approx(kendall_tau(true, true)) == pytest.approx(1)
    without = [tau for tau, guess in zip(taus, every, strict=True) if len(set(guess)) == len(true)]
    assert max(without) == pytest.approx(tau_without_ties(true))


def test_the_truth_with_its_ties_broken_attains_the_largest_tau_without_ties():
    true = np.random.default_rng(0).integers(20, size=200) / 20
    broken = true + np.random.default_rng(1).uniform(0, 0.01, 200)
    assert tau_without_ties(true) == pytest.approx(kendall_tau(true, broken))
    assert tau_without_ties(true) < 0.98
    assert tau_without_ties(np.arange(5.0)) == 1
    assert np.isnan(tau_without_ties(np.ones(5)))


def shares(images: int, nets: int = 30) -> np.ndarray:
    """Accuracies of nets on so many images, as zoos keep them."""
    rng = np.random.default_rng(images)
    return (rng.binomial(images, rng.uniform(0.1, 0.9, nets)) / images).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("images", [360, 697, 26_032, MOST_IMAGES - 1])
def test_the_number_of_images_is_told_from_accuracies_as_zoos_keep_them(images):
    assert images_of(shares(images)) == images
    assert images_of(shares(images), known=images) == images


@pytest.mark.parametrize("images", [50, 2000, 10_000, MOST_IMAGES])
def test_a_number_that_rounding_may_have_made_must_be_known(images):
    assert images_of(shares(images)) is None
    assert images_of(shares(images), known=images) == images
    assert images_of(shares(697), known=images) == 697


@pytest.mark.parametrize("images", [1, 697 * 10**6, 2**62])
def test_a_number_that_no_zoo_can_have_is_not_believed(images):
    assert images_of(shares(697), known=images) == 697
    assert images_of(np.tile([0.0, 1.0], 8), known=images) in (None, 2)  # of 1 there would be no ceiling at all


@pytest.mark.parametrize(("images", "digits"), [(10_000, 2), (697, 4), (26_032, 3)])
def test_rounded_accuracies_tell_no_number_of_images(images, digits):
    assert images_of(shares(images, nets=200).round(digits)) is None
    assert images_of(shares(images, nets=200).round(digits), known=697) is None


def test_few_nets_tell_no_number_of_images():
    assert images_of(shares(697, nets=3)) is None
    assert images_of(shares(697, nets=3), known=697) == 697


@pytest.mark.parametrize(
    "values",
    [np.random.default_rng(0).uniform(size=16), np.arange(16.0), -np.arange(16) / 20, np.full(16, 0.5)],
    ids=["no shares", "above 1", "below 0", "constant"],
)
def test_what_is_no_share_of_images_tells_no_number_of_them(values):
    assert images_of(values) is None


def test_the_ceiling_is_the_mean_r2_of_a_perfect_predictor():
    rng, images = np.random.default_rng(0), 50
    ceilings, found, again = [], [], []
    for _ in range(300):
        right = rng.uniform(0.3, 0.8, 400)
        one, other = rng.binomial(images, right, size=(2, 400)) / images
        ceilings.append(noise_ceiling(one, images))
        found.append(r2(one, right))
        again.append(measured_again(one, other))
    assert np.mean(ceilings) == pytest.approx(np.mean(found), abs=0.003)
    assert np.mean(found) < 0.85
    assert 1 - np.mean(again) == pytest.approx(2 * (1 - np.mean(ceilings)), abs=0.006)


def test_the_ceiling_of_a_known_example():
    assert noise_ceiling(np.array([0.25, 0.75]), 4) == pytest.approx(1 - (0.1875 / 3) / 0.0625)
    assert np.isnan(noise_ceiling(np.ones(3), 10))
    assert noise_ceiling(np.array([0.5, 0.51]), 10) < 0
    with pytest.raises(ValueError, match="2 or more"):
        noise_ceiling(np.array([0.0, 1.0]), 1)
