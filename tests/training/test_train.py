import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import small
from plain_resnet8 import PlainResNet8

import zoo
from zoo.nets.layout import views
from zoo.seeds import net_seed, stream
from zoo.spec.draws import draw
from zoo.spec.resolve import blueprint
from zoo.tasks import augment, images
from zoo.training.adamw import adamw, bias_corrections
from zoo.training.measure import evaluate, measure
from zoo.training.native import serves
from zoo.training.schedule import triangle
from zoo.training.train import train

PICTURES = images.load(small().images)


def test_adamw_is_torchs_net_by_net():
    rates, decays = torch.tensor([0.1, 0.01, 0.5]).double(), torch.tensor([0.1, 0.0, 0.7]).double()
    weights = torch.randn(3, 40).double()
    first, second, mine = torch.zeros_like(weights), torch.zeros_like(weights), weights.clone()
    parameters = [torch.nn.Parameter(row.clone()) for row in weights]
    optimizers = [
        torch.optim.AdamW([p], lr=rate.item(), weight_decay=decay.item())
        for p, rate, decay in zip(parameters, rates, decays, strict=True)
    ]
    for step in range(6):
        gradient = torch.randn(3, 40).double()
        adamw(mine, gradient, first, second, rate=rates, decay=decays, corrections=torch.tensor(bias_corrections(step)))
        for parameter, row, optimizer in zip(parameters, gradient, optimizers, strict=True):
            parameter.grad = row
            optimizer.step()
    torch.testing.assert_close(mine, torch.stack(list(parameters)))


def slow_training(spec: zoo.Spec, index: int) -> torch.Tensor:
    """One net by the book: an ordinary module, torch's optimizer and loss, and the same random numbers."""
    net, seed, recipe = blueprint(spec), net_seed(spec.seed, index), spec.recipe
    net = net.to(torch.device("cpu"), torch.float64)
    values = draw(recipe, seed=seed)
    module = PlainResNet8(width=spec.net.width, channels=1).double()
    start = net.effective(net.initial(seed).double()[None])
    module.load_state_dict({name: tensor[0] for name, tensor in views(start, net.layout).items()})
    masks = [net.trained[entry.slice].reshape(entry.shape) for entry in net.layout]
    fixed = [parameter.detach().clone() for parameter in module.parameters()]
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=values["weight_decay"])
    rng, steps = stream(seed, "data"), len(PICTURES.train) // recipe.batch
    for epoch in range(values["epochs"]):
        order = torch.randperm(len(PICTURES.train), generator=rng)[: steps * recipe.batch]
        change = augment.draw_augmentation(
            len(order), flip=recipe.flip, shift=recipe.shift, cutout=recipe.cutout, size=8, rng=rng
        )
        for number in range(steps):
            now = slice(number * recipe.batch, (number + 1) * recipe.batch)
            part = augment.Augmentation(change.flip[now], change.shift[now], change.cut[now])
            mean, std = PICTURES.mean.double(), PICTURES.std.double()
            inputs = augment.augment(PICTURES.train[order[now]], part, cutout=recipe.cutout, mean=mean, std=std)
            height = triangle(epoch * steps + number, steps=steps * values["epochs"], peak=steps * recipe.peak_epoch)
            optimizer.param_groups[0]["lr"] = values["learning_rate"] * height
            optimizer.zero_grad()
            loss = F.cross_entropy(
                module(inputs), PICTURES.train_labels[order[now]], label_smoothing=values["label_smoothing"]
            )
            loss.backward()
            for parameter, mask in zip(module.parameters(), masks, strict=True):
                parameter.grad *= mask
            optimizer.step()
            with torch.no_grad():  # the book's own way: put the fixed entries back after each step
                for parameter, mask, value in zip(module.parameters(), masks, fixed, strict=True):
                    parameter.copy_(torch.where(mask, parameter, value))
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.mark.parametrize("changed", [{}, {"recipe__flip": True, "recipe__shift": 1, "recipe__cutout": 2}])
@pytest.mark.parametrize("family", ["standard", "w_asymmetric"])
def test_nets_trained_together_are_those_trained_alone_by_the_book(family, changed):
    spec = small(family, recipe__learning_rate=(0.001, 0.01), **changed)
    together = train(spec, blueprint(spec), PICTURES, range(3, 6), dtype=torch.float64).weights
    for row, index in zip(together, range(3, 6), strict=True):
        torch.testing.assert_close(row, slow_training(spec, index), rtol=1e-6, atol=1e-8)


def test_a_net_does_not_depend_on_its_companions():
    spec = small("sigma_asymmetric")
    many = train(spec, blueprint(spec), PICTURES, range(4), dtype=torch.float64).weights
    alone = train(spec, blueprint(spec), PICTURES, range(2, 3), dtype=torch.float64).weights
    torch.testing.assert_close(many[2:3], alone, rtol=1e-6, atol=1e-9)


def test_fixed_entries_keep_every_bit_under_weight_decay():
    spec = small("w_asymmetric", recipe__weight_decay=(1.0, 2.0))
    net = blueprint(spec)
    ended = train(spec, net, PICTURES, range(3)).weights
    assert torch.equal(ended[:, ~net.trained], net.fixed[~net.trained].expand(3, -1))
    started = torch.stack([net.initial(net_seed(spec.seed, index)) for index in range(3)])
    assert (ended != started)[:, net.trained].float().mean() > 0.99


@pytest.mark.parametrize("at_once", [1, 2**21])
def test_evaluation_is_the_plain_loop_whatever_its_batches(monkeypatch, at_once):
    monkeypatch.setattr("zoo.training.measure.EVALUATED_AT_ONCE", at_once * 5 * 64)
    spec = small()
    net = blueprint(spec)
    weights = torch.stack([net.initial(seed) for seed in range(2)])
    accuracy, loss = evaluate(net, weights, PICTURES.test, PICTURES.test_labels, mean=PICTURES.mean, std=PICTURES.std)
    inputs = augment.normalise(PICTURES.test, PICTURES.mean, PICTURES.std)
    for i in range(2):
        module = PlainResNet8(width=spec.net.width, channels=1)
        module.load_state_dict({name: tensor[i] for name, tensor in views(weights, net.layout).items()})
        logits = module(inputs)
        assert accuracy[i] == pytest.approx((logits.argmax(1) == PICTURES.test_labels).double().mean().item(), abs=0.006)
        assert loss[i] == pytest.approx(F.cross_entropy(logits, PICTURES.test_labels).item(), rel=1e-5)


def test_a_diverged_net_is_marked_and_spoils_no_other():
    net = blueprint(small())
    weights = torch.stack([net.initial(seed) for seed in range(3)])
    alone = measure(net, weights, PICTURES)
    weights[1, 5] = float("nan")
    found = measure(net, weights, PICTURES)
    assert found["diverged"].tolist() == [False, True, False]
    for name in zoo.training.measure.TARGETS:
        assert np.isnan(found[name][1])
        np.testing.assert_allclose(found[name][[0, 2]], alone[name][[0, 2]], rtol=1e-5)


def test_without_held_out_images_validation_is_nan_and_nothing_is_called_diverged():
    none = dataclasses.replace(PICTURES, held_out=PICTURES.held_out[:0], held_out_labels=PICTURES.held_out_labels[:0])
    net = blueprint(small())
    found = measure(net, net.initial(0)[None], none)
    assert np.isnan(found["validation_accuracy"]).all()
    assert not found["diverged"].any()
    gap = found["train_accuracy"] - found["test_accuracy"]
    np.testing.assert_allclose(found["generalisation_gap"], gap, atol=1e-6)


def test_bfloat16_trains_to_about_the_same_loss():
    half, full = (small(precision=precision, recipe__epochs=(3, 3)) for precision in ("bfloat16", "float32"))
    losses = [
        measure(blueprint(s), train(s, blueprint(s), PICTURES, range(4)).weights, PICTURES)["train_loss"]
        for s in (half, full)
    ]
    np.testing.assert_allclose(*losses, atol=0.1)
    assert np.array_equal(*losses) == (not serves(blueprint(half), "bfloat16", torch.device("cpu")))


def test_fewer_images_than_a_batch_are_refused():
    with pytest.raises(ValueError, match="a batch of 4096"):
        train(small(recipe__batch=4096), blueprint(small()), PICTURES, range(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("family", ["standard", "w_asymmetric", "sigma_asymmetric"])
def test_a_cuda_device_trains_the_same_nets_but_for_rounding(family):
    spec = small(family=family, precision="float32")
    net, there = blueprint(spec), torch.device("cuda")
    expected = train(spec, net, PICTURES, range(4)).weights
    found = train(spec, net, PICTURES.to(there), range(4)).weights
    losses = [measure(net, weights.cpu(), PICTURES)["train_loss"] for weights in (expected, found)]
    np.testing.assert_allclose(*losses, atol=0.02)
