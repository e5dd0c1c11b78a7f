"""Consensus: agreement by a loop, what moves nothing, images that are seen as asked, and that spoilt nets are found out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine
from scipy.special import log_softmax, softmax

import zoo
from metanets import METANETS, Examples, Training
from metanets.consensus import IMAGES, Panel, answers_of, images_of, panel_of, restored_consensus
from metanets.fit import validation_r2
from metanets.inputs.batch import rows
from metanets.inputs.runnable import runnable, runner_of
from metanets.mistakes import MistakeError
from tests.metanets.test_probe_gen import IMAGE, LAYOUTS, nets_of
from zoo.seeds import stream
from zoo.symmetry import act, draw

CLASSES = 5


def spoilt(count: int, seed: int) -> Examples:
    """Perceptrons that are one and the same, each with noise of its own size, and minus that size."""
    layout = LAYOUTS["mlp"]
    base = nets_of(layout, 1).weights.float() * 4
    rng = stream("test_consensus", seed)
    size = torch.rand(count, 1, generator=rng)
    weights = base + size * torch.randn(count, base.shape[1], generator=rng)
    nets = replace(nets_of(layout, count), weights=weights)
    return Examples(runnable(nets), -size.squeeze(1).double().numpy(), layout)


def test_agreement_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    answers, of_panel = rng.normal(size=(3, 8, CLASSES)), rng.normal(size=(8, CLASSES))
    shares, logits = softmax(rng.normal(size=(8, CLASSES)), axis=1), of_panel - of_panel.mean(axis=1, keepdims=True)
    panel = Panel(torch.zeros(8, *IMAGE), torch.from_numpy(shares), torch.from_numpy(logits))
    wanted = []
    for net in answers:
        row = []
        for kind in (slice(0, 4), slice(4, 8)):
            own, theirs, other = net[kind], shares[kind], logits[kind]
            centred = own - own.mean(axis=1, keepdims=True)
            seen = theirs.argmax(axis=1)
            entropy = np.log([-(t * log_softmax(o)).sum() for t, o in zip(theirs, own, strict=True)])
            share = np.array([softmax(o)[at] for o, at in zip(own, seen, strict=True)])
            angle = np.array([1 - cosine(c, o) for c, o in zip(centred, other, strict=True)])
            for part in (entropy, share, angle):
                row += [part.mean(), *np.quantile(part, (0.05, 0.25, 0.5, 0.75, 0.95))]
            row += [(own.argmax(axis=1) == seen).mean(), 1 - cosine(centred.ravel(), other.ravel())]
            row += [np.log(np.linalg.norm(centred, axis=1).mean())]
        wanted.append(row)
    np.testing.assert_allclose(panel.features(torch.from_numpy(answers)), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_no_symmetry_moves_how_far_nets_agree(layout):
    nets, run = nets_of(layout), runner_of(layout)
    rng = stream("test_consensus", "panel")
    images, centred = (
        torch.randn(8, *IMAGE, dtype=torch.float64, generator=rng),
        torch.randn(8, CLASSES, generator=rng).double(),
    )
    panel = Panel(images, centred.softmax(dim=1), centred)
    before = panel.features(answers_of(runnable(nets), run, images))
    assert before.std(dim=0).max() > 1e-3
    for kind in ("permutation", "scale"):
        moved = act(nets.weights, layout, draw(nets.group, len(nets), stream("test_consensus", kind), kinds=(kind,)))
        after = panel.features(answers_of(runnable(replace(nets, weights=moved)), run, images))
        torch.testing.assert_close(after, before, rtol=0, atol=1e-9)


def test_a_net_sees_in_the_images_what_was_asked(standard):
    made, wanted = zoo.open(standard), torch.arange(10).repeat_interleave(IMAGES)
    nets, run = rows(runnable(made.nets("train", inputs="all")), torch.arange(1)), runner_of(made.layout)
    made_up = images_of(nets, run, stream("test_consensus", "images"))
    noise = torch.randn(made_up.shape, generator=stream("test_consensus", "noise"))
    before, after = (
        answers_of(nets, run, images)[0].softmax(dim=1)[range(len(wanted)), wanted] for images in (noise, made_up)
    )
    assert (after > before).float().mean() > 0.95
    assert after.mean() > 2 * before.mean()


def test_a_panel_with_a_net_says_what_it_answers():
    layout = LAYOUTS["mlp"]
    nets, run = runnable(replace(nets_of(layout, 1), weights=nets_of(layout, 1).weights.float())), runner_of(layout)
    panel = panel_of(nets, run, stream("test_consensus", "one"))
    answers = answers_of(nets, run, panel.images)
    torch.testing.assert_close(panel.shares, answers[0].softmax(dim=1))
    assert panel.features(answers)[0, 18] == panel.features(answers)[0, 39] == 1  # the same class as itself, always


def test_spoilt_nets_are_found_out_and_what_was_saved_predicts_the_same():
    train, validation, test = (spoilt(count, seed) for seed, count in enumerate((40, 20, 40)))
    fitted = METANETS["consensus"].fit(train, validation, training=Training(), seed=0)
    predicted = fitted.predict(test.features)
    assert validation_r2(test.target, predicted) > 0.8
    of_halves = replace(train, features={name: part.half() for name, part in train.features.items()})
    METANETS["consensus"].fit(of_halves, validation, training=Training(), seed=0)
    again = restored_consensus(fitted.tensors(), train.layout)
    np.testing.assert_array_equal(again(test.features), predicted)
    halves = {name: part.half() for name, part in test.features.items()}  # as zoos may keep them
    np.testing.assert_allclose(fitted.predict(halves), predicted, atol=0.02)
    alone = [fitted.predict(rows(test.features, torch.tensor([net])))[0] for net in range(4)]
    np.testing.assert_allclose(alone, predicted[:4], rtol=1e-12)


@pytest.mark.parametrize("times", [1e3, 1e30, float("nan")])
def test_one_net_that_blew_up_sits_on_no_panel(times):
    train, validation, test = (spoilt(count, seed) for seed, count in enumerate((40, 20, 40)))
    last = [name for name in train.features if name.startswith("head")][-2:]
    blown = {name: part.clone() for name, part in train.features.items()}
    for name in last:
        blown[name][5] *= times
    fitted = METANETS["consensus"].fit(replace(train, features=blown), validation, training=Training(), seed=0)
    assert validation_r2(test.target, fitted.predict(test.features)) > 0.7
    for name in last:
        blown[name][:] = torch.nan
    with pytest.raises(MistakeError, match="hardly any training net"):
        METANETS["consensus"].fit(replace(train, features=blown), validation, training=Training(), seed=0)


def test_nets_of_other_classes_are_refused():
    train = spoilt(8, 0)
    fitted = METANETS["consensus"].fit(train, train, training=Training(), seed=0, chosen={"steps": 1})
    with pytest.raises(MistakeError, match="these nets tell 3 classes; it was fitted on nets of 5"):
        fitted.predict({name: part[:, :3] if name.startswith("head") else part for name, part in train.features.items()})


def test_few_nets_other_images_and_foreign_tensors_are_refused():
    few = spoilt(3, 0)
    with pytest.raises(MistakeError, match="3 training nets; a consensus takes at least 4"):
        METANETS["consensus"].fit(few, few, training=Training(), seed=0)
    train = spoilt(8, 0)
    fitted = METANETS["consensus"].fit(train, train, training=Training(), seed=0)
    larger = train.features | {"image": torch.zeros(8, 1, 8, 8)}
    with pytest.raises(MistakeError, match=r"run on images of \[1, 8, 8\]; the panels' images are of \[1, 6, 7\]"):
        fitted.predict(larger)
    tensors = fitted.tensors()
    for name, spoil, message in (
        ("panel0.images", lambda one: one[:3], "even number"),
        ("panel1.shares", lambda one: one[:, :2], r"expected \[probe, cls\]"),
        ("panel1.logits", lambda one: one * torch.nan, "not finite"),
        ("scale", lambda one: one[0], "no mean and deviation"),
        ("trees.value", lambda one: one[:4], "different lengths"),
    ):
        with pytest.raises(ValueError, match=message):
            restored_consensus({**tensors, name: spoil(tensors[name])}, train.layout)
