"""The hub that other tests publish to, judged by three clients that know nothing of it: Python's, `hf`, JavaScript's."""

import base64
import hashlib
import http.client
import importlib.metadata
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import huggingface_hub
import numpy as np
import pytest
from conftest import ROOT
from hub_server import Hub
from huggingface_hub import HfApi, HfFileSystem, errors

# The Python client hands bytes to its HTTP library in a way that the library no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")
WEIGHTS = np.arange(60, dtype=np.float32).reshape(12, 5) / 7
CARD = """---
license: mit
configs:
- config_name: tiny
  default: true
  batch_size: 4
  data_files:
  - {split: train, path: tiny/train-*.h5}
  - {split: test, path: tiny/test-*.h5}
---
# A tiny zoo
"""


def shard(weights: np.ndarray) -> bytes:
    """The bytes of a flat HDF5 shard."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["weights"], file["score"] = weights, weights.sum(axis=1)
    return buffer.getvalue()


CONTENTS = {
    "README.md": CARD.encode(),
    "zoo.json": b"{}\n",
    "empty.txt": b"",
    "tiny/train-00000-of-00001.h5": shard(WEIGHTS[:9]),
    "tiny/test-00000-of-00001.h5": shard(WEIGHTS[9:]),
}
TRAIN = "tiny/train-00000-of-00001.h5"


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, without what a client keeps for itself."""
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {path: content for path, content in files.items() if not path.startswith((".cache/", ".gitattributes"))}


def surroundings(hub: Hub, home: Path) -> dict[str, str]:
    """The environment of a process that knows this hub only."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return {**inherited, **hub.environment(home)}


def client(hub: Hub, home: Path, *command: str | Path) -> str:
    """What a fresh process prints."""
    environment = surroundings(hub, home)
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def plain_lfs() -> Iterator[None]:
    """This process read its environment long ago: what HF_HUB_DISABLE_XET=1 would do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        yield


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture
def hub(served: Hub) -> Iterator[Hub]:
    """The module's server with a log and faults of this test's own."""
    served.log.clear()
    yield served
    left = [fault for fault in served.faults if fault.times]
    served.faults.clear()
    assert not left, "a fault never struck"


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


@pytest.fixture
def repo(hub: Hub, api: HfApi, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A dataset that holds CONTENTS, named after the test."""
    name = "user/" + request.node.name.split("[")[0].removeprefix("test_")[:60] + str(len(hub.repos))
    api.create_repo(name, repo_type="dataset")
    upload(api, name, write(tmp_path / "source", CONTENTS))
    hub.log.clear()
    return name


def ask(hub: Hub, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
    """The answer to one request that no client would send; its body is read."""
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, {"Authorization": f"Bearer {hub.token}", **headers})
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def upload(api: HfApi, repo: str, folder: Path, **options: object) -> str:
    return api.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset", **options).oid


def snapshot(hub: Hub, repo: str, cache: Path, **options: object) -> Path:
    token = options.pop("token", hub.token)
    found = huggingface_hub.snapshot_download(
        repo, repo_type="dataset", endpoint=hub.url, token=token, cache_dir=cache, **options
    )
    return Path(found)


# The Python client, with nothing in its way.


def test_what_was_uploaded_comes_back_byte_for_byte(hub, repo, tmp_path):
    assert read(snapshot(hub, repo, tmp_path / "cache")) == CONTENTS
    assert {path: hub.files(repo)[path] for path in CONTENTS} == CONTENTS


def test_only_data_and_pictures_go_as_objects(hub, api, repo):
    listed = {item.path: item for item in api.list_repo_tree(repo, repo_type="dataset", recursive=True)}
    assert {path for path, item in listed.items() if getattr(item, "lfs", None)} == {p for p in CONTENTS if ".h5" in p}
    assert listed["tiny"].tree_id
    below = api.list_repo_tree(repo, "tiny", repo_type="dataset")
    assert {item.path for item in below} == {path for path in CONTENTS if path.startswith("tiny/")}
    with pytest.raises(errors.EntryNotFoundError):
        list(api.list_repo_tree(repo, "nowhere", repo_type="dataset"))
    assert [item.path for item in api.list_repo_tree(repo, repo_type="dataset")] == [
        ".gitattributes", "README.md", "empty.txt", "tiny", "zoo.json"
    ]  # fmt: skip
    assert all(listed[path].size == len(content) for path, content in CONTENTS.items())
    described = {item.rfilename: item for item in api.dataset_info(repo, files_metadata=True).siblings}
    assert described[TRAIN].lfs.sha256 == hashlib.sha256(CONTENTS[TRAIN]).hexdigest()
    assert (described["zoo.json"].lfs, described["zoo.json"].size) == (None, 3)
    asked = api.get_paths_info(repo, ["tiny", TRAIN, "nowhere"], repo_type="dataset")
    assert [item.path for item in asked] == ["tiny", TRAIN]


def test_uploading_again_sends_no_object_and_makes_no_commit(hub, api, repo, tmp_path):
    before = api.dataset_info(repo).sha
    assert upload(api, repo, tmp_path / "source") == before == hub.repo(repo).branches["main"]
    assert hub.uploads() == []
    (tmp_path / "source" / "zoo.json").write_text("{ }")
    assert upload(api, repo, tmp_path / "source") != before
    assert hub.uploads() == []
    (tmp_path / "source" / TRAIN).write_bytes(b"other")
    upload(api, repo, tmp_path / "source")
    assert [entry.received for entry in hub.uploads()] == [5]
    assert len(api.list_repo_commits(repo, repo_type="dataset")) == 4


def test_objects_of_an_upload_that_failed_at_its_commit_are_not_sent_again(hub, api, tmp_path):
    api.create_repo("user/failed", repo_type="dataset")
    source = write(tmp_path / "source", CONTENTS)
    hub.fault("POST", "/commit/", status=403)
    with pytest.raises(errors.HfHubHTTPError, match="403"):
        upload(api, "user/failed", source)
    assert len(hub.uploads()) == 2
    upload(api, "user/failed", source)
    assert len(hub.uploads()) == 2
    assert read(snapshot(hub, "user/failed", tmp_path / "cache")) == CONTENTS


def test_a_commit_on_a_stale_parent_is_refused(hub, api, repo, tmp_path):
    stale = hub.repo(repo).branches["main"]
    (tmp_path / "source" / "zoo.json").write_text("[1]")
    fresh = upload(api, repo, tmp_path / "source", parent_commit=stale)
    (tmp_path / "source" / "zoo.json").write_text("[2]")
    with pytest.raises(errors.HfHubHTTPError) as caught:
        upload(api, repo, tmp_path / "source", parent_commit=stale)
    assert caught.value.response.status_code == 412
    assert hub.repo(repo).branches["main"] == fresh


def test_files_are_deleted_and_copied_by_commits(hub, api, repo):
    api.create_commit(
        repo_id=repo, repo_type="dataset", commit_message="move",
        operations=[
            huggingface_hub.CommitOperationCopy(TRAIN, "copy.h5"),
            huggingface_hub.CommitOperationDelete("tiny/"),
            huggingface_hub.CommitOperationDelete("zoo.json"),
        ],
    )  # fmt: skip
    assert set(hub.files(repo)) == {".gitattributes", "README.md", "empty.txt", "copy.h5"}
    assert hub.files(repo)["copy.h5"] == CONTENTS[TRAIN]
    with pytest.raises(errors.EntryNotFoundError):
        api.delete_file("zoo.json", repo, repo_type="dataset")


def test_a_tag_holds_its_commit_and_is_made_once(hub, api, repo, tmp_path):
    api.create_tag(repo, tag="v1", repo_type="dataset")
    api.create_branch(repo, branch="draft", revision="v1", repo_type="dataset")
    hub.add_file(repo, "later.txt", b"later")
    assert "later.txt" not in read(snapshot(hub, repo, tmp_path / "cache", revision="v1"))
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.create_tag(repo, tag="v1", repo_type="dataset")
    assert caught.value.response.status_code == 409
    api.create_tag(repo, tag="v1", repo_type="dataset", exist_ok=True)
    refs = api.list_repo_refs(repo, repo_type="dataset")
    assert [ref.name for ref in refs.tags] == ["v1"]
    assert {ref.name: ref.target_commit for ref in refs.branches}["draft"] == refs.tags[0].target_commit
    api.delete_tag(repo, tag="v1", repo_type="dataset")
    with pytest.raises(errors.RevisionNotFoundError):
        snapshot(hub, repo, tmp_path / "fresh", revision="v1")


def test_a_moved_tag_is_another_commit_to_the_client(hub, api, repo, tmp_path):
    api.create_tag(repo, tag="v1", repo_type="dataset")
    first = snapshot(hub, repo, tmp_path / "cache", revision="v1")
    hub.move_tag(repo, "v1", hub.add_file(repo, "later.txt", b"later"))
    second = snapshot(hub, repo, tmp_path / "cache", revision="v1")
    assert first.name != second.name == hub.repo(repo).tags["v1"]
    assert (second / "later.txt").read_bytes() == b"later"


def test_a_repository_is_created_once_and_deleted_once(hub, api):
    url = api.create_repo("user/once", repo_type="dataset")
    assert (url.repo_id, url.repo_type) == ("user/once", "dataset")
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.create_repo("user/once", repo_type="dataset")
    assert caught.value.response.status_code == 409
    assert api.create_repo("user/once", repo_type="dataset", exist_ok=True) == url
    api.create_repo("once", repo_type="model")  # another kind is another repository, and the user's name is the default
    assert api.model_info("user/once").id == "user/once"
    api.delete_repo("user/once", repo_type="dataset")
    with pytest.raises(errors.RepositoryNotFoundError):
        api.delete_repo("user/once", repo_type="dataset")


def test_bad_front_matter_is_refused_before_anything_is_sent(hub, api, repo, tmp_path):
    (tmp_path / "source" / "README.md").write_text("---\nlicense: [mit\n---\n")
    with pytest.raises(ValueError, match="Invalid metadata"):
        upload(api, repo, tmp_path / "source")
    assert {entry.path for entry in hub.log} == {"/api/validate-yaml"}


# Who may do what.


def test_a_write_needs_the_token_and_a_private_repository_needs_it_for_reads(hub, api, repo, tmp_path):
    stranger, wrong = HfApi(endpoint=hub.url, token=False), HfApi(endpoint=hub.url, token="hf_wrong")
    assert stranger.dataset_info(repo).id == repo
    with pytest.raises(errors.HfHubHTTPError, match="401"):
        stranger.create_repo("user/theirs", repo_type="dataset")
    with pytest.raises(errors.RepositoryNotFoundError):
        stranger.create_tag(repo, tag="v1", repo_type="dataset")
    with pytest.raises(errors.HfHubHTTPError, match="Invalid credentials"):
        wrong.dataset_info(repo)
    with pytest.raises(errors.HfHubHTTPError):
        wrong.whoami()
    assert api.whoami()["name"] == "user"
    api.create_repo("user/private", repo_type="dataset", private=True)
    upload(api, "user/private", tmp_path / "source")
    with pytest.raises(errors.RepositoryNotFoundError):
        snapshot(hub, "user/private", tmp_path / "cache", token=False)
    assert read(snapshot(hub, "user/private", tmp_path / "cache")) == CONTENTS


def test_the_log_says_whether_a_token_was_sent_and_never_which(hub, api, repo, tmp_path):
    api.dataset_info(repo)
    HfApi(endpoint=hub.url, token=False).dataset_info(repo)
    assert [entry.authorised for entry in hub.log] == [True, False]
    assert hub.token not in repr(hub.log)


# What goes wrong, as the client sees it.


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (401, "", errors.HfHubHTTPError),  # to an https address the client would guess RepositoryNotFoundError
        (401, "RepoNotFound", errors.RepositoryNotFoundError),
        (403, "", errors.HfHubHTTPError),
        (403, "GatedRepo", errors.GatedRepoError),
        (404, "RepoNotFound", errors.RepositoryNotFoundError),
        (404, "RevisionNotFound", errors.RevisionNotFoundError),
        (404, "EntryNotFound", errors.EntryNotFoundError),
        (409, "", errors.HfHubHTTPError),
        (412, "", errors.HfHubHTTPError),
        (429, "", errors.HfHubHTTPError),
        (503, "", errors.HfHubHTTPError),
    ],
)
def test_each_refusal_becomes_the_exception_of_its_kind(hub, api, status, code, raised):
    hub.fault("GET", "^/api/datasets/user/any", status=status, code=code)
    with pytest.raises(errors.HfHubHTTPError) as caught:
        api.dataset_info("user/any")
    assert isinstance(caught.value, raised)
    assert raised is not errors.HfHubHTTPError or type(caught.value) is raised
    assert caught.value.response.status_code == status


def test_what_is_missing_or_closed_is_told_apart(hub, api, repo, tmp_path):
    def download(name: str, path: str, revision: str = "main") -> str:
        return api.hf_hub_download(name, path, repo_type="dataset", revision=revision, cache_dir=tmp_path / "cache")

    with pytest.raises(errors.RepositoryNotFoundError):
        download("user/nowhere", "zoo.json")
    with pytest.raises(errors.RevisionNotFoundError):
        download(repo, "zoo.json", "v9")
    with pytest.raises(errors.EntryNotFoundError):
        download(repo, "nowhere.json")
    remembered = huggingface_hub.try_to_load_from_cache(repo, "nowhere.json", tmp_path / "cache", repo_type="dataset")
    assert remembered is huggingface_hub._CACHED_NO_EXIST  # the answer said at which commit the file is missing
    hub.repo(repo).gated = True
    with pytest.raises(errors.GatedRepoError):
        download(repo, "zoo.json")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_asked_again(hub, api, repo, status):
    hub.fault("PUT", "^/lfs/", status=status)
    api.upload_file(path_or_fileobj=b"new", path_in_repo="new.h5", repo_id=repo, repo_type="dataset")
    assert [entry.status for entry in hub.uploads()] == [status, 200]
    assert hub.files(repo)["new.h5"] == b"new"


def test_a_cut_body_is_noticed_and_fetched_on_from_there(hub, api, repo, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 100)  # it keeps whole chunks only
    hub.fault("GET", "/resolve/.*train", body="cut")
    file = api.hf_hub_download(repo, TRAIN, repo_type="dataset", cache_dir=tmp_path / "cache")
    assert Path(file).read_bytes() == CONTENTS[TRAIN]
    assert [entry.status for entry in hub.log if entry.method == "GET" and "/resolve/" in entry.path] == [200, 206]


def test_wrong_bytes_of_the_right_length_go_by_the_client_so_that_digests_must_be_checked(hub, api, repo, tmp_path):
    hub.fault("GET", "/resolve/.*train", body="wrong")
    got = Path(api.hf_hub_download(repo, TRAIN, repo_type="dataset", cache_dir=tmp_path / "cache")).read_bytes()
    assert got != CONTENTS[TRAIN]
    assert len(got) == len(CONTENTS[TRAIN])


def test_a_commit_whose_answer_is_lost_is_found_done_by_the_next_try(hub, api, repo, tmp_path):
    (tmp_path / "source" / "zoo.json").write_text("[]")
    called: list[int] = []
    hub.fault("POST", "/commit/main", body="drop", call=lambda: called.append(1))
    with pytest.raises(Exception, match=r"(?i)disconnected"):
        upload(api, repo, tmp_path / "source")
    done = hub.repo(repo).branches["main"]
    assert called == [1]
    assert hub.files(repo)["zoo.json"] == b"[]"
    assert upload(api, repo, tmp_path / "source") == done


@pytest.mark.parametrize("path", ["../x", "/abs", "a/../../x", "..\\x", "C:x", "C:\\x"])
def test_a_name_that_leads_out_of_the_repository_is_refused_by_the_client(hub, repo, tmp_path, path):
    hub.add_file(repo, path, b"evil")
    assert hub.files(repo)[path] == b"evil"
    with pytest.raises(ValueError, match="Invalid filename"):
        snapshot(hub, repo, tmp_path / "cache")


@pytest.mark.parametrize("paths", [("a\\b",), ("Case", "case"), ("line\nbreak",), (".git/config",), ("~/x",), ("%2e%2e/x",)])
def test_other_odd_names_go_by_the_client_so_that_names_must_be_checked(hub, repo, tmp_path, paths):
    for path in paths:
        hub.add_file(repo, path, path.encode())
    got = read(snapshot(hub, repo, tmp_path / "cache"))
    assert {path: got[path] for path in paths} == {path: path.encode() for path in paths}


def test_a_client_killed_at_its_commit_sends_nothing_twice(hub, api, tmp_path):
    source = write(tmp_path / "source", CONTENTS)
    api.create_repo("user/killed", repo_type="dataset")
    script = "import sys; from huggingface_hub import HfApi; "
    script += "HfApi().upload_folder(folder_path=sys.argv[1], repo_id=sys.argv[2], repo_type='dataset')"
    command = [sys.executable, "-c", script, source, "user/killed"]
    hub.fault("POST", "/commit/", status=503, call=lambda: process.kill())
    process = subprocess.Popen(command, env=surroundings(hub, tmp_path / "home"))
    assert process.wait(60) == -signal.SIGKILL
    assert set(hub.files("user/killed")) == {".gitattributes"}
    upload(api, "user/killed", source)
    assert len(hub.uploads()) == 2
    assert hub.files("user/killed").items() >= CONTENTS.items()


def test_a_fault_waits_for_its_turn(hub, repo):
    fault = hub.fault("*", f"/{repo}$", after=2, times=2, status=503)
    answers = [ask(hub, "GET", f"/api/datasets/{repo}") for _ in range(6)]
    assert ([answer.status for answer in answers], fault.times) == ([200, 200, 503, 503, 200, 200], 0)
    assert [answer.headers["Retry-After"] for answer in answers[1:3]] == [None, "0"]
    assert ask(hub, "GET", "/api/datasets/user/nowhere").status == 404


# The server's own rules, which well-behaved clients never meet.


def test_the_server_takes_no_object_under_a_wrong_name(hub, repo):
    digest = hashlib.sha256(b"right").hexdigest()
    address = f"/lfs/datasets/{repo}/{digest}"
    assert ask(hub, "PUT", address, b"wrong").status == 400
    assert ask(hub, "POST", address + "/verify", json.dumps({"oid": digest, "size": 5}).encode()).status == 404
    assert ask(hub, "PUT", address, b"right").status == 200
    assert ask(hub, "POST", address + "/verify", json.dumps({"oid": digest, "size": 4}).encode()).status == 404
    assert ask(hub, "POST", address + "/verify", json.dumps({"oid": digest, "size": 5}).encode()).status == 200


@pytest.mark.parametrize("path", ["../x", "a//b", "/x", ".", "a/../b", ""])
def test_the_server_takes_no_file_under_an_evil_name(hub, repo, path):
    good = [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": {"path": "x", "content": ""}}]
    evil = [*good, {"key": "file", "value": {"path": path, "content": ""}}]
    before = hub.repo(repo).branches["main"]
    for lines, status in ((evil, 400), (good, 200)):
        body = "\n".join(map(json.dumps, lines)).encode()
        assert hub.repo(repo).branches["main"] == before
        assert ask(hub, "POST", f"/api/datasets/{repo}/commit/main", body).status == status


def test_the_server_commits_no_object_that_it_does_not_have(hub, repo):
    value = {"path": "x.h5", "algo": "sha256", "oid": "0" * 64, "size": 1}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "lfsFile", "value": value}]
    answer = ask(hub, "POST", f"/api/datasets/{repo}/commit/main", "\n".join(map(json.dumps, lines)).encode())
    assert answer.status == 400
    assert "x.h5" not in hub.files(repo)


def test_half_a_commit_is_no_commit(hub, repo):
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "file", "value": {"path": "x", "content": ""}}]
    body, before = "\n".join(map(json.dumps, lines)).encode() + b"\n", hub.repo(repo).branches["main"]
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=10)
    longer = {"Authorization": f"Bearer {hub.token}", "Content-Length": str(len(body) + 1)}
    connection.request("POST", f"/api/datasets/{repo}/commit/main", body, longer)
    connection.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()
    assert hub.repo(repo).branches["main"] == before
    assert ask(hub, "POST", f"/api/datasets/{repo}/commit/main", body).status == 200


def test_large_text_is_an_object_too(hub, api, repo, monkeypatch):
    monkeypatch.setattr("hub_server.repositories.LFS_BYTES", 100)
    for size in (100, 101):
        name = f"{size}.txt"
        api.upload_file(path_or_fileobj=b"x" * size, path_in_repo=name, repo_id=repo, repo_type="dataset")
    assert [entry.received for entry in hub.uploads()] == [101]


def test_a_body_in_chunks_is_a_body(hub, repo):
    body = iter([b"first,", b"second"])
    digest = hashlib.sha256(b"first,second").hexdigest()
    assert ask(hub, "PUT", f"/lfs/datasets/{repo}/{digest}", body).status == 200
    assert hub.log[-1].received == 12


# Ranges, and datasets by name.


@pytest.mark.parametrize("asked", ["0-0", "3-9", "7-", "-5", "-999999", "0-999999", "999999-", "9-3"])
def test_a_range_is_the_slice_it_names(hub, repo, asked):
    answer, content = ask(hub, "GET", f"/datasets/{repo}/resolve/main/{TRAIN}", Range=f"bytes={asked}"), CONTENTS[TRAIN]
    first, last = asked.split("-")
    chosen = [
        at
        for at in range(len(content))
        if (int(first) <= at <= int(last or at) if first else len(content) - at <= int(last))
    ]
    assert (answer.status, answer.content) == (206 if chosen else 416, bytes(content[at] for at in chosen))
    span = f"{chosen[0]}-{chosen[-1]}" if chosen else "*"
    assert answer.headers["Content-Range"] == f"bytes {span}/{len(content)}"


def test_the_file_system_reads_ranges(hub, repo):
    files = HfFileSystem(endpoint=hub.url, token=hub.token, skip_instance_cache=True)
    with files.open(f"datasets/{repo}/{TRAIN}", block_size=64) as file:
        file.seek(100)
        assert file.read(20) == CONTENTS[TRAIN][100:120]
    assert {entry.status for entry in hub.log if "/resolve/" in entry.path} == {206}
    with h5py.File(files.open(f"datasets/{repo}/{TRAIN}")) as opened:
        assert np.array_equal(opened["weights"], WEIGHTS[:9])


DATASETS = """
import json, sys
from datasets import load_dataset
whole = load_dataset(sys.argv[1], "tiny")
stream = load_dataset(sys.argv[1], "tiny", streaming=True)
rows = {split: [row["weights"] for row in part] for split, part in whole.items()}
assert {split: [row["weights"] for row in part] for split, part in stream.items()} == rows
print(json.dumps(rows))
"""


def test_datasets_loads_the_repository_by_name_whole_and_streaming(hub, repo, tmp_path):
    rows = json.loads(client(hub, tmp_path / "home", sys.executable, "-c", DATASETS, repo).splitlines()[-1])
    assert np.array_equal(np.array(rows["train"], np.float32), WEIGHTS[:9])
    assert np.array_equal(np.array(rows["test"], np.float32), WEIGHTS[9:])
    assert 206 in {entry.status for entry in hub.log}


# The Xet way.

XET = """
import sys
from huggingface_hub import HfApi, snapshot_download
source, cache = sys.argv[1:]
HfApi().create_repo("user/xet", repo_type="dataset", exist_ok=True)
print(HfApi().upload_folder(repo_id="user/xet", folder_path=source, repo_type="dataset").oid)
print(snapshot_download("user/xet", repo_type="dataset", cache_dir=cache))
"""
XET_VERSION = importlib.metadata.version("hf-xet")


@pytest.mark.skipif(not XET_VERSION.startswith("1.8."), reason=f"its file store is undocumented, and this is {XET_VERSION}")
def test_xet_sends_new_pieces_only_and_brings_the_same_bytes_back(tmp_path):
    noise = np.random.default_rng(0).bytes(400_000)
    contents = {**CONTENTS, "noise.h5": noise, "twice.h5": noise + noise}
    with Hub(tmp_path / "hub", xet=True) as hub:

        def round_trip(name: str) -> tuple[str, int]:
            """The commit after uploading everything and what the store then holds, in bytes."""
            source = write(tmp_path / "source", contents)
            run = (sys.executable, "-c", XET, source, tmp_path / name)
            commit, folder = client(hub, tmp_path / f"{name} home", *run).splitlines()
            assert read(Path(folder)) == contents
            stored = (file for file in (hub.folder / "cas" / "xet" / "xorbs" / "xorbs").iterdir() if file.is_file())
            return commit, sum(file.stat().st_size for file in stored)

        first, size = round_trip("first")
        assert size > 400_000
        assert round_trip("again") == (first, size)
        contents["noise.h5"] += b"one more row"
        changed, grown = round_trip("changed")
        assert changed != first
        assert size < grown < size + 200_000  # the pieces before the change were there
        listed = HfApi(endpoint=hub.url).get_paths_info("user/xet", ["noise.h5", "zoo.json"], repo_type="dataset")
        assert [len(item.xet_hash or "") for item in listed] == [64, 0]
        assert hub.uploads() == []


# The other two clients.


def test_the_hf_command_creates_uploads_and_downloads(hub, tmp_path):
    hf = Path(sys.executable).with_name("hf")
    source, home = write(tmp_path / "source", CONTENTS), tmp_path / "home"
    client(hub, home, hf, "repos", "create", "user/by-command", "--repo-type", "dataset")
    client(hub, home, hf, "upload", "user/by-command", source, ".", "--repo-type", "dataset")
    there = tmp_path / "there"
    client(hub, home, hf, "download", "user/by-command", "--repo-type", "dataset", "--local-dir", there)
    assert read(there) == CONTENTS
    unknown = {entry.path for entry in hub.log if entry.status == 404}
    assert unknown <= {"/api/agent-harnesses"}  # every other route that the command asks for is there


JAVASCRIPT = """
const [modules, hubUrl, name, payload] = process.argv.slice(1);
const hub = require("module").createRequire(modules + "/any.js")("@huggingface/hub");
const common = { repo: { type: "dataset", name }, accessToken: process.env.HF_TOKEN, hubUrl };
(async () => {
  await hub.createRepo(common);
  const files = Object.entries(JSON.parse(payload)).map(([path, base64]) => ({
    path, content: new Blob([Buffer.from(base64, "base64")]) }));
  await hub.uploadFiles({ ...common, files, commitTitle: "by JavaScript" });
  const got = {};
  for await (const entry of hub.listFiles({ ...common, recursive: true })) {
    if (entry.type !== "file") continue;
    const blob = await hub.downloadFile({ ...common, path: entry.path });
    got[entry.path] = Buffer.from(await blob.arrayBuffer()).toString("base64");
  }
  console.log(JSON.stringify(got));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_the_javascript_client_creates_uploads_lists_and_downloads(hub, tmp_path):
    modules = Path(os.environ.get("METAZOO_NODE_MODULES", ROOT / ".venv" / "js" / "node_modules"))
    if not shutil.which("node") or not (modules / "@huggingface" / "hub").is_dir():
        pytest.skip(f"needs node, and @huggingface/hub 2.17.5 in $METAZOO_NODE_MODULES or {modules}")
    # Its downloads start by asking for the first byte, which an empty file does not have.
    encode = {path: base64.b64encode(content).decode() for path, content in CONTENTS.items() if content}
    node = ("node", "-e", JAVASCRIPT, modules, hub.url, "user/by-javascript", json.dumps(encode))
    got = json.loads(client(hub, tmp_path / "home", *node))
    assert {path: got[path] for path in encode} == encode
    assert set(got) - set(encode) == {".gitattributes"}
    assert len(hub.uploads()) == 2
