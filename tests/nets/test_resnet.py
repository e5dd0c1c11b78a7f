from math import prod

import numpy as np
import pytest
import torch
from conftest import small
from plain_resnet8 import PlainResNet8

from zoo.nets import resnet
from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import total, views
from zoo.spec.resolve import blueprint

CPU = torch.device("cpu")


def double(family: str) -> Blueprint:
    return blueprint(small(family, net__width=0.25)).to(CPU, torch.float64)


def plain(net: Blueprint, vector: torch.Tensor, family: str) -> PlainResNet8:
    """The ordinary module with one net's weights."""
    module = PlainResNet8(width=0.25 * FAMILIES[family].width, channels=1, gates=net.gate).double()
    module.load_state_dict({name: tensor[0] for name, tensor in views(vector.detach()[None], net.layout).items()})
    return module


@pytest.mark.parametrize(
    ("width", "channels", "weights"), [(1.0, 3, 78_042), (0.875, 3, 59_944), (0.25, 1, 5_142), (0.25, 3, 5_214)]
)
def test_the_papers_counts(width, channels, weights):
    layout = resnet.layout(width=width, channels=channels, classes=10)
    assert (len(layout), total(layout)) == (29, weights)


def test_names_shapes_and_order_are_those_of_the_plain_nets_state_dict():
    expected = [(name, tuple(tensor.shape)) for name, tensor in PlainResNet8().state_dict().items()]
    assert [(entry.name, entry.shape) for entry in resnet.layout(width=1.0, channels=3, classes=10)] == expected


def test_tensors_lie_one_after_the_other():
    offset = 0
    for entry in resnet.layout(width=0.5, channels=3, classes=10):
        assert (entry.offset, entry.size, len(entry.axes)) == (offset, prod(entry.shape), len(entry.shape))
        offset += entry.size


@pytest.mark.parametrize("make", [np.zeros, torch.zeros])
def test_views_copy_nothing(make):
    layout = resnet.layout(width=0.25, channels=1, classes=10)
    weights = make((2, total(layout)))
    views(weights, layout)["layer2.0.conv1.weight"][1, 0, 0, 0, 0] = 7
    entry = next(e for e in layout if e.name == "layer2.0.conv1.weight")
    assert weights[1, entry.offset] == 7


def test_sigma_asymmetric_nets_have_seven_matrices_of_11008_entries():
    sizes = [channels**2 for channels in resnet.gates(width=1.0).values()]
    assert (len(sizes), sum(sizes)) == (7, 11_008)


@pytest.mark.parametrize("size", [8, 13])
@pytest.mark.parametrize("family", FAMILIES)
def test_many_nets_at_once_are_the_plain_net_one_at_a_time(family, size):
    net = double(family)
    vectors = torch.randn(3, total(net.layout), dtype=torch.float64, requires_grad=True)
    images, labels = torch.randn(3, 5, 1, size, size, dtype=torch.float64), torch.randint(10, (3, 5))
    logits = net.logits(net.effective(vectors), images)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, vectors)
    for i, effective in enumerate(net.effective(vectors)):
        module = plain(net, effective, family)
        alone = module(images[i])
        torch.testing.assert_close(logits[i], alone)
        torch.nn.functional.cross_entropy(alone, labels[i], reduction="sum").backward()
        slow = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
        torch.testing.assert_close(gradient[i][net.trained], slow[net.trained])
    assert (gradient[:, ~net.trained] == 0).all()


def permuted(net: Blueprint, weights: torch.Tensor, seed: int) -> torch.Tensor:
    """The nets after one random permutation of each channel space, on every axis that runs over it."""
    rng, orders, parts = torch.Generator().manual_seed(seed), {}, []
    for entry, tensor in zip(net.layout, views(weights, net.layout).values(), strict=True):
        for axis, space in enumerate(entry.axes):
            if space is not None:
                if space not in orders:
                    orders[space] = torch.randperm(entry.shape[axis], generator=rng)
                tensor = tensor.index_select(axis + 1, orders[space])
        parts.append(tensor.flatten(1))
    return torch.cat(parts, dim=1)


def test_permuting_channels_leaves_a_standard_net_and_breaks_a_w_asymmetric_one():
    images = torch.randn(2, 4, 1, 8, 8, dtype=torch.float64)
    for family, same in (("standard", True), ("w_asymmetric", False)):
        net = double(family)
        weights = net.effective(torch.randn(2, total(net.layout), dtype=torch.float64))
        moved = net.effective(permuted(net, weights, seed=1))
        assert not torch.equal(weights, moved)
        difference = (net.logits(weights, images) - net.logits(moved, images)).abs().max().item()
        assert difference < 1e-10 if same else difference > 0.1
