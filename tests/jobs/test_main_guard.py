"""Scripts without a main guard, whose workers would run them again."""

import os
import subprocess
import sys
import time

import pytest
from conftest import ROOT

SCRIPT = """
import sys
import zoo
from benchmark.scoring.score import score
from zoo.jobs.estimate import estimate
print("it runs")
spec = zoo.load("digits-resnet8-standard", {"nets": 200, "net.width": 0.125})
"""
WORK = {
    "build": "zoo.build(spec, sys.argv[2], workers=3)",
    "estimate": "estimate(spec, workers=2, seconds=0.2)",
}
SCORE = "score([sys.argv[1]], ['mean', 'ridge'], 'test_accuracy', out=sys.argv[2], workers=2)"


def is_gone(group: int) -> bool:
    """Whether no process of the group is left, in a few seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("work", WORK)
def test_a_script_without_a_main_guard_is_named_in_one_error_and_leaves_no_process(standard, tmp_path, work):
    (tmp_path / "mine.py").write_text(SCRIPT + WORK[work])
    command = [sys.executable, tmp_path / "mine.py", standard, tmp_path / "out"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.count("Traceback") == 1
    assert err.splitlines()[-1].startswith(f"RuntimeError: {tmp_path / 'mine.py'} has no main guard")
    assert 'if __name__ == "__main__":' in err
    assert is_gone(process.pid)
    assert not list(tmp_path.glob("out/units/*.lease"))


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__':\n    "])
def test_scoring_needs_no_main_guard(standard, tmp_path, guard):
    (tmp_path / "mine.py").write_text(SCRIPT + guard + SCORE)
    command = [sys.executable, tmp_path / "mine.py", standard, tmp_path / "out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "it runs\n", "")
    assert len(list(tmp_path.glob("out/**/seed-*.json"))) == 10


def test_the_same_script_with_a_main_guard_builds(standard, tmp_path):
    (tmp_path / "mine.py").write_text(SCRIPT + "if __name__ == '__main__':\n    " + WORK["estimate"])
    command = [sys.executable, tmp_path / "mine.py", standard, tmp_path / "out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
