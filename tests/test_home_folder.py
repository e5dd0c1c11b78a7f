"""Paths that begin with `~`, as texts and as `Path`, in the Python functions that people call: in the home folder."""

import inspect
import shutil
from pathlib import Path

import pytest
from conftest import small

import metazoo
from metanets import Training
from zoo.importers.asymmetric_networks.export import export_official

CALLS = {  # public name -> a call of it on a path; what takes none is not here
    "build": lambda path: metazoo.build(small(nets=8), path("built"), workers=0),
    "compare": lambda path: metazoo.compare("mean", "ridge", path("results")),
    "export": lambda path: metazoo.export(metazoo.open(path("zoo")), 0, path("net.safetensors"), kind="safetensors"),
    "fetch": lambda path: metazoo.fetch(path("zoo"), path("fetched")),
    "leaderboard": lambda path: metazoo.leaderboard(path("results")),
    "load": lambda path: metazoo.load(path("mine.toml")),
    "load_model": lambda path: metazoo.load_model(path("model")),
    "model_release": lambda path: metazoo.model_release(path("model"), name="one"),
    "load_results": lambda path: metazoo.load_results(path("results")),
    "open": lambda path: metazoo.open(path("zoo")),
    "release": lambda path: metazoo.release([path("zoo")], name="one"),
    "publish": lambda path: metazoo.publish(metazoo.release([path("zoo")], name="one"), path("release"), report=print),
    "status": lambda path: metazoo.status(path("begun")),
    "verify": lambda path: metazoo.verify(path("zoo"), nets=1),
    "work": lambda path: metazoo.work(path("begun")),
    "import_zoo": lambda path: metazoo.import_zoo("asymmetric-networks", path("official/resnet8"), path("imported")),
    "score": lambda path: metazoo.score(
        [path("zoo")], ["mean"], "test_accuracy", out=path("out"), seeds=1, training=Training(epochs=1)
    ),
}
MADE = {"build": "built/zoo.json", "export": "net.safetensors", "fetch": "fetched/zoo.json", "publish": "release/zoo.json"}


@pytest.fixture(scope="module")
def material(standard, tmp_path_factory) -> Path:
    """What lies in the home folder: a zoo, one that is begun, records, a spec, nets as the paper's code has them."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(standard, home / "zoo", ignore=shutil.ignore_patterns("cache"))
    metazoo.build(small(nets=4, recipe__epochs=(1, 1)), home / "begun", workers=0)
    metazoo.score([standard], ["mean", "ridge"], "test_accuracy", out=home / "results", seeds=1)
    metazoo.metanets.Mean().fit(standard).save(home / "model")
    (home / "mine.toml").write_text('base = "digits-resnet8-standard"\n')
    export_official(metazoo.open(standard), home / "official")
    return home


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("name", CALLS)
def test_a_path_of_the_home_folder(material, tmp_path, monkeypatch, name, kind):
    shutil.copytree(material, tmp_path / "home")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    CALLS[name](lambda text: kind(f"~/{text}"))
    assert (tmp_path / "home" / MADE.get(name, "zoo/zoo.json")).exists()
    assert not [*Path().iterdir()]


def test_every_public_function_that_takes_a_path_is_called_above():
    for name in metazoo.__all__:
        if inspect.isfunction(getattr(metazoo, name)):
            hints = " ".join(map(str, inspect.signature(getattr(metazoo, name)).parameters.values()))
            assert ("Path" in hints) == (name in CALLS), name
