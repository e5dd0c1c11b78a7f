import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT
from verbs import run

import zoo
from zoo.storage.manifest import read_manifest, write_manifest

SMALLER = [
    "--set",
    "images.train=256",
    "--set",
    "images.test=64",
    "--set",
    "recipe.epochs=[1,2]",
    "--set",
    "net.width=0.125",
]


def test_a_closed_output_is_no_mistake():
    run = [sys.executable, "-c", "import benchmark.cli.terminal"]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *run], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def metazoo(monkeypatch, capsys):
    """Runs a command line in this process: (exit code, output, errors)."""

    return partial(run, monkeypatch, capsys)


def test_build_info_verify_plot_and_export_do_what_they_say(metazoo, tmp_path):
    folder = tmp_path / "zoo"
    code, out, _ = metazoo("build", "digits-resnet8-standard", "--nets", 24, "--seed", 5, "--out", folder, *SMALLER)
    assert (code, "24 nets" in out) == (0, True)
    made = zoo.open(folder)
    assert (made.spec.seed, made.spec.net.width, made.spec.recipe.epochs) == (5, 0.125, (1, 2))
    code, out, _ = metazoo("info", folder, "--json")
    assert sum(part["nets"] for part in json.loads(out)["nets"].values()) == 24
    assert "test_accuracy" in metazoo("info", folder)[1]
    assert metazoo("verify", folder, "--nets", 2)[0] == 0
    code, out, _ = metazoo("plot", folder, "--out", tmp_path / "pictures", "--target", "train_loss", "--kind", "svg")
    assert all(Path(line).read_text().startswith("<?xml") for line in out.split())
    code, out, _ = metazoo("export", folder, "--net", 3, "--out", tmp_path / "net.safetensors")
    assert (code, Path(out.strip()).exists()) == (0, True)


def test_score_and_leaderboard_print_the_same_numbers(metazoo, standard, tmp_path):
    out = tmp_path / "results"
    scored = metazoo("score", standard, "--metanet", "mean", "--metanet", "ridge", "--seeds", 2, "--out", out)
    assert scored[0] == 0
    assert "4 records" in scored[1]
    beside = f"metazoo leaderboard {out} shows them beside the others there"
    assert beside not in scored[1]
    assert beside in metazoo("score", standard, "--metanet", "mean", "--seeds", 2, "--out", out)[1]
    _, text, _ = metazoo("leaderboard", out, "--format", "json")
    ridge = next(row for row in json.loads(text) if row["metanet"] == "ridge")
    assert f"{ridge['r2_mean']:.3f}" in scored[1]
    assert f"{ridge['r2_mean']:.3f}" in metazoo("leaderboard", out, "--format", "markdown")[1]
    record = json.loads(next(out.glob("**/seed-1.json")).read_text())
    assert record["command"].startswith("metazoo score")


def test_specs_are_listed_and_printed_as_files_that_build_takes(metazoo, tmp_path):
    names = metazoo("specs")[1].split()
    assert "cifar10-resnet8-w_asymmetric" in names
    (tmp_path / "mine.json").write_text(metazoo("specs", "digits-resnet8-smaller")[1])
    assert zoo.load(str(tmp_path / "mine.json")) == zoo.load("digits-resnet8-smaller")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["build", "digits-resnet8-standrd", "--out", "OUT"], "did you mean digits-resnet8-standard"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--set", "recipe.epoch=3"], "did you mean epochs"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--set", "recipe.epochs=[9,2]"], "a range is (low, high)"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--set", "recipe.batch=4000"], "batch of 4000"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--set", "recipe.cutout=9"], "images of 8 pixels"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--nets", "0"], "nets: "),
        (["build", "digits-resnet8-standard", "--out", "FILE/zoo"], "FILE"),
        (["build", "digits-resnet8-standard", "--out", "/proc/zoo"], "/proc/zoo"),
        (["build", "cifar10-resnet8-standard", "--out", "OUT"], "--images"),
        (["build", "cifar10-resnet8-standard", "--out", "OUT", "--images", "NOWHERE"], "no Parquet files"),
        (["build", "missing.toml", "--out", "OUT"], "missing.toml"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--device", "cuda:99"], "no device 'cuda:99' here"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--device", "gpu"], "no device 'gpu' here"),
        (["build", "digits-resnet8-standard", "--out", "OUT", "--device", "meta"], "the devices are cpu, cuda"),
        (["info", "NOWHERE"], "is no zoo"),
        (["verify", "NOWHERE"], "is no zoo"),
        (["verify", "TRUNCATED"], "altered"),
        (["info", "TRUNCATED"], "test-00000-of-00001.h5"),
        (["info", "OTHER"], "metazoo-99"),
        (["score", "NOWHERE", "--metanet", "mean", "--out", "OUT"], "is no zoo"),
        (["score", "TRUNCATED", "--metanet", "mean", "--out", "OUT"], "its bytes are not those that MANIFEST.sha256 lists"),
        (["score", "ZOO", "--metanet", "statn", "--out", "OUT"], "did you mean statnn"),
        (["score", "ZOO", "--metanet", "mean", "--target", "accuracy", "--out", "OUT"], "test_accuracy"),
        (["score", "ZOO", "--metanet", "mean", "--device", "cuda:99", "--out", "OUT"], "no device 'cuda:99' here"),
        (["plot", "ZOO", "--target", "nothing", "--out", "OUT"], "unknown target"),
        (["export", "ZOO", "--net", "64", "--out", "OUT"], "nets 0 to 63"),
        (["leaderboard", "NOWHERE"], "no records"),
    ],
)
def test_bad_input_gets_a_clear_message_and_no_traceback(metazoo, standard, tmp_path, monkeypatch, arguments, found):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("mine")
    truncated = shutil.copytree(standard, tmp_path / "TRUNCATED")
    shard = truncated / "data/test-00000-of-00001.h5"
    shard.write_bytes(shard.read_bytes()[:-100])
    about = json.loads((standard / "zoo.json").read_text())
    other = shutil.copytree(standard, tmp_path / "OTHER")
    (other / "zoo.json").write_text(json.dumps({**about, "format": "metazoo-99"}))
    write_manifest(other, list(read_manifest(other)))
    code, _, err = metazoo(*(standard if argument == "ZOO" else argument for argument in arguments))
    assert code == 1
    assert found in err.replace("\n", "")
    assert "Traceback" not in err
    assert (tmp_path / "FILE").read_text() == "mine"
    assert not list(tmp_path.glob("OUT/*"))


def test_a_malformed_setting_is_a_usage_error(metazoo, tmp_path):
    code, _, err = metazoo("build", "digits-resnet8-standard", "--out", tmp_path / "zoo", "--set", "epochs")
    assert (code, "FIELD=VALUE" in err) == (2, True)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_says_how_to_go_on_and_does(metazoo, tmp_path, number, expected):
    folder = tmp_path / "zoo"
    command = ["build", "digits-resnet8-standard", "--nets", "320", "--out", str(folder), "--workers", "2", *SMALLER]
    script = "from benchmark.cli.main import main\nif __name__ == '__main__':\n    main()\n"
    (tmp_path / "run.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "units" / "00000.json").exists() and process.poll() is None:
        time.sleep(0.01)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == expected
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert "the same command goes on" in out
    done = {path: path.stat().st_mtime_ns for path in folder.glob("units/*.json")}
    assert 0 < len(done) < 20
    assert metazoo(*command)[0] == 0
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())


def test_help_is_quick_because_it_imports_nothing_heavy():
    code = (
        "import sys, benchmark.cli.main; print([m for m in ('torch', 'datasets', 'sklearn', 'pandas') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_many_workers_by_hand_make_the_zoo_of_one_command(metazoo, tmp_path):
    folder, options = tmp_path / "zoo", ["digits-resnet8-standard", *SMALLER, "--nets", 24]
    code, out, _ = metazoo("build", *options, "--out", folder, "--workers", "0")
    assert code == 0
    assert f"metazoo work {folder}" in " ".join(out.split())
    assert "0 of 1 done" in metazoo("status", folder)[1]
    code, out, _ = metazoo("work", folder)
    assert (code, "no unit is left" in out) == (0, True)
    status = json.loads(metazoo("status", folder, "--json")[1])
    assert (status["done"], status["units"], status["failed"], status["running"]) == (1, 1, 0, 0)
    assert status["nets_per_hour"] > 0
    assert metazoo("build", *options, "--out", folder)[0] == 0
    assert metazoo("build", *options, "--out", tmp_path / "other")[0] == 0
    assert (folder / "MANIFEST.sha256").read_bytes() == (tmp_path / "other" / "MANIFEST.sha256").read_bytes()


def test_a_failed_unit_shows_in_the_status_and_in_the_exit_code(metazoo, tmp_path):
    wild = ["digits-resnet8-w_asymmetric", *SMALLER, "--nets", 4, "--set", "dtype=float16", "--set", "net.kappa=1e6"]
    code, _, err = metazoo("build", *wild, "--out", tmp_path / "zoo")
    assert code == 1
    assert "failed 3 times" in err
    assert "do not fit into float16" in err
    assert "Traceback" not in err
    code, out, _ = metazoo("status", tmp_path / "zoo")
    assert code == 1
    assert "1 failed" in out


def test_plan_prints_what_the_zoo_will_take(metazoo):
    code, out, _ = metazoo("plan", "digits-resnet8-standard", *SMALLER, "--nets", 24, "--seconds", "0.2", "--machines", "3")
    assert code == 0
    for word in ("time", "nets/hour", "GB a worker", "disk", "3 machine(s)"):
        assert word in out


def test_trajectories_are_opted_in_by_a_list_of_epochs(metazoo, tmp_path):
    assert (
        metazoo(
            "build", "digits-resnet8-standard", *SMALLER, "--nets", 24, "--out", tmp_path / "zoo", "--trajectory", "0,1"
        )[0]
        == 0
    )
    assert json.loads((tmp_path / "zoo" / "zoo.json").read_text())["spec"]["trajectory"] == [0, 1]
    code, _, err = metazoo(
        "build", "digits-resnet8-standard", *SMALLER, "--nets", 24, "--out", tmp_path / "other", "--trajectory", "1,0"
    )
    assert code == 1
    assert "rise" in err


@pytest.mark.parametrize("verb", ["work", "status"])
def test_a_folder_without_a_build_is_an_error_with_the_next_step(metazoo, tmp_path, verb):
    code, _, err = metazoo(verb, tmp_path)
    assert code == 1
    assert "metazoo build" in err


def test_a_worker_that_is_told_to_stop_gives_its_lease_back(metazoo, tmp_path):
    folder = tmp_path / "zoo"
    command = ["build", "digits-resnet8-standard", *SMALLER, "--nets", 2000, "--out", folder, "--workers", "0"]
    assert metazoo(*command)[0] == 0
    (tmp_path / "run.py").write_text(
        "import benchmark.cli.main\nif __name__ == '__main__':\n    benchmark.cli.main.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, tmp_path / "run.py", "work", folder]
    process = subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob("units/*.lease")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)  # as Slurm does before the time is up
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    assert not list(folder.glob("units/*.lease"))
    assert zoo.status(folder).failed == 0
