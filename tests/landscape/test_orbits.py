"""Orbits and chords: the loss is constant along the one, and not along the other; into how many parts minima fall."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import small
from scipy import ndimage

from zoo.landscape.orbits.orbits import along_chord, along_orbit
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import from_shapes, total, views
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import Element, act, at, draw, group_of
from zoo.symmetry.group import masked
from zoo.tasks import images

TIMES = (0.0, 0.25, 0.5, 1.0, -1.5)


def net_of(architecture: str, **changes: object) -> tuple[Blueprint, torch.Tensor]:
    net = blueprint(small(net__architecture=architecture, **changes)).to(torch.device("cpu"), torch.float64)
    return net, torch.stack([net.initial(seed) for seed in range(2)]).double()


@pytest.fixture(scope="module")
def pictures() -> images.ImageSet:
    return images.load(replace(small().images, test=40))


@pytest.mark.parametrize("architecture", ["resnet8", "mlp"])
def test_the_loss_is_constant_along_orbits_and_not_along_chords(architecture, pictures):
    net, weights = net_of(architecture)
    element = draw(group_of(net), len(weights), stream("orbit"), kinds=("scale",))
    losses = along_orbit(net, weights, element, pictures, TIMES)
    assert losses.shape == (2, len(TIMES))
    assert np.abs(losses - losses[:, :1]).max() < 1e-10
    chord = along_chord(net, weights, element, pictures, TIMES)
    np.testing.assert_allclose(chord[:, [0, 3]], losses[:, [0, 3]], rtol=1e-10)
    assert (np.abs(chord[:, 2] - losses[:, 2]) > 1e-4).all()


def test_no_orbit_leads_to_other_orders(pictures):
    net, weights = net_of("mlp")
    with pytest.raises(ValueError, match="lies on no path"):
        along_orbit(net, weights, draw(group_of(net), 2, stream("orders")), pictures, TIMES)


LINEAR = from_shapes(
    [("a", (3, 4), "linear", (None, None), (), ("M", None)), ("b", (2, 3), "linear", (None, None), (), (None, "/M"))]
)


def test_a_linear_net_stays_itself_along_the_orbit_of_a_mix_and_not_along_the_chord():
    weights = torch.randn(3, total(LINEAR), dtype=torch.float64, generator=stream("linear"))
    group = masked(LINEAR, torch.ones(total(LINEAR), dtype=torch.bool))
    element = draw(group, len(weights), stream("mix"))
    product = of_linear(weights)
    for time in TIMES:
        assert (of_linear(act(weights, LINEAR, at(element, time))) - product).abs().max() < 1e-10
    midpoint = of_linear(weights.lerp(act(weights, LINEAR, element), 0.5))
    assert ((midpoint - product).abs().amax(dim=(1, 2)) > 1e-3).all()


def of_linear(weights: torch.Tensor) -> torch.Tensor:
    net = views(weights, LINEAR)
    return net["b"] @ net["a"]


@pytest.mark.parametrize(("factor", "off"), [(2, 0.125), (4, 0.5625), (10, 2.025)])
def test_the_midpoint_of_a_chord_is_off_by_as_much_as_one_likes(factor, off):
    """A layer times c and the next divided by it: halfway the output is 1 + (sqrt c - 1 / sqrt c)^2 / 4 of itself."""
    net, weights = net_of("mlp", net__hidden=(7,), net__width=1.0)
    for entry in net.layout:
        weights[:, entry.slice] *= entry.role != "bias"
    logs = torch.full((2, 7), float(np.log(factor)), dtype=torch.float64)
    midpoint = weights.lerp(act(weights, net.layout, Element(scales={"H1": logs})), 0.5)
    inputs = torch.randn(2, 5, 1, 8, 8, dtype=torch.float64, generator=stream("inputs"))
    before, after = net.logits(weights, inputs), net.logits(midpoint, inputs)
    assert abs(off - (factor**0.5 - factor**-0.5) ** 2 / 4) < 1e-15
    torch.testing.assert_close(after, (1 + off) * before, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("skip", "parts"), [(0.0, 4), (0.5, 3)])
def test_minima_of_a_scalar_linear_net_fall_into_four_parts_and_with_a_skip_connection_into_three(skip, parts):
    """Of u (w v + skip) = 1 (Zhao et al., Understanding mode connectivity via parameter space symmetry).

    u follows from v and w where w v + skip is not 0, and has its sign, which no path can change. So parts are counted in the
    plane: without a skip one for each pair of signs of v and w; with it, v = w = 0 joins the two of positive u.
    """
    line = np.linspace(-2, 2, 200)  # without 0
    inside = line[:, None] * line + skip
    assert sum(ndimage.label(side)[1] for side in (inside > 0, inside < 0)) == parts


def test_minima_of_equal_signs_are_joined_by_an_orbit_and_those_of_other_signs_by_none():
    layout = from_shapes(
        [("v", (1, 1), "linear", (None, None), (), ("M", None)), ("w", (1, 1), "linear", (None, None), (), (None, "/M"))]
    )
    for other, joined in (([4.0, 0.25], True), ([-4.0, -0.25], False)):
        one = torch.tensor([[0.5, 2.0]], dtype=torch.float64)
        element = Element(mixes={"M": (torch.tensor(other)[:1] / 0.5).double().reshape(1, 1, 1, 1)})
        assert torch.allclose(act(one, layout, element), torch.tensor([other], dtype=torch.float64))
        if joined:
            points = torch.cat([act(one, layout, at(element, time)) for time in TIMES])
            torch.testing.assert_close(points.prod(dim=1), torch.ones(len(TIMES), dtype=torch.float64))
        else:
            with pytest.raises(ValueError, match="no path leads to it"):
                at(element, 0.5)
