import contextlib
import importlib
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import Hub, Reply, Request
from stores import CARD, DIED, QUIET, REPO, Stopping, bucket_at, bundle, contents, die_at, hub_at, in_child, shipped, whole

import zoo
from zoo.hub import address as remotes
from zoo.hub import store as places
from zoo.hub.fetch import fetch
from zoo.hub.publish import publish
from zoo.hub.release import Release, release
from zoo.storage import files
from zoo.storage.manifest import MANIFEST

pytestmark = QUIET
LINES: list[str] = []
MINE = b"---\nlicense: mit\n---\nmine"


def put(release, to, **options):
    return publish(release, str(to), report=LINES.append, **options)


@pytest.fixture(scope="module")
def one(standard: Path) -> Release:
    return bundle({"resnet8-standard": standard}, extra={"pictures/1.png": b"a picture", "index.parquet": b"rows"})


@pytest.fixture(scope="module")
def two(standard: Path, asymmetric: Path) -> Release:
    return bundle({"resnet8-standard": standard, "resnet8-w_asymmetric": asymmetric})


FEW = whole(
    {
        "README.md": CARD.encode(),
        "zoo.json": b'{"format": "metazoo-release-1"}',
        "a/data/test.h5": b"some weights",
        "a/data/train.h5": b"more weights",
    }
)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_at(tmp_path / "hub", monkeypatch) as hub:
        yield hub


def there(address: str) -> dict[str, bytes]:
    """All that lies at an address, but for what a hub puts there by itself."""
    remote = remotes.locate(address)
    commit = remote.pin()
    names = remote.listing(commit).keys() - {".gitattributes"}
    return {name: b"".join(remote.read(name, commit=commit)) for name in names}


def test_what_is_published_lies_there_byte_for_byte_and_nothing_else(place, two):
    done = put(two, place)
    assert there(place) == shipped(two)
    assert done.uploaded == two.sizes
    assert (done.skipped, done.removed) == ((), ())


def test_publishing_again_uploads_nothing(place, two):
    first, second = put(two, place), put(two, place)
    assert second.uploaded == {}
    assert set(second.skipped) == two.files.keys()
    assert (second.revision, second.tag) == (first.revision, first.tag)


def test_a_zoo_published_and_fetched_is_the_same_zoo(place, two, standard, tmp_path):
    put(two, place)
    back = zoo.open(fetch(place, tmp_path / "back", config="resnet8-standard"))
    assert back.manifest_sha256 == zoo.open(standard).manifest_sha256
    assert back.columns.equals(zoo.open(standard).columns)


def test_the_release_of_two_zoos_goes_to_a_hub_and_both_come_back(hub, standard, asymmetric, tmp_path):
    made = release([standard, asymmetric], name="Two zoos")
    done = put(made, REPO)
    assert put(made, REPO).uploaded == {}
    for config, folder in {"resnet8-standard": standard, "resnet8-w_asymmetric": asymmetric}.items():
        back = fetch(f"{REPO}@{done.tag}", tmp_path / config, config=config)
        assert zoo.open(back).manifest_sha256 == zoo.open(folder).manifest_sha256


def test_a_dry_run_says_each_file_and_writes_nothing(place, two):
    LINES.clear()
    done = put(two, place, dry_run=True)
    assert done.uploaded == {}
    for name, size in two.sizes.items():
        assert any(line.split() == [f"{size:,}", name] for line in LINES)
    with contextlib.suppress(FileNotFoundError):  # the place was not made either
        assert there(place) == {}


def test_files_of_an_earlier_release_go_and_those_of_others_stay(place, one, two, tmp_path):
    put(two, place)
    if place.startswith("/"):
        (Path(place) / "mine.txt").write_text("mine")
    done = put(one, place)
    assert set(done.removed) == two.files.keys() - one.files.keys()
    kept = {"mine.txt": b"mine"} if place.startswith("/") else {}
    assert there(place) == shipped(one) | kept


def test_only_what_changed_is_uploaded(place, one, standard):
    put(one, place)
    changed = bundle(
        {"resnet8-standard": standard}, card="---\nlicense: mit\n---\n# Better words\n", extra={"index.parquet": b"rows"}
    )
    done = put(changed, place)
    assert done.uploaded.keys() == {"README.md", MANIFEST}
    assert done.removed == ("pictures/1.png",)


def test_bytes_that_are_not_the_releases_are_not_published(tmp_path, one):
    wrong = replace(one, files={**one.files, "README.md": b"other words"})
    with pytest.raises(ValueError, match=r"README\.md: its bytes are no longer"):
        put(wrong, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_place_that_spoils_a_file_is_found_by_reading_back(place, one, monkeypatch):
    spoilt = type(remotes.locate(place))
    whole = spoilt.as_delivered

    def as_delivered(self, name, *, commit):
        yield from whole(self, name, commit=commit)
        yield b"!" * name.endswith(".parquet")

    monkeypatch.setattr(spoilt, "as_delivered", as_delivered)
    with pytest.raises(ValueError, match=r"index\.parquet came back with SHA-256"):
        put(one, place)


@pytest.mark.parametrize(
    ("to", "text"),
    [
        ("https://example.org/x", "no place of releases"),
        ("hf://models/user/name", "no place of releases"),
        ("hf://datasets/user", "no place of releases"),
        ("hf://datasets/user/name/../other", r"may not have empty parts"),
        ("s3://bucket/a//b", r"may not have empty parts"),
        ("s3://key:secret@bucket/a", "no place of releases"),
    ],
)
def test_other_addresses_are_refused(to, text, one):
    with pytest.raises(ValueError, match=text):
        put(one, to)


# A folder and a bucket: one publish at a time, and nothing of others is touched.


@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
def test_a_release_that_is_being_published_keeps_another_one_out_until_it_is_whole(place, one, two):
    remote = remotes.locate(place)
    remote.begin(one.digests[MANIFEST], private=False)
    with pytest.raises(BlockingIOError, match=r"another release is being published.*delete \.publishing"):
        put(two, place)
    assert there(place).keys() == {places.CLAIM}
    put(one, place)
    put(two, place)
    assert there(place) == shipped(two)


def test_a_folder_of_other_things_is_not_published_to(tmp_path, one, standard):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "zoo.json").write_text("{}")
    with pytest.raises(FileExistsError, match="1 files that are no release"):
        put(one, tmp_path / "to")
    assert contents(tmp_path / "to") == {"zoo.json": b"{}"}


def test_a_bucket_that_is_not_there_is_named(monkeypatch, one):
    with bucket_at(monkeypatch), pytest.raises(FileNotFoundError, match=r"s3://no-such-bucket.*no such bucket"):
        put(one, "s3://no-such-bucket/x")


@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
def test_only_a_hub_has_tags_and_asking_for_one_claims_nothing(place, one, two):
    for dry_run in (True, False):
        with pytest.raises(ValueError, match="has no tags"):
            put(one, place, tag="v1", dry_run=dry_run)
    put(two, place)  # nothing was claimed


def test_a_publish_to_a_folder_that_is_killed_anywhere_goes_on(tmp_path):
    for step in range(1, 200):
        to = tmp_path / str(step)
        ended = in_child(lambda to=to, step=step: (die_at(step, to), put(FEW, to)))
        assert ended in (0, DIED)
        names = contents(to).keys() & FEW.files.keys() if to.exists() else set()
        if ended == DIED and MANIFEST in names:
            assert names == FEW.files.keys()  # the manifest is never there before all else is
        done = put(FEW, to)
        assert set(done.skipped) == names
        assert contents(to) == shipped(FEW)  # and nothing half written
        if ended == 0:
            break
    assert 3 * len(FEW.files) < step < 199


class Killed(Exception):  # noqa: N818 -- nobody is to handle it
    """What ends a publish in the middle."""


def test_a_publish_to_a_bucket_that_is_stopped_anywhere_goes_on(monkeypatch):
    with bucket_at(monkeypatch) as address:
        import s3fs

        real = s3fs.S3FileSystem._call_s3
        state = {"left": 0, "after": False, "puts": []}

        async def call(self, method, *arguments, **named):
            if method not in ("put_object", "delete_object", "create_multipart_upload"):
                return await real(self, method, *arguments, **named)
            state["left"] -= 1
            if state["left"] == 0 and not state["after"]:
                raise Killed
            answer = await real(self, method, *arguments, **named)
            state["puts"].append(named["Key"])
            if state["left"] == 0:
                raise Killed
            return answer

        monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
        shared = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
        monkeypatch.setattr(remotes.Bucket, "_fs", shared)  # to make one takes a second
        for step in range(1, 100):
            to = f"{address}/{step}"
            state.update(left=step, after=step % 2 == 0, puts=[])
            try:
                put(FEW, to)
            except Killed:
                state.update(left=0)
                put(FEW, to)
                assert there(to) == shipped(FEW)
                sent = [key for key in state["puts"] if not key.endswith(places.CLAIM)]
                assert len(sent) == len(set(sent))
            else:
                break
        assert step == len(FEW.files) + 3


# A hub.


def test_the_tag_is_of_the_manifest_and_marks_the_whole_release(hub, one):
    done = put(one, REPO)
    assert done.tag == f"m{files.hash_of(shipped(one)[MANIFEST])[:12]}"
    assert hub.repo("user/zoos").tags == {done.tag: done.revision}
    found = hub.files("user/zoos", done.tag)
    assert {name: found[name] for name in one.files} == shipped(one)


def test_a_tag_of_the_same_release_is_kept_and_that_of_another_is_not_moved(hub, one, two):
    first = put(one, REPO, tag="v1")
    assert put(one, REPO, tag="v1").revision == first.revision
    before = len(hub.repo("user/zoos").commits)
    with pytest.raises(FileExistsError, match="the tag 'v1' is another release's"):
        put(two, REPO, tag="v1")
    assert len(hub.repo("user/zoos").commits) == before
    assert hub.repo("user/zoos").tags["v1"] == first.revision


def test_data_goes_before_what_describes_it_in_commits_of_limited_size(hub, one, monkeypatch):
    monkeypatch.setattr(importlib.import_module("zoo.hub.publish"), "FILES_AT_ONCE", 2)
    put(one, REPO)
    repo, states = hub.repo("user/zoos"), []
    oid = repo.branches["main"]
    while oid:
        states.append(repo.commits[oid].files.keys() - {".gitattributes"})
        oid = repo.commits[oid].parent
    states.reverse()
    assert [len(state) for state in states] == [0, 2, 4, len(one.files)]
    assert all(name.endswith((".h5", ".safetensors")) for name in states[-2])


def test_a_publish_to_a_hub_that_is_killed_anywhere_goes_on_and_sends_nothing_twice(tmp_path, monkeypatch):
    for after in (False, True):
        for step in range(1, 100):
            folder = tmp_path / f"{after}-{step}"
            with hub_at(folder, monkeypatch, Stopping) as hub:
                hub.at, hub.after = step, after
                ended = in_child(lambda: put(FEW, REPO), lambda pid, hub=hub: setattr(hub, "victim", pid))
                assert ended in (0, -9)
                hub.at = 0
                done = put(FEW, REPO)
                found = hub.files("user/zoos", done.tag)
                assert {name: found[name] for name in found if name != ".gitattributes"} == shipped(FEW)
                objects = [entry.path for entry in hub.log if entry.method == "PUT" and entry.status == 200]
                assert len(objects) == len(set(objects))
            if ended == 0:
                break
        assert step == 7  # the repository, two objects, two commits, the tag


def test_a_commit_of_others_in_between_is_kept(hub, one):
    hub.fault("POST", "/commit/main$", call=lambda: hub.add_file("user/zoos", "theirs.txt", b"theirs"))
    put(one, REPO)
    found = hub.files("user/zoos")
    assert found.pop("theirs.txt") == b"theirs"
    assert {name: found[name] for name in one.files} == shipped(one)
    assert any(entry.status == 412 for entry in hub.log)


def test_of_two_publishes_at_once_the_second_refuses(hub, one):
    def theirs():
        hub.add_file("user/zoos", "README.md", b"of another release")

    put(one, REPO)
    other = replace(one, files={**one.files, "README.md": MINE}, digests={**one.digests, "README.md": files.hash_of(MINE)})
    other = replace(other, sizes={**one.sizes, "README.md": len(MINE)})
    hub.fault("POST", "/commit/main$", call=theirs)
    with pytest.raises(BlockingIOError, match="somebody else is publishing"):
        put(other, REPO)
    assert hub.files("user/zoos")["README.md"] == b"of another release"


def test_two_publishes_of_the_same_release_at_once_are_one(hub, one):
    hub.fault("POST", "/commit/main$", call=lambda: in_child(lambda: put(one, REPO)))
    done = put(one, REPO)
    assert {n: d for n, d in hub.files("user/zoos", done.tag).items() if n in one.files} == shipped(one)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "text"),
    [
        ("GET", "/api/datasets/user/zoos", 401, PermissionError, "HF_TOKEN"),
        ("POST", "/repos/create", 403, PermissionError, "write access"),
        ("PUT", "/lfs/", 403, PermissionError, "write access"),
        ("POST", "/commit/", 403, PermissionError, "write access"),
        ("POST", "/commit/", 404, FileNotFoundError, "no such repository"),
        ("POST", "/commit/", 409, FileExistsError, "there already"),
        ("POST", "/commit/", 412, BlockingIOError, "somebody else"),
        ("POST", "/commit/", 400, OSError, "a fault that the test asked for"),
        ("POST", "/commit/", 503, ConnectionError, "run the same command again"),
        ("PUT", "/lfs/", 503, ConnectionError, "run the same command again"),
        ("GET", "/api/datasets/user/zoos", 429, ConnectionError, "asked too often"),
    ],
)
def test_a_refusal_says_its_cause_and_the_next_step(hub, one, method, path, status, kind, text):
    hub.fault(method, path, status=status, times=1000)
    with pytest.raises(kind, match=text) as caught:
        put(one, REPO)
    assert REPO in str(caught.value)
    assert str(status) in str(caught.value) or status == 412
    hub.faults.clear()
    put(one, REPO)


@pytest.mark.parametrize(("status", "asked"), [(429, 5), (503, 5), (403, 1), (404, 1), (409, 1)])
def test_only_a_busy_hub_is_asked_again_and_not_for_ever(hub, one, status, asked):
    put(one, REPO)
    changed = replace(one, files={**one.files, "README.md": MINE}, digests={**one.digests, "README.md": files.hash_of(MINE)})
    hub.fault("POST", "/commit/", status=status, times=1000)
    hub.log.clear()
    with pytest.raises(OSError, match=str(status)):
        put(replace(changed, sizes={**one.sizes, "README.md": len(MINE)}), REPO)
    assert sum("/commit/" in entry.path for entry in hub.log) == asked


@pytest.mark.parametrize("status", [429, 503])
def test_a_hub_that_is_busy_for_a_while_gets_the_release(hub, one, status):
    for method, path in (("GET", "/api/datasets"), ("PUT", "/lfs/"), ("POST", "/commit/"), ("POST", "/tag/")):
        hub.fault(method, path, status=status, times=2)
    done = put(one, REPO)
    assert {n: d for n, d in hub.files("user/zoos", done.tag).items() if n in one.files} == shipped(one)


def test_an_answer_that_is_lost_after_the_commit_does_no_harm(hub, one):
    hub.fault("POST", "/commit/", body="drop")
    with pytest.raises(ConnectionError, match="run the same command again"):
        put(one, REPO)
    put(one, REPO)
    sent = [entry.path for entry in hub.uploads()]
    assert len(sent) == len(set(sent)) > 0


def test_a_hub_that_is_not_there_is_named(monkeypatch, one):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match=r"no whole answer from http://127\.0\.0\.1:9 .*HF_ENDPOINT"):
        put(one, REPO)


MARKER = "hf_marker-that-must-not-appear"


class Telling(Hub):
    """A hub that refuses commits, and says in public what token it was sent."""

    status = 0

    def answer(self, request: Request) -> Reply:
        """As the hub does, but for commits."""
        if self.status and "/commit/" in request.path:
            words = f"refused to {request.headers['authorization']}"
            return Reply({"error": words}, self.status, {"X-Error-Message": words})
        return super().answer(request)


@pytest.mark.parametrize("status", [0, 400, 401, 403, 404, 409, 412, 429, 503])
def test_the_token_appears_nowhere(tmp_path, monkeypatch, one, capfd, caplog, status):
    with hub_at(tmp_path / "hub", monkeypatch, Telling) as hub:
        hub.token, hub.status = MARKER, status
        monkeypatch.setenv("HF_TOKEN", MARKER)
        LINES.clear()
        try:
            said = repr(put(one, REPO))
            fetch(REPO, tmp_path / "back")
        except OSError as error:
            said = "".join(traceback.format_exception(error))
            assert status == 412 or "***" in said
        assert (status == 0) == (tmp_path / "back").exists()
        assert MARKER not in "".join(capfd.readouterr()) + caplog.text + "".join(LINES) + said
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or MARKER.encode() not in path.read_bytes()


def test_a_private_repository_is_private_from_the_start(hub, one):
    put(one, REPO, private=True)
    assert hub.repo("user/zoos").private


def test_a_release_goes_to_a_hub_by_xet_and_comes_back(tmp_path, monkeypatch, one, standard):
    pytest.importorskip("hf_xet")
    with hub_at(tmp_path / "hub", monkeypatch, xet=True) as hub:
        done = put(one, REPO)
        assert not hub.uploads()
        assert put(one, REPO).uploaded == {}
        back = fetch(f"{REPO}@{done.tag}", tmp_path / "back")
        assert zoo.open(back).manifest_sha256 == zoo.open(standard).manifest_sha256


def test_a_missing_package_names_its_extra(monkeypatch, one):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ImportError, match=r'pip install "metazoo\[s3\]"'):
        put(one, "s3://bucket/x")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'pip install "metazoo\[hub\]"'):
        put(one, REPO)
