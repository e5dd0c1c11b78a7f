"""Hidden axes: what a spec may say, what is drawn, and that specs without them are as they were."""

import json

import numpy as np
import pytest
from conftest import ROOT, small

import zoo
from zoo.nets.families import FAMILIES
from zoo.seeds import net_seed
from zoo.spec.columns import HIDDEN, HYPER_PARAMETERS
from zoo.spec.draws import draw, draw_hidden
from zoo.spec.hidden import Hidden
from zoo.spec.spec import parse, to_json

RANGES = {"wrong_labels": (0.1, 0.9), "training_images": (64, 990), "corrupted_images": (0.2, 1.0), "imbalance": (2, 50)}


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ({"recipe.hidden.wrong_labels": [0, 1]}, r"wrong labels lie in \[0, 1\)"),
        ({"recipe.hidden.wrong_labels": [0.5, 0.1]}, "recipe.hidden.wrong_labels: a range is"),
        ({"recipe.hidden.wrong_label": [0.1, 0.5]}, "did you mean wrong_labels"),
        ({"recipe.hidden.corrupted_images": [0, 1.5]}, "recipe.hidden.corrupted_images"),
        ({"recipe.hidden.training_images": [0, 10]}, "recipe.hidden.training_images"),
        ({"recipe.hidden.training_images": [1.5, 10]}, "recipe.hidden.training_images"),
        ({"recipe.hidden.imbalance": [0.5, 10]}, "recipe.hidden.imbalance"),
        ({"recipe.hidden.imbalance": [1, 9], "recipe.hidden.training_images": [5, 9]}, "give one of them"),
        ({"recipe.hidden": 3}, "recipe.hidden"),
    ],
)
def test_a_wrong_axis_is_named_with_what_is_accepted(overrides, found):
    with pytest.raises(ValueError, match=found):
        zoo.load("digits-resnet8-standard", overrides)


@pytest.mark.parametrize("axis", RANGES)
def test_draws_lie_in_their_range_and_are_spread_over_it(axis):
    drawn = [draw_hidden(Hidden(**{axis: RANGES[axis]}), seed=net_seed(0, index))[axis] for index in range(600)]
    low, high = RANGES[axis]
    assert low <= min(drawn)
    assert max(drawn) <= high
    if axis in ("training_images", "imbalance"):
        drawn, low, high = np.log(drawn), np.log(low), np.log(high)
    at = np.sort((np.array(drawn) - low) / (high - low))
    assert np.abs(at - (np.arange(600) + 0.5) / 600).max() < 0.08  # Kolmogorov and Smirnov: one in a thousand is above


def test_whole_numbers_are_drawn_whole():
    assert isinstance(draw_hidden(Hidden(training_images=(64, 990)), seed=1)["training_images"], int)


def test_an_axis_changes_no_other_axis_and_no_hyper_parameter():
    two = Hidden(wrong_labels=(0.1, 0.9), corrupted_images=(0, 1))
    for seed in (net_seed(0, index) for index in range(20)):
        both = draw_hidden(two, seed=seed)
        assert draw_hidden(Hidden(wrong_labels=(0.1, 0.9)), seed=seed) == {"wrong_labels": both["wrong_labels"]}
        assert both["wrong_labels"] != both["corrupted_images"]
        assert draw(small(recipe__hidden={"wrong_labels": (0, 0.5)}).recipe, seed=seed) == draw(small().recipe, seed=seed)


@pytest.mark.parametrize("family", ["standard", "w_asymmetric"])
def test_specs_and_zoos_without_axes_keep_their_bytes(family):
    kept = json.loads((ROOT / "tests/dataset/fixtures" / family / "zoo.json").read_text())
    spec = parse({**kept["spec"], "nets": 24})
    assert "hidden" not in kept["spec"]["recipe"]
    found = to_json(spec)
    del found["nets"]
    assert json.dumps(found) == json.dumps(kept["spec"])
    assert spec.targets.keys() & HIDDEN.keys() == set()
    assert {name: kept["columns"][name] for name in spec.targets} == spec.targets


def test_only_the_axes_that_are_drawn_stand_in_a_spec():
    found = to_json(small(recipe__hidden={"wrong_labels": (0, 0.5)}))
    assert found["recipe"]["hidden"] == {"wrong_labels": [0, 0.5]}
    assert parse(found) == small(recipe__hidden={"wrong_labels": (0, 0.5)})


NAMES = [f"digits-{axis}-resnet8" for axis in ("labels", "size", "corrupt", "imbalance", "seed")]
NAMES += [f"cifar10-16px-{axis}-resnet8" for axis in ("labels", "size")]


@pytest.mark.parametrize("name", NAMES)
def test_built_in_specs_with_axes_fix_every_hyper_parameter_and_pair_across_families(name):
    specs = [zoo.load(f"{name}-{family}") for family in FAMILIES]
    for spec in specs:
        assert all(low == high for low, high in (getattr(spec.recipe, one) for one in HYPER_PARAMETERS))
        assert len(spec.recipe.hidden.axes) == (0 if "seed" in name else 1)
        assert spec.recipe == specs[0].recipe
