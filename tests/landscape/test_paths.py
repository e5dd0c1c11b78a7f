"""Lines between nets: the plain way, barriers of known curves, and what is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import small

from zoo.landscape import paths
from zoo.landscape.paths import Curves, Pictures, barriers, lines
from zoo.spec.resolve import blueprint
from zoo.tasks import images
from zoo.tasks.augment import normalise


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return paths.some(images.load(small().images), "test", 40)


def two(family: str, **changes: object) -> tuple:
    net = blueprint(small(family, **changes))
    weights = net.effective(torch.stack([net.initial(seed) for seed in range(6)]))
    return net, weights[:3], weights[3:]


@pytest.mark.parametrize("at_once", [1, 4, 64])
@pytest.mark.parametrize("family", ["standard", "w_asymmetric"])
def test_many_lines_at_once_are_as_one_net_after_another(pictures, monkeypatch, family, at_once):
    monkeypatch.setattr(paths, "NETS_AT_ONCE", at_once)
    net, starts, ends = two(family)
    found = lines(net, starts, ends, pictures, points=5)
    inputs = normalise(pictures.images, pictures.mean, pictures.std)[None]
    for line in range(3):
        for point, time in enumerate((0, 0.25, 0.5, 0.75, 1)):
            logits = net.logits(((1 - time) * starts[line] + time * ends[line])[None], inputs)[0]
            assert found.loss[line, point] == pytest.approx(F.cross_entropy(logits, pictures.labels).item(), rel=1e-5)
            right = (logits.argmax(1) == pictures.labels).float().mean().item()
            assert found.accuracy[line, point] == pytest.approx(right, abs=1 / 40 + 1e-6)


def test_barriers_of_curves_whose_barriers_are_known():
    times = np.linspace(0, 1, 25)
    loss = np.stack([times, 1 + 4 * times * (1 - times), times + np.where(times == 0.75, 2.0, 0.0), -times * (1 - times)])
    found = barriers(Curves(loss, 1 - loss))
    assert found["barrier_mid"] == pytest.approx([0, 1, 0, -0.25])
    assert found["barrier_max"] == pytest.approx([0, 1, 2, 0])
    assert found["accuracy_barrier_mid"] == pytest.approx(found["barrier_mid"])
    assert found["accuracy_barrier_max"] == pytest.approx(found["barrier_max"])


def test_a_grid_without_its_middle_and_ends_of_two_families_are_refused(pictures):
    net, starts, ends = two("w_asymmetric")
    for points in (1, 2, 24):
        with pytest.raises(ValueError, match=f"{points} points; take an odd number"):
            lines(net, starts, ends, pictures, points=points)
    with pytest.raises(ValueError, match="differ in entries that are not trained"):
        lines(net, starts, two("w_asymmetric", seed=1)[2], pictures, points=3)


def test_weights_in_memory_are_bounded(pictures, monkeypatch):
    _, starts, ends = two("standard")
    monkeypatch.setattr(paths, "WEIGHTS_AT_ONCE", 4 * starts.shape[1] + 1)
    assert {len(nets) for nets in paths._nets(starts, ends, torch.linspace(0, 1, 5))} == {4, 3}


def test_some_images_are_the_same_each_time_and_no_more_than_there_are(pictures):
    every = images.load(small().images)
    again = paths.some(every, "test", 40)
    assert torch.equal(again.images, pictures.images)
    assert len(paths.some(every, "test", 10**6).labels) == len(every.test)
    assert len(paths.some(every, "train", 7).images) == 7
