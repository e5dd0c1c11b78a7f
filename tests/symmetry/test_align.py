"""Alignment: nets are brought back to what they were, by their weights and by what they do, and others nearer."""

import pytest
import torch
from test_canonical import NETS, of

from zoo.nets.layout import from_shapes, total, views
from zoo.seeds import stream
from zoo.spec import load
from zoo.spec.resolve import blueprint
from zoo.symmetry import Element, act, align, align_by_activations, draw, group_of
from zoo.symmetry.group import masked


@pytest.mark.parametrize("name", NETS)
def test_a_net_in_another_order_is_brought_back(name):
    net, weights = of(name)
    group = group_of(net)
    moved = act(weights, net.layout, draw(group, 4, stream("order"), kinds=("permutation",)))
    assert torch.equal(act(moved, net.layout, align(weights, moved, net.layout, group)), weights)


@pytest.mark.parametrize("name", NETS)
def test_what_channels_do_brings_a_net_back_too_whatever_their_scales(name):
    net, weights = of(name)
    group = group_of(net)
    moved = act(weights, net.layout, draw(group, 4, stream("scaled"), kinds=("scale", "size")))
    moved = act(moved, net.layout, element := draw(group, 4, stream("order"), kinds=("permutation",)))
    inputs = torch.randn(256, 1, 8, 8, dtype=torch.float64, generator=stream("inputs"))
    found = align_by_activations(net, weights, moved, inputs, group)
    assert {space: order.argsort(dim=1).tolist() for space, order in element.orders.items()} == {
        space: order.tolist() for space, order in found.orders.items()
    }


def test_each_space_has_the_activations_of_all_places_that_write_it():
    net, weights = of("resnet8")
    taps = {}
    logits = net.logits(weights, images := torch.randn(4, 6, 1, 8, 8, dtype=torch.float64), taps)
    assert {space: len(found) for space, found in taps.items()} == {"P0": 2, "I1": 1, "I2": 1, "P1": 1, "I3": 1, "P2": 1}
    pooled = taps["P2"][0].unflatten(2, (6, -1)).mean(3).transpose(1, 2)  # net image channel
    tensors = views(weights, net.layout)
    torch.testing.assert_close(pooled @ tensors["linear.weight"].mT + tensors["linear.bias"].unsqueeze(1), logits)
    assert torch.equal(net.logits(weights, images), logits)


def test_ten_of_ten_of_the_papers_nets_are_brought_back():
    net = blueprint(load("cifar10-resnet8-standard"))
    weights = torch.stack([net.initial(seed) for seed in range(10)])
    group = group_of(net)
    moved = act(weights, net.layout, draw(group, 10, stream("paper"), kinds=("permutation",)))
    back = act(moved, net.layout, align(weights, moved, net.layout, group))
    assert [bool(torch.equal(*pair)) for pair in zip(back, weights, strict=True)] == [True] * 10
    for entry in net.layout:
        if entry.role == "shift":  # every channel fires: two that never do could not be told apart
            weights[:, entry.slice], moved[:, entry.slice] = 3.0, 3.0
    seen = torch.randn(256, 3, 8, 8, generator=stream("seen"))
    back = act(moved, net.layout, align_by_activations(net, weights, moved, seen, group))
    assert [bool(torch.equal(*pair)) for pair in zip(back, weights, strict=True)] == [True] * 10


def test_other_nets_come_nearer_and_a_pair_is_aligned_as_it_is_among_others():
    net, weights = of("resnet8")
    one, other, group = weights[:2], weights[2:], group_of(net)
    found = align(one, other, net.layout, group)
    nearer = act(other, net.layout, found)
    assert ((nearer - one).norm(dim=1) < (other - one).norm(dim=1)).all()
    alone = align(one[:1], other[:1], net.layout, group)
    assert all(torch.equal(found.orders[space][:1], alone.orders[space]) for space in group.orders)


def test_a_single_space_gets_the_best_of_all_orders():
    layout = from_shapes([("a", (4, 3), "linear", ("H", None)), ("b", (2, 4), "linear", (None, "H"), (None, "/H"))])
    group = masked(layout, torch.ones(total(layout), dtype=torch.bool))
    one, other = torch.randn(2, 1, total(layout), generator=stream("brute")).double()
    best = min(
        float((act(other, layout, Element({"H": order.unsqueeze(0)})) - one).norm())
        for order in torch.cartesian_prod(*[torch.arange(4)] * 4)
        if len(set(order.tolist())) == 4
    )
    found = act(other, layout, align(one, other, layout, group))
    assert float((found - one).norm()) == pytest.approx(best)
