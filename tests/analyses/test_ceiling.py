"""The ceiling: the same as `probe` where the images are its own noise; real images are read without their labels."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import zoo as zoos
from benchmark.analyses.ceiling import ceiling, main
from benchmark.statistics.metrics import r2
from metanets.forests import fit_extra_trees
from metanets.inputs.probes import answers, answers_to, noise, probes
from metanets.metanet import Examples, Training
from zoo.landscape.material import images_of, weights_of
from zoo.landscape.paths import some
from zoo.tasks.augment import normalise


def test_answers_to_the_probes_own_noise_are_its_features(standard):
    nets = zoos.open(standard).nets("test", inputs="all")
    assert torch.equal(answers_to(torch.cat(noise(nets.image)), nets), probes(nets))


def test_it_is_the_score_of_trees_on_answers_to_images_whatever_their_labels(standard, monkeypatch, capsys):
    made = zoos.open(standard)
    images = images_of(made)
    seen = some(images, "train", 128)
    inputs = normalise(seen.images, seen.mean, seen.std)[None]

    def read(split):
        rows = made.columns.query("split == @split and not diverged")
        logits = [made.blueprint.logits(weights_of(made, [index]), inputs) for index in rows["index"]]
        features = torch.cat([answers(one) for one in logits]).float()
        return Examples(features, rows["test_accuracy"].to_numpy(np.float64))

    train, validation, test = (read(split) for split in ("train", "validation", "test"))
    fits = [fit_extra_trees(train, validation, training=Training(), seed=seed) for seed in range(2)]
    slow = np.mean([r2(test.target, fit.predict(test.features)) for fit in fits])
    found = ceiling(made, images, seeds=2)
    assert found["r2"].value == pytest.approx(slow, abs=0.02)  # trees may split elsewhere where logits round differently
    assert ceiling(made, replace(images, train_labels=images.train_labels.flip(0)), seeds=2) == found
    monkeypatch.setattr(sys, "argv", ["ceiling", str(standard), "--seeds", "2"])
    main()
    assert f"r2: {found['r2'].value:.3f} [{found['r2'].low:.3f}, {found['r2'].high:.3f}]" in capsys.readouterr().out
