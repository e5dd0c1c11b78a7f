"""Charges: what they are, written out plainly; that gradient flow conserves them, and how far steps are from it."""

import math

import pytest
import torch
from conftest import small

from zoo.landscape.orbits.charges import charges, distance, summaries
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import from_shapes, total, views
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import act, draw, group_of
from zoo.symmetry.group import masked

CPU = torch.device("cpu")
NETS, IMAGES = 2, 16
NORMS = {  # of a ResNet8: channel space -> the norms that write it, the weights that read it
    "P0": (["ln1", "layer1.0.ln2"], ["layer1.0.conv1", "layer2.0.conv1", "layer2.0.shortcut.0"]),
    "I1": (["layer1.0.ln1"], ["layer1.0.conv2"]),
    "P1": (["layer2.0.ln2", "layer2.0.shortcut.1"], ["layer3.0.conv1", "layer3.0.shortcut.0"]),
    "I2": (["layer2.0.ln1"], ["layer2.0.conv2"]),
    "P2": (["layer3.0.ln2", "layer3.0.shortcut.1"], ["linear"]),
    "I3": (["layer3.0.ln1"], ["layer3.0.conv2"]),
}


def net_of(architecture: str = "resnet8", **changes: object) -> Blueprint:
    return blueprint(small(net__architecture=architecture, **changes)).to(CPU, torch.float64)


def started(net: Blueprint) -> torch.Tensor:
    """Initial weights, with all that is 0 or 1 at the start moved a little."""
    weights = torch.stack([net.initial(seed) for seed in range(NETS)]).double()
    return weights + 0.1 * torch.randn(weights.shape, dtype=torch.float64, generator=stream("moved"))


def gradient(net: Blueprint, weights: torch.Tensor, *, images: int = IMAGES) -> torch.Tensor:
    """Of the mean cross-entropy on the same random images and labels."""
    pictures = torch.randn(images, 1, 8, 8, dtype=torch.float64, generator=stream("pictures")).expand(NETS, -1, -1, -1, -1)
    labels = torch.randint(10, (images,), generator=stream("labels")).repeat(NETS)
    free = weights.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(net.logits(free, pictures).flatten(0, 1), labels, reduction="none")
    return torch.autograd.grad(loss.sum() / images, free)[0]


def test_the_charges_of_a_resnet8_are_what_its_norms_and_weights_say():
    net = net_of(net__width=1.0)
    weights = started(net)
    found, tensors = charges(weights, net.layout, group_of(net)), views(weights, net.layout)
    assert sum(values[0].numel() for values in found.values()) == 224 + 9
    for space, (norms, readers) in NORMS.items():
        for channel in range(found[space].shape[1]):
            plain = sum(tensors[f"{n}.{part}"][1, channel] ** 2 for n in norms for part in ("weight", "bias"))
            plain -= sum(tensors[f"{n}.weight"][1, :, channel].square().sum() for n in readers)
            torch.testing.assert_close(found[space][1, channel], plain)
    convs = [entry.name for entry in net.layout if entry.role == "conv"]
    assert [*found] == [*group_of(net).scales, *convs]
    for name in convs:
        torch.testing.assert_close(found[name], tensors[name].square().flatten(1).sum(dim=1))


KINDS = [*((name, {}) for name in ARCHITECTURES), ("mlp", {"net__norm": True})]


@pytest.mark.parametrize(("architecture", "changes"), KINDS)
def test_along_the_gradient_no_charge_changes(architecture, changes):
    """The derivative of each charge along the gradient, against that along a random direction; norms have an epsilon."""
    net = net_of(architecture, **changes)
    weights, group = started(net), group_of(net)
    assert group.dimension
    flow, other = gradient(net, weights), torch.randn(weights.shape, dtype=torch.float64, generator=stream("other"))
    for name in charges(weights, net.layout, group):
        along, across = (change(net.layout, group, weights, way / way.norm(), name) for way in (flow, other))
        assert along.abs().max() < (1e-2 if name in group.sizes else 1e-12) * across.abs().max(), name


def change(layout, group, weights, way, name) -> torch.Tensor:
    """The derivative of a charge along a way. Charges are quadratic, so a symmetric difference is exact."""
    ahead, behind = (charges(weights + sign * way, layout, group)[name] for sign in (1, -1))
    return (ahead - behind) / 2


LINEAR = from_shapes(
    [("a", (3, 4), "linear", (None, None), (), ("M", None)), ("b", (2, 3), "linear", (None, None), (), (None, "/M"))]
)


def test_a_mix_has_a_matrix_of_charges_that_the_gradient_leaves_alone():
    group = masked(LINEAR, torch.ones(total(LINEAR), dtype=torch.bool))
    weights = torch.randn(NETS, total(LINEAR), dtype=torch.float64, generator=stream("linear"), requires_grad=True)
    net = views(weights, LINEAR)
    found = charges(weights, LINEAR, group)["M"]
    torch.testing.assert_close(found[:, 0], net["a"] @ net["a"].mT - net["b"].mT @ net["b"])
    (flow,) = torch.autograd.grad((net["b"] @ net["a"]).sin().sum(), weights)
    assert change(LINEAR, group, weights, flow, "M").abs().max() < 1e-12
    assert set(summaries({"M": found}, group)) == {f"charge_m_{what}" for what in ("mean", "sd", "min", "max")}


def drifts(net: Blueprint, rate: float, *, time: float = 1.0, decay: float = 0.0) -> torch.Tensor:
    """The mean |Q - e^(-2 decay t) Q_0| of each net after SGD of so small a rate for this time (rate * steps)."""
    group, weights = group_of(net), started(net)
    names, first = [*group.scales], charges(weights, net.layout, group)
    for _ in range(round(time / rate)):
        weights = weights - rate * (gradient(net, weights) + decay * weights)
    law = {name: math.exp(-2 * decay * time) * values for name, values in first.items()}
    return distance(charges(weights, net.layout, group), law, names)


def test_a_tenth_of_the_learning_rate_has_less_than_a_fifth_of_the_drift():
    net = net_of()
    coarse, fine = drifts(net, 0.1), drifts(net, 0.01)
    assert (coarse > 1e-4).all()
    assert (fine < coarse / 5).all()


def test_with_weight_decay_charges_fall_by_their_law():
    net = net_of("mlp", net__hidden=(6, 5))
    away, fine = drifts(net, 0.01, decay=0.5), drifts(net, 0.001, decay=0.5)
    first = charges(started(net), net.layout, group_of(net))
    fallen = distance(first, {name: math.exp(-1) * values for name, values in first.items()}, ["H1", "H2"])
    assert (away < fallen / 20).all()
    assert (fine < away / 5).all()


def test_orders_of_channels_only_reorder_charges_and_scales_change_them_by_their_formula():
    net = net_of()
    weights, group = started(net), group_of(net)
    before = charges(weights, net.layout, group)
    ordered = charges(act(weights, net.layout, draw(group, NETS, stream("o"), kinds=("permutation",))), net.layout, group)
    element = draw(group, NETS, stream("s"), kinds=("scale",))
    scaled, nothing = charges(act(weights, net.layout, element), net.layout, group), 0 * weights
    for space in group.scales:
        torch.testing.assert_close(ordered[space].sort(dim=1).values, before[space].sort(dim=1).values)
        assert not torch.equal(ordered[space], before[space])
        writers = charges(torch.where(norms(net), weights, nothing), net.layout, group)[space]
        squared = (2 * element.scales[space]).exp()
        torch.testing.assert_close(scaled[space], squared * writers - (writers - before[space]) / squared)
    for name, (value, words) in summaries(before, group).items():
        torch.testing.assert_close(summaries(ordered, group)[name][0], value)
        assert words


def norms(net: Blueprint) -> torch.Tensor:
    """True at the entries of norms, which write every space."""
    found = torch.zeros(total(net.layout), dtype=torch.bool)
    for entry in net.layout:
        found[entry.slice] = entry.role in ("scale", "shift")
    return found
