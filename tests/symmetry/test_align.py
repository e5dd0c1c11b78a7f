"""Alignment by weights: nets are brought back to what they were, and others nearer."""

import pytest
import torch
from test_canonical import NETS, of

from zoo.nets.layout import from_shapes, total
from zoo.seeds import stream
from zoo.spec import load
from zoo.spec.resolve import blueprint
from zoo.symmetry import Element, act, align, draw, group_of
from zoo.symmetry.group import masked


@pytest.mark.parametrize("name", NETS)
def test_a_net_in_another_order_is_brought_back(name):
    net, weights = of(name)
    group = group_of(net)
    moved = act(weights, net.layout, draw(group, 4, stream("order"), kinds=("permutation",)))
    assert torch.equal(act(moved, net.layout, align(weights, moved, net.layout, group)), weights)


def test_ten_of_ten_of_the_papers_nets_are_brought_back():
    net = blueprint(load("cifar10-resnet8-standard"))
    weights = torch.stack([net.initial(seed) for seed in range(10)])
    group = group_of(net)
    moved = act(weights, net.layout, draw(group, 10, stream("paper"), kinds=("permutation",)))
    back = act(moved, net.layout, align(weights, moved, net.layout, group))
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
