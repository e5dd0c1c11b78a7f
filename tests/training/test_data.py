"""What each net is shown, with and without hidden axes."""

import dataclasses

import pytest
import torch
from conftest import small

from zoo.seeds import net_seed, stream
from zoo.spec.draws import draw_hidden
from zoo.spec.hidden import Hidden
from zoo.spec.resolve import blueprint
from zoo.tasks import images
from zoo.tasks.corrupt import doubled
from zoo.training.data import Data, long_tail
from zoo.training.train import train

PICTURES = images.load(small().images)
COUNT = len(PICTURES.train)
SEEDS = [net_seed(0, index) for index in range(12)]
THREE = {"wrong_labels": (0.1, 0.9), "training_images": (16, COUNT), "corrupted_images": (0.1, 0.9)}


def shown_to(seed: int, **axes: tuple[float, float]) -> Data:
    return Data(small(recipe__hidden=axes).recipe, PICTURES, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_labels_are_wrong_as_was_drawn_and_no_wrong_one_is_the_true_class(seed):
    axes = {"wrong_labels": (0.0, 0.99)}
    data, share = shown_to(seed, **axes), draw_hidden(Hidden(**axes), seed=seed)["wrong_labels"]
    assert torch.equal(data.seen, torch.arange(COUNT))
    assert (data.labels != PICTURES.train_labels).sum() == round(share * COUNT)
    assert set(data.labels.tolist()) <= set(range(10))


def test_wrong_labels_are_uniform_over_the_other_classes():
    many = [shown_to(net_seed(1, index), wrong_labels=(0.5, 0.5)) for index in range(100)]
    wrong = torch.cat([(data.labels - PICTURES.train_labels) % 10 for data in many])
    counts = wrong.bincount(minlength=10)
    assert counts[0] == 100 * COUNT // 2
    expected = counts[1:].sum() / 9
    assert ((counts[1:] - expected) ** 2 / expected).sum() < 26.1  # chi-squared of 8: one in a thousand is above


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_different_images_are_seen_as_was_drawn_in_every_pass(seed):
    axes = {"training_images": (16, COUNT)}
    data, drawn = shown_to(seed, **axes), draw_hidden(Hidden(**axes), seed=seed)["training_images"]
    for _ in range(3):
        shown = data.epoch()
        assert len(shown.order) == 3 * 64  # as without the axis
        assert set(shown.order.tolist()) == set(data.seen.tolist())
        assert len(set(data.seen.tolist())) == drawn
        times = shown.order.bincount(minlength=COUNT)[data.seen]
        assert times.max() - times.min() <= 1  # whole passes, and a part of one
        assert torch.equal(shown.labels, PICTURES.train_labels[shown.order])
    first, second = shown.order[:drawn], shown.order[drawn : 2 * drawn]
    assert drawn * 2 > len(shown.order) or not torch.equal(first, second)  # each pass has its own order


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_of_the_images_seen_are_corrupted_as_was_drawn(seed):
    data, drawn = shown_to(seed, **THREE), draw_hidden(Hidden(**THREE), seed=seed)
    assert len(set((data.seen % COUNT).tolist())) == len(data.seen) == drawn["training_images"]
    assert (data.seen >= COUNT).sum() == round(drawn["corrupted_images"] * len(data.seen))
    wrong = data.labels != PICTURES.train_labels[data.seen % COUNT]
    assert wrong.sum() == round(drawn["wrong_labels"] * len(data.seen))


@pytest.mark.parametrize("ratio", [1.0, 3.0, 40.0])
def test_a_long_tail_falls_by_the_same_factor_from_class_to_class(ratio):
    labels = torch.arange(10).repeat_interleave(torch.arange(800, 810))
    seen = long_tail(labels, 10, ratio=ratio, rng=stream(0))
    counts = labels[seen].bincount(minlength=10).sort(descending=True).values.double()
    expected = 800 * ratio ** (-torch.arange(10).double() / 9)
    assert len(set(seen.tolist())) == len(seen)
    torch.testing.assert_close(counts, expected, atol=0.5, rtol=0)
    assert abs(counts[-1] - counts[0] / ratio) <= 0.5


def test_each_net_has_its_own_frequent_classes():
    labels = torch.arange(10).repeat_interleave(100)
    most = {int(labels[long_tail(labels, 10, ratio=9.0, rng=stream(i))].bincount().argmax()) for i in range(60)}
    assert most == set(range(10))


@pytest.mark.parametrize("axis", ["wrong_labels", "training_images", "corrupted_images", "imbalance"])
def test_an_axis_changes_neither_the_number_of_steps_nor_what_it_is_not_about(axis):
    plain = shown_to(SEEDS[0])
    ends = {"wrong_labels": 0.0, "training_images": COUNT, "corrupted_images": 0.0, "imbalance": 1.0}[axis]
    data = shown_to(SEEDS[0], **{axis: (ends, ends)})
    assert data.steps == plain.steps == COUNT // 64
    if axis != "imbalance":  # which leaves out images of the larger classes, so that all are equally frequent
        assert sorted(data.seen.tolist()) == plain.seen.tolist()
    for _ in range(2):
        first, second = plain.epoch(), data.epoch()
        assert len(first.order) == len(second.order)
        if axis in ("wrong_labels", "corrupted_images"):
            assert torch.equal(first.order, second.order)
            assert torch.equal(first.labels, second.labels)
            assert torch.equal(first.change.shift, second.change.shift)


def test_nobody_changes_the_images_true_labels():
    before = PICTURES.digest()
    for seed in SEEDS:
        shown_to(seed, **THREE).epoch()
    assert PICTURES.digest() == before


def test_a_net_with_axes_does_not_depend_on_its_companions():
    spec = small(recipe__hidden=THREE)
    many = train(spec, blueprint(spec), PICTURES, range(4), dtype=torch.float64).weights
    alone = train(spec, blueprint(spec), PICTURES, range(2, 3), dtype=torch.float64).weights
    torch.testing.assert_close(many[2:3], alone, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("axes", "found"),
    [({"training_images": (5, COUNT + 1)}, f"there are {COUNT}"), ({"imbalance": (1, 50)}, "the smallest has 1")],
)
def test_more_than_there_are_images_is_refused_by_name(axes, found):
    spec = small(recipe__hidden=axes)
    with pytest.raises(ValueError, match=found):
        train(spec, blueprint(spec), PICTURES, range(1))


def test_corrupted_images_are_the_same_for_all_nets_noisy_and_no_others():
    twice, again, other = doubled(PICTURES, 0), doubled(PICTURES, 0), doubled(PICTURES, 1)
    assert torch.equal(twice.train, again.train)
    assert torch.equal(twice.train[:COUNT], PICTURES.train)
    assert not torch.equal(twice.train, other.train)
    grey = dataclasses.replace(PICTURES, train=torch.full_like(PICTURES.train, 128))
    noise = doubled(grey, 0).train[COUNT:].double() - 128
    inside = noise.abs() < 97  # within one standard deviation, which is .38 of 255
    assert abs(inside.double().mean().item() - 0.683) < 0.01
    assert abs((noise[inside] ** 2).mean().item() / (96.9**2 * 0.2911) - 1) < 0.03  # a normal distribution cut off there
