import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from strangers import sign
from verbs import run

import zoo
from zoo.dataset import derived
from zoo.landscape import again

SHARD = "data/test-00000-of-00001.h5"


@pytest.fixture
def copy(asymmetric, tmp_path):
    return shutil.copytree(asymmetric, tmp_path / "zoo")


def test_whole_zoos_have_nothing_wrong(standard, asymmetric):
    assert zoo.verify(standard, nets=3) == []
    assert zoo.verify(asymmetric, nets=3, seed=1) == []


@pytest.mark.parametrize("where", [100, 5000, -1])
@pytest.mark.parametrize("name", [SHARD, "zoo.json", "fixed.safetensors"])
def test_a_flipped_bit_anywhere_is_found(copy, name, where):
    data = bytearray((copy / name).read_bytes())
    if name == "zoo.json":
        data[data.index(b"seed") + 1] = ord("E")  # still JSON, in a text about the columns
    else:
        data[where % len(data)] ^= 1
    (copy / name).write_bytes(data)
    assert any(name in problem for problem in zoo.verify(copy, nets=0))


@pytest.mark.parametrize(
    ("column", "change", "found"),
    [
        ("learning_rate", lambda values: values * 2, "the spec draws"),
        ("seed", lambda values: values + 1, "not those of its index"),
        ("test_accuracy", lambda values: np.full_like(values, np.nan), "must have finite accuracies"),
        ("test_accuracy", lambda values: values * 0.5 + 0.25, "measured again"),
        ("weights", lambda values: np.where(values == values.max(), np.inf, values), "not finite"),
        ("weights", lambda values: values * 1.5, "fixed entries that are not the zoo's"),
    ],
)
def test_signed_but_wrong_rows_are_found(copy, column, change, found):
    with h5py.File(copy / SHARD, "r+") as file:
        file[column][...] = change(file[column][...])
    sign(copy)
    nets = len(zoo.open(copy)) if found == "measured again" else 0
    assert any(found in problem for problem in zoo.verify(copy, nets=nets))


def other_shape(folder):
    """As many weights, which make nine times as many channels."""
    value = json.loads((folder / "zoo.json").read_text())
    first = value["layout"][0]
    first["shape"] = [9 * first["shape"][0], 1, 1, 1]
    (folder / "zoo.json").write_text(json.dumps(value))


def other_matrix(folder):
    """A matrix of a thousand channels where there are two, in a family that has none."""
    shared = safetensors.numpy.load_file(folder / "fixed.safetensors")
    made = safetensors.numpy.save({**shared, "nonlin1.F_mat": np.zeros((1000, 1000), "f4")})
    (folder / "fixed.safetensors").write_bytes(made)


@pytest.mark.parametrize("change", [other_shape, other_matrix])
def test_nets_that_are_not_the_specs_are_not_run(copy, change):
    change(copy)
    sign(copy)
    problems = zoo.verify(copy)
    assert problems == [f"{copy}: its tensors are not those that its spec's nets have; nothing was measured again"]


@pytest.mark.parametrize("verb", ["charges", "connect", "interpolate"])
def test_what_each_verb_writes_is_computed_again_whatever_the_order(standard, tmp_path, monkeypatch, capsys, verb):
    own = shutil.copytree(standard, tmp_path / "zoo")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    few = {"connect": ["--pairs", "8", "--points", "3"], "interpolate": ["--nets", "8", "--points", "5"]}
    assert run(monkeypatch, capsys, verb, own, *few.get(verb, []))[0] == 0
    lines: list[str] = []
    assert zoo.verify(own, nets=6, report=lines.append) == []
    assert not lines
    path = next((own / "derived").iterdir())
    found = zoo.open(own).derived[verb]
    wrong = found.frame.assign(**{found.columns[0]: found.frame[found.columns[0]] + 1})
    told = {name: getattr(found.note, name) for name in ("analysis", "command", "settings", "meanings")}
    derived.write(own, path.stem, wrong, **told)
    assert len(zoo.verify(own, nets=6)) == 6


def test_a_column_that_its_analysis_does_not_give_is_not_recomputed(standard, tmp_path):
    own = shutil.copytree(standard, tmp_path / "zoo")
    frame = pd.DataFrame({"index": [0, 1], "foo": [0.0, 1.0]})
    told = {"command": "", "settings": {"points": 3, "images": 4}, "meanings": {"foo": "no such number"}}
    for name, rows in (("some", frame), ("none", frame.head(0))):
        derived.write(
            own,
            name,
            rows.rename(columns={"foo": f"foo_{name}"}),
            analysis="interpolate-1",
            **{**told, "meanings": {f"foo_{name}": "no such number"}},
        )
    lines: list[str] = []
    assert zoo.verify(own, nets=2, report=lines.append) == []
    assert [line for line in lines if "gives no column foo_some" in line] == lines


def norms(made, settings, rows, images):
    """A tiny analysis: the sum of squares of each net, times a factor."""
    squares = [sum(float((t.double() ** 2).sum()) for t in made.net(index).values()) for index in rows["index"]]
    return rows[["index"]].assign(norm=[settings["factor"] * square for square in squares])


@pytest.mark.parametrize(
    ("change", "problem", "said"),
    [
        ({}, None, None),
        ({"factor": 2.0}, "norm of index", None),
        ({"analysis": "norms-9"}, None, "not recomputed: this release has no norms-9"),
        ({"settings": {"other": 1}}, None, "not recomputed: settings"),
        ({"other": "0" * 64}, None, "not recomputed: its pairs reach into another zoo"),
    ],
)
def test_some_rows_of_derived_columns_are_computed_again(copy, monkeypatch, change, problem, said):
    monkeypatch.setitem(again.ANALYSES, "norms-1", norms)
    rows = pd.DataFrame({"index": np.arange(0, 64, 2)})
    frame, lines = norms(zoo.open(copy), {"factor": change.pop("factor", 1.0)}, rows, None), []
    told = {"analysis": "norms-1", "command": "none", "settings": {"factor": 1.0}, "meanings": {"norm": "a norm"}}
    derived.write(copy, "norms", frame, **{**told, **change})
    problems = zoo.verify(copy, nets=3, report=lines.append)
    assert len(problems) == (3 if problem else 0)
    assert all(problem in line for line in problems)
    assert all(said in line for line in lines)
    assert len(lines) == bool(said)


def test_numbers_in_steps_may_be_one_step_off_and_nan_is_nan_again(copy, monkeypatch):
    rows = pd.DataFrame({"index": [0, 1, 2], "share": [0.25, 0.5, np.nan]})
    told = {"analysis": "a-1", "command": "none", "settings": {}, "meanings": {"share": "a share"}}
    one = derived.write(copy, "shares", rows, **told)
    monkeypatch.setitem(again.ANALYSES, "a-1", lambda *_: rows.assign(share=[0.25, 0.75, np.nan]))
    assert again.differing(zoo.open(copy), one, one.frame, None) == ["share of index 1 is 0.5, computed again 0.75"]
    monkeypatch.setitem(again.STEPS, "share", 0.25)
    assert again.differing(zoo.open(copy), one, one.frame, None) == []
