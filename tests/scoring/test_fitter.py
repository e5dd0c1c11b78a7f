"""The process that fits: what it knows, what it may answer, and how it ends."""

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from conftest import ROOT

import zoo
from benchmark.records import records
from benchmark.scoring.channel import receive, send
from benchmark.scoring.fitter import Fitter, Fitters
from benchmark.scoring.job import Job, run
from benchmark.scoring.score import score
from metanets import Training

QUICK = Training(epochs=2, batch=8, learning_rates=(1e-3,))
HERE = Path(__file__).parent
PRYING = HERE / "prying.py"


@pytest.fixture(scope="module")
def fitter():
    made = Fitter()
    yield made
    made.close()


@pytest.fixture(scope="module")
def liar(tmp_path_factory):
    """What asks a process that answers what a file says, and the file."""
    lie = tmp_path_factory.mktemp("liar") / "lie"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIE", str(lie))
        made = Fitter()
    yield made, lie
    made.close()


def job(folder, out, metanet, **changes) -> Job:
    plain = Job(folder, (folder,), metanet, "test_accuracy", range(1), QUICK, out)
    return dataclasses.replace(plain, **changes)


def scored(folder, name, out, **options):
    return score([folder], [f"{PRYING}:{name}"], "test_accuracy", out=out, seeds=1, training=QUICK, **options)


@pytest.mark.parametrize("permute", [False, True])
@pytest.mark.parametrize("metanet", ["mlp", "statnn", "trees_hyper_parameters", f"{HERE}/own_metanets.py:Equivariant"])
def test_a_process_of_its_own_predicts_what_this_one_does(standard, tmp_path, fitter, metanet, permute):
    training = dataclasses.replace(QUICK, augment=("permutation",) * permute)
    given = {"seeds": range(2), "training": training, "train_nets": 16}
    (here, there) = (
        [records.read(path) for path in run(job(standard, tmp_path / f"{one is None}", metanet, **given), one)]
        for one in (None, fitter)
    )
    assert [record.predictions.sha256 for record in here] == [record.predictions.sha256 for record in there]
    assert [record.chosen for record in here] == [record.chosen for record in there]
    assert [record.enforced for record in here] == [False] * 2
    assert [record.enforced for record in there] == [True] * 2


def test_what_fits_holds_no_label_of_the_test_nets_no_recipe_and_no_way_to_the_zoo(standard, tmp_path, fitter, monkeypatch):
    """In this process the same metanet finds all, so that it is known to look in the right places."""
    made = zoo.open(standard)
    labels = made.columns.loc[made.columns["split"] == "test", "test_accuracy"].to_numpy(np.float64)
    found = {}
    for name in ("here", "there"):
        monkeypatch.setenv("PRYING", str(tmp_path / name))
        own = Fitter() if name == "there" else None  # started with the variable
        run(job(standard, tmp_path / "out" / name, f"{PRYING}:Prying", training=dataclasses.replace(QUICK, epochs=1)), own)
        noted = json.loads((tmp_path / name).read_text())
        known = any(np.allclose(np.sort(column), np.sort(labels)) for column in noted["columns"])
        folders = any(Path(folder).samefile(standard) for folder in noted["folders"])
        found[name] = known, folders, "learning_rate" in noted["recipe"]
        if own is not None:
            own.close()
    assert found == {"here": (True, True, True), "there": (False, False, False)}


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("needs memory", "out of memory; with fewer --workers there is more for each: 9 TB"),
        ("killed", "the process that fits it was killed (out of memory?); with fewer --workers there is more for each"),
        ("leaves", "the process that fits it ended by itself, with exit status 3"),
        ("exits", "the process that fits it ended by itself, with exit status 4"),
        ("leaves a child", "the process that fits it ended by itself, with exit status 3"),
        ("hangs up", "the process that fits it does not answer any more: it has closed its connection"),
    ],
)
def test_a_process_that_dies_is_told_with_its_metanet(standard, tmp_path, monkeypatch, how, said):
    monkeypatch.setenv("HOW", how)
    before = psutil.Process().children()
    with pytest.raises(RuntimeError, match=re.escape(f"prying.py:Leaving: {said}")):
        scored(standard, "Leaving", tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    assert psutil.Process().children() == before


@pytest.mark.parametrize("lie", ['"all"', "[1, 2]", '{"0": ["x"]}', '{"0": [0.5]}', "{}", '{"0": NaN}'])
def test_what_is_no_prediction_is_refused(standard, tmp_path, liar, lie):
    liar[1].write_text(lie)
    with pytest.raises(ValueError, match=r"what is no result|predictions for \d+ nets|answers for the seeds \[\]"):
        run(job(standard, tmp_path, f"{PRYING}:Lying"), liar[0])
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("lie", ["", "5", "{", "{}", '{"error": []}', '{"found": 1, "more": 2}', "[" * 9999, "\N{BULLET}"])
def test_what_is_no_answer_is_refused_in_a_line(standard, tmp_path, liar, lie):
    liar[1].write_text(lie)
    with pytest.raises(ValueError, match=r"Babbling: the process that fits it answers what is no result"):
        run(job(standard, tmp_path, f"{PRYING}:Babbling"), liar[0])
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.usefixtures("processes")
def test_what_a_metanet_started_ends_with_its_process(standard, tmp_path, monkeypatch):
    monkeypatch.setenv("HOW", "leaves a child")
    monkeypatch.setenv("CHILD", str(tmp_path / "child"))
    with pytest.raises(RuntimeError, match="exit status 3"):
        scored(standard, "Leaving", tmp_path)
    child = int((tmp_path / "child").read_text())
    _wait(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.usefixtures("processes")
def test_no_other_metanet_is_fitted_where_code_of_a_user_has_run(standard, tmp_path):
    names = [f"{PRYING}:Meddling", "mean"]
    both, alone = (
        score([standard], given, "test_accuracy", out=tmp_path / str(len(given)), seeds=1, training=QUICK)
        for given in (names, names[1:])
    )
    (mean,) = (path for path in both if path.parent.name == "mean")
    assert records.read(mean).predictions == records.read(alone[0]).predictions


def test_processes_are_lent_again_for_the_same_metanet_and_never_more_than_work_at_once():
    class Counted:
        def __init__(self) -> None:
            self.closed = False

        def close(self) -> None:
            self.closed = True

    fitters = Fitters(Counted)
    seen = []
    for metanet in ("mlp", "mean", "a:A", "a:A", "b:B", "ridge"):
        with fitters.lent(metanet) as one:
            seen.append(one)
    assert [seen.index(one) for one in seen] == [0, 0, 2, 2, 4, 5]
    assert [one.closed for one in seen] == [True] * 5 + [False]
    with pytest.raises(ValueError, match="no more"), fitters.lent("mean") as failing:
        raise ValueError("no more")
    assert failing.closed
    with fitters.lent("mean") as one:
        assert one is not failing
    fitters.close()
    assert all(one.closed for one in (*seen, one))
    with pytest.raises(RuntimeError, match="ended"), fitters.lent("mlp"):
        pass


def test_messages_arrive_as_they_were_sent_and_may_be_changed():
    large, half = torch.arange(2**17, dtype=torch.float64).reshape(2, -1), torch.ones(2**16, dtype=torch.float16)
    message = ("what", (large, large.T, half, large > 3, torch.zeros(0, 5), torch.tensor(1.0)), {"again": large})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, message)
        found = receive(theirs)
        assert found[0] == "what"
        for one, other in zip((*found[1], found[2]["again"]), (*message[1], large), strict=True):
            assert one.dtype == other.dtype
            assert torch.equal(one, other)
        found[1][0].zero_()
        assert large[1, 1] == 2**16 + 1
        ours.close()
        with pytest.raises(EOFError):
            receive(theirs)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_processes_end_with_the_one_that_scores(standard, tmp_path, number):
    (tmp_path / "slow.py").write_text(
        "import time\nfrom torch import nn\nclass Slow(nn.Module):\n"
        "    def __init__(self, weights):\n        super().__init__()\n        self.layer = nn.Linear(weights, 1)\n"
        "    def forward(self, weights):\n        open('begun', 'w').close()\n        time.sleep(600)\n"
    )
    command = [sys.executable, "-m", "metazoo", "score", str(standard), "--metanet", "slow.py:Slow", "--out", "out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as own:
        _wait(lambda: (tmp_path / "begun").exists())
        children = psutil.Process(own.pid).children(recursive=True)
        assert children
        own.send_signal(number)
        own.wait()
        _wait(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def _wait(ready) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
