"""Folders from strangers that no vet has seen: opening and verifying them reads nothing that could do harm."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from strangers import travelling

import zoo
from zoo import description, files
from zoo.vetting.manifests import ABOUT, FIXED, MANIFEST


@pytest.fixture
def copy(standard, tmp_path):
    return travelling(standard, tmp_path / "zoo")


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Ends what hangs."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refusal(read: Callable[[Path], Any], folder: Path) -> str:
    """What is said of a folder, whether it is raised or returned."""
    try:
        return "\n".join(read(folder))
    except (ValueError, FileNotFoundError) as error:
        return str(error)


@pytest.mark.parametrize("read", [zoo.open, zoo.verify])
@pytest.mark.parametrize("name", [ABOUT, FIXED])
def test_a_pipe_is_not_waited_for(copy, read, name):
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with within(20):
        assert name in refusal(read, copy)


@pytest.mark.parametrize("read", [zoo.open, zoo.verify])
@pytest.mark.parametrize("whole", [True, False])
def test_nothing_is_described_before_it_is_vetted(copy, monkeypatch, read, whole):
    """A layout may claim any number of weights, for which a reader takes memory."""
    if not whole:
        (copy / MANIFEST).unlink()
    (copy / ABOUT).write_text((copy / ABOUT).read_text().replace('"shape": [', '"shape": [1,'))
    monkeypatch.setattr(description, "read", None)
    assert (ABOUT if whole else "unfinished" if read is zoo.open else f"no {MANIFEST}") in refusal(read, copy)


def test_a_description_takes_no_memory_for_weights_that_no_file_holds(copy):
    value = json.loads((copy / ABOUT).read_text())
    value["layout"][-1]["shape"] = [2**50]
    (copy / ABOUT).write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r"fixed values for 11258999068\d+ weights"):
        description.read(copy)


def test_json_that_is_nested_too_deeply_is_damage(copy):
    (copy / ABOUT).write_text("[" * 100_000)
    assert zoo.verify(copy) == [f"{copy / ABOUT}: altered: its SHA-256 is not the manifest's"]
    with pytest.raises(ValueError, match=r"zoo\.json is damaged"):
        files.read_json(copy / ABOUT)
