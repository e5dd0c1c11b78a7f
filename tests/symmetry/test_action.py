import dataclasses

import pytest
import torch
from conftest import small

from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import from_shapes, total, views
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry.action import permuted, rescaled
from zoo.symmetry.group import Spaces, free_spaces, free_spaces_of

CPU = torch.device("cpu")
MOVES = {"permuted": permuted, "rescaled": rescaled}


def double(family: str, **changes: object) -> Blueprint:
    return blueprint(small(family, net__width=0.25, **changes)).to(CPU, torch.float64)


def free(net: Blueprint) -> Spaces:
    return free_spaces(net.layout, net.trained, gated=net.gate is not None)


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


def test_a_mask_ties_the_spaces_of_its_tensors_alone():
    net = double("standard")
    for name, tied in (("linear.weight", {"P2"}), ("layer3.0.conv1.weight", {"P1", "I3"}), ("linear.bias", set())):
        trained = torch.ones_like(net.trained)
        entry = next(entry for entry in net.layout if entry.name == name)
        trained[entry.offset + 1] = False
        assert free_spaces(net.layout, trained).keys() == free(net).keys() - tied


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


def test_layouts_that_are_not_our_own_architectures_are_refused_everywhere():
    ours = double("standard").layout
    one = dataclasses.replace(ours[3], axes=(*reversed(ours[3].axes[:2]), *ours[3].axes[2:]))
    other_size = dataclasses.replace(ours[1], shape=(ours[1].size + 1,))
    for layout in (PERCEPTRON, ours[:-1], ours[::-1], (*ours[:3], one, *ours[4:]), (ours[0], other_size, *ours[2:])):
        weights = torch.zeros(2, sum(entry.size for entry in layout))
        with pytest.raises(ValueError, match="symmetries of these nets are not known"):
            free_spaces(layout, torch.ones(weights.shape[1], dtype=torch.bool))
        for move in MOVES.values():
            with pytest.raises(ValueError, match="symmetries of these nets are not known"):
                move(weights, layout, stream(10), spaces={"A": 5})


def test_nets_that_cannot_be_run_have_no_known_symmetries_whatever_their_layout():
    net = double("standard")
    assert free_spaces_of(net) == free(net)
    with pytest.raises(ValueError, match="architecture is not one of this package's"):
        free_spaces_of(dataclasses.replace(net, architecture=None))
