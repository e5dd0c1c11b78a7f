"""Metanets fitted as scikit-learn's are: as `score` fits them; saved without pickle; loaded, predicting the same bits."""

import inspect
import json
import linecache
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import small
from imported_zoo import foreign
from sklearn.linear_model import Ridge
from torch import nn

import metanets
import zoo
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import METANETS, Training
from metanets import estimators as named
from metanets.estimator import Estimator, _opened, load_model
from metanets.forests import fit_extra_trees, restored_extra_trees
from metanets.metanet import Examples, Fit, Fitted, Metanet
from metanets.model_folder import FILE, WEIGHTS
from metanets.own import own_name, source_of
from metanets.reading import nets_of
from metanets.table import fitting
from zoo.importers.source_zoo import write
from zoo.storage.files import hash_of

QUICK = Training(epochs=2, batch=8, learning_rates=(5e-3,))
ON_NETS = fitting(pairs=False)
GRADIENT_BOOSTED = ("trees_hyper_parameters", "trees_statistics")  # scikit-learn keeps these trees to itself


class Mine(nn.Module):
    reads = "statistics"

    def __init__(self, inputs):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm1d(inputs), nn.Linear(inputs, 1))

    def forward(self, statistics):
        return self.layers(statistics).squeeze(-1)


class Other(Mine):
    pass


@pytest.fixture(scope="module")
def made(standard) -> zoo.Zoo:
    return zoo.open(standard)


@pytest.fixture(scope="module")
def saved(made, tmp_path_factory):
    """A fitted StatNN and the folder that it was saved in; tests must not change it."""
    fitted = metanets.StatNN(training=QUICK).fit(made)
    return fitted, fitted.save(tmp_path_factory.mktemp("models") / "statnn")


@pytest.mark.parametrize("name", ON_NETS)
def test_what_is_saved_and_loaded_predicts_the_same_bits(made, tmp_path, name):
    fitted = Estimator(name, training=QUICK, seed=1).fit(made, "test_loss")
    before = fitted.predict(made)
    assert np.isfinite(before).all() == (not made.columns["diverged"].any())
    if name in GRADIENT_BOOSTED:
        with pytest.raises(ValueError, match=f"{name} cannot be saved"):
            fitted.save(tmp_path / "model")
        return
    folder = fitted.save(tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == [FILE, WEIGHTS]
    loaded = load_model(folder)
    assert loaded.predict(made).tobytes() == before.tobytes()
    assert load_model(loaded.save(tmp_path / "again")).predict(made).tobytes() == before.tobytes()


def test_an_estimator_predicts_what_score_records(made, saved, tmp_path):
    (path,) = score([made.folder], ["statnn"], "test_accuracy", out=tmp_path, seeds=1, training=QUICK)
    frame = records.read_predictions(path, records.read(path))
    np.testing.assert_array_equal(saved[0].predict(made)[frame["index"]], frame["prediction"])


def test_nets_in_memory_are_predicted_for_as_those_of_a_zoo(made, saved, asymmetric):
    test = made.nets("test")
    np.testing.assert_array_equal(saved[0].predict(test), saved[0].predict(made)[test.index])
    other = Estimator("ridge").fit(asymmetric)
    whole, trained = (zoo.open(asymmetric).nets("test", inputs=inputs) for inputs in ("all", "trained"))
    np.testing.assert_array_equal(other.predict(whole), other.predict(trained))


def test_every_metanet_on_nets_has_an_estimator_of_its_name():
    found = [each for each in vars(named).values() if isinstance(each, partial)]
    assert [each.args for each in found] == [(name,) for name in ON_NETS]
    assert metanets.StatNN is named.StatNN
    with pytest.raises(AttributeError, match="no attribute 'Statnn'"):
        metanets.Statnn  # noqa: B018 - asking is the test


def test_ones_own_class_is_saved_and_needs_its_class_to_be_loaded(made, tmp_path):
    fitted = Estimator(Mine, training=replace(QUICK, standardise=True)).fit(made)
    folder = fitted.save(tmp_path / "mine")
    with pytest.raises(ValueError, match=f"is of {own_name(Mine)}, which is no metanet of the suite: give its class"):
        load_model(folder)
    assert load_model(folder, Mine).predict(made).tobytes() == fitted.predict(made).tobytes()
    with pytest.raises(ValueError, match="fitted with other code"):
        load_model(folder, Other)


def test_a_model_of_the_suite_is_loaded_as_that_and_as_nothing_else(saved):
    for other in ("statnn+canonical", "statnn", Mine, METANETS["deepsets"]):
        with pytest.raises(ValueError, match="is of statnn, which is one of the suite: give no other"):
            load_model(saved[1], other)


def reads_recipe(nets):
    return torch.from_numpy(nets.hyper_parameters[["learning_rate"]].to_numpy("float32"))


def test_hyper_parameters_are_handed_to_what_says_that_it_reads_them_alone(made):
    with pytest.raises(ValueError, match="own:Metanet: KeyError"):
        Estimator(replace(METANETS["ridge"], reads=reads_recipe)).fit(made)
    assert Estimator(replace(METANETS["ridge"], reads="hyper_parameters")).fit(made).model.hyper_parameters


def chooses(value) -> Metanet:
    def fit(train, validation, *, training, seed, chosen=None):
        return Fitted(lambda x: np.zeros(len(x)), 0, {"value": value}, tensors=lambda: {"none": torch.zeros(1)})

    return Metanet("vector", Fit(fit, lambda tensors, layout: lambda x: np.zeros(len(x))))


def test_what_numpy_gives_is_saved_as_plain_numbers_and_loaded(made, tmp_path):
    value = {"rates": (np.float64(0.5), float("nan")), "layers": np.arange(2), "wide": np.bool_(True)}
    own = chooses(value)
    model = load_model(Estimator(own, seed=np.int64(3)).fit(made).save(tmp_path / "own"), own).model
    assert model.chosen == {"value": {"rates": [0.5, None], "layers": [0, 1], "wide": True}}
    assert model.seed == 3
    with pytest.raises(ValueError, match="fitted with other code"):
        load_model(tmp_path / "own", replace(own, reads="statistics"))
    training = replace(QUICK, learning_rates=(np.float64(1e-3),))
    assert metanets.StatNN(training=training).fit(made).model.training["learning_rates"] == [1e-3]


def test_what_no_model_can_say_is_refused_in_a_line(made):
    with pytest.raises(ValueError, match="seed: found 9223372036854775808, expected a whole number of 64 bits"):
        Estimator("mean", seed=2**63)
    with pytest.raises(ValueError, match="own:Metanet: what it chose has a Tensor") as said:
        Estimator(chooses(torch.zeros(1))).fit(made)
    assert len(str(said.value).splitlines()) == 1


def cell(text: str) -> type:
    """The class that a cell of a notebook defines, which is kept where tracebacks find it, and in no file."""
    place = f"cell {hash_of(text.encode())}"
    linecache.cache[place] = len(text), None, text.splitlines(keepends=True), place
    exec(compile(text, place, "exec"), known := {"nn": nn, "__name__": "notebook"})
    return known["Own"]


def test_the_source_of_a_notebooks_class_is_found_and_changes_with_it():
    text = """class Own(nn.Module):
    reads = "statistics"

    def forward(self, x):
        return x
"""
    assert source_of(cell(f"1 + 1\n{text}\n2 + 2\n")) == text
    assert source_of(cell(text.replace("statistics", "vector"))) == text.replace("statistics", "vector")
    assert source_of(Other) == inspect.getsource(Other)
    assert source_of(int) is None


class OfRecipe(Mine):
    reads = "hyper_parameters"


def theirs(folder, word: str) -> zoo.Zoo:
    """A small zoo with a hyper-parameter of words, one of which is this."""
    given = foreign()
    frame = given.columns.assign(activation=given.columns["activation"].replace("relu", word))
    write(replace(given, columns=frame), folder)
    return zoo.open(folder)


def test_words_of_hyper_parameters_are_saved_and_other_words_refused(tmp_path):
    own, others = theirs(tmp_path / "zoo", "relu"), theirs(tmp_path / "others", "gelu")
    fitted = Estimator(OfRecipe, training=QUICK).fit(own)
    assert fitted.model.hyper_parameters == ["rate", "activation = relu", "activation = tanh"]
    loaded = load_model(fitted.save(tmp_path / "model"), OfRecipe)
    assert loaded.predict(own).tobytes() == fitted.predict(own).tobytes()
    with pytest.raises(ValueError, match=r"these nets have the hyper-parameters .*'activation = gelu'") as told:
        loaded.predict(others)
    assert str(told.value).startswith(f"{own_name(OfRecipe)}: ")
    assert len(str(told.value).splitlines()) == 1


def test_the_target_is_hidden_from_what_reads_hyper_parameters_in_memory_too(made):
    fitted = Estimator(OfRecipe, training=QUICK).fit(made, "learning_rate")
    test = made.nets("test")
    np.testing.assert_array_equal(fitted.predict(test), fitted.predict(made)[test.index])


def test_what_cannot_be_saved_says_so_by_name(made, tmp_path):
    with pytest.raises(ValueError, match=r"sklearn.linear_model._ridge:Ridge cannot be saved"):
        Estimator(Ridge()).fit(made).save(tmp_path / "ridge")
    with pytest.raises(ValueError, match="statnn is not fitted: call fit"):
        metanets.StatNN().predict(made)
    with pytest.raises(ValueError, match="unknown metanet 'statn'; did you mean statnn"):
        Estimator("statn")
    for nested in (metanets.StatNN(), Estimator(Mine), Estimator):
        with pytest.raises(ValueError, match="Estimator is an Estimator already; give the metanet that it fits"):
            Estimator(nested)
    with pytest.raises(ValueError, match="expected a zoo, its folder or its address, found a ndarray"):
        _opened(made.xy()[0])


def test_nets_of_another_layout_or_other_trained_entries_are_refused(saved, tmp_path, asymmetric):
    wide = zoo.open(zoo.build(small(nets=8, net__width=0.25, recipe__epochs=(1, 1)), tmp_path / "wide"))
    with pytest.raises(ValueError, match=r"statnn: these nets are of another layout .*conv1.weight is .* expected") as told:
        load_model(saved[1]).predict(wide)
    assert len(str(told.value).splitlines()) == 1
    with pytest.raises(ValueError, match="statnn: these nets have other trained entries"):
        load_model(saved[1]).predict(asymmetric)


def test_a_folder_that_is_taken_is_not_written_to(saved):
    with pytest.raises(FileExistsError, match="is not empty"):
        saved[0].save(saved[1])


def changed(folder, **fields) -> None:
    told = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(told | fields))


def retensored(folder, tensors) -> None:
    data = safetensors.torch.save(tensors)
    (folder / WEIGHTS).write_bytes(data)
    changed(folder, weights_sha256=hash_of(data))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"schema": "metazoo-model-9"}, "schema 'metazoo-model-9'"),
        ({"version": 99}, "version 99; this release has 1"),
        ({"version": "1"}, "does not fit its schema: version"),
        ({"seed": True}, "does not fit its schema: seed"),
        ({"code": "import os"}, "does not fit its schema: code"),
        ({"layout": {"w": [-1]}}, "does not fit its schema: layout"),
        ({"layout": {"w": [2**40]}}, "does not fit its schema: layout"),
        ({"layout": {"w": [1] * 9}}, "does not fit its schema: layout"),
        ({"metanet": "two\nlines"}, "does not fit its schema: metanet"),
        ({"metanet": "os:system"}, "no metanet of the suite"),
        ({"metanet": "trees_statistics"}, "cannot be loaded"),
        ({"weights_sha256": "0" * 64}, "its SHA-256 is not that in model.json"),
    ],
)
def test_a_strangers_model_is_vetted_before_it_is_used(saved, tmp_path, fields, told):
    folder = shutil.copytree(saved[1], tmp_path / "laid")
    changed(folder, **fields)
    with pytest.raises(ValueError, match=told):
        load_model(folder)


def test_a_strangers_tensors_must_be_those_of_the_module(saved, tmp_path, made):
    folder, sound = shutil.copytree(saved[1], tmp_path / "laid"), safetensors.torch.load_file(saved[1] / WEIGHTS)
    name = min(sound)
    for wrong in ({name: sound[name].double()}, {name: torch.zeros(3)}, {"module.more": torch.zeros(1)}):
        retensored(folder, sound | wrong)
        with pytest.raises(ValueError, match=r"statnn: its tensors are not those of the module .* differs"):
            load_model(folder).predict(made)
    retensored(folder, sound | {"units": torch.zeros(3)})
    with pytest.raises(ValueError, match="`units`"):
        load_model(folder).predict(made)
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(saved[1] / WEIGHTS)
    with pytest.raises(ValueError, match="symbolic link"):
        load_model(folder)


@pytest.fixture(scope="module")
def forest():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 7)).astype(np.float32), rng.normal(size=60)
    examples = Examples(torch.from_numpy(x), y)
    return fit_extra_trees(examples, examples, training=QUICK, seed=0)


def test_a_forest_of_arrays_predicts_scikit_learns_bits_also_on_thresholds(forest):
    tensors = forest.tensors()
    x = torch.randn(500, 7, generator=torch.Generator().manual_seed(1))
    x[:300, 0] = tensors["threshold"][:300].float()  # as near to a threshold as float32 comes
    assert restored_extra_trees(tensors, ())(x).tobytes() == forest.predict(x).tobytes()


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("children_left", lambda x: torch.where(x > 0, 0, x), "does not lie behind it"),  # a circle
        ("children_right", lambda x: x + 10**9, "does not lie behind it"),
        ("feature", lambda x: x + 7, "a feature that is none of the 7"),
        ("nodes", lambda x: x + 1, "nodes together"),
        ("nodes", lambda x: x * 0, "nodes together"),
        ("value", lambda x: x[1:], "different lengths"),
        ("threshold", lambda x: x.float(), "expected children_left"),
        ("features", lambda x: x - 7, "a feature that is none of the 0"),
    ],
)
def test_arrays_that_are_no_forest_are_refused(forest, name, change, told):
    tensors = forest.tensors()
    with pytest.raises(ValueError, match=told):
        restored_extra_trees(tensors | {name: change(tensors[name])}, ())


def test_an_estimator_shows_what_was_fitted(saved):
    assert repr(metanets.Mean()).splitlines()[1].split() == ["fitted", "no;", "call", "fit(zoo)"]
    assert "digits-resnet8-standard" in repr(saved[0])
    assert "<table>" in saved[0]._repr_html_()


def test_nets_given_are_those_that_did_not_diverge(made):
    assert len(nets_of(made, "train", whole=False)) == int(
        (~made.columns["diverged"])[made.columns["split"] == "train"].sum()
    )
    assert set(ON_NETS) < set(METANETS)


def test_how_far_a_fit_is_can_be_seen(made, caplog):
    with caplog.at_level("INFO", logger="metazoo"):
        fitted = metanets.StatNN(training=QUICK).fit(made)
    assert len(caplog.messages) == QUICK.epochs * len(QUICK.learning_rates)
    assert f"R² {fitted.model.chosen['validation_r2']:.3f} on validation" in "".join(caplog.messages)


def test_the_target_is_the_first_that_was_measured_where_there_is_no_test_accuracy(made, monkeypatch):
    monkeypatch.setattr(type(made), "headline", "test_loss")
    assert Estimator("mean").fit(made).model.target == "test_loss"
