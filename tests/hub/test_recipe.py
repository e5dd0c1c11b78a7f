"""What the card says of training is what was done, and each picture is of what is predicted."""

from dataclasses import fields, replace
from math import log

import numpy as np
import pytest
from conftest import small

import zoo
from zoo.dataset import plots
from zoo.dataset.summary import draw_in_words, ranges
from zoo.hub.card import card, recipes
from zoo.hub.citation import About
from zoo.hub.pictures import pictures
from zoo.hub.recipe import recipe
from zoo.spec.draws import drawn
from zoo.spec.hidden import Hidden
from zoo.spec.spec import SPECS, load

AXES = {
    "wrong_labels": (0.0, 0.9),
    "training_images": (8, 512),
    "corrupted_images": (0.0, 1.0),
    "imbalance": (1.0, 50.0),
}
ALONE = ("training_images", "imbalance")  # of which a recipe has one


@pytest.fixture(scope="module")
def hidden(tmp_path_factory):
    spec = small(nets=12, name="labels", recipe__hidden={"wrong_labels": (0.0, 0.9)}, recipe__learning_rate=(0.01, 0.01))
    return zoo.open(zoo.build(spec, tmp_path_factory.mktemp("zoos") / "labels", workers=1))


@pytest.mark.parametrize("left_out", ALONE)
def test_each_column_is_drawn_as_is_said(left_out):
    spec = small(recipe__hidden={name: ends for name, ends in AXES.items() if name != left_out}, recipe__epochs=(10, 400))
    assert {*AXES} == {field.name for field in fields(Hidden)}
    rows = [drawn(spec.recipe, seed=seed) for seed in range(300)]
    for name, ends in ranges(spec).items():
        scale = log if "log-uniform" in draw_in_words(name, ends) else float
        low, high = map(scale, ends)
        places = [(scale(row[name]) - low) / (high - low) for row in rows]
        assert np.mean(places) == pytest.approx(0.5, abs=0.06), name
        assert ("whole numbers" in draw_in_words(name, ends)) == all(isinstance(row[name], int) for row in rows)


@pytest.mark.parametrize("name", SPECS)
def test_every_built_in_spec_has_a_recipe_in_words(name):
    spec = load(name)
    rows = recipe(spec)
    assert {f"`{column}`" for column in ranges(spec)} <= rows.keys()
    assert all(rows.values())
    assert (rows["fixed weights"] == "none") == (spec.family != "w_asymmetric")


def test_the_papers_recipe_is_said_as_the_paper_says_it():
    rows = recipe(load("cifar10-resnet8-w_asymmetric"))
    assert rows["images"] == "cifar10, 32 x 32 pixels, 3 channels, normalised: 50,000 to train on, 10,000 for test"
    assert rows["augmentation"] == "mirrored half of the time, shifted by up to 2 pixels, a square of 4 x 4 pixels blanked"
    assert rows["`learning_rate`"] == "0.005 to 0.5, log-uniform"
    assert rows["`epochs`"] == "10 to 40, uniform, whole numbers"
    assert rows["batch"].startswith("512 images")
    assert "over 5 epochs" in rows["schedule"]
    assert rows["fixed weights"].startswith("8 whole input filters of each output channel, 8 entries of each output unit")
    assert rows["fixed weights"].endswith("standard deviation 2")


def test_a_card_says_once_what_its_zoos_have_in_common(standard, hidden):
    both = {"a": zoo.open(standard), "b": hidden}
    assert recipes(both)["`learning_rate`"] == {"0.001 to 0.1, log-uniform": ["a"], "0.01 in all nets": ["b"]}
    text = card(both, About("x"), pictures={})
    assert text.count("AdamW, betas") == 1
    assert "| `learning_rate` | `a` | 0.001 to 0.1, log-uniform |\n|  | `b` | 0.01 in all nets |\n" in text
    assert "| `wrong_labels` | `b` | 0 to 0.9, uniform |" in text
    assert "| `learning_rate` | 0.001 to 0.1, log-uniform |" in card({"a": both["a"]}, About("x"), pictures={})


def test_a_picture_is_of_what_is_predicted_and_has_what_was_drawn_alone(standard, asymmetric, hidden):
    found = pictures([zoo.open(standard), zoo.open(asymmetric), hidden])
    assert [*found] == [
        "pictures/1-digits-test_accuracy.png",
        "pictures/1-digits-hyper_parameters.png",
        "pictures/2-digits-wrong_labels.png",
        "pictures/2-digits-hyper_parameters.png",
    ]
    panels = [axes.get_xlabel() for axes in found["pictures/2-digits-hyper_parameters.png"][1].axes]
    assert panels[0] == "wrong labels"
    assert "learning rate" not in panels


def test_no_two_zoos_of_a_picture_are_called_the_same(standard, asymmetric):
    first, second = zoo.open(standard), zoo.open(asymmetric)
    renamed = replace(first, spec=replace(first.spec, name="other"))
    copy = replace(first, manifest_sha256="0" * 64)
    for zoos in ([first, second], [first, renamed], [first, copy]):
        (axes,) = plots.histograms(zoos, "test_accuracy").axes
        labels = [text.get_text().partition(":")[0] for text in axes.get_legend().get_texts()]
        assert len(set(labels)) == 2
