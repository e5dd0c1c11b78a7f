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
from zoo.symmetry import Element, Group, act, draw, group_of
from zoo.symmetry.group import acting, masked

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


TOLERANCE = {"permutation": 1e-11, "scale": 1e-11, "mix": 1e-11, "size": 1e-2}  # norms have an epsilon


def moved_by(net: Blueprint, weights: torch.Tensor, element: Element) -> float:
    """How far logits move at most, relative to the largest."""
    before, after = (net.logits(net.effective(x), pictures()) for x in (weights, act(weights, net.layout, element)))
    return float((before - after).abs().max() / before.abs().max())


def parts(group: Group) -> dict[str, Group]:
    """Each generator of the group alone."""
    found = {f"order {space}": Group({space: size}, {}, {}, ()) for space, size in group.orders.items()}
    found |= {f"scale {space}": Group({}, {space: size}, {}, ()) for space, size in group.scales.items()}
    found |= {f"mix {space}": Group({}, {}, {space: size}, ()) for space, size in group.mixes.items()}
    return found | {f"size {name}": Group({}, {}, {}, (name,)) for name in group.sizes}


def test_every_generator_keeps_the_logits_and_under_a_mask_or_gate_moves_them(net):
    weights, whole = drawn(net), masked(acting(net.layout), torch.ones_like(net.trained))
    free = parts(group_of(net))
    for name, alone in parts(whole).items():
        kind = "size" if alone.sizes else "scale" if alone.scales else "mix" if alone.mixes else "permutation"
        element = draw(alone, NETS, stream("move", name))
        if torch.equal(net.effective(act(weights, net.layout, element)), weights):
            continue  # a tensor without a trained entry
        moved = moved_by(net, weights, element)
        assert moved < TOLERANCE[kind] if name in free else moved > 1e-3, (name, moved)


def test_what_is_no_generator_moves_the_logits(net):
    """One swap of two channels on the first axis that a space has, where the others stay; inputs and classes too."""
    weights = drawn(net)
    before = net.logits(weights, pictures())
    for entry in net.layout:
        for axis, size in enumerate(entry.shape):
            if size > 1 and entry.role in ("conv", "linear"):
                swapped = weights.clone()
                tensor = views(swapped, net.layout)[entry.name]
                tensor.copy_(tensor.index_select(axis + 1, torch.tensor([1, 0, *range(2, size)])))
                assert not torch.allclose(net.logits(swapped, pictures()), before, rtol=1e-6, atol=1e-6), (entry.name, axis)


def test_the_same_seed_begins_with_the_same_weights(net):
    assert torch.equal(net.initial(7), net.initial(7))
    assert not torch.equal(net.initial(7), net.initial(8))
