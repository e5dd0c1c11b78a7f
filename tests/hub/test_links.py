"""A folder that another has laid: no verb follows a link in it, wherever one stands."""

from pathlib import Path

import pytest
from stores import bundle, contents, whole

from zoo.hub import download as downloads
from zoo.hub.address import locate
from zoo.hub.fetch import fetch
from zoo.hub.folder import Folder
from zoo.hub.publish import publish
from zoo.hub.store import CLAIM
from zoo.storage.manifest import MANIFEST

SECRET = b"token = hf_very_secret\n"
TRAIN = "data/train-00000-of-00001.h5"
PLACES = ["MANIFEST.sha256", "zoo.json", "plain/MANIFEST.sha256", f"plain/{TRAIN}", "plain/data", "plain", "more"]
REFUSED = (ValueError, FileExistsError)


def quiet(line: str) -> None:
    """What a publish reports is of no interest here."""


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder outside, with names in it that a release has."""
    for name in ("secret", "zoo.json", "MANIFEST.sha256", TRAIN, "train-00000-of-00001.h5"):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SECRET)
    return tmp_path / "home"


@pytest.fixture
def laid(tmp_path, standard) -> Path:
    """A release in a folder."""
    publish(bundle({"plain": standard}), str(tmp_path / "laid"), report=quiet)
    return tmp_path / "laid"


def link(folder: Path, place: str, home: Path) -> None:
    """Puts a link to the folder or the file outside where `place` is."""
    path = folder / place
    path.rename(folder.parent / "moved") if path.exists() else path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home / "secret" if path.suffix else home)


@pytest.mark.parametrize("place", PLACES)
def test_a_release_with_a_link_is_not_fetched_and_nothing_of_its_target_is_told(laid, home, tmp_path, place):
    link(laid, place, home)
    lines: list[str] = []
    with pytest.raises(REFUSED) as caught:
        fetch(str(laid), tmp_path / "back", report=lines.append)
    assert str(laid / place) in str(caught.value)
    assert "link" in str(caught.value)
    assert "secret" not in "".join(lines) + str(caught.value)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_published_through_a_link(laid, home, standard, place):
    link(laid, place, home)
    before = contents(home)
    with pytest.raises(REFUSED) as caught:
        publish(bundle({"plain": standard}, card="---\nlicense: mit\n---\nnew"), str(laid), report=quiet)
    assert str(laid / place) in str(caught.value)
    assert contents(home) == before


@pytest.mark.parametrize("place", ["a", "a/zoo.json"])
def test_each_verb_of_a_folder_refuses_a_link_as_folder_or_as_file(tmp_path, home, place):
    (tmp_path / "laid").mkdir()
    link(tmp_path / "laid", place, home)
    before, folder, name = contents(home), Folder(tmp_path / "laid"), "a/zoo.json"
    with pytest.raises(ValueError, match="link"):
        folder.listing(None)
    for read in (folder.read, folder.as_delivered):
        with pytest.raises(REFUSED, match="link"):
            list(read(name, commit=None))
    if place == "a":
        for change in (lambda: folder.write(name, b"!", ""), lambda: folder.create(name, b"!"), lambda: folder.remove(name)):
            with pytest.raises(FileExistsError, match=r"laid/a is a link"):
                change()
    else:  # what has the name is replaced or deleted itself, and nothing behind it
        assert not folder.create(name, b"!")
        folder.remove(name)
        assert not (tmp_path / "laid" / name).is_symlink()
        (tmp_path / "laid" / name).symlink_to(home / "secret")
        folder.write(name, b"!", "")
        assert contents(tmp_path / "laid") == {name: b"!"}
    assert contents(home) == before


def test_a_claim_that_is_a_link_is_neither_read_nor_written(tmp_path, home):
    (tmp_path / "laid").mkdir()
    (tmp_path / "laid" / CLAIM).symlink_to(home / "secret")
    with pytest.raises(ValueError, match="link"):
        publish(whole({"README.md": b"---\nlicense: mit\n---\n"}), str(tmp_path / "laid"), report=quiet)
    assert (home / "secret").read_bytes() == SECRET


def test_the_folder_itself_may_be_a_link_of_the_users_own(tmp_path, standard, monkeypatch):
    monkeypatch.setattr("zoo.dataset.vet.vet", lambda folder: None)
    (tmp_path / "real").mkdir()
    (tmp_path / "laid").symlink_to(tmp_path / "real")
    publish(bundle({"plain": standard}), str(tmp_path / "laid"), report=quiet)
    assert (tmp_path / "real" / MANIFEST).is_file()
    fetch(str(tmp_path / "laid"), tmp_path / "back")


@pytest.mark.parametrize("place", ["data", f"{TRAIN}.part", TRAIN, "zoo.json", "zoo.json.part"])
def test_a_link_that_is_laid_while_a_zoo_comes_is_not_followed(laid, home, tmp_path, monkeypatch, place):
    before, staging = contents(home), lay_meanwhile(monkeypatch, tmp_path, place, home)
    with pytest.raises((OSError, ValueError), match="link") as caught:
        fetch(str(laid), tmp_path / "back")
    assert str(staging / place) in str(caught.value)
    assert contents(home) == before


def test_a_link_in_place_of_the_manifest_gives_way_to_it(laid, home, tmp_path, monkeypatch):
    before = contents(home)
    lay_meanwhile(monkeypatch, tmp_path, MANIFEST, home)
    monkeypatch.setattr("zoo.dataset.vet.vet", lambda folder: None)
    back = fetch(str(laid), tmp_path / "back")
    assert not any(path.is_symlink() for path in back.rglob("*"))
    assert contents(home) == before


def lay_meanwhile(monkeypatch, tmp_path: Path, place: str, home: Path) -> Path:
    """Lays a link into the staging folder of `back` when it has been looked through, and before anything comes."""
    real, staging = downloads._check_room, tmp_path / ".back.fetching"
    monkeypatch.setattr(downloads, "_check_room", lambda *arguments: (real(*arguments), link(staging, place, home)))
    return staging


def test_an_address_with_a_linked_folder_inside_is_the_users_own_word(tmp_path, home):
    assert locate(str(home)).listing(None).keys() == contents(home).keys()
