"""Teleportation: the same functions, larger gradients, within the bound; what is no symmetry is refused."""

import pytest
import torch
from conftest import small

from zoo.landscape.orbits.teleport import check_kept, element_of, losses, squared_gradient, teleport
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import act, draw, group_of
from zoo.tasks import images
from zoo.tasks.augment import normalise


@pytest.fixture(scope="module")
def seen() -> tuple[torch.Tensor, torch.Tensor]:
    data = images.load(small().images)
    return normalise(data.train[:48], data.mean, data.std), data.train_labels[:48]


def test_teleported_nets_compute_the_same_and_have_larger_gradients_than_random_moves(seen):
    net = blueprint(small())
    weights, group = torch.stack([net.initial(seed) for seed in range(3)]), group_of(net)
    found = teleport(net, weights, *seen, group, steps=6)
    before, after = (losses(net, one, *seen) for one in (weights, found))
    assert ((after - before).abs() <= 1e-4 * before).all()
    gained = squared_gradient(net, found, *seen) / squared_gradient(net, weights, *seen)
    randomly = act(weights, net.layout, draw(group, 3, stream("random"), kinds=("scale", "size")))
    assert (gained > 4).all()
    assert (squared_gradient(net, randomly, *seen) < squared_gradient(net, found, *seen)).all()
    ratio = found / weights
    assert ratio[weights != 0].min() > 1 / 8 - 1e-6  # a conv reads a space, writes none, and has a size
    assert ratio[weights != 0].max() < 8 + 1e-6


def test_without_steps_or_within_a_bound_of_1_nothing_moves(seen):
    net = blueprint(small(net__architecture="mlp"))
    weights = torch.stack([net.initial(seed) for seed in range(2)])
    for options in ({"steps": 0}, {"largest": 1.0}):
        assert torch.equal(teleport(net, weights, *seen, group_of(net), **options), weights)


def test_the_squared_gradient_is_that_of_each_net_alone_in_what_is_trained(seen):
    net = blueprint(small("w_asymmetric"))
    weights = net.effective(torch.stack([net.initial(seed) for seed in range(2)]))
    for row, found in zip(weights, squared_gradient(net, weights, *seen), strict=True):
        free = row[None].clone().requires_grad_()
        losses(net, net.effective(free), *seen).sum().backward()
        torch.testing.assert_close(free.grad.square().sum(), found)


def test_an_element_has_a_number_for_each_scale_and_size():
    group = group_of(blueprint(small(net__width=0.25)))
    logs = torch.arange(2 * 65.0).view(2, 65)
    element = element_of(logs, group)
    assert torch.equal(torch.cat([*element.scales.values(), torch.stack([*element.sizes.values()], dim=1)], dim=1), logs)


def test_a_move_that_is_no_symmetry_is_refused_and_one_that_is_not():
    """Scales of a ReLU net are none of a net with norms and GELU: the loss tells."""
    data = torch.randn(20, 1, 8, 8, generator=stream("data")), torch.randint(10, (20,), generator=stream("labels"))
    plain, normed = (blueprint(small(net__architecture="mlp", net__norm=norm)) for norm in (False, True))
    for net in (plain, normed):
        weights = torch.stack([net.initial(seed) for seed in range(2)])
        moved = weights.clone()
        for entry in net.layout:
            if entry.name in ("linear1.weight", "linear1.bias", "norm1.weight", "norm1.bias"):
                moved[:, entry.slice] *= 2
            if entry.name == "linear2.weight":
                moved[:, entry.slice] /= 2
        if net is plain:
            check_kept(net, weights, moved, *data)
        else:
            with pytest.raises(ValueError, match="no symmetry of it"):
                check_kept(net, weights, moved, *data)
            with pytest.raises(ValueError, match="is nan"):
                check_kept(net, weights, moved * torch.nan, *data)
