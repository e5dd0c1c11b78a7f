"""Metanets that read tensors by name predict for nets of the same tensors, of any width, and refuse others by name."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from pandas.api.types import is_numeric_dtype

from benchmark.scoring.fit import Fits, Fitting, Given
from metanets import METANETS, Training
from zoo import Nets
from zoo.nets import mlp
from zoo.nets.layout import total

QUICK = Training(epochs=1, batch=4, learning_rates=(1e-3,))


def given(nets: int, *hidden: int) -> Given:
    layout = mlp.layout(width=1.0, channels=1, pixels=16, classes=3, hidden=hidden)
    weights = torch.randn(nets, total(layout), generator=torch.Generator().manual_seed(nets))
    every, nothing = torch.ones(total(layout), dtype=torch.bool), torch.zeros(total(layout))
    read = Nets(np.arange(nets), weights, pd.DataFrame(index=range(nets)), layout, every, nothing, image=(1, 4, 4))
    return Given(read, layout)


@pytest.mark.parametrize("name", [name for name, metanet in METANETS.items() if metanet.input.by_name])
def test_nets_of_other_tensors_are_refused(name):
    fits, target = Fits(), np.random.default_rng(0).random(12)
    fits.fit(Fitting(name, [0], [1], QUICK, given(12, 5, 4), given(8, 5, 4), target, target[:8]))
    assert np.isfinite(fits.predict(given(3, 5, 4), [0])[0]).all()
    for others in (given(3, 5, 4, 4), given(3, 5)):
        with pytest.raises(ValueError, match=r"fitted on nets of 6 tensors .* these nets have [48], not the same \(linear"):
            fits.predict(others, [0], elsewhere=True)


def test_the_same_tensors_in_another_order_are_called_that():
    fits, target, turned = Fits(), np.random.default_rng(0).random(12), given(3, 5, 4)
    fits.fit(Fitting("mp_gmn", [0], [1], QUICK, given(12, 5, 4), given(8, 5, 4), target, target[:8]))
    one, two, *others = turned.layout
    with pytest.raises(
        ValueError, match=rf"in another order, with {one.name} where these nets have {two.name}; fit it on such"
    ):
        fits.predict(replace(turned, layout=(two, one, *others)), [0], elsewhere=True)


def test_nets_of_other_hyper_parameters_are_refused_by_what_reads_them():
    def told(nets: int, **columns: list[object]) -> Given:
        frame = pd.DataFrame({name: (values * nets)[:nets] for name, values in columns.items()})
        frame = frame.astype({name: "category" for name in frame if not is_numeric_dtype(frame[name])})
        plain = given(nets, 5, 4)
        return replace(plain, read=replace(plain.read, hyper_parameters=frame))

    fits, target = Fits(), np.random.default_rng(0).random(40)
    train, validation = (told(nets, rate=[0.1, 0.2], activation=["relu", "tanh"]) for nets in (40, 8))
    fits.fit(Fitting("trees_hyper_parameters", [0], [1], QUICK, train, validation, target, target[:8]))
    assert np.isfinite(fits.predict(validation, [0])[0]).all()
    known = r"fitted on \['rate', 'activation = relu', 'activation = tanh'\]"
    for others in ({"rate": [0.1], "activation": ["gelu", "tanh"]}, {"decay": [0.1], "activation": ["relu", "tanh"]}):
        with pytest.raises(ValueError, match=f"these nets have the hyper-parameters .*{known}"):
            fits.predict(told(8, **others), [0], elsewhere=True)


@pytest.mark.parametrize("name", ["mp_gmn", "mp_scale_gmn", "scale_gmn", "probe_gen", "consensus"])
def test_nets_of_another_width_are_not(name):
    fits, target = Fits(), np.random.default_rng(0).random(12)
    fits.fit(Fitting(name, [0], [1], QUICK, given(12, 5, 4), given(8, 5, 4), target, target[:8]))
    assert np.isfinite(fits.predict(given(3, 9, 7), [0], elsewhere=True)[0]).all()
