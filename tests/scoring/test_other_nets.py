"""Metanets that read tensors by name predict for nets of the same tensors, of any width, and refuse others by name."""

import numpy as np
import pandas as pd
import pytest
import torch

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


@pytest.mark.parametrize("name", ["mp_gmn", "mp_scale_gmn", "scale_gmn", "probe_gen", "consensus"])
def test_nets_of_another_width_are_not(name):
    fits, target = Fits(), np.random.default_rng(0).random(12)
    fits.fit(Fitting(name, [0], [1], QUICK, given(12, 5, 4), given(8, 5, 4), target, target[:8]))
    assert np.isfinite(fits.predict(given(3, 9, 7), [0], elsewhere=True)[0]).all()
