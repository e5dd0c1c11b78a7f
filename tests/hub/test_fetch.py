import functools
import json
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from stores import DIED, QUIET, REPO, bucket_at, bundle, contents, die_at, hub_at, in_child, shipped, whole, zoo_files

import zoo
from zoo.hub import address as remotes
from zoo.hub import download, folder, huggingface, s3
from zoo.hub.download import BREAKS
from zoo.hub.fetch import SOURCE, fetch, open_remote
from zoo.hub.publish import publish
from zoo.hub.release import Release
from zoo.importers.import_zoo import import_zoo
from zoo.storage import files
from zoo.storage.manifest import MANIFEST
from zoo.untrusted.manifest import digests_of

pytestmark = QUIET
LINES: list[str] = []
TRAIN = "data/train-00000-of-00001.h5"


def quiet(line: str) -> None:
    """What a publish reports is of no interest here."""


@pytest.fixture(scope="module")
def two(standard: Path, asymmetric: Path) -> Release:
    return bundle({"plain": standard, "asymmetric": asymmetric})


@pytest.fixture(scope="module")
def one(standard: Path) -> Release:
    return bundle({"plain": standard})


@pytest.fixture(scope="module")
def here(two, tmp_path_factory) -> Path:
    """The release of two zoos in a folder; tests must not change it."""
    folder = tmp_path_factory.mktemp("release") / "two"
    publish(two, str(folder), report=quiet)
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_at(tmp_path / "hub", monkeypatch) as hub:
        yield hub


@pytest.fixture
def unvetted(monkeypatch):
    """Without the vet, which has its own tests and takes a second."""
    monkeypatch.setattr("zoo.dataset.vet.vet", lambda folder: None)


@pytest.fixture(params=["folder", "s3", "hub"])
def place(request, tmp_path, monkeypatch, two):
    """An address of each kind that has the release of two zoos."""
    if request.param == "folder":
        publish(two, str(tmp_path / "release"), report=quiet)
        yield str(tmp_path / "release")
    elif request.param == "s3":
        with bucket_at(monkeypatch) as address:
            publish(two, address, report=quiet)
            yield address
    else:
        with hub_at(tmp_path / "hub", monkeypatch):
            publish(two, REPO, report=quiet)
            yield REPO


def test_a_fetched_zoo_has_every_byte_and_says_where_it_is_from(place, standard, tmp_path):
    back = fetch(place, tmp_path / "back", config="plain", report=LINES.append)
    found = contents(back)
    source = json.loads(found.pop(SOURCE))
    assert found == zoo_files(standard)
    assert (source["source"], source["config"]) == (place, "plain")
    assert source["revision"] == remotes.locate(place).pin()
    assert zoo.open(back).manifest_sha256 == zoo.open(standard).manifest_sha256


def test_a_config_can_stand_in_the_address(place, standard, tmp_path, unvetted):
    back = fetch(f"{place}/plain", tmp_path / "back")
    assert zoo_files(back) == zoo_files(standard)


def test_a_zoo_by_itself_is_fetched_as_one_of_a_release_is(standard, tmp_path, unvetted):
    assert zoo_files(fetch(str(standard), tmp_path / "back")) == zoo_files(standard)
    with pytest.raises(ValueError, match="has no configs, found 'plain'"):
        fetch(str(standard), tmp_path / "other", config="plain")


def test_of_several_configs_one_must_be_chosen_and_of_one_it_is_taken(here, one, standard, tmp_path, unvetted):
    with pytest.raises(ValueError, match=r"several zoos; choose a config: plain, asymmetric"):
        fetch(str(here), tmp_path / "back")
    with pytest.raises(ValueError, match="plain"):
        fetch(str(here), tmp_path / "back", config="plane")
    assert not (tmp_path / "back").exists()
    publish(one, str(tmp_path / "one"), report=quiet)
    assert zoo_files(fetch(str(tmp_path / "one"), tmp_path / "back")) == zoo_files(standard)


def test_only_the_chosen_config_is_downloaded(hub, two, tmp_path, unvetted):
    publish(two, REPO, report=quiet)
    hub.log.clear()
    fetch(REPO, tmp_path / "back", config="plain")
    assert not any("asymmetric" in entry.path for entry in hub.log)


def test_fetching_again_downloads_nothing_and_another_zoo_is_not_replaced(hub, two, tmp_path, unvetted):
    publish(two, REPO, report=quiet)
    back = fetch(REPO, tmp_path / "back", config="plain")
    before = contents(back)
    hub.log.clear()
    fetch(REPO, back, config="plain")
    assert not any(entry.path.endswith((".h5", ".safetensors")) for entry in hub.log)
    with pytest.raises(FileExistsError, match="not this zoo"):
        fetch(REPO, back, config="asymmetric")
    assert contents(back) == before
    (back / TRAIN).write_bytes(b"altered")
    with pytest.raises(ValueError, match=r"altered.*delete"):
        fetch(REPO, back, config="plain")


def test_an_empty_folder_gives_way_or_is_refused_before_anything_is_downloaded(
    here, standard, tmp_path, monkeypatch, unvetted
):
    (tmp_path / "back").mkdir()
    assert zoo_files(fetch(str(here), tmp_path / "back", config="plain")) == zoo_files(standard)
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with pytest.raises(FileExistsError, match="fetch into a new folder"):
        fetch(str(here), Path(), config="plain")
    assert not list((tmp_path / "inner").iterdir())


@pytest.mark.parametrize("place", [".back.fetching", ".back.fetching/data", ".back.fetching/zoo.json.part"])
def test_what_looks_like_a_stopped_fetch_is_no_way_out_of_the_folder(here, tmp_path, place):
    """A stranger's folder, in which a zoo is fetched, may hold links under the names that a stopped fetch leaves."""
    precious = {"thesis.tex": b"words" * 10_000, "data/zoo.json": b"mine"}
    for name, data in precious.items():
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_bytes(data)
    (tmp_path / "inner" / place).parent.mkdir(parents=True)
    (tmp_path / "inner" / place).symlink_to(tmp_path / "home" / ("thesis.tex" if place.endswith(".part") else ""))
    with pytest.raises(FileExistsError, match="is a link"):
        fetch(str(here), tmp_path / "inner" / "back", config="plain")
    assert contents(tmp_path / "home") == precious


def test_a_zoo_is_vetted_before_it_gets_its_name_and_what_is_refused_is_removed(here, tmp_path, monkeypatch):
    seen = []

    def vet(folder: Path) -> None:
        seen.append((folder.name, (folder / MANIFEST).exists(), (tmp_path / "back").exists()))
        raise ValueError("an external link")

    monkeypatch.setattr("zoo.dataset.vet.vet", vet)
    with pytest.raises(ValueError, match="an external link"):
        fetch(str(here), tmp_path / "back", config="plain")
    assert seen == [(".back.fetching", True, False)]
    assert list(tmp_path.iterdir()) == []


# The revision.


def test_a_tag_that_is_moved_between_pinning_and_download_changes_nothing(hub, one, standard, tmp_path, unvetted):
    first = publish(one, REPO, tag="v1", report=quiet)
    other = hub.add_file("user/zoos", f"plain/{TRAIN}", b"other weights")

    def move() -> None:
        hub.move_tag("user/zoos", "v1", other)

    hub.fault("GET", "/tree/", call=move)
    back = fetch(f"{REPO}@v1", tmp_path / "back", report=LINES.append)
    assert zoo_files(back) == zoo_files(standard)
    assert json.loads((back / SOURCE).read_text())["revision"] == first.revision
    assert hub.repo("user/zoos").tags["v1"] == other
    assert any("v1" in line and str(first.revision) in line for line in LINES)


@pytest.mark.parametrize("commit", [None, "", "main", "0" * 39, "\x1b[2J", "0" * 41])
def test_a_hub_that_names_no_commit_is_not_fetched_from(hub, one, tmp_path, unvetted, monkeypatch, commit):
    publish(one, REPO, report=quiet)
    real = hub.answer

    def answer(request):
        reply = real(request)
        if "/tree/" not in request.path and "/api/" in request.path:
            reply.body["sha"] = commit
        return reply

    monkeypatch.setattr(hub, "answer", answer)
    lines = []
    with pytest.raises(ConnectionError, match=r"expected a commit's name") as caught:
        fetch(REPO, tmp_path / "back", report=lines.append)
    assert str(caught.value).isprintable()
    assert lines == []


def test_a_branch_a_tag_and_a_commit_are_revisions(hub, one, standard, asymmetric, tmp_path, unvetted):
    first = publish(one, REPO, report=quiet)
    publish(bundle({"plain": asymmetric}), REPO, report=quiet)
    for number, revision in enumerate((first.tag, first.revision)):
        assert zoo_files(fetch(REPO, tmp_path / f"old{number}", revision=revision)) == zoo_files(standard)
    assert zoo_files(fetch(f"{REPO}@main", tmp_path / "new")) == zoo_files(asymmetric)
    with pytest.raises(FileNotFoundError, match="no such repository, revision or file"):
        fetch(f"{REPO}@v9", tmp_path / "none")
    with pytest.raises(ValueError, match="give one of them"):
        fetch(f"{REPO}@main", tmp_path / "none", revision="v1")
    with pytest.raises(ValueError, match="has no revisions"):
        fetch(str(tmp_path), tmp_path / "none", revision="v1")


# Breaks.


def read_in_parts(monkeypatch, size):
    """Lets every place be read in parts of so many bytes."""
    for place in (download, folder, s3, huggingface):
        monkeypatch.setattr(place, "CHUNK", size)


def test_a_fetch_that_is_killed_anywhere_goes_on(one, standard, tmp_path, unvetted, monkeypatch):
    publish(one, str(tmp_path / "release"), report=quiet)
    read_in_parts(monkeypatch, 50_000)
    for step in range(1, 200):
        into = tmp_path / str(step)
        into.mkdir()
        bring = functools.partial(fetch, str(tmp_path / "release"), into / "zoo")
        ended = in_child(lambda into=into, bring=bring, step=step: (die_at(step, into), bring()))
        assert ended in (0, DIED)
        if (into / "zoo").exists():
            assert zoo_files(into / "zoo") == zoo_files(standard)
        bring()
        assert {name: data for name, data in contents(into / "zoo").items() if name != SOURCE} == zoo_files(standard)
        assert [path.name for path in into.iterdir()] == ["zoo"]
        if ended == 0:
            break
    assert 2 * len(zoo_files(standard)) < step < 199


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_fetch_that_is_killed_within_a_file_asks_for_the_rest_only(
    hub, one, standard, tmp_path, unvetted, monkeypatch, chunks
):
    publish(one, REPO, report=quiet)
    read_in_parts(monkeypatch, 10_000)
    real, asked = remotes.Hub.read, []

    def dying(self, name, *, commit, start=0):
        for number, chunk in enumerate(real(self, name, commit=commit, start=start)):
            if name.endswith(TRAIN) and number == chunks:
                os._exit(DIED)
            yield chunk

    def counting(self, name, *, commit, start=0):
        if name.endswith(TRAIN):
            asked.append(start)
        yield from real(self, name, commit=commit, start=start)

    monkeypatch.setattr(remotes.Hub, "read", dying)
    assert in_child(lambda: fetch(REPO, tmp_path / "back")) == DIED
    monkeypatch.setattr(remotes.Hub, "read", counting)
    assert zoo_files(fetch(REPO, tmp_path / "back")) == zoo_files(standard)
    assert asked == [chunks * 10_000]


@pytest.mark.parametrize("body", ["cut", "drop"])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub, one, standard, tmp_path, unvetted, body):
    publish(one, REPO, report=quiet)
    hub.fault("GET", f"/resolve/.*{TRAIN}", body=body, times=3)
    assert zoo_files(fetch(REPO, tmp_path / "back")) == zoo_files(standard)


def test_a_connection_that_always_breaks_ends_with_what_to_do_and_no_zoo(hub, one, tmp_path, unvetted):
    publish(one, REPO, report=quiet)
    hub.fault("GET", f"/resolve/.*{TRAIN}", body="drop", times=1000)
    with pytest.raises(ConnectionError, match=r"train-00000-of-00001\.h5: no whole answer.*run the same command again"):
        fetch(REPO, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert sum(entry.path.endswith(TRAIN) and entry.status == 0 for entry in hub.log) == BREAKS


def test_wrong_bytes_are_asked_for_once_more_and_then_refused(hub, one, standard, tmp_path, unvetted):
    publish(one, REPO, report=quiet)
    hub.fault("GET", f"/resolve/.*{TRAIN}", body="wrong", times=2)
    with pytest.raises(ValueError, match=r"train-00000-of-00001\.h5: downloaded SHA-256 [0-9a-f]{64}, .* twice wrong"):
        fetch(REPO, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert not list(tmp_path.glob(".back.fetching/data/train*"))
    hub.fault("GET", f"/resolve/.*{TRAIN}", body="wrong", times=1)
    assert zoo_files(fetch(REPO, tmp_path / "back")) == zoo_files(standard)


@pytest.mark.parametrize("name", ["MANIFEST.sha256", "zoo.json", "plain/MANIFEST.sha256"])
def test_wrong_words_about_a_release_are_refused(hub, one, tmp_path, name):
    publish(one, REPO, report=quiet)
    hub.fault("GET", f"/resolve/[0-9a-f]+/{name}", body="wrong", times=9)
    with pytest.raises(ValueError, match=name.split("/")[-1]):
        fetch(REPO, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("name", ["zoo.json", "plain/MANIFEST.sha256"])
def test_a_release_that_is_half_another_one_is_refused(one, asymmetric, tmp_path, name):
    publish(one, str(tmp_path / "release"), report=quiet)
    (tmp_path / "release" / name).write_bytes(shipped(bundle({"plain": asymmetric}))[name])
    with pytest.raises(ValueError, match=rf"{name} is not what MANIFEST\.sha256 says"):
        fetch(str(tmp_path / "release"), tmp_path / "back")


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (401, PermissionError, "HF_TOKEN"),
        (403, PermissionError, "consent"),
        (404, FileNotFoundError, "no such repository"),
        (429, ConnectionError, "asked too often"),
        (503, ConnectionError, "run the same command again"),
    ],
)
@pytest.mark.parametrize("path", ["/api/datasets/", f"/resolve/.*{TRAIN}"])
def test_a_refusal_says_its_cause_and_the_next_step(hub, one, tmp_path, unvetted, path, status, kind, text):
    publish(one, REPO, report=quiet)
    hub.fault("GET", path, status=status, times=1000)
    with pytest.raises(kind, match=f"{REPO}.*{text}.*{status}"):
        fetch(REPO, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    hub.faults.clear()
    fetch(REPO, tmp_path / "back")


@pytest.mark.parametrize("status", [429, 503])
def test_a_hub_that_is_busy_for_a_while_is_asked_again(hub, one, standard, tmp_path, unvetted, status):
    publish(one, REPO, report=quiet)
    hub.fault("GET", "/api/datasets/", status=status, times=2)
    hub.fault("GET", "/resolve/", status=status, times=2)
    assert zoo_files(fetch(REPO, tmp_path / "back")) == zoo_files(standard)


class Rude(BaseHTTPRequestHandler):
    """A bucket's server whose words hold what clears a terminal, as XML may."""

    def do_GET(self):
        body = b"<Error><Code>InvalidRequest</Code><Message>no &#155;2J</Message></Error>"
        self.send_response(400)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keeps the tests' output clean."""


def test_the_words_of_a_bucket_cannot_steer_the_terminal(tmp_path, monkeypatch):
    pytest.importorskip("s3fs")
    with ThreadingHTTPServer(("127.0.0.1", 0), Rude) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "us-east-1")
        with pytest.raises(ConnectionError, match=r"s3://bucket/zoos: .*no \\x9b2J"):
            fetch("s3://bucket/zoos", tmp_path / "back")
        server.shutdown()


def test_a_full_disk_is_seen_before_anything_is_downloaded(here, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 3, 7))
    with pytest.raises(OSError, match=r"needs [\d,]{6,} bytes more, .* has 7 free; make room"):
        fetch(str(here), tmp_path / "back", config="plain")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


# Strangers.

EVIL = [
    "../outside",
    "/tmp/outside",
    "a/../../outside",
    "C:/outside",
    "..\\outside",
    "data\\x.h5",
    ".ssh/config",
    "data/.hidden.h5",
    "data//x.h5",
    "data/./x.h5",
    "data/x.h5\r",
    "data/\x1b[31m.h5",
    "data/x\u202e.h5",
    "data/x.h5.part",
    "data/x.",
    "~/outside",
    "data/" + "x" * 300,
]


@pytest.mark.parametrize("name", EVIL)
def test_a_name_that_could_leave_the_folder_is_refused(name):
    with pytest.raises(ValueError, match="refused"):
        digests_of(f"{'0' * 64}  {name}\n".encode(), "there")


@pytest.mark.parametrize("pair", [("a", "A"), ("data/x.h5", "Data/x.h5"), ("a", "a/b"), ("a", "a")])
def test_names_that_are_one_file_on_some_systems_are_refused(pair):
    with pytest.raises(ValueError, match="one file on some file systems"):
        digests_of("".join(f"{'0' * 64}  {name}\n" for name in pair).encode(), "there")


@pytest.mark.parametrize("text", [b"", b"no manifest", b"\xff\xfe\n", b"0" * 63 + b"  a\n", b"0" * 64 + b"  a"])
def test_a_manifest_that_is_damaged_is_refused(text):
    if text:
        with pytest.raises(ValueError, match=r"damaged|refused"):
            digests_of(text, "there")
    else:
        assert digests_of(text, "there") == {}


@pytest.mark.parametrize(
    ("where", "name"),
    [
        *(("config", name) for name in EVIL[:7]),
        *(("release", name) for name in EVIL[:7]),
        *(("zoo", name) for name in [*EVIL[:7], "plan.json", "units/0.json", "cache/x", "x/data.h5", SOURCE]),
    ],
)
def test_an_evil_release_writes_nothing_anywhere(hub, standard, tmp_path, name, where):
    line = f"{files.hash_of(b'evil')}  {name}\n".encode()
    zoos = (standard / MANIFEST).read_bytes() + line * (where == "zoo")
    config = {"name": name if where == "config" else "plain", "manifest_sha256": files.hash_of(zoos)}
    release = bundle({"plain": standard})
    about = files.to_json({"format": "metazoo-release-1", "configs": [config]})
    evil = shipped(whole({**release.files, "zoo.json": about, f"plain/{MANIFEST}": zoos}))
    publish(release, REPO, report=quiet)
    for path, data in {**evil, MANIFEST: evil[MANIFEST] + line * (where == "release"), f"plain/{name}": b"evil"}.items():
        hub.add_file("user/zoos", path, data)
    (tmp_path / "inner").mkdir()
    before = {path for path in tmp_path.rglob("*") if "hub" not in path.parts}
    with pytest.raises(ValueError, match=r"refused|plainly"):
        fetch(REPO, tmp_path / "inner" / "back")
    assert {path for path in tmp_path.rglob("*") if "hub" not in path.parts} == before


def test_a_file_that_never_ends_is_cut_off(one, standard, tmp_path, unvetted, monkeypatch):
    publish(one, str(tmp_path / "release"), report=quiet)
    real, given = remotes.Folder.read, []

    def read(self, name, *, commit, start=0):
        yield b"".join(real(self, name, commit=commit, start=start)) + b"more" * name.endswith(TRAIN)
        while name.endswith(TRAIN):
            given.append(1)
            assert len(given) < 10
            yield b"more"

    monkeypatch.setattr(remotes.Folder, "read", read)
    assert zoo_files(fetch(str(tmp_path / "release"), tmp_path / "back")) == zoo_files(standard)


@pytest.mark.parametrize("name", ["MANIFEST.sha256", "zoo.json"])
def test_a_description_of_gigabytes_is_not_read(one, tmp_path, monkeypatch, name):
    publish(one, str(tmp_path / "release"), report=quiet)
    with (tmp_path / "release" / name).open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"1099511627776 bytes, expected at most"):
        fetch(str(tmp_path / "release"), tmp_path / "back")


def test_a_file_that_is_named_and_not_there_is_named(one, tmp_path):
    publish(one, str(tmp_path / "release"), report=quiet)
    (tmp_path / "release" / "plain" / TRAIN).unlink()
    with pytest.raises(FileNotFoundError, match=f"no plain/{TRAIN}, which"):
        fetch(str(tmp_path / "release"), tmp_path / "back")
    (tmp_path / "release" / MANIFEST).unlink()
    with pytest.raises(FileNotFoundError, match=r"no MANIFEST\.sha256, so no whole release or zoo"):
        fetch(str(tmp_path / "release"), tmp_path / "back")


# The cache.


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "metazoo" / "zoos"


def test_an_opened_address_is_fetched_once_for_each_state(place, two, standard, cache, unvetted):
    folder = open_remote(place, config="plain")
    assert folder.parent == cache
    assert zoo_files(folder) == zoo_files(standard)
    stamp = (folder / SOURCE).stat().st_mtime_ns
    assert open_remote(place, config="plain") == folder
    assert (folder / SOURCE).stat().st_mtime_ns == stamp
    assert open_remote(place, config="asymmetric") != folder


def test_a_pinned_zoo_opens_without_a_connection(hub, one, cache, unvetted):
    commit = publish(one, REPO, report=quiet).revision
    folder = open_remote(f"{REPO}@{commit}")
    hub.log.clear()
    assert open_remote(f"{REPO}@{commit}") == folder
    assert hub.log == []


def test_a_link_that_leads_nowhere_is_no_place_for_a_zoo(standard, tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    lines: list[str] = []
    with pytest.raises(FileExistsError, match="cannot give way to a zoo"):
        fetch(standard, tmp_path / "out", report=lines.append)
    assert not any("bytes" in line for line in lines)  # it is said before anything is downloaded
    with pytest.raises(FileExistsError, match="give a new folder to --out"):
        import_zoo("state-dicts", standard, tmp_path / "out")


def test_an_address_may_name_a_tag(hub, one, cache, unvetted):
    done = publish(one, REPO, report=quiet)
    assert zoo.open(f"{REPO}@{done.tag}").manifest_sha256 == zoo.open(REPO).manifest_sha256
