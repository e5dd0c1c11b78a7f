"""The Gaussian process on hyper-parameters: it predicts as scikit-learn's does, whatever the units of a number are."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from metanets.gaussian_process import NOISE, SCALES, fit_gaussian_process, restored_gaussian_process
from metanets.metanet import Examples, Training


def examples(nets: int, seed: int, *, same: bool = False) -> Examples:
    """Nets with a rate, a number of epochs, one that does not matter and one that is the same."""
    rng = np.random.default_rng(seed)
    rate, epochs = 10 ** rng.uniform(-4, -1, nets), rng.uniform(10, 20, nets)
    numbers = np.stack([rate, epochs, rng.uniform(0, 1, nets), np.full(nets, 0.1)], axis=1)
    target = np.sin(np.log(rate)) + epochs / 10 + rng.normal(0, 0.01, nets)
    return Examples(torch.from_numpy(numbers[:, 3:] if same else numbers), target)


def fitted(train: Examples, held: Examples):
    """A fit with the defaults."""
    return fit_gaussian_process(train, held, training=Training(), seed=0)


def test_it_predicts_as_scikit_learn_does():
    train, held = examples(60, 0), examples(40, 1)

    def read(one: Examples) -> np.ndarray:
        return np.log(one.features.numpy()[:, :3])

    centre, spread = read(train).mean(axis=0), read(train).std(axis=0)
    kernel = ConstantKernel() * RBF(np.ones(3), SCALES) + WhiteKernel(NOISE)
    with pytest.warns(match="close to the specified upper bound"):
        plain = GaussianProcessRegressor(kernel, normalize_y=True).fit((read(train) - centre) / spread, train.target)
    found = fitted(train, held)
    np.testing.assert_allclose(found.predict(held.features), plain.predict((read(held) - centre) / spread), atol=0.01)
    assert found.chosen["validation_r2"] > 0.99


def test_units_do_not_matter_where_numbers_are_logarithms():
    train, held = examples(60, 0), examples(40, 1)
    units = torch.tensor([1000.0, 1, 1, 1], dtype=torch.float64)
    other = [Examples(one.features * units, one.target) for one in (train, held)]
    expected = fitted(train, held).predict(held.features)
    np.testing.assert_allclose(fitted(*other).predict(other[1].features), expected, atol=0.01)


def test_it_goes_on_beyond_what_it_was_fitted_to_and_says_the_mean_where_nothing_differs():
    train = examples(60, 0)
    beyond = train.features.clone()
    beyond[:, 0] *= -10  # no net can have it, and it is predicted for
    assert np.isfinite(fitted(train, train).predict(beyond)).all()
    same = examples(60, 0, same=True)
    assert set(fitted(same, same).predict(same.features)) == {same.target.mean()}


def test_a_number_that_is_missing_is_as_the_mean_of_the_others():
    train = examples(60, 0)
    lacking, none = train.features.clone(), train.features.clone()
    lacking[::7, 2], none[:, 2] = float("nan"), float("nan")
    whole = fitted(Examples(lacking, train.target), train)
    assert whole.chosen["validation_r2"] > 0.99
    middle = train.features.clone()
    middle[:, 2] = lacking[:, 2][~lacking[:, 2].isnan()].log().mean().exp()
    np.testing.assert_allclose(whole.predict(none), whole.predict(middle))
    assert np.isfinite(fitted(Examples(none, train.target), train).predict(none)).all()


def test_tensors_that_do_not_belong_together_are_refused():
    train = examples(30, 0)
    tensors = fitted(train, train).tensors()
    again = restored_gaussian_process(tensors, ())
    with pytest.raises(ValueError, match="fitted on 4"):
        again(train.features[:, :2])
    for name in tensors:
        with pytest.raises(ValueError, match="expected"):
            restored_gaussian_process({**tensors, name: tensors[name][:0]}, ())
    with pytest.raises(ValueError, match="not finite"):
        restored_gaussian_process({**tensors, "mean": tensors["mean"] * float("nan")}, ())
