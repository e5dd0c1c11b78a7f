import dataclasses

import pytest
import torch
from conftest import small

from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import Layout, from_shapes, total, views
from zoo.seeds import stream
from zoo.spec import load
from zoo.spec.resolve import blueprint
from zoo.symmetry import Element, Group, act, at, check_known, compose, draw, group_of, inverse
from zoo.symmetry.group import KINDS, Spaces, masked

CPU = torch.device("cpu")


def permuted(weights: torch.Tensor, layout: Layout, rng: torch.Generator, *, spaces: Spaces) -> torch.Tensor:
    return act(weights, layout, draw(Group(spaces, {}, {}, ()), len(weights), rng))


def rescaled(
    weights: torch.Tensor, layout: Layout, rng: torch.Generator, *, spaces: Spaces, largest: float = 2.0
) -> torch.Tensor:
    return act(weights, layout, draw(Group({}, spaces, {}, ()), len(weights), rng, largest=largest))


MOVES = {"permuted": permuted, "rescaled": rescaled}


def double(family: str, **changes: object) -> Blueprint:
    return blueprint(small(family, net__width=0.25, **changes)).to(CPU, torch.float64)


def free(net: Blueprint) -> Spaces:
    group = group_of(net)
    assert group.orders == group.scales
    return group.orders


def random_nets(net: Blueprint, nets: int = 3) -> torch.Tensor:
    return net.effective(torch.randn(nets, total(net.layout), dtype=torch.float64, generator=stream("nets")))


def difference(net: Blueprint, one: torch.Tensor, other: torch.Tensor) -> float:
    """How far logits are apart at most, relative to the largest."""
    images = torch.randn(len(one), 4, 1, 8, 8, dtype=torch.float64, generator=stream("images"))
    logits = net.logits(one, images)
    return ((logits - net.logits(other, images)).abs().max() / logits.abs().max()).item()


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("family", ["standard", "smaller"])
def test_symmetries_change_almost_all_weights_and_no_logit(family, move):
    net = double(family)
    weights = random_nets(net)
    before = weights.clone()
    moved = move(weights, net.layout, stream(1), spaces=free(net))
    assert torch.equal(weights, before)
    assert (moved != weights).double().mean() > 0.7
    assert difference(net, weights, moved) < 1e-10


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("space", ["P0", "P1", "P2", "I1", "I2", "I3"])
def test_each_space_alone_has_its_symmetry_and_moves_only_tensors_that_name_it(space, move):
    net = double("standard")
    weights = random_nets(net)
    moved = move(weights, net.layout, stream(2), spaces={space: free(net)[space]})
    assert difference(net, weights, moved) < 1e-10
    for entry in net.layout:
        same = torch.equal(moved[:, entry.slice], weights[:, entry.slice])
        written_before_norm = move is rescaled and entry.role == "conv" and entry.axes[1] != space
        assert same == (space not in entry.axes or written_before_norm), entry.name


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_no_space_is_the_identity_and_disjoint_spaces_commute(move):
    net = double("standard")
    weights = random_nets(net)
    assert torch.equal(move(weights, net.layout, stream(3), spaces={}), weights)
    one, other = {"P0": 4, "I3": 16}, {"P1": 8, "P2": 16}
    both = move(move(weights, net.layout, stream(4), spaces=one), net.layout, stream(5), spaces=other)
    swapped = move(move(weights, net.layout, stream(5), spaces=other), net.layout, stream(4), spaces=one)
    torch.testing.assert_close(both, swapped, rtol=1e-14, atol=0)
    assert difference(net, weights, both) < 1e-10


def test_a_permutation_keeps_each_tensors_values_and_differs_from_net_to_net():
    net = double("standard")
    weights = random_nets(net, nets=1).repeat(3, 1)
    moved = permuted(weights, net.layout, stream(6), spaces=free(net))
    for entry in net.layout:
        assert torch.equal(*(x[:, entry.slice].sort(dim=1).values for x in (weights, moved)))
    assert not any(torch.equal(moved[i], moved[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_a_scalings_numbers_lie_within_their_bounds_and_1_is_the_identity():
    net = double("standard")
    weights = random_nets(net)
    ratios = rescaled(weights, net.layout, stream(7), spaces=free(net), largest=3.0) / weights
    for name, ratio in views(ratios, net.layout).items():
        bound = 3.0 if name != "linear.bias" else 1.0
        assert 1 / bound - 1e-6 < ratio.min() <= ratio.max() < bound + 1e-6, name
    assert ratios.max() > 2.5
    assert torch.equal(rescaled(weights, net.layout, stream(7), spaces=free(net), largest=1.0), weights)


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_nets_in_parts_are_moved_as_all_at_once(move):
    net = double("standard")
    weights = random_nets(net, nets=5)
    rng = stream(8)
    parts = [move(part, net.layout, rng, spaces=free(net)) for part in weights.split(2)]
    assert torch.equal(torch.cat(parts), move(weights, net.layout, stream(8), spaces=free(net)))


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_free_in_asymmetric_nets_and_every_channel_in_others(family):
    net = double(family)
    asymmetric = FAMILIES[family].masked or FAMILIES[family].gated
    first, second, third = (round(stage * 0.25 * FAMILIES[family].width) for stage in (16, 32, 64))
    whole = {"P0": first, "I1": first, "I2": second, "P1": second, "I3": third, "P2": third}
    assert free(net) == ({} if asymmetric else whole)


def test_a_mask_ties_the_spaces_and_sizes_of_its_tensors_alone():
    net = double("standard")
    for name, tied in (("linear.weight", {"P2"}), ("layer3.0.conv1.weight", {"P1", "I3"}), ("linear.bias", set())):
        trained = torch.ones_like(net.trained)
        entry = next(entry for entry in net.layout if entry.name == name)
        trained[entry.offset + 1] = False
        group = group_of(dataclasses.replace(net, trained=trained))
        assert group.orders.keys() == free(net).keys() - tied
        assert {*group.sizes} == {*group_of(net).sizes} - {name}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("family", ["w_asymmetric", "sigma_asymmetric"])
def test_the_same_moves_are_no_symmetries_of_asymmetric_nets(family, move):
    net = double(family)
    weights = random_nets(net)
    moved = net.effective(move(weights, net.layout, stream(9), spaces=free(double("standard"))))
    assert difference(net, weights, moved) > 0.01


PERCEPTRON = from_shapes(
    [
        ("0.weight", (5, 3), "linear", ("A", None)),
        ("0.bias", (5,), "bias", ("A",)),
        ("1.weight", (2, 5), "linear", (None, "A")),
    ]
)


def test_layouts_that_are_not_our_own_architectures_are_refused_unless_they_say_what_acts():
    net = double("standard")
    shapes = [("one.weight", (5, 3), "linear", ("A", None)), ("two.weight", (2, 5), "linear", (None, "A"))]
    other = from_shapes(shapes)
    renamed = tuple(dataclasses.replace(entry, name=f"module.{entry.name}") for entry in net.layout)
    for layout in (other, renamed):
        with pytest.raises(ValueError, match="symmetries of these nets are not known"):
            check_known(layout)
        weights = torch.randn(2, total(layout))
        with pytest.raises(ValueError, match="symmetries of these nets are not known"):
            act(weights, layout, Element())
    with pytest.raises(ValueError, match="symmetries of these nets are not known"):
        group_of(dataclasses.replace(net, layout=renamed))


def test_nets_that_cannot_be_run_have_no_known_symmetries_whatever_their_layout():
    net = double("standard")
    with pytest.raises(ValueError, match="architecture is not one of this package's"):
        group_of(dataclasses.replace(net, architecture=None))


def test_the_groups_of_the_paper_nets_have_their_sizes():
    wide = group_of(blueprint(load("cifar10-resnet8-standard")))
    assert (sum(wide.orders.values()), sum(wide.scales.values()), len(wide.sizes), wide.dimension) == (224, 224, 9, 233)
    assert not group_of(blueprint(load("cifar10-resnet8-w_asymmetric")))
    gated = group_of(blueprint(load("cifar10-resnet8-sigma_asymmetric")))
    assert (gated.orders, gated.scales, len(gated.sizes)) == ({}, {}, 9)
    with pytest.raises(ValueError, match="unknown kind of symmetry rotation"):
        wide.only(("rotation",))


@pytest.fixture(params=["resnet8", "heads"])
def nets(request) -> tuple[torch.Tensor, Layout, Group]:
    """Weights of some nets with their layout and group."""
    if request.param == "heads":
        layout = HEADS
        group = masked(layout, torch.ones(total(layout), dtype=torch.bool))
    else:
        net = double("standard")
        layout, group = net.layout, group_of(net)
    return torch.randn(3, total(layout), dtype=torch.float64, generator=stream("some nets")), layout, group


HEADS = from_shapes(
    [
        ("query", (4, 3, 5), "heads", ("H", None, None), (), (None, "QK", None)),
        ("key", (4, 3, 5), "heads", ("H", None, None), (), (None, "/QK", None)),
        ("value", (4, 3, 5), "heads", ("H", None, None), (), (None, "VO", None)),
        ("out", (5, 4, 3), "heads", (None, "H", None), (), (None, None, "/VO")),
    ]
)


def attention(weights: torch.Tensor) -> torch.Tensor:
    net = views(weights, HEADS)
    tokens = torch.randn(6, 5, dtype=torch.float64, generator=stream("tokens"))
    q, k, v = (torch.einsum("nhke,te->nhtk", net[name], tokens) for name in ("query", "key", "value"))
    return torch.einsum("nhtk,nehk->nte", (q @ k.mT).softmax(-1) @ v, net["out"])


def test_mixes_and_orders_of_heads_leave_attention_as_it_is():
    weights = torch.randn(3, total(HEADS), dtype=torch.float64, generator=stream("heads"))
    group = masked(HEADS, torch.ones(total(HEADS), dtype=torch.bool))
    assert group == Group({"H": 4}, {}, {"QK": (4, 3), "VO": (4, 3)}, ())
    assert group.dimension == 72
    for kinds in (("mix",), ("permutation",), KINDS):
        moved = act(weights, HEADS, draw(group, 3, stream("move"), kinds=kinds))
        assert not torch.equal(moved, weights)
        torch.testing.assert_close(attention(moved), attention(weights), rtol=1e-11, atol=1e-11)


def test_one_matrix_for_a_layer_without_heads():
    layout = from_shapes(
        [("a", (3, 4), "linear", (None, None), (), ("M", None)), ("b", (2, 3), "linear", (None, None), (), (None, "/M"))]
    )
    weights = torch.randn(3, total(layout), dtype=torch.float64, generator=stream("linear"))
    group = masked(layout, torch.ones(total(layout), dtype=torch.bool))
    one, moved = (views(x, layout) for x in (weights, act(weights, layout, draw(group, 3, stream("mix")))))
    torch.testing.assert_close(moved["b"] @ moved["a"], one["b"] @ one["a"])
    assert not torch.allclose(moved["a"], one["a"])


@pytest.mark.parametrize("kinds", [("permutation",), ("scale",), ("mix",), ("size",), KINDS], ids="-".join)
def test_the_inverse_undoes_and_a_composition_does_both(nets, kinds):
    weights, layout, group = nets
    one, other = (draw(group, len(weights), stream(name), kinds=kinds) for name in ("one", "other"))
    moved = act(weights, layout, one)
    torch.testing.assert_close(act(moved, layout, inverse(one, layout)), weights, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(
        act(weights, layout, compose(inverse(one, layout), one, layout)), weights, rtol=1e-11, atol=1e-11
    )
    both = act(weights, layout, compose(other, one, layout))
    torch.testing.assert_close(both, act(moved, layout, other), rtol=1e-11, atol=1e-11)


def test_elements_of_different_kinds_compose_too(nets):
    weights, layout, group = nets
    for one in KINDS:
        for other in KINDS:
            first, second = (draw(group, len(weights), stream(kind), kinds=(kind,)) for kind in (one, other))
            both = act(weights, layout, compose(second, first, layout))
            torch.testing.assert_close(both, act(act(weights, layout, first), layout, second), rtol=1e-11, atol=1e-11)


def test_an_orbit_leads_from_the_identity_to_the_element_and_adds_up(nets):
    weights, layout, group = nets
    element = draw(group, len(weights), stream("orbit"), kinds=("scale", "mix", "size"))
    torch.testing.assert_close(act(weights, layout, at(element, 0.0)), weights, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(act(weights, layout, at(element, 1.0)), act(weights, layout, element), rtol=1e-10, atol=1e-10)
    half = at(element, 0.5)
    torch.testing.assert_close(act(act(weights, layout, half), layout, half), act(weights, layout, element))
    if layout is HEADS:
        torch.testing.assert_close(attention(act(weights, layout, at(element, 0.3))), attention(weights))
    with pytest.raises(ValueError, match="lies on no path"):
        at(draw(group, 1, stream("p")), 0.5)
    flipped = -torch.eye(3, dtype=torch.float64).repeat(1, 4, 1, 1)
    flipped[..., 1:, 1:] *= -1
    with pytest.raises(ValueError, match="no real logarithm"):
        at(Element(mixes={"QK": flipped}), 0.5)
