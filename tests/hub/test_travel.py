"""A zoo's whole journey by the command line: to a hub, to S3, to a folder, and back; and what comes from elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hub_server import Hub
from stores import bucket_at

import zoo
from benchmark.cli import main
from benchmark.records import records
from benchmark.scoring.score import score
from metanets import Training
from zoo.dataset.export import export


@pytest.fixture
def metazoo(monkeypatch, capsys, tmp_path):
    """Runs a command line in this process, where no results are: (exit code, output and errors)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["metazoo", *map(str, arguments)])
        try:
            main.main()
            code: object = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert isinstance(code, int)
        return code, out + err

    return run


def scored(folder: Path, out: Path) -> records.Record:
    (path,) = score([folder], ["trees_statistics"], "test_accuracy", out=out, seeds=1, training=Training())
    return records.read(path)


LOADS = """
import sys, datasets, numpy
nets = datasets.load_dataset(sys.argv[1], "resnet8-standard", split="test", cache_dir=sys.argv[2])
stream = datasets.load_dataset(sys.argv[1], "resnet8-standard", split="test", streaming=True)
rows = numpy.stack(nets.with_format("numpy")["weights"][:])
assert "zoo" not in sys.modules and (rows[0] == numpy.float32(next(iter(stream))["weights"])).all()
numpy.save(sys.argv[3], rows)
"""


def test_a_zoo_goes_to_a_hub_comes_back_loads_with_datasets_alone_and_scores_the_same(metazoo, standard, tmp_path):
    with Hub(tmp_path / "hub") as hub:
        environment = hub.environment(tmp_path / "home")
        command = [sys.executable, "-c", "from benchmark.cli.main import main; main()"]

        def run(*arguments: object) -> str:
            done = subprocess.run(
                [*command, *map(str, arguments)], env={**os.environ, **environment}, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert hub.token not in done.stdout + done.stderr
            return done.stdout

        run("publish", standard, "--to", "hf://datasets/me/zoos")
        assert "0 files sent" in run("publish", standard, "--to", "hf://datasets/me/zoos")
        run("fetch", "hf://datasets/me/zoos", "--out", tmp_path / "back")
        loads = [sys.executable, "-c", LOADS, "me/zoos", tmp_path / "cache", tmp_path / "rows.npy"]
        subprocess.run(loads, env={**os.environ, **environment}, check=True, capture_output=True)
    here, there = zoo.open(standard), zoo.open(tmp_path / "back")
    assert there.manifest_sha256 == here.manifest_sha256
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), np.concatenate(here.arrays("test")))
    one, other = scored(standard, tmp_path / "one"), scored(tmp_path / "back", tmp_path / "other")
    assert one.test == other.test
    assert other.task == one.task
    assert other.task.zoo.source == f"hf://datasets/me/zoos@{hub.repo('me/zoos').branches['main']}/resnet8-standard"


def test_a_zoo_goes_to_s3_and_comes_back_and_opens_by_its_address(metazoo, standard, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with bucket_at(monkeypatch) as address:
        assert metazoo("publish", standard, "--to", address)[0] == 0
        code, told = metazoo("publish", standard, "--to", address)
        assert (code, "0 files sent" in told) == (0, True)
        assert metazoo("fetch", address, "--out", tmp_path / "back")[0] == 0
        opened = zoo.open(f"{address}/resnet8-standard")
    assert opened.manifest_sha256 == zoo.open(tmp_path / "back").manifest_sha256 == zoo.open(standard).manifest_sha256
    assert scored(tmp_path / "back", tmp_path / "one").test == scored(standard, tmp_path / "other").test


def test_a_dry_run_names_files_and_sizes_and_writes_nothing(metazoo, standard, tmp_path):
    code, told = metazoo("publish", standard, "--to", tmp_path / "release", "--dry-run")
    assert code == 0
    assert "resnet8-standard/data/train-00000-of-00001.h5" in told
    assert not (tmp_path / "release").exists()


def test_the_card_has_the_scores_of_the_zoos_that_are_published(metazoo, standard, asymmetric, tmp_path):
    scored(standard, tmp_path / "results")
    assert metazoo("publish", standard, "--to", tmp_path / "one", "--results", tmp_path / "results")[0] == 0
    assert "trees_statistics (baseline)" in (tmp_path / "one/README.md").read_text()
    assert metazoo("publish", asymmetric, "--to", tmp_path / "other", "--results", tmp_path / "results")[0] == 0
    assert "trees_statistics" not in (tmp_path / "other/README.md").read_text()


def test_nets_of_ones_own_are_imported_by_the_command_line(metazoo, standard, tmp_path):
    made = zoo.open(standard)
    for index in range(12):
        export(made, index, tmp_path / f"mine-{index}.safetensors", kind="safetensors")
    table = pd.DataFrame({"file": [f"mine-{i}.safetensors" for i in range(12)], "lr": np.linspace(0.1, 1, 12)})
    table.assign(test_accuracy=made.columns["test_accuracy"][:12]).to_csv(tmp_path / "mine.csv", index=False)
    arguments = ("import", "state-dicts", tmp_path, "--out", tmp_path / "zoo", "--set", "hyper_parameters=lr")
    code, told = metazoo(*arguments)
    assert (code, "12 nets" in told) == (0, True), told
    counts = zoo.open(tmp_path / "zoo").columns["split"].value_counts()
    assert f"({counts['train']} train, {counts.get('validation', 0)} validation, {counts.get('test', 0)} test)" in told
    assert "scoring needs 8 or more nets of each split, and has fewer of " in told
    assert "test: import more nets" in told
    assert metazoo("info", tmp_path / "zoo")[0] == metazoo("vet", tmp_path / "zoo")[0] == 0
    np.testing.assert_array_equal(zoo.open(tmp_path / "zoo").net(3)["conv1.weight"], made.net(3)["conv1.weight"])
    assert zoo.verify(tmp_path / "zoo") == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["import", "state-dict", "HERE", "--out", "OUT"], "did you mean state-dicts"),
        (["import", "state-dicts", "HERE", "--out", "OUT", "--set", "tables=a.csv"], "did you mean table"),
        (["import", "state-dicts", "NOWHERE", "--out", "OUT"], "NOWHERE"),
        (["import", "modelzoos", "HERE", "--out", "HERE"], "exists"),
        (["fetch", "NOWHERE", "--out", "OUT"], "NOWHERE"),
        (["fetch", "hf://me/zoos", "--out", "OUT"], "hf://datasets/"),
        (["publish", "NOWHERE", "--to", "OUT"], "NOWHERE"),
        (["vet", "NOWHERE"], "NOWHERE"),
        (["info", "s3:/bucket"], "s3:/bucket"),
    ],
)
def test_bad_input_gets_a_clear_message_and_no_traceback(metazoo, tmp_path, monkeypatch, arguments, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "HERE").mkdir()
    code, told = metazoo(*arguments)
    assert code == 1
    assert found in told.replace("\n", "")
    assert "Traceback" not in told
    assert not (tmp_path / "OUT").exists()


def test_the_doctor_speaks(metazoo):
    code, told = metazoo("doctor", "--offline")
    assert code == 0
    assert "h5py" in told
