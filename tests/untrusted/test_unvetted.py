"""Folders from strangers that no vet has seen: opening and verifying them reads nothing that could do harm."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from strangers import SHARD, travelling

import zoo
from zoo.dataset import zoo_json
from zoo.importers.import_zoo import import_zoo
from zoo.untrusted.files import sha256
from zoo.untrusted.json import read_json
from zoo.untrusted.vetting.manifests import ABOUT, FIXED, MANIFEST, MANIFEST_BYTES


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
@pytest.mark.parametrize("name", [MANIFEST, ABOUT, FIXED])
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
    monkeypatch.setattr(zoo_json, "read", None)
    assert (ABOUT if whole else "unfinished" if read is zoo.open else f"no {MANIFEST}") in refusal(read, copy)


def test_a_description_takes_no_memory_for_weights_that_no_file_holds(copy):
    value = json.loads((copy / ABOUT).read_text())
    value["layout"][-1]["shape"] = [2**50]
    (copy / ABOUT).write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r"fixed values for 11258999068\d+ weights"):
        zoo_json.read(copy)


def test_json_that_is_nested_too_deeply_is_damage(copy):
    (copy / ABOUT).write_text("[" * 100_000)
    assert zoo.verify(copy) == [f"{copy / ABOUT}: altered: its SHA-256 is not the manifest's"]
    with pytest.raises(ValueError, match=r"zoo\.json is damaged"):
        read_json(copy / ABOUT)


@pytest.mark.parametrize("name", [SHARD, ABOUT, "data"])
def test_a_link_is_not_followed(copy, tmp_path, monkeypatch, name):
    (copy / name).rename(tmp_path / "moved")
    (copy / name).symlink_to(tmp_path / "moved")
    opened, real = [], sha256
    monkeypatch.setattr("zoo.storage.manifest.sha256", lambda *names: (opened.append(names), real(*names))[1])
    assert any(problem.startswith(f"{copy / name}: a symbolic link") for problem in zoo.verify(copy))
    assert all(root == copy for _, root in opened)  # so that the opener follows none


@pytest.mark.parametrize("place", [".made.importing", ".made.importing/source"])
def test_what_looks_like_a_stopped_import_deletes_nothing_elsewhere(tmp_path, place):
    (tmp_path / "home" / "photos").mkdir(parents=True)
    (tmp_path / "home" / "photos" / "a").write_bytes(b"precious")
    (tmp_path / "inner" / place).parent.mkdir(parents=True)
    (tmp_path / "inner" / place).symlink_to("../home" if place == ".made.importing" else "../../home")
    with pytest.raises(FileExistsError, match="is a link"):
        import_zoo("state-dicts", tmp_path / "inner", tmp_path / "inner" / "made")
    assert (tmp_path / "home" / "photos" / "a").read_bytes() == b"precious"


def test_a_manifest_of_gigabytes_is_not_read(copy):
    with (copy / MANIFEST).open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=f"such a file has {MANIFEST_BYTES:,} at most"):
        zoo.verify(copy)


def test_names_in_a_folder_cannot_steer_the_terminal(copy):
    (copy / "data" / "\x1b[2J.h5").touch()
    problems = zoo.verify(copy)
    assert len(problems) == 1
    assert problems[0].isprintable()
    (copy / MANIFEST).write_text((copy / MANIFEST).read_text() + f"{'0' * 64}  data/\x1b[2J.h5\n")
    with pytest.raises(ValueError, match="is damaged") as caught:
        zoo.verify(copy)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "found"),
    [('{"source":' + "[" * 9000, "nested too deeply"), ('{"source": "hf://\\u001b[2J"}', "control characters")],
)
def test_where_a_zoo_comes_from_is_read_as_a_strangers_words(copy, text, found):
    (copy / "source.json").write_text(text)
    with pytest.raises(ValueError, match=rf"source\.json.*{found}"):
        _ = zoo.open(copy).source
    (copy / "source.json").write_text('{"source": "hf://a\\nb"}')
    assert zoo.open(copy).source == r"hf://a\nb"


def test_where_a_zoo_comes_from_does_not_stand_in_another_file(copy, tmp_path):
    (tmp_path / "secret").write_text('{"source": "hf://secret"}')
    (copy / "source.json").symlink_to(tmp_path / "secret")
    assert zoo.open(copy).source is None
