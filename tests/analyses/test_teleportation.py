"""The experiment on teleportation, in small: nets that stay are trained plainly, and moves change the gradient alone."""

import torch
from conftest import small

from benchmark.analyses.teleportation import BATCH, MOVED_AT, compare
from zoo.landscape.orbits.teleport import losses
from zoo.seeds import net_seed, stream
from zoo.spec.resolve import blueprint
from zoo.tasks import images
from zoo.tasks.augment import normalise


def test_the_table_has_a_row_a_rate_and_move_and_the_moves_change_the_gradient_alone():
    spec = small()
    found = compare(spec, nets=2, rates=(1e-9, 0.05), steps=MOVED_AT + 3)
    assert [*found["move"]] == ["none", "random", "teleport"] * 2
    still = found[found["rate"] == 1e-9]
    assert still["test_loss"].max() - still["test_loss"].min() < 1e-4 * still["test_loss"].max()
    assert (found["gradient"][[0, 3]] == 1).all()
    assert (found["gradient"][[2, 5]] > 2).all()
    assert found["test_loss"][5] < found["test_loss"][4]


def test_nets_that_stay_are_trained_by_plain_sgd():
    spec, steps = small(net__architecture="mlp"), 4
    net, data, rng = blueprint(spec), images.load(spec.images), stream("teleportation")
    weights = torch.stack([net.initial(net_seed(spec.seed, index)) for index in range(2)])
    inputs, test = (normalise(part, data.mean, data.std) for part in (data.train, data.test))
    for _ in range(steps):
        chosen = torch.randint(len(inputs), (BATCH,), generator=rng)
        weights.requires_grad_()
        (gradient,) = torch.autograd.grad(losses(net, weights, inputs[chosen], data.train_labels[chosen]).sum(), weights)
        weights = weights.detach() - 0.05 * gradient
    found = compare(spec, nets=2, rates=(0.05,), steps=steps)
    expected = float(losses(net, weights, test, data.test_labels).mean())
    assert abs(found["test_loss"][0] - expected) < 1e-5
