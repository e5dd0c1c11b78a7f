"""C++ compiled at first use, and what happens where it cannot be."""

import ctypes
import os
import shutil

import pytest

from zoo.native import compile
from zoo.storage import files

SOURCE = 'extern "C" int twice(int x) { return 2 * x; }\n'


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "twice.cpp").write_text(SOURCE)
    try:
        compile.library(tmp_path / "twice.cpp")
    except OSError as error:
        pytest.skip(f"no compiler: {error}")
    compile.library.cache_clear()
    yield tmp_path / "twice.cpp"
    compile.library.cache_clear()


def test_a_source_is_compiled_once_and_anew_when_it_changes(source):
    assert compile.library(source).twice(21) == 42
    (first,) = files.cache().glob("twice-*.so")
    before = first.stat().st_mtime_ns
    compile.library.cache_clear()
    assert compile.library(source).twice(4) == 8
    assert first.stat().st_mtime_ns == before
    source.write_text(SOURCE.replace("2 *", "3 *"))
    compile.library.cache_clear()
    assert compile.library(source).twice(21) == 63
    assert isinstance(compile.library(source), ctypes.CDLL)


@pytest.mark.parametrize(
    ("macros", "refused"), [("__clang_major__ 15", True), ("__clang_major__ 16", False), ("_ 1", False)]
)
def test_a_clang_that_crashes_is_refused(source, tmp_path, monkeypatch, macros, refused):
    """By a compiler that says it is clang, and is the real one for all else."""
    real = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    lines = f"#define __AVX512F__ 1\n#define {macros}"
    fake = tmp_path / "compiler"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *-dM*) echo "{lines}";; *) exec {real} "$@";; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("CXX", str(fake))
    if refused:
        with pytest.raises(OSError, match="clang before 16 crashes"):
            compile.library(source)
    else:
        assert compile.library(source).twice(1) == 2


def test_what_is_missing_is_said(source, monkeypatch):
    with pytest.raises(OSError, match="lacks __NO_SUCH_PROCESSOR__"):
        compile.library(source, needs=("__NO_SUCH_PROCESSOR__",))
    source.write_text("this is no C++")
    with pytest.raises(OSError, match="failed"):
        compile.library(source)
    monkeypatch.setenv("CXX", "no-such-compiler")
    compile.library.cache_clear()
    with pytest.raises(OSError, match="no-such-compiler"):
        compile.library(source)
    monkeypatch.setenv("METAZOO_ENGINE", "torch")
    with pytest.raises(OSError, match="METAZOO_ENGINE"):
        compile.library(source)
