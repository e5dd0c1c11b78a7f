"""Symmetries found without a layout are those that layouts name."""

import pytest
import torch
from conftest import small
from torch.nn.functional import gelu

from zoo.nets import mlp
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.asymmetric import draw_gates, random_entries
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import total
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import group_of
from zoo.symmetry.discover import cosets, dimension

ACTIVATIONS = {"relu": torch.relu, "square": torch.square, "tanh": torch.tanh, "gelu": gelu, "linear": lambda x: x}


def two_layers(activation, k: int):
    x = torch.randn(40, 2, dtype=torch.float64, generator=stream("inputs"))
    return lambda w: (activation(x @ w[: 2 * k].reshape(k, 2).T) @ w[2 * k :].reshape(k, 1)).flatten()


@pytest.mark.parametrize(
    ("name", "expected"), [("relu", [2, 3]), ("square", [2, 3]), ("tanh", [0, 0]), ("gelu", [0, 0]), ("linear", [6, 15])]
)
def test_the_dimensions_of_two_layers_are_those_of_theory(name, expected):
    """ReLU k, tanh 0, linear k^2 + i k (k - 1) / 2 with i = 2 inputs."""
    every = [torch.ones(3 * k, dtype=torch.bool) for k in (2, 3)]
    found = [dimension(two_layers(ACTIVATIONS[name], len(t) // 3), t, torch.zeros(len(t))) for t in every]
    assert found == expected


def test_a_fixed_entry_in_each_unit_leaves_nothing_and_in_one_unit_the_others():
    fixed = torch.linspace(0.5, 2.5, 9)
    for units, expected in ((range(3), 0), (range(1), 2), ((), 3)):
        trained = torch.ones(9, dtype=torch.bool)
        trained[[2 * unit for unit in units]] = False
        assert dimension(two_layers(torch.relu, 3), trained, fixed) == expected


@pytest.mark.parametrize(("family", "expected"), [("standard", 3), ("w_asymmetric", 0), ("sigma_asymmetric", 0)])
def test_small_perceptrons_have_the_dimension_of_their_group(family, expected):
    layout = mlp.layout(width=1.0, channels=1, pixels=4, classes=2, hidden=(3,))
    assert total(layout) == 23
    trained = torch.ones(23, dtype=torch.bool)
    if family == "w_asymmetric":
        for entry in layout:
            if entry.role == "linear":
                trained[entry.slice] = random_entries(entry.shape, 1, stream("mask", entry.name)).flatten()
    fixed = torch.where(trained, 0.0, torch.randn(23, generator=stream("F")))
    gate = draw_gates(mlp.gates(width=1.0, hidden=(3,)), seed=0) if family == "sigma_asymmetric" else None
    net = Blueprint(ARCHITECTURES["mlp"], layout, "", trained, fixed, gate).to(torch.device("cpu"), torch.float64)
    assert group_of(net).dimension == expected
    images = torch.randn(1, 40, 1, 2, 2, dtype=torch.float64, generator=stream("images"))
    assert dimension(lambda weights: net.logits(weights.unsqueeze(0), images).flatten(), trained, fixed) == expected


@pytest.mark.parametrize(("name", "expected"), [("relu", 2), ("tanh", 8)])
def test_the_discrete_symmetries_of_two_units(name, expected):
    found = cosets(ACTIVATIONS[name], 2)
    assert len(found) == expected
    signs = {tuple(one.round().flatten().tolist()) for one in found}
    assert all((abs(one) - one.abs().round()).abs().max() < 1e-2 for one in found)
    ones = (1.0,) if name == "relu" else (1.0, -1.0)
    assert signs == {tuple(float(v) + 0.0 for v in m) for a in ones for b in ones for m in ((a, 0, 0, b), (0, a, b, 0))}


def test_the_papers_mask_for_perceptrons_leaves_nothing():
    assert not group_of(blueprint(small("w_asymmetric", net__architecture="mlp", net__width=1.0)))
