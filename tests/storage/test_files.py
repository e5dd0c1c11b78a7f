import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.messages import choose, unknown
from zoo.storage import files
from zoo.untrusted.files import sha256
from zoo.untrusted.json import read_json


@pytest.mark.parametrize("step", ["fsync", "write", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(os, "replace", full)
    else:
        monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError, match=r"cannot write .*file \(2,000 bytes needed\): No space left"):
        files.write(path, b"n" * 2000)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"file": b"old"}


def test_a_file_size_limit_is_a_clean_error(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from zoo.storage import files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.write(Path(sys.argv[1]), b'x' * 5000)\n"
        "except OSError as error: print(error.strerror)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(zoo.__file__).parent.parent)}
    command = [sys.executable, "-c", code, tmp_path / "file"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "5,000 bytes needed" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_durable_before_it_has_its_name(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda *names, **at: (steps.append("rename"), replace(*names, **at))[1])
    files.write(tmp_path / "file", b"data")
    assert steps == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_what_is_no_json_object_is_refused_by_name(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is damaged"):
        read_json(tmp_path / "x.json")


def test_json_and_hashes_agree_with_themselves(tmp_path):
    files.write_json(tmp_path / "x.json", {"a": [1, "ü"]})
    assert read_json(tmp_path / "x.json") == {"a": [1, "ü"]}
    assert sha256(tmp_path / "x.json") == files.hash_of((tmp_path / "x.json").read_bytes())


def test_an_unknown_name_brings_the_nearest_and_all():
    assert choose({"mlp": 1}, "mlp", "metanet") == 1
    assert unknown("metanet", "mpl", ["mlp", "dmc"]) == "unknown metanet 'mpl'; did you mean mlp? (known: mlp, dmc)"
    with pytest.raises(ValueError, match=r"unknown metanet 'xyz' \(known: mlp\)"):
        choose({"mlp": 1}, "xyz", "metanet")
