"""How objects show themselves to a person: in a few lines, quickly, with nothing in them that a page would run."""

import dataclasses
import html
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from imported_zoo import foreign

import zoo
from zoo.importers.source_zoo import write as write_zoo

EVIL = "<script>alert(1)</script>&\x1b[2J\n\n\n"
TAGS = {"table", "caption", "tr", "th", "td"}


class Tags(HTMLParser):
    """Collects the names of a page's elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)


@pytest.fixture(params=["standard", "asymmetric", "theirs"])
def made(request, tmp_path) -> zoo.Zoo:
    if request.param != "theirs":
        return zoo.open(request.getfixturevalue(request.param))
    given = foreign(48)
    provenance = dataclasses.replace(given.about.provenance, title="<script>alert(1)</script>&", notes=("a note",) * 500)
    write_zoo(dataclasses.replace(given, about=dataclasses.replace(given.about, provenance=provenance)), tmp_path / "theirs")
    return zoo.open(tmp_path / "theirs")


def shown(made: zoo.Zoo) -> dict[str, object]:
    nets = made.nets("train", inputs="all")
    found = {"zoo": made, "nets": nets, "spec": made.spec, "blueprint": made.blueprint}
    return found | ({"provenance": made.spec.provenance} if hasattr(made.spec, "provenance") else {})


def test_everything_public_is_shown_in_a_few_lines_with_its_numbers(made):
    for name, one in shown(made).items():
        text = repr(one)
        assert 2 <= len(text.splitlines()) <= 10, name
        assert max(map(len, text.splitlines())) <= 300, name
    assert f"{len(made):,} nets" in repr(made)
    assert f"{int(made.blueprint.trained.sum()):,} of them trained" in repr(made)
    assert str(list(made.nets("train").weights.shape)) in repr(made.nets("train"))
    assert made.spec.name in repr(made.spec)


def test_pages_say_the_same_and_every_text_is_escaped(made):
    evil = dataclasses.replace(made, folder=Path(EVIL))
    for one in [evil, *shown(made).values()]:
        page = one._repr_html_()
        parser = Tags()
        parser.feed(page)
        assert parser.found == TAGS
        words = html.unescape(page.replace("<", " <").replace(">", "> "))
        assert all(word in words for word in repr(one).split())
        assert "\x1b" not in page + repr(one)


def test_a_zoo_is_shown_without_reading_its_weights(made):
    unread = {
        split: tuple(dataclasses.replace(part, weights=Unread()) for part in parts) for split, parts in made.parts.items()
    }
    assert repr(dataclasses.replace(made, parts=unread)) == repr(made)


class Unread(np.ndarray):
    """Weights that fail the test as soon as anything is asked of them."""

    def __new__(cls):
        return np.empty((0, 0), np.float32).view(cls)

    def __getitem__(self, index):
        pytest.fail("the weights were read")


def test_a_spec_shows_what_was_chosen_other_than_the_defaults():
    spec = zoo.load("digits-resnet8-w_asymmetric", {"net.width": 0.5, "recipe.cutout": 3})
    assert "width 0.5" in repr(spec)
    assert "cutout 3" in repr(spec)
    assert "shift" not in repr(dataclasses.replace(spec, recipe=type(spec.recipe)(cutout=3)))
