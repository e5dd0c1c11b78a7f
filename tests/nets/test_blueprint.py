import dataclasses
from math import prod

import pytest
import torch
from conftest import small

from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.families import FAMILIES
from zoo.spec.resolve import blueprint


def tensors(net, seed=1):
    vector = net.initial(seed)
    return [(entry, vector[entry.slice]) for entry in net.layout]


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_start_as_the_identity_and_biases_within_their_bound(family):
    for entry, values in tensors(blueprint(small(family, net__width=1.0))):
        if entry.role in ("scale", "shift"):
            assert (values == (1 if entry.role == "scale" else 0)).all()
        elif entry.role == "bias":
            assert values.abs().max() <= 64**-0.5 * 1.2


def test_kaiming_normal_has_variance_two_over_fan_in():
    for entry, values in tensors(blueprint(small(net__width=1.0))):
        if entry.role in ("conv", "linear") and entry.size > 400:
            assert values.std().item() == pytest.approx((2 / prod(entry.shape[1:])) ** 0.5, rel=0.1)


def test_the_papers_w_asymmetric_nets_start_sqrt_6_times_smaller():
    for entry, values in tensors(blueprint(small("w_asymmetric", net__width=1.0))):
        if entry.role in ("conv", "linear") and entry.size > 400:
            fan_in = prod(entry.shape[1:])
            assert values.abs().max() <= fan_in**-0.5
            assert values.std().item() == pytest.approx((2 / fan_in / 6) ** 0.5, rel=0.1)


@pytest.mark.parametrize("init", ["kaiming_normal", "kaiming_uniform"])
def test_an_init_of_ones_own_gives_all_families_of_a_width_the_same_start(init):
    starts = [blueprint(small(f, net__init=init)).initial(3) for f in ("standard", "w_asymmetric", "sigma_asymmetric")]
    assert torch.equal(starts[0], starts[1])
    assert torch.equal(starts[0], starts[2])


def test_every_net_starts_elsewhere():
    net = blueprint(small())
    assert not torch.equal(net.initial(1), net.initial(2))
    assert torch.equal(net.initial(1), net.initial(1))


def test_a_gated_family_of_an_architecture_without_gates_is_refused_by_name(monkeypatch):
    plain = dataclasses.replace(ARCHITECTURES["resnet8"], gates=lambda *, width: {})
    monkeypatch.setitem(ARCHITECTURES, "resnet8", plain)
    for family, kind in FAMILIES.items():
        if kind.gated:
            with pytest.raises(ValueError, match=f"resnet8 has no gates, so {family} nets of it would be standard ones"):
                blueprint(small(family))
        else:
            assert blueprint(small(family)).gate is None


def test_a_masked_family_in_which_nothing_is_fixed_is_refused():
    with pytest.raises(
        ValueError, match=r"n_fix \[0, .*\]: no entry is fixed, so w_asymmetric nets of it would be standard ones"
    ):
        blueprint(small("w_asymmetric", net__n_fix=0))
    assert not blueprint(small("w_asymmetric", net__n_fix=1)).trained.all()
