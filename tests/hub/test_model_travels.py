"""A fitted metanet as a model of the hub: published with its card, fetched, and predicting the same bits."""

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from own_class import Mine
from stores import QUIET, REPO, bucket_at, contents, hub_at
from test_card import HOSTILE, shown

import metanets
import metazoo as mz
from benchmark.cli import main
from benchmark.records.of_model import scores_of
from benchmark.scoring.score import score
from metanets import load_model
from metanets.metanet import Training
from metanets.model_card import card, model_release
from metanets.model_folder import FILE, WEIGHTS, read
from zoo.hub.address import locate
from zoo.hub.citation import About
from zoo.hub.fetch import open_model
from zoo.hub.publish import publish
from zoo.hub.release import release
from zoo.storage import files
from zoo.storage.manifest import MANIFEST

pytestmark = QUIET
QUICK = Training(epochs=2, batch=8, learning_rates=(5e-3,))
TO = "hf://me/statnn"


def quiet(line: str) -> None:
    """What a publish reports is of no interest here."""


@pytest.fixture(scope="module")
def fitted(standard):
    return metanets.StatNN(training=QUICK).fit(standard)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    return fitted.save(tmp_path_factory.mktemp("models") / "statnn")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_at(tmp_path / "hub", monkeypatch) as hub:
        monkeypatch.setattr(files, "cache", lambda: tmp_path / "cache")
        yield hub


def test_a_fetched_model_predicts_the_same_bits_and_is_fetched_once(hub, fitted, folder, standard, tmp_path):
    done = publish(model_release(folder, name="statnn"), TO, report=quiet)
    assert done.where == TO
    assert (done.revision, done.tag) == (hub.repos[("model", "me/statnn")].branches["main"], done.tag)
    expected = fitted.predict(standard)
    for address in (TO, f"{TO}@{done.tag}", f"{TO}@{done.revision}"):
        assert load_model(address).predict(standard).tobytes() == expected.tobytes()
    asked = len(hub.log)
    load_model(f"{TO}@{done.revision}")
    assert len(hub.log) == asked
    again = publish(model_release(folder, name="statnn"), TO, report=quiet)
    assert (again.uploaded, again.revision) == ({}, done.revision)


def test_a_model_travels_by_a_bucket(monkeypatch, fitted, folder, standard, tmp_path):
    monkeypatch.setattr(files, "cache", lambda: tmp_path / "cache")
    with bucket_at(monkeypatch) as address:
        publish(model_release(folder, name="statnn"), address, report=quiet)
        back = load_model(address).predict(standard)
        assert publish(model_release(folder, name="statnn"), address, report=quiet).uploaded == {}
    assert back.tobytes() == fitted.predict(standard).tobytes()


def test_a_model_in_a_folder_is_its_release_and_can_be_published_anew(folder, fitted, standard, tmp_path):
    for name in ("first", "second"):
        made = model_release(folder, name=name)
        publish(made, tmp_path / "there", report=quiet)
    assert contents(tmp_path / "there").keys() == {FILE, WEIGHTS, MANIFEST, "README.md"}
    assert "# second\n" in (tmp_path / "there/README.md").read_text()
    assert np.array_equal(load_model(tmp_path / "there").predict(standard), fitted.predict(standard))


def test_a_model_and_a_data_set_do_not_take_each_others_place(folder, standard, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.hub.release.png", lambda figure: b"a picture")
    model, zoos = model_release(folder, name="x"), release([standard], name="x")
    for made, other, said in ((model, REPO, "hf://USER/NAME"), (zoos, TO, "hf://datasets/USER/NAME")):
        with pytest.raises(ValueError, match=f"expected {said}"):
            publish(made, other, report=quiet)
    for number, (first, second) in enumerate(((model, zoos), (zoos, model))):
        publish(first, tmp_path / str(number), report=quiet)
        with pytest.raises(FileExistsError, match="no release"):
            publish(second, tmp_path / str(number), report=quiet)


@pytest.mark.parametrize("address", ["hf://spaces/me/x", "hf://models/me/x", "hf://x", "hf://datasets/me/x", "http://a/b"])
def test_what_is_no_address_of_a_model_is_refused(address):
    with pytest.raises(ValueError, match="no place of models"):
        locate(address, kind="model")


def test_a_strangers_model_is_checked_before_it_is_used(hub, folder, monkeypatch):
    publish(model_release(folder, name="statnn"), TO, report=quiet)
    monkeypatch.setattr("zoo.hub.remote_manifest.MODEL_BYTES", 100)
    with pytest.raises(ValueError, match="100 at most"):
        open_model(TO)
    monkeypatch.undo()


def test_a_model_whose_bytes_are_not_its_manifests_is_refused(hub, folder):
    publish(model_release(folder, name="statnn"), TO, report=quiet)
    weights = bytearray((folder / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    oid = hub.add_file("me/statnn", WEIGHTS, bytes(weights), kind="model")
    with pytest.raises(ValueError, match="twice wrong"):
        load_model(f"{TO}@{oid}")
    hub.add_file("me/statnn", FILE, b"{}", kind="model")
    with pytest.raises(ValueError, match=r"model.json is not what MANIFEST"):
        load_model(TO)


def test_the_card_is_what_the_hub_reads(folder, standard):
    about = About("statnn on digits", "mit", authors="Doe, J.", repository="me/statnn")
    model, _ = read(folder)
    text = card(model, about, test={"r2": 0.5, "tau": 0.25}, entries=3)
    data = ModelCard(text).data
    assert (data.license, data.library_name, data.model_name) == ("mit", "metazoo", "statnn on digits")
    found = {(one.dataset_split, one.metric_type): one.metric_value for one in data.eval_results}
    validation = model.chosen["validation_r2"]
    assert found == {
        ("validation", "r_squared"): validation,
        ("test", "r_squared"): 0.5,
        ("test", "kendall_tau"): 0.25,
    }
    assert {one.dataset_args["manifest_sha256"] for one in data.eval_results} == {model.zoo.manifest_sha256}
    assert 'mz.load_model("hf://me/statnn")' in text
    assert "author = {Doe, J.}" in text
    assert "USER/NAME" not in text.replace("hf://datasets/USER/NAME", "")


@pytest.mark.parametrize(
    "said",
    [{"test": {"r2": float("nan")}}, {"test": {"mae": 0.1}}, {"licence": ""}, {"name": "\udcff"}, {"authors": "\udcff"}],
)
def test_what_a_card_cannot_say_is_refused(folder, said):
    with pytest.raises(ValueError, match="expected") as told:
        model_release(folder, **{"name": "x", **said})
    assert len(str(told.value).splitlines()) == 1


def test_scores_may_be_numpys(folder):
    plain, numpys = (model_release(folder, name="x", test={"r2": half}) for half in (0.5, np.float64(0.5)))
    assert plain.digests == numpys.digests


def test_a_model_of_a_published_zoo_names_its_data_set(folder):
    model, _ = read(folder)
    source = f"hf://datasets/me/two@{'a' * 40}/resnet8-standard"
    known = type(model)(**{**vars(model), "zoo": type(model.zoo)(**{**vars(model.zoo), "source": source})})
    data = ModelCard(card(known, About("x", "mit"), test={}, entries=3)).data
    assert data.datasets == ["me/two"]
    (one,) = data.eval_results
    assert (one.dataset_type, one.dataset_config, one.dataset_revision) == ("me/two", "resnet8-standard", "a" * 40)


def test_what_a_models_folder_says_never_becomes_html_or_front_matter(folder):
    model, _ = read(folder)
    evil = f"{HOSTILE}\u2028---\u2028license: evil"  # a break of lines to YAML
    lines = evil.replace("\u2028", "\n")
    told = {**vars(model), "metanet": evil, "target": evil, "chosen": {HOSTILE: lines}, "hyper_parameters": [lines]}
    text = card(type(model)(**told), About(HOSTILE, "mit"), test={}, entries=3)
    page = shown(text)
    assert page.text.count("onerror=alert(1)") >= 6
    assert page.tags <= shown(card(model, About("x", "mit"), test={}, entries=3)).tags
    assert yaml.safe_load(text.split("---\n", 2)[1])["license"] == "mit"


def test_the_test_score_is_that_of_the_record_of_the_same_fit(folder, fitted, standard, tmp_path):
    assert scores_of(folder, tmp_path) == {}
    score([standard], ["statnn"], "test_accuracy", out=tmp_path, seeds=2, training=QUICK)
    found = scores_of(folder, tmp_path)
    assert found.keys() == {"r2", "tau"}
    other = metanets.StatNN(training=QUICK, seed=1).fit(standard).save(tmp_path / "other")
    assert scores_of(other, tmp_path) != found
    unlike = metanets.StatNN(training=Training(epochs=1, batch=8, learning_rates=(5e-3,))).fit(standard)
    assert scores_of(unlike.save(tmp_path / "unlike"), tmp_path) == {}


def test_a_class_of_ones_own_has_its_test_score_and_says_how_to_use_it(standard, tmp_path):
    model = mz.Estimator(Mine, training=QUICK).fit(standard).save(tmp_path / "model")
    mz.score(standard, Mine, baselines=False, seeds=1, training=QUICK, out=tmp_path / "results")
    assert scores_of(model, tmp_path / "results").keys() == {"r2", "tau"}
    text = card(read(model)[0], About("Mine", "mit", repository="me/mine"), test={}, entries=3)
    assert "The source of the class has the\nSHA-256 `" in text
    assert "metazoo predict hf://me/mine zoos/mine --metanet mine.py:Mine --out" in text


def test_the_command_line_publishes_a_model_and_predicts_by_its_address(
    hub, folder, standard, tmp_path, monkeypatch, capsys
):
    def metazoo(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["metazoo", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main.main()
        return (stop.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    code, _, err = metazoo("publish", folder, "--to", TO, "--results", tmp_path / "none")
    assert (code, err.count("\n"), "none: no records there" in err) == (1, 1, True)
    code, out, err = metazoo("publish", folder, "--to", TO)
    assert code == 0, err
    assert "data/results: no records of this very fit" in out
    assert "# statnn\n" in hub.files("me/statnn", kind="model")["README.md"].decode()
    here, there = metazoo("predict", folder, standard), metazoo("predict", TO, standard)
    assert here == there
    assert here[0] == 0
    code, _, err = metazoo("publish", folder, standard, "--to", tmp_path / "x")
    assert (code, err.count("\n")) == (1, 1)
    assert "published by itself" in err
