import graphs
import numpy as np
import pytest
import torch
from conftest import small

from zoo.seeds import net_seed
from zoo.spec.draws import draw
from zoo.spec.resolve import blueprint
from zoo.tasks import images
from zoo.tasks.images import ImageSet
from zoo.training.cuda_graph import WARM_UPS, Replayed
from zoo.training.measure import measure
from zoo.training.train import train

PICTURES = images.load(small().images)


def test_a_replayed_step_is_the_step_for_any_shapes_in_any_order(monkeypatch):
    made = graphs.emulate(monkeypatch)
    mine, plain = torch.ones(6), torch.ones(6)

    def step_on(state):
        def step(x, factor):
            state[: len(x)].mul_(factor).add_(x.sin().flip(0) * torch.arange(len(x)))

        return step

    replayed = Replayed(step_on(mine), (mine,))
    for length in (6, 6, 4, 4, 6):
        inputs = torch.randn(length), torch.randn(())
        step_on(plain)(*inputs)
        given = [part.clone() for part in inputs]
        replayed(*inputs)
        replayed.inputs[0].zero_()
        assert torch.equal(mine, plain)
        assert all(torch.equal(*pair) for pair in zip(given, inputs, strict=True))  # they are the caller's
    assert len(made) == 3  # one capture for each run of equal shapes


def test_the_emulation_is_as_strict_as_a_device(monkeypatch):
    graphs.emulate(monkeypatch)
    state, calls = torch.zeros(3), []

    def counting(x):
        calls.append(1)
        state.add_(x * len(calls))

    replayed = Replayed(counting, (state,))
    for _ in range(3):
        replayed(torch.ones(3))
    assert len(calls) == WARM_UPS + 1  # then only the tensors' operations, with the numbers of the capture
    assert torch.equal(state, torch.full((3,), 3.0 * (WARM_UPS + 1)))
    with pytest.raises(RuntimeError, match="not permitted"):
        Replayed(lambda x: state.add_(x * state.sum().item()), (state,))(torch.ones(3))


@pytest.mark.parametrize("changed", [{}, {"recipe__flip": True, "recipe__shift": 1, "recipe__cutout": 2}])
@pytest.mark.parametrize("family", ["standard", "w_asymmetric", "sigma_asymmetric"])
def test_training_by_replays_is_training_step_by_step(monkeypatch, family, changed):
    spec = small(family, recipe__epochs=(1, 4), trajectory=(0, 2), precision="float32", **changed)
    net, nets = blueprint(spec), range(5)
    expected = train(spec, net, PICTURES, nets)
    made = graphs.emulate(monkeypatch)
    monkeypatch.setattr("zoo.training.train._replays", lambda device: True)
    found = train(spec, net, PICTURES, nets)
    assert torch.equal(found.weights, expected.weights)
    torch.testing.assert_close(found.trajectory, expected.trajectory, rtol=0, atol=0, equal_nan=True)
    assert len(made) == len({draw(spec.recipe, seed=net_seed(spec.seed, index))["epochs"] for index in nets}) > 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", ["standard", "w_asymmetric", "sigma_asymmetric"])
def test_all_of_a_step_is_on_the_device_and_waits_for_nothing(monkeypatch, family, precision):
    """On PyTorch's `meta` device, which has no values: mixing devices and asking for a value are errors."""
    monkeypatch.setattr("zoo.training.train._halves", lambda spec, device: spec.precision == "bfloat16")
    spec = small(family, precision=precision, trajectory=(0, 1), recipe__flip=True, recipe__shift=1, recipe__cutout=2)
    there = torch.device("meta")
    # What nets are shown is drawn on the host, before the first step of an epoch; so labels are read there.
    pictures = ImageSet(
        **{**PICTURES.to(there).tensors(), "train_labels": PICTURES.train_labels, "classes": PICTURES.classes}
    )
    ended = train(spec, blueprint(spec), pictures, range(3))
    assert ended.weights.device == ended.trajectory.device == there
    assert ended.weights.dtype == torch.float32
    misplaced = ImageSet(**{**pictures.tensors(), "mean": PICTURES.mean})
    with pytest.raises(RuntimeError, match="device"):
        train(spec, blueprint(spec), misplaced, range(1))


def test_whole_steps_in_bfloat16_train_to_about_the_same_loss(monkeypatch):
    spec = small(precision="float32", recipe__epochs=(3, 3))
    net = blueprint(spec)
    full = measure(net, train(spec, net, PICTURES, range(4)).weights, PICTURES)
    monkeypatch.setattr("zoo.training.train._halves", lambda spec, device: True)
    half = measure(net, train(spec, net, PICTURES, range(4)).weights, PICTURES)
    np.testing.assert_allclose(half["train_loss"], full["train_loss"], atol=0.1)
    assert not np.array_equal(half["train_loss"], full["train_loss"])
