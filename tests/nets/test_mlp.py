"""Perceptrons: their tensors, and agreement with PyTorch's own layers."""

import pytest
import torch
from conftest import small
from torch import nn

import zoo
from zoo.nets import mlp, resnet
from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.families import FAMILIES
from zoo.nets.layout import shapes_in, total, views
from zoo.seeds import stream
from zoo.spec import SPECS, load, to_json
from zoo.spec.resolve import blueprint, gates_of, mask_table


def test_the_sizes_are_the_papers():
    assert total(mlp.layout(width=1.0, channels=1, pixels=64, classes=10)) == 3466
    large = mlp.layout(width=1.0, channels=1, pixels=64, classes=10, hidden=(512, 512, 512), norm=True)
    assert (total(large), len(large)) == (566_794, 14)


@pytest.mark.parametrize("norm", [False, True])
def test_many_nets_compute_what_pytorch_does(norm):
    layout = mlp.layout(width=0.5, channels=2, pixels=9, classes=4, hidden=(6, 10), norm=norm)
    weights = torch.randn(3, total(layout), dtype=torch.float64, generator=stream("mlp"))
    images = torch.randn(3, 5, 2, 3, 3, dtype=torch.float64, generator=stream("images"))
    found = mlp.forward(views(weights, layout), images)
    for net in range(3):
        tensors = {name: tensor[net] for name, tensor in views(weights, layout).items()}
        layers = nn.Sequential(nn.Flatten())
        for number, (into, out) in enumerate(((18, 3), (3, 5)), start=1):
            names = ("linear", "norm") if norm else ("linear",)
            for name, layer in zip(names, (nn.Linear(into, out), nn.LayerNorm(out)), strict=False):
                layer.double().load_state_dict({part: tensors[f"{name}{number}.{part}"] for part in ("weight", "bias")})
                layers.append(layer)
            layers.append(nn.GELU() if norm else nn.ReLU())
        layers.append(nn.Linear(5, 4).double())
        layers[-1].load_state_dict({part: tensors[f"head.{part}"] for part in ("weight", "bias")})
        torch.testing.assert_close(found[net], layers(images[net]))


@pytest.mark.parametrize("norm", [False, True])
def test_a_layout_is_known_again_by_its_shapes_alone(norm):
    layout = mlp.layout(width=1.0, channels=1, pixels=64, classes=10, hidden=(7, 5, 3), norm=norm)
    shapes = shapes_in(layout)
    assert mlp.like(shapes) == layout
    assert resnet.like(shapes) is None
    for other in ({**shapes, "extra": (1,)}, {**shapes, "head.weight": (10, 4)}, {}, {"linear1.weight": (3, 3)}):
        assert mlp.like(other) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_zoos_of_perceptrons_are_built_opened_and_verified(family, tmp_path):
    spec = load(f"digits-mlp-{family}", {"nets": 12, "images.train": 128, "images.test": 100, "recipe.epochs": (1, 2)})
    made = zoo.open(zoo.build(spec, tmp_path / "zoo"))
    assert made.layout == blueprint(spec).layout
    assert made.spec == spec
    assert zoo.verify(made.folder, nets=4) == []
    assert not made.columns["diverged"].any()


def test_masks_are_one_number_or_one_for_each_layer():
    spec = small("w_asymmetric", net__architecture="mlp", net__width=1.0, net__n_fix=None)
    assert [row for row, _ in mask_table(spec.net, blueprint(spec).layout).values()] == [8, 4, 4]
    changes = {"net.n_fix": (3, 2, 1), "net.kappa": (1.0, 0.5, 0.25)}
    net = blueprint(load("digits-mlp-w_asymmetric", changes))
    for entry, fixed, kappa in zip((e for e in net.layout if e.role == "linear"), (3, 2, 1), (1.0, 0.5, 0.25), strict=True):
        mask = net.trained[entry.slice].reshape(entry.shape)
        assert ((~mask).sum(1) == fixed).all()
        values = net.fixed[entry.slice][~mask.flatten()]
        assert 0.5 * kappa < values.std() < 1.5 * kappa
    with pytest.raises(ValueError, match="n_fix has 2 numbers; mlp nets have 3 masked tensors"):
        blueprint(load("digits-mlp-w_asymmetric", {"net.n_fix": (1, 2)}))


def test_fields_of_another_architecture_are_refused_and_stand_in_no_older_zoo():
    for field, value in (("hidden", (3,)), ("norm", True)):
        with pytest.raises(ValueError, match=f"resnet8 nets have no {field}"):
            load("digits-resnet8-standard", {f"net.{field}": value})
    assert not {"hidden", "norm"} & to_json(load("digits-resnet8-standard"))["net"].keys()
    assert to_json(load("digits-mlp-standard"))["net"]["hidden"] == [32, 32]
    assert {load(name).net.architecture for name in SPECS} == {*ARCHITECTURES}
    assert gates_of(load("digits-mlp-sigma_asymmetric")) == {"nonlin1": 32, "nonlin2": 32}
