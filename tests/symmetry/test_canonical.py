"""The canonical form: the same for all nets of an orbit, of itself, and the same function."""

import pytest
import torch
from conftest import small
from test_element import HEADS, attention

from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import Layout, from_shapes, total, views
from zoo.seeds import stream
from zoo.spec.resolve import blueprint
from zoo.symmetry import Group, act, canonical, draw, group_of, log_sizes
from zoo.symmetry.group import masked

KINDS = [("scale",), ("size",), ("mix",), ("scale", "mix", "size")]
NETS = {"resnet8": {}, "mlp": {"architecture": "mlp"}, "mlp with norms": {"architecture": "mlp", "norm": True}}


def of(name: str, family: str = "standard") -> tuple[Blueprint, torch.Tensor]:
    changes = {f"net__{field}": value for field, value in {"width": 0.5, **NETS[name]}.items()}
    net = blueprint(small(family, **changes)).to(torch.device("cpu"), torch.float64)
    noise = torch.randn(4, total(net.layout), dtype=torch.float64, generator=stream("canonical"))
    return net, net.effective(torch.stack([net.initial(seed) for seed in range(4)]).double() + 0.05 * noise)


def images() -> torch.Tensor:
    return torch.randn(4, 6, 1, 8, 8, dtype=torch.float64, generator=stream("images"))


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
@pytest.mark.parametrize("name", NETS)
def test_moved_and_unmoved_nets_have_one_canonical_form(name, kinds):
    net, weights = of(name)
    group = group_of(net)
    moved = act(weights, net.layout, draw(group, 4, stream("moved"), kinds=kinds))
    one, other = (canonical(x, net.layout, group) for x in (weights, moved))
    assert (one - other).abs().max() < 1e-8
    assert (canonical(one, net.layout, group) - one).abs().max() < 1e-8
    before, after = (net.logits(x, images()) for x in (weights, one))
    assert (before - after).abs().max() / before.abs().max() < 1e-2 if group.sizes else 1e-10


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_family_has_fixed_stays(family):
    net, weights = of("resnet8", family)
    found = canonical(weights, net.layout, group_of(net))
    assert torch.equal(net.effective(found), found)
    assert torch.equal(found, weights) == (family == "w_asymmetric")


@pytest.mark.parametrize("layout", ["heads", "linear"])
def test_mixes_have_one_canonical_form_too(layout):
    """Also where the layer that reads has fewer rows than the one that writes, so that no balanced net is in the orbit."""
    linear = from_shapes(
        [("a", (3, 4), "linear", (None, None), (), ("M", None)), ("b", (2, 3), "linear", (None, None), (), (None, "/M"))]
    )
    tensors: Layout = HEADS if layout == "heads" else linear

    def output(weights: torch.Tensor) -> torch.Tensor:
        return attention(weights) if layout == "heads" else views(weights, linear)["b"] @ views(weights, linear)["a"]

    weights = torch.randn(3, total(tensors), dtype=torch.float64, generator=stream("mixes"))
    group = masked(tensors, torch.ones(total(tensors), dtype=torch.bool))
    moved = act(weights, tensors, draw(group, 3, stream("moved"), kinds=("mix",)))
    one, other = (canonical(x, tensors, group) for x in (weights, moved))
    assert (one - other).abs().max() < 1e-8
    assert (canonical(one, tensors, group) - one).abs().max() < 1e-8
    torch.testing.assert_close(output(one), output(weights), rtol=1e-9, atol=1e-9)


def test_what_the_form_is_made_of():
    net, weights = of("resnet8")
    found = views(canonical(weights, net.layout, group_of(net)), net.layout)
    for name in ("layer1.0.conv1.weight", "layer3.0.shortcut.0.weight"):
        assert torch.allclose(found[name].flatten(1).square().mean(dim=1), torch.ones(4, dtype=torch.float64))
    written = [("layer2.0.ln2", "layer2.0.shortcut.1"), ("layer1.0.ln1",), ("ln1", "layer1.0.ln2")]
    for norms in written:
        total_ = sum(found[f"{norm}.{part}"].square() for norm in norms for part in ("weight", "bias"))
        assert torch.allclose(total_, torch.ones_like(total_))
    sizes = log_sizes(weights, net.layout, group_of(net))
    conv = views(weights, net.layout)["conv1.weight"].flatten(1)
    torch.testing.assert_close(sizes["conv1.weight"], conv.square().mean(dim=1).log() / 2)


def test_perceptrons_are_balanced():
    net, weights = of("mlp")
    found = views(canonical(weights, net.layout, group_of(net)), net.layout)
    for number, reader in ((1, "linear2"), (2, "head")):
        writes = found[f"linear{number}.weight"].square().sum(2) + found[f"linear{number}.bias"].square()
        torch.testing.assert_close(writes, found[f"{reader}.weight"].square().sum(1), rtol=1e-10, atol=1e-10)


def test_dead_channels_and_tensors_of_zeros_stay_finite():
    for name in NETS:
        net, weights = of(name)
        group = group_of(net)
        weights[0] = 0.0
        views(weights, net.layout)[net.layout[1].name][1, 0] = 0.0
        found = canonical(weights, net.layout, group)
        assert found.isfinite().all()
        assert torch.equal(found[0], weights[0])


def test_nothing_in_the_group_leaves_everything():
    net, weights = of("resnet8")
    assert torch.equal(canonical(weights, net.layout, Group({}, {}, {}, ())), weights)
