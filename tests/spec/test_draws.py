import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import small

import zoo
from zoo.seeds import net_seed, stable_seed, stream
from zoo.spec.built_in import BASES
from zoo.spec.columns import HYPER_PARAMETERS, SPLITS
from zoo.spec.draws import draw, split_of
from zoo.training.schedule import smoothed_cross_entropy, triangle


def test_the_triangle_at_its_corners():
    assert triangle(0, steps=100, peak=20.0) == 0
    assert triangle(20, steps=100, peak=20.0) == 1
    assert triangle(100, steps=100, peak=20.0) == 0
    assert triangle(60, steps=100, peak=20.0) == 0.5


def test_the_triangle_is_linear_between_its_corners():
    found = [triangle(step, steps=97 * 11, peak=97 * 5.0) for step in range(97 * 11)]
    np.testing.assert_allclose(found, np.interp(range(97 * 11), [0, 97 * 5, 97 * 11], [0, 1, 0]))


@pytest.mark.parametrize("steps", [3, 10])
def test_a_net_that_stops_before_the_peak_only_rises(steps):
    found = [triangle(step, steps=steps, peak=10.0) for step in range(steps)]
    assert found == [step / 10 for step in range(steps)]


@pytest.mark.parametrize("base", [f"{base}-{kind}" for kind, bases in BASES.items() for base in bases])
def test_draws_lie_in_their_ranges_and_are_the_same_for_every_family(base):
    specs = [zoo.load(f"{base}-{family}") for family in zoo.nets.families.FAMILIES]
    draws = [draw(specs[0].recipe, seed=net_seed(0, index)) for index in range(400)]
    for name in HYPER_PARAMETERS:
        low, high = getattr(specs[0].recipe, name)
        values = [values[name] for values in draws]
        assert low <= min(values)
        assert max(values) <= high
    assert {values["epochs"] for values in draws} == set(range(specs[0].recipe.epochs[0], specs[0].recipe.epochs[1] + 1))
    logs = np.log([values["learning_rate"] for values in draws])
    low, high = np.log(specs[0].recipe.learning_rate)
    assert np.mean(logs) == pytest.approx((low + high) / 2, abs=0.1 * (high - low) + 1e-9)  # log-uniform
    for spec in specs[1:]:
        assert [draw(spec.recipe, seed=net_seed(0, index)) for index in range(20)] == draws[:20]


def test_splits_have_their_shares_and_depend_on_nothing_but_seed_and_index():
    splits = [split_of(small(), index) for index in range(4000)]
    assert [splits.count(split) / 4000 for split in SPLITS] == pytest.approx([0.5, 0.25, 0.25], abs=0.02)
    assert [split_of(small("w_asymmetric", nets=9999), index) for index in range(200)] == splits[:200]
    assert [split_of(small(seed=1), index) for index in range(200)] != splits[:200]


def test_smoothing_is_that_of_torch_net_by_net_in_value_and_gradient():
    logits = torch.randn(3, 7, 10, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(10, (3, 7))
    smoothing = torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64)
    found = smoothed_cross_entropy(logits, labels, smoothing)
    slow = torch.stack(
        [torch.nn.functional.cross_entropy(logits[i], labels[i], label_smoothing=smoothing[i].item()) for i in range(3)]
    )
    torch.testing.assert_close(found, slow)
    torch.testing.assert_close(*(torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0] for loss in (found, slow)))


def test_seeds_are_sha256_of_the_names():
    digest = hashlib.sha256(b"0/net/17").digest()
    assert net_seed(0, 17) == int.from_bytes(digest[:8], "little") >> 1 == stable_seed(0, "net", 17)
    assert net_seed(0, 17) == 5734397594314735083


def test_seeds_do_not_depend_on_the_process_and_names_give_different_streams():
    code = "from zoo.seeds import *; print(stable_seed('a', 1), stream('a', 1).initial_seed())"
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(Path(zoo.__file__).parent.parent)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(stable_seed("a", 1))] * 2
    assert len({stable_seed(5, purpose) for purpose in ("init", "data", "split", "hyper-parameters")}) == 4
    assert not torch.equal(torch.rand(9, generator=stream(5, "init")), torch.rand(9, generator=stream(5, "data")))
