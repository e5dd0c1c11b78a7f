import json
import shutil

import h5py
import numpy as np
import pytest
from conftest import small
from strangers import sign
from typer.testing import CliRunner

import zoo
from benchmark.analyses.audit import audit
from benchmark.cli.main import app
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import Training
from zoo.dataset import zoo_json
from zoo.dataset.move import move
from zoo.dataset.start import initial
from zoo.landscape.orbits.drift import drift
from zoo.spec.moved import parse
from zoo.storage.manifest import write_manifest
from zoo.symmetry import align, canonical

KINDS = ("permutation", "scale", "size")


@pytest.fixture(scope="module")
def copies(standard, tmp_path_factory):
    return move(standard, tmp_path_factory.mktemp("moved") / "copies", kinds=KINDS, copies=2, seed=1)


def rewritten(folder, name, change):
    """The zoo with a shard's column changed, and its manifest made anew."""
    path = next(folder.glob("data/test-*.h5"))
    with h5py.File(path, "r+") as file:
        file[name][...] = change(file[name][...])
    write_manifest(
        folder,
        [
            str(p.relative_to(folder))
            for p in [*folder.glob("data/*.h5"), *folder.glob("*.json"), *folder.glob("*.safetensors")]
        ],
    )
    return folder


def test_each_net_has_its_copies_in_order_with_its_targets_and_split(standard, copies):
    before, after = zoo.open(standard).columns, zoo.open(copies).columns
    assert list(after["lineage"]) == [index for index in before["index"] for _ in range(2)]
    again = after.drop(columns=["lineage", "index"]).reset_index(drop=True)
    assert again.equals(before.loc[after["lineage"]].drop(columns="index").reset_index(drop=True)[again.columns])


def test_copies_differ_and_have_the_canonical_form_of_their_net_in_another_order(standard, copies):
    made, moved = (zoo.open(folder).nets("test", inputs="all") for folder in (standard, copies))
    true = canonical(made.weights.double(), made.layout, made.group).repeat_interleave(2, dim=0)
    found = canonical(moved.weights.double(), moved.layout, moved.group)
    assert (found - true).abs().max() > 0.1
    again = zoo.symmetry.act(found, moved.layout, align(true, found, moved.layout, moved.group))
    assert (again - true).abs().max() < 1e-4


def test_the_same_words_give_the_same_bytes_and_each_copy_depends_on_its_own_numbers_alone(standard, copies, tmp_path):
    same, more = (move(standard, tmp_path / str(k), kinds=KINDS, copies=k, seed=1) for k in (2, 3))
    assert zoo.open(same).manifest_sha256 == zoo.open(copies).manifest_sha256
    two, three = (zoo.open(folder).nets("train").weights for folder in (same, more))
    assert (two.unflatten(0, (-1, 2)) == three.unflatten(0, (-1, 3))[:, :2]).all()
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3"}


def test_a_stop_leaves_nothing(standard, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.dataset.move.write_manifest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        move(standard, tmp_path / "copies")
    assert not list(tmp_path.iterdir())


def test_verify_measures_copies_and_compares_logits(standard, copies, tmp_path):
    assert zoo.verify(copies, nets=3) == []
    assert zoo.verify(copies, nets=3, source=standard) == []
    with pytest.raises(ValueError, match="has no moved copies of the nets of"):
        zoo.verify(standard, source=copies)
    broken = rewritten(shutil.copytree(copies, tmp_path / "a"), "weights", lambda w: w * np.linspace(0.5, 1.5, w.shape[1]))
    assert any("logits that are" in line and "the source's" in line for line in zoo.verify(broken, nets=64, source=standard))
    other = rewritten(shutil.copytree(copies, tmp_path / "b"), "lineage", lambda lineage: lineage[::-1])
    assert any("has lineage" in line for line in zoo.verify(other, nets=0))


def test_audit_knows_copies_in_one_split_and_finds_them_across(standard, tmp_path):
    plain = move(standard, tmp_path / "plain", kinds=("permutation",), copies=2)
    assert not [one for one in audit(plain, shuffles={}).findings if one.check != "labels"]
    made = zoo.open(plain)
    made.columns.loc[0, "split"] = "test" if made.columns["split"][0] != "test" else "train"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.open", lambda folder: made)
        found = audit(plain, shuffles={}).findings
    assert {"leak"} == {one.level for one in found if one.check == "equal seeds"}


def test_a_zoo_is_fitted_on_and_its_moved_copies_are_tested_on(standard, copies, tmp_path):
    names = ["trees_statistics", "trees_statistics+canonical"]
    quick = Training(epochs=1, batch=8)
    paths = score([standard], names, "test_accuracy", test_zoos=[standard, copies], out=tmp_path, seeds=1, training=quick)
    found = {(one.metanet.name, one.task.nets["test"]): one.test["r2"] for one in map(records.read, paths)}
    nets = len(zoo.open(standard).nets("test"))
    assert found[names[1], 2 * nets] == pytest.approx(found[names[1], nets])
    assert abs(found[names[0], 2 * nets] - found[names[0], nets]) > 0.01


def test_what_cannot_be_moved_is_told_in_a_line(standard, asymmetric, copies, tmp_path):
    for folder, more, said in (
        (asymmetric, {}, "w_asymmetric nets have no permutation symmetry"),
        (standard, {"kinds": ("rotation",)}, "unknown kind of symmetry rotation"),
        (standard, {"kinds": ()}, "no kind of symmetry"),
        (copies, {}, "is a zoo of moved copies; move the nets of its source"),
    ):
        with pytest.raises(ValueError, match=said):
            move(folder, tmp_path / "new", **more)
    with pytest.raises(FileExistsError, match="exists; give a new folder"):
        move(standard, copies)
    with pytest.raises(ValueError, match="zoo of moved copies: build its source"):
        zoo.build(small(nets=256), copies)


def test_the_verb_moves_and_zoo_json_says_what_was_done(standard, tmp_path):
    words = ["move", str(standard), "--kinds", "scale", "--copies", "1", "--largest", "3", "--out", str(tmp_path / "new")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.exception
    told = json.loads((tmp_path / "new" / "zoo.json").read_text())["moved"]
    source = zoo.open(standard).manifest_sha256
    assert told == {"source": source, "kinds": ["scale"], "copies": 1, "largest": 3.0, "seed": 0}
    assert zoo_json.read(tmp_path / "new").columns["lineage"]
    assert "moved" not in json.loads((standard / "zoo.json").read_text())


def test_moved_copies_have_no_start_of_training(copies):
    made = zoo.open(copies)
    for ask in (lambda: initial(made, [0]), lambda: drift(made)):
        with pytest.raises(ValueError, match="moved copies, which were not trained"):
            ask()


@pytest.mark.parametrize(
    ("field", "value"), [("copies", 0), ("kinds", ["turning"]), ("source", "abc"), ("seed", -1), ("other", 1)]
)
def test_what_a_zoo_says_of_its_moves_is_checked(field, value):
    told = {"source": "a" * 64, "kinds": ["scale"], "copies": 2, "largest": 2.0, "seed": 0}
    assert parse(told, "zoo.json").kinds == ("scale",)
    with pytest.raises(ValueError, match=rf"zoo\.json: what `moved` says does not fit its schema: {field}"):
        parse({**told, field: value}, "zoo.json")


def test_weights_that_cannot_be_held_are_refused_and_nothing_is_left(standard, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.dataset.move.act", lambda weights, layout, element: weights / 0)
    with pytest.raises(ValueError, match="copies have weights that float32 cannot hold; give a smaller --largest"):
        move(standard, tmp_path / "new", kinds=("scale",))
    assert not [*tmp_path.iterdir()]


def test_lineages_of_no_net_are_told_and_not_followed(copies, tmp_path):
    folder = shutil.copytree(copies, tmp_path / "zoo")
    about = json.loads((folder / "zoo.json").read_text())
    about["moved"]["copies"] = 7
    (folder / "zoo.json").write_text(json.dumps(about))
    sign(folder)
    assert any("lineage" in line for line in zoo.verify(folder, nets=2))
