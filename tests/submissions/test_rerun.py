"""Submitted code is run again: what is honest is the same, what was edited is different, what harms is stopped."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from verbs import run

from benchmark.records import records
from benchmark.records.records import Stored, Task
from benchmark.reference.lite import is_lite
from benchmark.scoring.fitter import Limits
from benchmark.scoring.score import score
from benchmark.statistics.derived import derived
from benchmark.submissions.check import check
from benchmark.submissions.compared import GAIN, compared, gained
from benchmark.submissions.cross_checks import fewest_seeds
from benchmark.submissions.rerun import rerun
from benchmark.submissions.submission import submission
from benchmark.submissions.submit import submit
from benchmark.submissions.verification import read_verification
from metanets import Training

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3, 5e-3))
ABOUT = {"code_url": "https://a.org/b", "commit": "0" * 40, "contact": "me", "citation": "mine", "external_data": "none"}
PATIENT = Limits(300.0, 2 * 10**9)
CODE = Path(__file__).with_name("submitted_metanet.py")


@pytest.fixture(scope="module")
def made(standard, tmp_path_factory) -> Path:
    """A folder with the code and a board to which its records were submitted; tests must not change it."""
    home = tmp_path_factory.mktemp("made")
    code = shutil.copy(CODE, home / "mine.py")
    score([standard], [f"{code}:Mine"], "test_accuracy", out=home / "records", training=QUICK)
    submit([home / "records"], submission(**ABOUT), to=home / "board", zoo_folders=[standard.parent])
    return home


@pytest.fixture
def place(made, tmp_path) -> Path:
    """A copy, to change."""
    return shutil.copytree(made, tmp_path / "made")


def submitted(place: Path) -> Path:
    return next((place / "board").glob("*/*/mine.Mine"))


def edit(found: Stored, move: float) -> None:
    """Moves one test prediction."""
    predicted = found.frame["prediction"].copy()
    predicted[found.frame.index[found.frame["split"] == "test"][0]] += move
    rewrite(found, predicted)


def rewrite(found: Stored, predicted: pd.Series) -> None:
    """Gives a record other predictions, and has it state the scores and the hash of what it then says."""
    frame = found.frame.assign(prediction=predicted)
    reference, data = records.predictions_file(found.path, frame)
    scores = derived(frame)
    told = {"validation": scores.validation, "test": scores.test, "constant_prediction": scores.constant}
    changed = dataclasses.replace(found.record, predictions=reference, **told)
    records.write(found.path, changed, data)


def test_honest_code_predicts_the_same_bits_and_may_be_called_verified(place, standard, monkeypatch, capfd):
    home, board = submitted(place), place / "board"
    monkeypatch.setenv("HF_TOKEN", "secret")
    (place / ".cache/huggingface").mkdir(parents=True)
    (place / ".cache/huggingface/token").write_text("secret")
    monkeypatch.setenv("HOME", str(place))
    (place / "note").touch()
    words = ("verify-submission", home, "--zoos", standard, "--metanet", f"{place / 'mine.py'}:Mine", "--by", "Me")
    code, out, err = run(monkeypatch, capfd, *words)
    assert (code, err) == (0, "")
    assert "in no sandbox" in out
    assert "of a stranger" not in out
    report = json.loads(next((board / "verifications/reruns").glob("*.json")).read_text())
    assert report["verdict"] == "same"
    assert [one["largest"] for one in report["records"]] == [{"validation": 0, "test": 0}] * 5
    assert read_verification(next((board / "verifications").glob("*.json"))).by == "Me"
    assert not check(board, [standard]).problems
    told = (place / "note").read_text()
    assert "HF_TOKEN" not in told
    assert ".cache" not in told
    its_home = Path(told.rpartition("HOME is ")[2])
    assert its_home != place
    assert not its_home.exists()


def test_an_edited_prediction_is_different_and_only_seeds_that_are_asked_for_are_compared(place, standard):
    home, name = submitted(place), f"{place / 'mine.py'}:Mine"
    found = records.stored(home / "seed-3.json")
    edit(found, 50 * found.frame["target"].std())
    (one,) = rerun([home], [standard], metanet=name, seeds=[3, 2], limits=PATIENT, by="Me")
    assert [(part.seed, part.verdict) for part in one.records] == [(2, "same"), (3, "different")]
    assert (one.verdict, one.verified) == ("different", None)


def test_all_predictions_moved_towards_the_labels_are_close_and_not_called_verified(place, standard, monkeypatch):
    home, name, said, draw = submitted(place), f"{place / 'mine.py'}:Mine", list[str](), np.random.default_rng(0)
    paths = [home / f"seed-{number}.json" for number in range(5)]
    for path in paths:
        found = records.stored(path)
        rewrite(found, found.frame["target"] + 0.25 * noise(found, draw))
    honest = {number: read(path) for number, path in enumerate(paths)}
    monkeypatch.setattr("benchmark.submissions.rerun._again", lambda *_: honest)  # what the code predicts again
    results = []
    for edited in (True, False):
        for one in honest.values():
            true, now = one.frame["target"], one.frame["prediction"]
            rewrite(one, now + 0.15 * (true - now) if edited else now + 0.002 * noise(one, draw))
        (result,) = rerun([home], [standard], metanet=name, limits=PATIENT, by="Me", report=said.append)
        results.append((result.verdict, gained(result.records)["R²"] > GAIN, result.verified is not None))
    assert results == [("close", True, False), ("close", False, True)]
    assert sum("not called verified: R² is" in line for line in said) == 1


def test_nets_predicted_alike_and_put_in_the_order_of_their_labels_are_not_called_verified(place, standard, monkeypatch):
    """R² stays, each prediction moves by less than rounding, and tau, by which tracks are ranked, is 1."""
    home, name, said = submitted(place), f"{place / 'mine.py'}:Mine", list[str]()
    paths = [home / f"seed-{number}.json" for number in range(5)]
    for path in paths:
        found = records.stored(path)
        rewrite(found, found.frame["target"] * 0 + found.frame["target"].mean())
    honest = {number: read(path) for number, path in enumerate(paths)}
    monkeypatch.setattr("benchmark.submissions.rerun._again", lambda *_: honest)
    for one in honest.values():
        rewrite(one, one.frame["prediction"] + 1e-6 * one.frame["target"])
    (result,) = rerun([home], [standard], metanet=name, limits=PATIENT, by="Me", report=said.append)
    assert (result.verdict, result.verified) == ("same", None)
    assert gained(result.records) == pytest.approx({"R²": 0, "tau": 1}, abs=1e-4)
    assert "not called verified: tau is 1.000 more as submitted than again" in said[-1]


def noise(found: Stored, draw: np.random.Generator) -> np.ndarray:
    """In units of the targets' spread."""
    return found.frame["target"].std() * draw.normal(size=len(found.frame))


def read(path: Path) -> Stored:
    """A record with its predictions, both read."""
    found = records.stored(path)
    assert found.frame is not None
    return found


def test_records_that_change_while_the_code_runs_are_not_called_verified(place, standard, monkeypatch):
    home, path = submitted(place), submitted(place) / "seed-1.json"
    honest = {number: read(home / f"seed-{number}.json") for number in range(5)}

    def again(*_):
        path.write_text(path.read_text() + " ")
        return honest

    monkeypatch.setattr("benchmark.submissions.rerun._again", again)
    with pytest.raises(ValueError, match=r"seed-1\.json changed while the code ran; run it again"):
        rerun([home], [standard], metanet=f"{place / 'mine.py'}:Mine", limits=PATIENT, by="Me")
    assert not list((place / "board/verifications").glob("*.json"))


def test_what_was_stopped_does_not_say_that_it_goes_on(place, standard, monkeypatch, capfd):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmark.submissions.rerun.rerun", stopped)
    code, out, err = run(monkeypatch, capfd, "verify-submission", submitted(place), "--zoos", standard)
    assert (code, err) == (130, "")
    assert "stopped; reports that are written are kept; the same command runs all again" in out.replace("\n", " ")


@pytest.mark.parametrize(
    "option", ["--by=", f"--by={'x' * 201}", "--memory=inf", "--memory=nan", "--memory=-1", "--memory=1e9", "--seconds=nan"]
)
def test_what_cannot_be_is_refused_before_the_code_runs(place, standard, monkeypatch, capfd, option):
    (place / "note").touch()
    words = ("verify-submission", submitted(place), "--zoos", standard, "--metanet", f"{place / 'mine.py'}:Mine", option)
    code, _, err = run(monkeypatch, capfd, *words)
    assert code in (1, 2)
    assert option.partition("=")[0] in err
    assert "Traceback" not in err
    assert (place / "note").read_text() == ""


@pytest.mark.parametrize(
    ("does", "limits", "said"),
    [
        ("sleep", Limits(1.0, 2 * 10**9), "took more than the 1 s that it may take"),
        ("bomb", PATIENT, "memory"),
        ("lie", PATIENT, "second"),
    ],
)
def test_code_that_harms_is_stopped_and_said_in_a_line(place, standard, does, limits, said):
    (place / does).touch()
    with pytest.raises(ValueError, match=said) as told:
        rerun([submitted(place)], [standard], metanet=f"{place / 'mine.py'}:Mine", seeds=[0], limits=limits)
    assert str(told.value).count("\n") == 0
    assert "mine.Mine" in str(told.value)
    assert not (place / "board/verifications").exists()


def other_code(place: Path) -> None:
    with (place / "mine.py").open("a") as file:
        file.write("# changed\n")


def no_settings(place: Path) -> None:
    for path in submitted(place).glob("seed-*.json"):
        value = json.loads(path.read_text())
        path.write_text(json.dumps(value | {"tuned": {"training": {"run": "me"}}}))


def other_input(place: Path) -> None:
    for path in submitted(place).glob("seed-*.json"):
        value = json.loads(path.read_text())
        path.write_text(json.dumps(value | {"metanet": value["metanet"] | {"reads": "statistics"}}))


@pytest.mark.parametrize(
    ("change", "name", "zoo", "said"),
    [
        (other_input, "mine.py:Mine", "standard", "its records say that it reads statistics; this reads vector"),
        (
            other_code,
            "mine.py:Mine",
            "standard",
            "its records name SHA-256 .* of mine.py, and this is .*; get https://a.org/b",
        ),
        (lambda _: None, "other.py:Mine", "standard", "its records are of mine:Mine"),
        (lambda _: None, None, "standard", "its code is not here; get https://a.org/b at commit 00000000"),
        (lambda _: None, "mine.py:Mine", "asymmetric", "is not among those given"),
        (no_settings, "mine.py:Mine", "standard", "settings that this release does not know"),
        (lambda p: (submitted(p) / "submission.json").unlink(), "mine.py:Mine", "standard", "no submission.json"),
        (lambda p: (submitted(p) / "seed-1.parquet").unlink(), "mine.py:Mine", "standard", "seed-1.parquet"),
        (lambda p: (submitted(p) / "seed-1.json").unlink(), "mine.py:Mine", "standard", "4 seed"),
    ],
)
def test_what_is_unclear_is_refused_in_a_line(place, request, change, name, zoo, said):
    change(place)
    with pytest.raises(ValueError, match=said) as told:
        rerun([submitted(place)], [request.getfixturevalue(zoo)], metanet=name and f"{place / name}", limits=PATIENT)
    assert str(told.value).count("\n") == 0
    assert not (place / "board/verifications").exists()


@pytest.mark.parametrize(("move", "verdict"), [(0.0, "same"), (1e-6, "same"), (0.01, "close"), (10.0, "different")])
def test_how_far_one_prediction_may_move(place, move, verdict):
    path = submitted(place) / "seed-0.json"
    before = records.stored(path)
    assert before.frame is not None
    edit(before, move * before.frame.loc[before.frame["split"] == "test", "target"].std(ddof=0))
    found = compared(records.stored(path), before, "folder")
    assert found.verdict == verdict
    assert found.largest["test"] == pytest.approx(move, abs=1e-12)


def test_as_many_seeds_are_enough_as_the_reference_asks_for():
    zoos = [records.ZooReference(name, "standard", "0" * 64) for name in ("tiny-digits-resnet8-standard", "mine")]
    counts = {"train": 64, "validation": 32, "test": 32}
    tasks = [Task("test_accuracy", "trained", zoo, zoo, None, None, counts, 0) for zoo in zoos]
    assert [fewest_seeds(task) for task in tasks] == [2, 5]
    assert [is_lite(zoo.name) for zoo in zoos] == [True, False]
    other = dataclasses.replace(tasks[0], target="train_accuracy")
    assert fewest_seeds(other) == 5


@pytest.mark.parametrize(
    ("stated", "read"),
    [("none", None), ("None.", None), (False, None), (True, "not said what"), ("CIFAR-100 nets", "CIFAR-100 nets")],
)
def test_what_else_was_learned_from_is_a_statement(stated, read):
    assert submission(**ABOUT | {"external_data": stated}).external == read
