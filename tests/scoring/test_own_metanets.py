"""Metanets of users: what they may be, what they may read, and what is said where one is wrong."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from own_metanets import Equivariant

import zoo
from benchmark.analyses.symmetry import symmetry
from benchmark.records import records
from benchmark.scoring.find import code_of, find_metanet, name_of
from benchmark.scoring.score import score
from metanets import Training

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-2,))
HERE = Path(__file__).with_name("own_metanets.py")


def scored(zoos, name, out, **options):
    return score(zoos, [name], "test_accuracy", out=out, **{"training": QUICK, "seeds": 1, **options})


@pytest.mark.parametrize("name", ["Equivariant", "Vector", "Both", "some", "Trees", "few_trees", "LayoutFirst", "OneByName"])
def test_each_kind_of_metanet_is_scored_end_to_end(standard, asymmetric, tmp_path, name):
    paths = scored([standard, asymmetric], f"own_metanets:{name}", tmp_path)
    assert len(paths) == 2
    assert scored([standard, asymmetric], f"{HERE}:{name}", tmp_path / "again")
    for path in paths:
        again = tmp_path / "again" / path.relative_to(tmp_path)
        assert records.read(path).test == records.read(again).test
        assert records.read(path).metanet.name == f"own_metanets:{name}"


def test_tensors_are_permuted_transferred_and_shifted_too(standard, asymmetric, tmp_path):
    permuting = Training(epochs=2, batch=8, learning_rates=(1e-2,), augment=("permutation",))
    name = "own_metanets:Equivariant"
    (plain,), (moved,) = (scored([standard], name, tmp_path / str(bool(t.augment)), training=t) for t in (QUICK, permuting))
    assert records.read(plain).validation == pytest.approx(records.read(moved).validation, rel=1e-3)
    assert len(scored([standard, asymmetric], name, tmp_path / "transfer", transfer=True)) == 4
    assert len(scored([standard], name, tmp_path / "few", train_nets=[12])) == 1


def test_an_equivariant_layer_is_blind_to_the_order_of_channels(standard):
    found = symmetry(standard, ["own_metanets:Equivariant", "own_metanets:Vector"], training=QUICK, draws=1)
    equivariant, vector = (row.changes["permutation"].relative for row in found)
    assert equivariant < 1e-9 < 1e-3 < vector


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Column", "forward returned shape [2, 1] for 2 nets; expected [2]; `.squeeze(-1)` makes it so"),
        ("Words", "forward returned a str; expected a Tensor of one number a net"),
        ("Raising", "in helped: return self.linear(weights.reshape(-1, 3, 7)).squeeze(-1)"),
        ("Late", "ArithmeticError: not today"),
        ("no_fit", "its fit returned a str; expected a metanets.Fitted"),
        ("failing_fit", "ZeroDivisionError: division by zero"),
        ("Demanding", "its constructor needs width, depth; expected `layout`, or a single parameter"),
        ("TwoColumns", "predict returned shape"),
        ("OnTestOnly", "cannot read these nets: KeyError: 'only on the test nets'"),
        ("TensorTrees", "a regressor reads a Tensor, found a dict; expected `reads` to be vector"),
        ("bad_reader", "in reading_badly: raise ZeroDivisionError"),
    ],
)
def test_a_mistake_is_told_in_a_few_lines_with_metanet_and_seed(standard, tmp_path, name, said):
    with pytest.raises(ValueError, match=f"own_metanets:{name}, seed 0[:,] ") as caught:
        scored([standard], f"own_metanets:{name}", tmp_path)
    text = str(caught.value)
    assert said in text
    assert len(text.splitlines()) < 10
    assert "site-packages/torch" not in text
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_metanets:Nowhere", "own_metanets: unknown name 'Nowhere'"),
        (f"{HERE}:Equivarant", "own_metanets.py: unknown name 'Equivarant'; did you mean Equivariant?"),
        ("nowhere:Mine", "No module named 'nowhere'"),
        ("./nowhere.py:Mine", "nowhere.py"),
        (":Mine", "no module is named"),
        ("own_metanets:Misread", "unknown input 'tensor'; did you mean tensors"),
        ("own_metanets:bias_and_kernel", "expected a metanets.Metanet, a torch.nn.Module class or a regressor"),
    ],
)
def test_what_is_no_metanet_is_refused_by_name(name, said):
    with pytest.raises(ValueError, match="metanet") as caught:
        find_metanet(name)
    assert said in str(caught.value)


def test_one_that_fails_keeps_no_other_from_its_record(standard, tmp_path):
    said = list[str]()
    with pytest.raises(ValueError, match="own_metanets:Raising, seed 0"):
        score([standard], ["own_metanets:Raising", "mean"], "test_accuracy", out=tmp_path, seeds=1, report=said.append)
    (path,) = tmp_path.rglob("*.json")
    assert path.parent.name == "mean"
    assert said[0] == "own_metanets:Raising failed, the others go on (1 of 2)"
    assert said[-1] == f"the records of the others are kept; `metazoo leaderboard {tmp_path}` shows them"


def test_a_file_has_the_same_name_wherever_it_lies():
    assert name_of("./a/mine.py:Mine") == name_of("/b/mine.py:Mine") == name_of("mine:Mine") == "mine:Mine"
    assert name_of("mlp") == "mlp"


def test_the_working_directory_hides_no_module_of_ours_and_has_the_users(tmp_path):
    (tmp_path / "mine.py").write_text("from own_metanets import Vector as Mine\n")
    for taken in ("json", "rich", "numpy"):
        (tmp_path / f"{taken}.py").write_text("raise ImportError('the wrong one')\n")
    code = (
        "from benchmark.scoring.find import find_metanet; import json, numpy, rich; print(find_metanet('mine:Mine').reads)"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(HERE.parent)])
    command = [sys.executable, "-P", "-c", code]
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "vector", done.stderr


def test_the_layout_given_is_the_zoos(standard):
    assert len(Equivariant(zoo.open(standard).layout).names) == 29


def test_what_a_metanet_is_given_may_be_changed_and_nobody_else_sees_it(standard, tmp_path):
    made = zoo.open(standard)
    before = made.nets("train", inputs="all").weights.clone()
    for tensor in made.nets("train", inputs="all").tensors().values():
        tensor.zero_()
    assert torch.equal(made.nets("train", inputs="all").weights, before)
    one, other = (scored([standard], f"own_metanets:{n}", tmp_path / n, seeds=2) for n in ("InPlace", "NotInPlace"))
    assert [records.read(path).test for path in one] == [records.read(path).test for path in other]


@pytest.mark.parametrize("name", ["Dropped", "forest"])
@pytest.mark.usefixtures("processes")
def test_random_layers_draw_the_same_whatever_ran_before_in_however_many_processes(standard, asymmetric, tmp_path, name):
    zoos, seen = [standard, asymmetric], []
    for workers in (1, 2):
        torch.rand(workers)
        paths = scored(zoos, f"own_metanets:{name}", tmp_path / str(workers), workers=workers)
        seen.append([records.read(path).test for path in paths])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["Dropped", "DroppedByPython", "Noisy", "SomeColumns", "forest", "in_place"])
@pytest.mark.usefixtures("processes")
def test_a_seed_scores_the_same_whatever_seeds_ran_before_it(standard, tmp_path, name):
    seen = []
    for out, runs in ((tmp_path / "at once", (2,)), (tmp_path / "one by one", (1, 2))):
        for seeds in runs:
            paths = scored([standard], f"own_metanets:{name}", out, seeds=seeds)
        seen.append([records.read_predictions(path, records.read(path))["prediction"].to_numpy() for path in paths])
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-9)


def test_a_changed_file_is_not_taken_for_what_it_was(standard, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(HERE.read_text())
    (path,) = scored([standard], f"{file}:Vector", tmp_path / "out")
    assert records.read(path).metanet.code.file == "mine.py"
    assert scored([standard], f"{file}:Vector", tmp_path / "out") == [path]
    file.write_text(HERE.read_text() + "\n# another\n")
    with pytest.raises(FileExistsError, match=r"other code of .*mine.py has changed"):
        scored([standard], f"{file}:Vector", tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.py").write_text(HERE.read_text())
    with pytest.raises(ValueError, match="would both be mine:Vector"):
        score([standard], [f"{file}:Vector", f"{tmp_path}/other/mine.py:Vector"], "test_accuracy", out=tmp_path / "both")


@pytest.mark.parametrize("way", ["from model_beside import Vector", "import model_beside\n\nVector = model_beside.Vector"])
def test_a_change_of_a_file_that_is_taken_from_is_a_change_of_the_code(tmp_path, monkeypatch, way):
    (tmp_path / "mine.py").write_text(f"{way}\n")
    seen = set()
    for end in ("", "\n# another\n"):
        for name in [name for name in sys.modules if name == "model_beside" or name.endswith("_mine")]:
            monkeypatch.delitem(sys.modules, name)  # as in another process
        monkeypatch.setattr(sys, "path", [*sys.path])
        (tmp_path / "model_beside.py").write_text(HERE.read_text() + end)
        found = code_of(f"{tmp_path}/mine.py:Vector")
        assert found is not None
        assert found[0] == "mine.py"
        seen.add(found[1])
    assert len(seen) == 2
    assert code_of(f"{HERE}:Vector") == (HERE.name, sha256(HERE.read_bytes()).hexdigest())


@pytest.mark.parametrize("taken", ["json", "zoo", "torch", "copy"])
def test_a_file_may_have_the_name_of_any_module(tmp_path, taken):
    (tmp_path / "helper_of_mine.py").write_text("from own_metanets import Vector\n")
    (tmp_path / f"{taken}.py").write_text("from helper_of_mine import Vector as Mine\n")
    before = sys.modules.get(taken)
    assert find_metanet(f"{tmp_path / taken}.py:Mine").reads == "vector"
    assert sys.modules.get(taken) is before
    sys.path.remove(str(tmp_path))
    del sys.modules["helper_of_mine"]


@pytest.mark.parametrize("text", ["raise ZeroDivisionError('at once')", "import sys; sys.exit(3)", "def"])
def test_a_file_that_cannot_be_imported_is_one_message(tmp_path, text):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ValueError, match=r"cannot import metanet .*broken\.py"):
        find_metanet(f"{tmp_path / 'broken.py'}:Mine")
    sys.path.remove(str(tmp_path))


def test_a_file_is_run_once_until_it_changes(tmp_path):
    count = f"with open({str(tmp_path / 'log')!r}, 'a') as log:\n    log.write('x')\n"
    (tmp_path / "mine.py").write_text(count + HERE.read_text())
    first, second = (find_metanet(f"{tmp_path / 'mine.py'}:some") for _ in range(2))
    assert first.reads is second.reads
    assert (tmp_path / "log").read_text() == "x"
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text() + "\n# changed\n")
    assert find_metanet(f"{tmp_path / 'mine.py'}:some") is not first
    sys.path.remove(str(tmp_path))
