"""How metanets are trained by gradient: by the paper's plain loop, or by the settings that a recipe or a user gives."""

from dataclasses import replace
from math import cos, pi

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.records import records
from benchmark.scoring.score import score
from metanets import METANETS, Examples, Training
from metanets.fit import by_gradient, fit_module, predict, share_of_rate

TARGET = 3.0 + 0.2 * torch.randn(37, generator=torch.Generator().manual_seed(1)).double().numpy()
TRAIN = Examples(torch.randn(37, 5, generator=torch.Generator().manual_seed(2)), TARGET)
VALIDATION = Examples(TRAIN.features[:20] + 0.1, TARGET[:20])


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 1))

    def forward(self, batch):
        return self.layers(batch).squeeze(-1)


def plain_loop(training: Training, rate: float, seed: int) -> nn.Module:
    """The loop of the paper, with nothing that `Training` has of schedules."""
    torch.manual_seed(seed)
    module, rng = Small(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=training.weight_decay, fused=True)
    target = torch.from_numpy(TRAIN.target).float()
    for _ in range(training.epochs):
        for batch in torch.randperm(len(target), generator=rng).split(training.batch):
            optimizer.zero_grad()
            nn.functional.mse_loss(module(TRAIN.features[batch]), target[batch]).backward()
            optimizer.step()
    return module


def fitted(**settings):
    training = replace(Training(epochs=6, batch=8), **settings)
    return fit_module(Small, TRAIN, VALIDATION, training=training, learning_rate=1e-2, seed=3)


def test_by_default_training_is_the_plain_loop_bit_by_bit():
    training = Training(epochs=6, batch=8)
    found = fitted()
    assert found.chosen["epoch"] == 6  # it still got better, so the last epoch is the one kept
    np.testing.assert_array_equal(found.predict(TRAIN.features), predict(plain_loop(training, 1e-2, 3), TRAIN.features))


@pytest.mark.parametrize(
    "settings", [{"warm_up": 0.3}, {"schedule": "cosine"}, {"clip": 1e-3}, {"standardise": True}, {"weight_decay": 5.0}]
)
def test_each_setting_changes_the_fit(settings):
    assert np.abs(fitted(**settings).predict(TRAIN.features) - fitted().predict(TRAIN.features)).max() > 1e-4


def test_the_rate_rises_in_proportion_and_falls_along_the_cosine():
    training = Training(warm_up=0.2, schedule="cosine")
    found = [share_of_rate(done, training) for done in (0.05, 0.1, 0.2, 0.4, 0.6, 1.0)]
    np.testing.assert_allclose(found, [0.25, 0.5, 1.0, (1 + cos(pi / 4)) / 2, 0.5, 0.0], atol=1e-12)
    assert share_of_rate(0.9, Training(warm_up=0.2)) == share_of_rate(0.01, Training()) == 1.0
    assert share_of_rate(1.0, Training(warm_up=1.0, schedule="cosine")) == 1.0


def test_of_a_standardised_target_neither_unit_nor_origin_matters():
    other = [replace(part, target=1000 * part.target - 5) for part in (TRAIN, VALIDATION)]
    training = Training(epochs=6, batch=8, standardise=True)
    there = fit_module(Small, *other, training=training, learning_rate=1e-2, seed=3).predict(TRAIN.features)
    np.testing.assert_allclose((there + 5) / 1000, fitted(standardise=True).predict(TRAIN.features), atol=1e-6)


def test_patience_stops_and_keeps_the_best_epoch():
    rng = np.random.default_rng(0)
    noise = replace(VALIDATION, target=rng.normal(size=20))
    seen = []

    def counted() -> nn.Module:
        module = Small()
        module.register_forward_hook(lambda module, *_: seen.append(1) if not module.training else None)
        return module

    training = Training(epochs=200, batch=64)
    whole = fit_module(counted, TRAIN, noise, training=training, learning_rate=1e-2, seed=3)
    assert len(seen) == 200
    best = whole.chosen["epoch"]
    seen.clear()
    short = fit_module(counted, TRAIN, noise, training=replace(training, patience=150), learning_rate=1e-2, seed=3)
    assert short.chosen == whole.chosen
    assert len(seen) == min(200, best + 150)


def test_a_recipe_counts_where_the_user_asked_for_nothing_else_and_the_record_says_so(standard, tmp_path, monkeypatch):
    got, plain = [], METANETS["statnn"]

    def spy(*parts, training, **rest):
        got.append(training)
        return plain.fit(*parts, training=training, **rest)

    recipe = {"warm_up": 0.1, "weight_decay": 0.5, "schedule": "cosine"}
    monkeypatch.setitem(METANETS, "statnn", replace(plain, fit=spy, recipe=recipe))
    asked = Training(epochs=1, batch=8, learning_rates=(1e-3,), weight_decay=0.25)
    (path,) = score([standard], ["statnn"], "test_accuracy", out=tmp_path, seeds=1, training=asked)
    used = replace(asked, warm_up=0.1, schedule="cosine")
    assert got == [used]
    assert {name: records.read(path).tuned["training"][name] for name in recipe} == {**recipe, "weight_decay": 0.25}
    with pytest.raises(FileExistsError, match="was made with"):
        score([standard], ["statnn"], "test_accuracy", out=tmp_path, seeds=1, training=replace(asked, warm_up=0.3))


def test_the_papers_four_have_the_papers_training():
    assert Training().following({}) == Training()
    assert not any(METANETS[name].recipe for name in ("mlp", "dmc", "deepsets", "statnn"))


def test_what_was_given_holds_for_every_metanet_also_where_it_is_the_papers():
    recipe = {"batch": 16, "clip": 1.0}
    assert Training(batch=128).following(recipe).batch == 16
    assert Training(batch=128, given=("batch",)).following(recipe).batch == 128
    assert Training(batch=128, given=("batch",)).following(recipe).clip == 1.0


class Dropping(Small):
    def forward(self, batch):
        return super().forward(nn.functional.dropout(batch, 0.5, self.training))


def test_a_rate_alone_trains_as_it_does_among_others():
    rates = (1e-3, 1e-2)
    both = by_gradient(Dropping)(TRAIN, VALIDATION, training=Training(epochs=5, batch=8, learning_rates=rates), seed=3)
    alone = by_gradient(Dropping)(TRAIN, VALIDATION, training=Training(epochs=5, batch=8), seed=3, chosen=both.chosen)
    assert both.chosen == alone.chosen
    np.testing.assert_array_equal(both.predict(TRAIN.features), alone.predict(TRAIN.features))


def test_every_step_of_a_cosine_learns_something():
    settings = Training(epochs=1, batch=64, schedule="cosine", warm_up=0.1)
    once = fit_module(Small, TRAIN, VALIDATION, training=settings, learning_rate=1e-2, seed=3)
    torch.manual_seed(3)
    assert np.abs(once.predict(TRAIN.features) - predict(Small(), TRAIN.features)).max() > 1e-4
