import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import ROOT

from zoo import messages
from zoo.untrusted import child

MEMORY = 2**30


def run(function, /, seconds=20.0, **arguments):
    return child.call(f"children:{function}", arguments, seconds=seconds, memory=MEMORY, subject="the file")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def ends(pid_file: Path) -> bool:
    """Whether the process that wrote its number there is gone within seconds."""
    deadline = time.monotonic() + 10
    while alive(int(pid_file.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(int(pid_file.read_text()))


def test_arguments_and_results_come_through_unchanged():
    values = {"a": [1, 2.5, None, True], "b": {"ü\udcff": "\x00\n"}}
    assert run("echo", **values) == values


def test_a_function_of_a_module_can_be_called():
    assert child.call("textwrap:shorten", {"text": "one two", "width": 5}, seconds=20.0, memory=MEMORY) == "[...]"


def test_a_file_that_is_run_alone_loads_nothing_of_the_package():
    assert not {"zoo", "torch", "numpy"} & set(run("modules"))


def test_the_child_has_no_tokens_no_plugins_and_one_thread(monkeypatch):
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "HDF5_PLUGIN_PATH", "PYTHONPATH", "LD_PRELOAD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("HDF5_PLUGIN_PRELOAD", "/tmp")
    found = run("environment")
    assert found.keys() <= {*child.KEPT, *child.SET, "LC_CTYPE"}  # which Python itself sets in the C locale
    assert found.items() >= child.SET.items()
    assert "secret" not in found.values()


def test_the_child_has_the_limits_it_was_given():
    found = child.call("children:limits", {}, seconds=20.0, memory=MEMORY, writes=7)
    assert found == [[MEMORY, MEMORY], [0, 0], [7, 7]]


def test_memory_beyond_the_limit_is_refused():
    assert run("reserve", size=2**20) == 2**20
    with pytest.raises(ValueError, match=r"the file: .* limit of 1,073,741,824 bytes of memory"):
        run("reserve", size=2**31)


def test_a_file_larger_than_allowed_cannot_be_written(tmp_path):
    arguments = {"path": str(tmp_path / "a"), "size": 100}
    child.call("children:write", arguments, seconds=20.0, memory=MEMORY, writes=100)
    with pytest.raises(OSError, match="too large"):
        child.call("children:write", arguments, seconds=20.0, memory=MEMORY, writes=99)


@pytest.mark.parametrize("function", ["spin", "sleep"])
def test_a_child_that_hangs_is_killed_at_its_limit(function, tmp_path):
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"the file: .* limit of 0\.5 s"):
        run(function, seconds=0.5, **({"pid_file": str(tmp_path / "pid")} if function == "sleep" else {}))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("number", "message"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGABRT, "SIGABRT"), (signal.SIGKILL, "lack of memory")]
)
def test_a_crash_is_an_error_that_names_the_signal_and_the_file(number, message):
    with pytest.raises(ValueError, match=f"the file: .*{message}"):
        run("crash", number=int(number))


@pytest.mark.parametrize(
    ("kind", "error"), [("value", ValueError), ("os", OSError), ("missing", FileNotFoundError), ("key", ValueError)]
)
def test_errors_come_back_with_their_text(kind, error):
    with pytest.raises(error, match="what was found") as caught:
        run("fail", kind=kind, text="what was found")
    assert type(caught.value) is error


def test_control_characters_in_messages_are_escaped():
    with pytest.raises(ValueError, match="red") as caught:
        run("fail", kind="value", text="\x1b[31mred\r\n\u202e\udcff")
    assert str(caught.value) == r"\x1b[31mred\r\n\u202e\udcff"
    assert len(messages.plain("x" * 10**6)) < 2000


def test_what_the_function_prints_cannot_pass_for_its_result():
    assert run("print_and_read") == ""


def test_an_endless_answer_is_cut_off():
    with pytest.raises(ValueError, match="answers without end"):
        child.call("children:flood", {}, seconds=20.0, memory=MEMORY, subject="x")


def test_what_the_child_started_ends_with_it(tmp_path):
    run("leave_a_child", pid_file=str(tmp_path / "pid"))
    assert ends(tmp_path / "pid")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_child_ends_when_the_parent_is_interrupted_or_killed(how, tmp_path):
    code = "from zoo.untrusted.child import call; call('children:sleep', "
    code += f"{{'pid_file': {str(tmp_path / 'pid')!r}}}, seconds={60 if how == signal.SIGINT else 0.5}, memory=2**30)"
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"},
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    parent.send_signal(how)
    error = parent.communicate()[1].decode()
    assert ("KeyboardInterrupt" in error) == (how == signal.SIGINT)
    assert ends(tmp_path / "pid")


def test_many_threads_can_call_at_once():
    found: list[object] = []
    threads = [threading.Thread(target=lambda n=n: found.append(run("echo", n=n)["n"])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1, 2, 3]


def test_a_system_without_limits_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OSError, match="WSL"):
        run("echo")


def test_the_request_is_not_seen_by_other_processes():
    """Arguments go by a file without a name, not by the command line, which everyone on the machine can read."""
    assert "secret" not in json.dumps(run("command_line", secret="secret"))


def test_what_looks_at_zoos_is_quick_and_small():
    """No child that vets or unpacks waits for PyTorch, or needs the addresses that it reserves."""
    code = "import sys, zoo.untrusted.vetting, zoo.untrusted.archives; print({'torch', 'pandas'} & sys.modules.keys())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
