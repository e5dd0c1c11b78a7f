import dataclasses
import json
from typing import get_args

import pytest
from pydantic import ValidationError
from pydantic.dataclasses import dataclass

import zoo
from zoo.booleans import no_booleans
from zoo.nets.families import FAMILIES
from zoo.spec.hidden import Hidden
from zoo.spec.imported import Imported
from zoo.spec.moved import Moved
from zoo.spec.resolve import layout_of, mask_table
from zoo.spec.spec import SPECS, Net, Recipe, Spec, load, parse, to_json
from zoo.tasks.images import Images


@pytest.mark.parametrize("name", SPECS)
def test_every_built_in_spec_survives_a_round_trip(name):
    spec = zoo.load(name)
    assert parse(json.loads(json.dumps(to_json(spec)))) == spec
    assert spec.name == name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_papers_own_numbers(family):
    spec = zoo.load(f"cifar10-resnet8-{family}")
    recipe = spec.recipe
    assert (recipe.learning_rate, recipe.weight_decay) == ((0.005, 0.5), (1e-5, 0.1))
    assert (recipe.label_smoothing, recipe.epochs, recipe.peak_epoch, recipe.batch) == ((0, 0.2), (10, 40), 5, 512)
    assert (recipe.flip, recipe.shift, recipe.cutout) == (True, 2, 4)
    assert (spec.nets, spec.net.width, spec.net.kappa, spec.net.n_fix) == (10_000, 1, 2, None)
    assert (spec.images.held_out, spec.images.size, spec.split) == (0, None, (0.5, 0.25, 0.25))


@pytest.mark.parametrize(("width", "fixed"), [(1.0, 8), (0.5, 4), (0.25, 2), (0.1, 1), (2.0, 16)])
def test_what_is_fixed_scales_with_the_width(width, fixed):
    spec = zoo.load("cifar10-resnet8-w_asymmetric", {"net.width": width})
    assert set(mask_table(spec.net, layout_of(spec)).values()) == {(fixed, 2.0)}


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ({"net": 3}, "net"),
        ({"net.widht": 1}, "did you mean width"),
        ({"seeds": 1}, "did you mean seed"),
        ({"recipe.epochs": [9, 2]}, "recipe.epochs: a range is"),
        ({"recipe.epochs": [0, 2]}, "recipe.epochs"),
        ({"recipe.epochs": [1.5, 2]}, "recipe.epochs"),
        ({"recipe.learning_rate": [0, 1]}, "recipe.learning_rate"),
        ({"recipe.label_smoothing": [0, 1]}, "label smoothing lies in"),
        ({"recipe.batch": "many"}, "recipe.batch"),
        ({"net.family": "standrad"}, "did you mean standard"),
        ({"net.mask": "filter"}, "did you mean filters"),
        ({"net.architecture": "resnet9"}, "did you mean resnet8"),
        ({"images.task": "cifar"}, "did you mean cifar10"),
        ({"images.held_out": 1.0}, "images.held_out"),
        ({"net.width": 0.01}, "the smallest is 1/16"),
        ({"split": [0.5, 0.5, 0.5]}, "add up to 1"),
        ({"nets": 0}, "nets"),
        ({"name": "../evil"}, "name"),
        ({"dtype": "float64"}, "dtype"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_accepted(overrides, found):
    with pytest.raises(ValueError, match=found):
        zoo.load("digits-resnet8-standard", overrides)


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(ValueError, match="2 wrong field"):
        zoo.load("digits-resnet8-standard", {"nets": 0, "net.kapa": 1})


def test_an_unknown_spec_brings_the_nearest():
    with pytest.raises(ValueError, match="did you mean digits-resnet8-standard"):
        zoo.load("digit-resnet8-standard")


def test_a_file_overrides_its_base_and_the_command_line_both(tmp_path):
    toml, as_json = tmp_path / "mine.toml", tmp_path / "mine.json"
    toml.write_text('base = "digits-resnet8-w_asymmetric"\nnets = 7\n[recipe]\nbatch = 32\n')
    fields = {"base": "digits-resnet8-w_asymmetric", "nets": 7, "recipe": {"batch": 32}}
    as_json.write_text(json.dumps(fields))
    spec = zoo.load(str(toml), {"nets": 9, "recipe.cutout": 1})
    assert spec == zoo.load(str(as_json), {"nets": 9, "recipe.cutout": 1})
    base = zoo.load("digits-resnet8-w_asymmetric")
    assert (spec.nets, spec.recipe.batch, spec.recipe.cutout) == (9, 32, 1)
    assert (spec.net, spec.images, spec.recipe.epochs) == (base.net, base.images, base.recipe.epochs)
    assert zoo.load("digits-resnet8-w_asymmetric") == base  # the built-in one is untouched


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("x.toml", "nets = = 3", "not readable as TOML"),
        ("x.json", "{", "not readable as JSON"),
        ("x.json", "[1]", "expected|table of fields"),
        ("x.toml", 'base = "nothing"', "unknown spec"),
        ("x.toml", "[recipe.epochs.more]\na = 1", "recipe.epochs"),
    ],
)
def test_files_that_are_no_spec_are_refused_by_name(tmp_path, name, text, found):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=found):
        zoo.load(str(tmp_path / name))


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.toml"):
        zoo.load("nowhere.toml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spec_is_the_same_in_the_encodings_and_lines_of_windows(tmp_path, encoding, end):
    texts = {"a.toml": 'nets = 8\nname = "mine"\n', "a.json": '{"nets": 8,\n"name": "mine"}\n'}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.replace("\n", end).encode(encoding))
        assert (load(str(tmp_path / name)).nets, load(str(tmp_path / name)).name) == (8, "mine")


@pytest.mark.parametrize(
    "field",
    ["nets", "seed", "net.width", "recipe.batch", "recipe.epochs", "recipe.learning_rate", "recipe.hidden.training_images"],
)
def test_true_is_no_number(field):
    pair = field.rpartition(".")[2] in ("epochs", "learning_rate", "training_images")
    with pytest.raises(ValueError, match=f"{field}: expected a number, and neither true nor false; found .*True"):
        load("digits-resnet8-standard", {field: [True, 5] if pair else True})
    assert load("digits-resnet8-standard", {"recipe.flip": True}).recipe.flip


@dataclass
class Numbers:
    switch: bool | None = None
    many: tuple[int, ...] = ()
    _numbers = no_booleans


def test_only_what_is_true_or_false_takes_true_and_false():
    assert Numbers(switch=True, many=(1, 0)) == Numbers(True, (1, 0))
    for many in (True, (1, False), [[True]]):
        with pytest.raises(ValidationError, match="neither true nor false"):
            Numbers(many=many)


def is_switch(field):
    return bool in (field.type, *get_args(field.type))


PARTS = (Images, Net, Recipe, Hidden, Spec, Moved, Imported)
FIELDS = [(part, field) for part in PARTS for field in dataclasses.fields(part) if not is_switch(field)]


@pytest.mark.parametrize(("part", "field"), FIELDS, ids=lambda x: getattr(x, "__name__", None) or x.name)
def test_true_is_no_number_in_python_either(part, field):
    for value in (True, (True, 5), [5, False], (5, 5, True)):
        with pytest.raises(ValidationError) as error:
            part(**{field.name: value})
        assert {fault["loc"]: "neither true nor false" in fault["msg"] for fault in error.value.errors()}[(field.name,)]
