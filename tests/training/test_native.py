"""The native engine against the plain net, PyTorch's autograd, and PyTorch's optimizer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import small
from plain_resnet8 import PlainResNet8

import zoo.tasks.images
from zoo.native import compile
from zoo.nets import resnet
from zoo.nets.layout import total, views
from zoo.seeds import net_seed
from zoo.spec.resolve import blueprint
from zoo.tasks.augment import Augmentation, augment, draw_augmentation
from zoo.tasks.images import ImageSet
from zoo.training import native
from zoo.training.adamw import adamw, bias_corrections
from zoo.training.data import Shown
from zoo.training.train import train

pytestmark = pytest.mark.skipif(native.missing() is not None, reason=f"no native engine: {native.missing()}")

SMOOTHING, CUTOUT = 0.1, 2
SHAPES = [  # pixels, width, grey, classes: rows of 16, of fewer, of odd numbers; channels padded or not
    (8, 0.25, True, 10),
    (16, 0.5, False, 10),
    (32, 1.0, False, 10),
    (28, 0.25, True, 10),
    (14, 0.3, False, 10),
    (7, 1.0, False, 10),
    (9, 0.875, True, 100),
    (16, 2.5, False, 3),
]


def pictures(size: int, channels: int, classes: int, count: int = 24) -> ImageSet:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, channels, size, size), generator=rng, dtype=torch.uint8)
    labels = torch.randint(classes, (count,), generator=rng)
    mean, std = torch.linspace(100, 140, channels), torch.linspace(50, 80, channels)
    return ImageSet(images, labels, images[:0], labels[:0], images, labels, mean, std, torch.tensor(classes))


def case(size, width, grey, classes, family="standard"):
    """A blueprint, images, and weights of which every kind matters."""
    spec = small(images__grey=grey, net__width=width, net__family=family)
    net, channels = blueprint(spec), 1 if grey else 3
    if (channels, classes) != (1, 10):  # the digits' own shape is what the spec gives
        layout = resnet.layout(width=width, channels=channels, classes=classes)
        count = total(layout)
        net = replace(net, layout=layout, trained=torch.ones(count, dtype=torch.bool), fixed=torch.zeros(count))
    weights = net.effective(net.initial(5).unsqueeze(0))[0]
    rng = torch.Generator().manual_seed(1)
    for entry in net.layout:
        if entry.role in ("scale", "shift"):
            weights[entry.slice] += 0.3 * torch.randn(entry.size, generator=rng)
    return net, pictures(size, channels, classes), weights


def plain(net, weights, images: ImageSet, width: float) -> PlainResNet8:
    module = PlainResNet8(width=width, channels=images.train.shape[1], classes=int(images.classes)).double()
    tensors = views(weights.double().unsqueeze(0), net.layout)
    module.load_state_dict({name: tensor[0] for name, tensor in tensors.items()})
    return module


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_those_of_the_plain_net(shape):
    net, images, weights = case(*shape)
    inputs = (images.train.double() - images.mean.double()[:, None, None]) / images.std.double()[:, None, None]
    expected = plain(net, weights, images, shape[1])(inputs).detach()
    assert error(native.Trainer(net, images).logits(weights, images.train), expected) < 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_as_near_to_autograds_as_bfloat16_allows(shape):
    """Both are compared with float64: the engine may be no worse than PyTorch's own bfloat16 by more than half."""
    net, images, weights = case(*shape)
    order = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(2))
    rng = torch.Generator().manual_seed(3)
    change = draw_augmentation(len(order), flip=True, shift=2, cutout=CUTOUT, size=shape[0], rng=rng)

    def gradient(dtype: torch.dtype, cast: bool) -> torch.Tensor:
        module = plain(net, weights, images, shape[1]).to(dtype)
        inputs = augment(images.train[order], change, cutout=CUTOUT, mean=images.mean.to(dtype), std=images.std.to(dtype))
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            logits = module(inputs)
        F.cross_entropy(logits.to(dtype), images.train_labels[order], label_smoothing=SMOOTHING).backward()
        return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])

    expected = gradient(torch.float64, cast=False)
    found = native.Trainer(net, images).gradient(weights, order, change, cutout=CUTOUT, smoothing=SMOOTHING)
    theirs = error(gradient(torch.float32, cast=True), expected)
    assert error(found, expected) < 1.5 * theirs
    for entry in net.layout:  # no tensor is left out or in another's place
        assert F.cosine_similarity(found[entry.slice].double(), expected[entry.slice], dim=0) > 0.5, entry.name


def unchanged(count: int) -> Augmentation:
    zeros = torch.zeros(count, 2, dtype=torch.int64)
    return Augmentation(torch.zeros(count, dtype=torch.bool), zeros, zeros)


@pytest.mark.parametrize("family", ["standard", "w_asymmetric"])
def test_training_is_adamw_on_the_gradients_and_fixed_entries_stay(family):
    net, images, start = case(8, 0.25, True, 10, family)
    trainer, order, batch = native.Trainer(net, images), torch.arange(24).flip(0), 8
    found, moments, options = start.clone(), torch.zeros(2, len(start)), {"cutout": 0, "smoothing": SMOOTHING}
    for step, rate in enumerate((0.01, 0.02, 0.003)):  # each step from the same weights: rounding flips bfloat16's bits
        shown, decay = order[step * batch : (step + 1) * batch], 0.05
        gradient = trainer.gradient(found, shown, unchanged(batch), **options).unsqueeze(0)
        expected, first, second = found.clone().unsqueeze(0), *moments.clone().unsqueeze(1)
        adamw(
            expected,
            gradient,
            first,
            second,
            rate=torch.tensor([rate]),
            decay=torch.tensor([decay]),
            corrections=torch.tensor(bias_corrections(step)),
        )
        corrections = torch.tensor([[1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)]])
        rates, now = torch.tensor([rate]), Shown(shown, images.train_labels[shown], unchanged(batch))
        trainer.train(found, moments, now, batch=batch, rates=rates, corrections=corrections, decay=decay, **options)
        torch.testing.assert_close(found, net.effective(expected)[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(moments, torch.cat([first, second]), rtol=1e-5, atol=1e-7)
    assert torch.equal(found[~net.trained], start[~net.trained])
    assert (found != start)[net.trained].float().mean() > 0.9


def test_a_net_leaves_no_trace_in_the_next_even_if_it_diverged():
    net, images, weights = case(8, 0.25, True, 10)
    broken = weights.clone()
    broken[: net.layout[0].size] = float("nan")
    trainer = native.Trainer(net, images)
    order, change = torch.arange(24), unchanged(24)
    before = trainer.gradient(weights, order, change, cutout=0, smoothing=0.0)
    assert trainer.gradient(broken, order, change, cutout=0, smoothing=0.0).isnan().any()
    assert torch.equal(trainer.gradient(weights, order, change, cutout=0, smoothing=0.0), before)


def test_nets_do_not_depend_on_their_unit():
    spec = small(precision="bfloat16", trajectory=(0, 2))
    images = zoo.tasks.images.load(spec.images)
    together, alone = (train(spec, blueprint(spec), images, range(*ends)) for ends in ((0, 4), (2, 3)))
    assert torch.equal(together.weights[2:3], alone.weights)
    assert np.array_equal(together.trajectory[2:3].numpy(), alone.trajectory.numpy(), equal_nan=True)


AXES = {
    "wrong_labels": (0.6, 0.9),
    "training_images": (32, 64),
    "corrupted_images": (0.6, 0.9),
}


@pytest.mark.parametrize("axis", [*AXES, "imbalance"])
def test_hidden_axes_are_those_that_pytorch_trains_with(axis):
    """Nets of both engines are near each other, and far from those without the axis, or with another net's images."""
    recipe = {"recipe__epochs": (1, 1), "recipe__learning_rate": (0.001, 0.001), "recipe__batch": 16}
    axes = {axis: AXES.get(axis, (8.0, 9.0))}
    images = zoo.tasks.images.load(small(images__train=900).images)
    spec, plain = (small(precision="bfloat16", recipe__hidden=chosen, **recipe) for chosen in (axes, {}))
    full, net = replace(spec, precision="float32"), blueprint(spec)
    native_nets, plain_nets, torch_nets = (train(one, net, images, range(3)).weights for one in (spec, plain, full))
    start = torch.stack([net.initial(net_seed(spec.seed, index)) for index in range(3)])
    way = (torch_nets - start).norm(dim=1)
    assert ((native_nets - torch_nets).norm(dim=1) / way).max() < 0.15
    assert ((plain_nets - torch_nets).norm(dim=1) / way).min() > 0.3


def test_nets_with_hidden_axes_do_not_depend_on_their_unit():
    spec = small(precision="bfloat16", recipe__hidden=AXES)
    images = zoo.tasks.images.load(spec.images)
    together, alone = (train(spec, blueprint(spec), images, range(*ends)) for ends in ((0, 4), (2, 3)))
    assert torch.equal(together.weights[2:3], alone.weights)


def test_other_nets_and_precisions_are_left_to_pytorch(monkeypatch):
    cpu = torch.device("cpu")
    assert native.serves(blueprint(small()), "bfloat16", cpu)
    assert not native.serves(blueprint(small()), "float32", cpu)
    assert not native.serves(blueprint(small(net__family="sigma_asymmetric")), "bfloat16", cpu)
    forget()
    monkeypatch.setenv("METAZOO_ENGINE", "torch")
    assert not native.serves(blueprint(small()), "bfloat16", cpu)
    forget()
    monkeypatch.delenv("METAZOO_ENGINE")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler" in (native.missing() or "")


def forget():
    native._library.cache_clear()
    compile.library.cache_clear()


@pytest.fixture(autouse=True)
def _library_anew():
    yield
    forget()
