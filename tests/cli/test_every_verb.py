"""What holds of every verb, found by walking the application: a new verb is covered from its first line on."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from rich.text import Text
from typer.models import OptionInfo
from typer.testing import CliRunner
from verbs import ALL, VERBS, Material, Parameter, parameters, run

from benchmark.cli.terminal import app
from benchmark.scoring.score import score

PATHS = [parameter for parameter in ALL if parameter.kind is Path]
INTEGERS = [parameter for parameter in ALL if parameter.kind is int]
WRITTEN = ("out", "to", "picture")  # parameters that name what is written; all other paths are read
WRITTEN_BY = {"reference-build-folder"}  # so do these


@pytest.fixture(scope="session")
def results(standard, tmp_path_factory) -> Path:
    """Records of two baselines; tests must not change them."""
    out = tmp_path_factory.mktemp("verbs") / "results"
    score([standard], ["mean", "ridge"], "test_accuracy", out=out, seeds=1)
    return out


@pytest.fixture(scope="module")
def own(standard, tmp_path_factory) -> Path:
    """A copy of the zoo for this file: some verbs write beside it."""
    return shutil.copytree(standard, tmp_path_factory.mktemp("own") / "zoo")


@pytest.fixture(scope="module")
def nets(tmp_path_factory) -> Path:
    """Nets of others, to import; tests must not change them."""
    folder = tmp_path_factory.mktemp("nets")
    for number in range(40):
        weights = {"w": np.full((2, 2), number, np.float32)}
        safetensors.numpy.save_file(weights, folder / f"{number}.safetensors")
    lines = [f"{number}.safetensors,{number / 40},0.1" for number in range(40)]
    (folder / "nets.csv").write_text("\n".join(["file,test_accuracy,learning_rate", *lines]))
    return folder


@pytest.fixture
def material(own, results, nets, tmp_path, monkeypatch) -> Material:
    """What the verbs need, with a home and a working directory of the test's own."""
    for name in ("home", "here", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "home/file").write_text("mine")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return Material(own, results, nets, tmp_path / "folder")


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_the_help_is_printed_at_any_width(verb, width):
    words = [*verb.split(), "--help"]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": str(width), "TERMINAL_WIDTH": str(width)})
    assert (shown.exit_code, shown.exception) == (0, None)
    assert "Usage" in shown.output


@pytest.mark.parametrize("verb", VERBS)
def test_no_text_of_the_help_is_taken_for_markup(verb):
    texts = [VERBS[verb].__doc__ or "", *((parameter.info.help or "") for parameter in parameters(verb))]
    assert all(texts)
    assert [Text.from_markup(text).plain for text in texts] == texts


@pytest.mark.parametrize("parameter", PATHS, ids=str)
def test_a_path_that_begins_with_a_tilde_is_in_the_home_folder(material, monkeypatch, capsys, parameter):
    command = material.command(parameter.verb, **{parameter.name: "~/file/x.png"})
    code, out, err = run(monkeypatch, capsys, *command)
    assert code > 0, (out, err)
    assert "~" not in out + err
    assert not [*Path().iterdir()]


@pytest.mark.parametrize(
    ("verb", "changes"),
    [
        ("build", {"spec": "~/file.toml"}),
        ("plan", {"spec": "~/file.toml"}),
        ("fetch", {"source": "~/file"}),
        ("publish", {"to": "~/file/x"}),
        ("predict", {"model": "~/file"}),
        ("emit", {"release": "~/file", "repository": "a/b"}),
        ("score", {"metanet": "~/file.py:Mine"}),
        ("symmetry", {"metanet": "~/file.py:Mine"}),
    ],
)
def test_so_are_texts_that_may_be_paths(material, monkeypatch, capsys, verb, changes):
    code, _, err = run(monkeypatch, capsys, *material.command(verb, **changes))
    assert code == 1
    assert os.environ["HOME"] in err or "cannot import metanet" in err
    assert not [*Path().iterdir()]


def test_a_spec_and_a_metanet_in_the_home_folder_are_found(material, monkeypatch, capsys):
    home = Path(os.environ["HOME"])
    (home / "mine.toml").write_text('base = "digits-resnet8-standard"\nnets = 1\n')
    (home / "mine.py").write_text("from sklearn.dummy import DummyRegressor as Mine\n")
    code, _, err = run(monkeypatch, capsys, *material.command("build", spec="~/mine.toml", out="~/zoo"))
    assert (code, (home / "zoo/MANIFEST.sha256").exists()) == (0, True), err
    code, _, err = run(monkeypatch, capsys, *material.command("score", metanet="~/mine.py:Mine", out="~/out"))
    assert (code, len([*(home / "out").glob("**/seed-0.json")])) == (0, 1), err
    assert not [*Path().iterdir()]


def is_written(parameter: Parameter) -> bool:
    return parameter.name in WRITTEN or str(parameter) in WRITTEN_BY


@pytest.mark.parametrize("given", ["missing", "file", "empty", "unreadable"])
@pytest.mark.parametrize("parameter", [p for p in PATHS if not is_written(p)], ids=str)
def test_what_is_not_there_or_something_else_is_one_line(material, tmp_path, monkeypatch, capsys, parameter, given):
    place = tmp_path / "given"
    if given == "file":
        place.write_text("mine")
    elif given != "missing":
        place.mkdir(mode=0o000 if given == "unreadable" else 0o755)
    if given == "unreadable" and os.access(place, os.R_OK):
        pytest.skip("this user may read everything")
    code, _, err = run(monkeypatch, capsys, *material.command(parameter.verb, **{parameter.name: place}))
    assert code == 1
    assert err.startswith("metazoo: ")
    assert len(err.splitlines()) <= 2, err  # the second names the fault, where there may be several
    assert place.name in err


@pytest.mark.parametrize("place", ["/proc/x", "FILE/x", "FILE", "READ-ONLY/x"])
@pytest.mark.parametrize("parameter", [p for p in PATHS if is_written(p)], ids=str)
def test_what_cannot_be_written_is_one_line(material, tmp_path, monkeypatch, capsys, parameter, place):
    (tmp_path / "FILE").write_text("mine")
    (tmp_path / "READ-ONLY").mkdir(mode=0o555)
    if place.startswith("READ-ONLY") and os.access(tmp_path / "READ-ONLY", os.W_OK):
        pytest.skip("this user may write everywhere")
    where = Path(place) if place.startswith("/") else tmp_path / place
    end = ".png" if parameter.verb == "curve" or (parameter.name == "picture" and place != "FILE") else ""
    code, _, err = run(monkeypatch, capsys, *material.command(parameter.verb, **{parameter.name: f"{where}{end}"}))
    assert code == 1
    assert err.startswith("metazoo: ")
    assert len(err.splitlines()) == 1, err
    assert (tmp_path / "FILE").read_text() == "mine"


@pytest.mark.parametrize("parameter", INTEGERS, ids=str)
def test_whole_numbers_below_the_least_are_refused_before_anything_is_done(material, monkeypatch, capsys, parameter):
    assert isinstance(parameter.info, OptionInfo)
    least = 1 if parameter.info.min is None else int(parameter.info.min)
    for number in {-1, least - 1}:
        code, _, err = run(monkeypatch, capsys, *material.command(parameter.verb, **{parameter.name: number}))
        assert code in (1, 2)
        assert "Traceback" not in err
        assert parameter.given("")[0].rstrip("=") in err or f"{parameter.name}: " in err
        assert not [*material.folder.iterdir()]


LEAST = {  # verb -> its least numbers, tried on a real zoo where that is quick; `demo` takes 100 nets at least
    "plan": {"nets": 1, "machines": 1, "workers": 1},
    "build": {"nets": 1, "seed": 0, "workers": 1},
    "fresh": {"nets": 1, "workers": 1},
    "verify": {"nets": 1, "seed": 0},
    "verify-submission": {"seed": 0, "memory": 1},
    "audit": {"seed": 0},
    "connect": {"pairs": 1, "points": 3, "test_images": 1, "seed": 0},
    "interpolate": {"nets": 1, "points": 3},
    "export": {"net": 0},
    "score": {"metanet": "statnn", "seeds": 1, "epochs": 1, "batch": 2, "train_nets": 8, "workers": 1},
    "reference build": {"workers": 1},
    "reference score": {"workers": 1},
    "symmetry": {"metanet": "statnn", "seed": 0, "epochs": 1, "batch": 2},
    "move": {"copies": 1, "seed": 0},
}
ELSEWHERE = {
    ("score", "pairs"),  # needs pairs that an analysis derived: tests/scoring/test_pairs.py
    ("verify-submission", "seconds"),  # to start takes longer than a second: tests/submissions/test_rerun.py
}


@pytest.mark.parametrize("verb", sorted({parameter.verb for parameter in INTEGERS} - {"demo"}))
def test_every_whole_number_may_be_the_least(material, monkeypatch, capsys, verb):
    given = LEAST[verb]
    for parameter in (p for p in INTEGERS if p.verb == verb and (verb, p.name) not in ELSEWHERE):
        least = 1 if parameter.info.min is None else parameter.info.min
        assert given[parameter.name] in (least, max(1, least)), parameter.name
    code, out, err = run(monkeypatch, capsys, *material.command(verb, **given))
    assert (code, "Traceback" in err) == (0, False), (out, err)


@pytest.mark.parametrize("nets", [0, 1, 16, 17, 33])
def test_any_number_of_nets_is_measured_again(material, monkeypatch, capsys, nets):
    code, _, err = run(monkeypatch, capsys, *material.command("verify", nets=nets))
    assert code == 0, err
