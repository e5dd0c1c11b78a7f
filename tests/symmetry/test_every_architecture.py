"""What holds of every architecture in the table, in every family, from the moment that its line is written."""

import pytest
import torch
from conftest import small

from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import total, views
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry.action import permuted, rescaled
from zoo.symmetry.group import free_spaces

NETS, IMAGES = 3, 4


def exists(name: str, family: str) -> bool:
    """Whether the architecture has nets of the family: gated ones only where it has gates."""
    return not FAMILIES[family].gated or bool(ARCHITECTURES[name].gates(width=1.0))


@pytest.fixture(
    params=[(name, family) for name in ARCHITECTURES for family in FAMILIES if exists(name, family)], ids="-".join
)
def net(request) -> Blueprint:
    architecture, family = request.param
    return blueprint(small(family, net__architecture=architecture, net__width=0.25)).to(torch.device("cpu"), torch.float64)


def drawn(net: Blueprint) -> torch.Tensor:
    return net.effective(torch.stack([net.initial(seed) for seed in range(NETS)]).double())


def pictures() -> torch.Tensor:
    return torch.randn(NETS, IMAGES, 1, 8, 8, dtype=torch.float64, generator=stream("pictures"))


def test_tensors_lie_one_after_the_other_under_names_of_their_own(net):
    assert len({entry.name for entry in net.layout}) == len(net.layout)
    ends = [0, *(entry.offset + entry.size for entry in net.layout)]
    assert [entry.offset for entry in net.layout] == ends[:-1]
    assert total(net.layout) == ends[-1] == len(net.trained) == len(net.fixed)
    assert all(len(entry.axes) == len(entry.shape) for entry in net.layout)
    sizes = {(space, size) for entry in net.layout for space, size in zip(entry.axes, entry.shape, strict=True) if space}
    assert len(sizes) == len({space for space, _ in sizes}), "a channel space has one size"


def test_many_nets_at_once_equal_one_at_a_time(net):
    weights, images = drawn(net), pictures()
    alone = torch.cat([net.logits(weights[[i]], images[[i]]) for i in range(NETS)])
    torch.testing.assert_close(net.logits(weights, images), alone)
    assert alone.shape == (NETS, IMAGES, 10)


def test_every_tensor_with_a_trained_entry_is_learnt_and_fixed_entries_are_not(net):
    weights = drawn(net).requires_grad_()
    (gradient,) = torch.autograd.grad(net.logits(net.effective(weights), pictures()).square().sum(), weights)
    assert (gradient[:, ~net.trained] == 0).all()
    for name, mask in views(net.trained.unsqueeze(0), net.layout).items():
        assert not mask.any() or views(gradient, net.layout)[name].abs().sum() > 0, name


def test_free_channels_move_without_moving_a_logit_and_tied_ones_do_not(net):
    weights, images = drawn(net), pictures()
    before = net.logits(weights, images)
    free = free_spaces(net.layout, net.trained, gated=net.gate is not None)
    spaces = {space: size for entry in net.layout for space, size in zip(entry.axes, entry.shape, strict=True) if space}
    for space, size in spaces.items():
        for move in (permuted, rescaled):
            moved = move(weights, net.layout, stream("move", space), spaces={space: size})
            same = torch.allclose(net.logits(net.effective(moved), images), before, rtol=1e-9, atol=1e-9)
            assert same == (space in free), (space, move.__name__)


def test_the_same_seed_begins_with_the_same_weights(net):
    assert torch.equal(net.initial(7), net.initial(7))
    assert not torch.equal(net.initial(7), net.initial(8))
