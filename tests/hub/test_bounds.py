"""A hub or a bucket that never ends its answers, sends readers elsewhere, or answers what cannot be read."""

import gzip
import importlib
import itertools
import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hub_server import Hub, Reply, Request
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import get_session
from stores import QUIET, REPO, bucket_at, bundle, hub_at

from zoo.hub import huggingface, s3, store
from zoo.hub.address import locate
from zoo.hub.fetch import fetch
from zoo.hub.publish import publish

pytestmark = QUIET
FILE = {"type": "file", "path": "x", "size": 1, "oid": "0" * 40}
TOKEN = "hf_token_of_the_test_hub"


def quiet(line: str) -> None:
    """What a publish reports is of no interest here."""


class Paged(Hub):
    """A hub whose listing has pages: `said` of a page's number gives its entries and the next page's address, or None."""

    said = None
    asked = 0

    def answer(self, request: Request) -> Reply:
        """As the hub does, but for listings."""
        if self.said is None or "/tree/" not in request.path:
            return super().answer(request)
        self.asked += 1
        body, following = self.said(self.asked)
        return Reply(body, 200, {"Link": f'<{following}>; rel="next"'} if following else {})


@pytest.fixture
def hub(tmp_path, monkeypatch, standard: Path):
    with hub_at(tmp_path / "hub", monkeypatch, Paged) as hub:
        publish(bundle({"plain": standard}), REPO, report=quiet)
        yield hub


def test_a_listing_of_many_pages_is_read_whole(hub):
    path, pages = "/api/datasets/user/zoos/tree/main", 5
    hub.said = lambda number: ([{**FILE, "path": f"{number}"}], f"{path}?page={number}" if number < pages else None)
    assert locate(REPO).listing("main").keys() == {"1", "2", "3", "4", "5"}
    assert hub.asked == pages


@pytest.mark.parametrize("full", [False, True])
def test_a_listing_without_end_is_given_up(hub, monkeypatch, tmp_path, full):
    monkeypatch.setattr(huggingface, "PAGES", 20)
    monkeypatch.setattr(store, "FILES", 50)
    url = f"{hub.url}/api/datasets/user/zoos/tree/main?page="
    hub.said = lambda n: ([{**FILE, "path": f"{n}-{i}"} for i in range(10 * full)], f"{url}{n}")
    with pytest.raises((ConnectionError, ValueError), match="more than 50 files" if full else "behind 20 pages"):
        fetch(REPO, tmp_path / "back")
    assert hub.asked == (6 if full else 20)


def test_a_page_without_end_is_given_up(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(store, "SMALL", 100_000)
    hub.said = lambda number: ([{**FILE, "path": "x" * 1000}] * 1000, None)
    with pytest.raises(ConnectionError, match=r"goes on behind 100,000 bytes.*HF_ENDPOINT"):
        fetch(REPO, tmp_path / "back")


def answer_of(parts, status: int = 200):
    """An answer of the hub's client's HTTP library, to be read in parts."""
    http = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    return http.Response(status, content=parts, request=http.Request("GET", "http://127.0.0.1/x"))


def test_what_the_hub_says_of_an_error_is_read_up_to_a_limit():
    with pytest.raises(HfHubHTTPError, match="404"):
        huggingface._raise_for_status(answer_of((b"x" * 1000 for _ in itertools.count()), 404))


def test_an_answer_that_comes_too_slowly_is_given_up(monkeypatch):
    assert b"".join(huggingface._parts(answer_of(iter([b"x", b"y"])))) == b"xy"
    monkeypatch.setattr(huggingface, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(huggingface, "BYTES_A_SECOND", 1e15)
    with pytest.raises(TimeoutError, match="bytes came in 0 s, too slowly"):
        store.small(huggingface._parts(answer_of(b"x" for _ in itertools.count())), "x")


def test_a_packed_answer_is_refused_as_it_may_become_any_number_of_bytes(hub, monkeypatch, tmp_path):
    packed = gzip.compress(gzip.compress(bytes(2**20)))
    monkeypatch.setattr(hub, "answer", lambda request: Reply(packed, 200, {"Content-Encoding": "gzip, gzip"}))
    with pytest.raises(ConnectionError, match="the answer is packed \\(gzip, gzip\\)"):
        fetch(REPO, tmp_path / "back")


def test_a_busy_hub_is_waited_for_within_bounds(hub, monkeypatch, tmp_path):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr(hub, "answer", lambda request: Reply(b"", 503, {"Retry-After": "100000"}))
    with pytest.raises(ConnectionError, match="the hub is unwell"):
        fetch(REPO, tmp_path / "back")
    assert waits == [huggingface.LONGEST_WAIT] * (huggingface.TRIES - 1)


def test_the_token_goes_to_no_other_host(hub, tmp_path):
    with Paged(tmp_path / "other") as other:
        other.said = lambda number: ([FILE], None)
        hub.said = lambda number: ([FILE], f"{other.url}/api/datasets/user/zoos/tree/main?page=2")
        with pytest.raises(ConnectionError, match="the next page is at another host"):
            fetch(REPO, tmp_path / "back")
        assert other.log == []


@pytest.mark.parametrize(
    "body",
    [
        {"entries": []},
        [1],
        ["file"],
        [{"type": "file"}],
        [{**FILE, "size": "many"}],
        [{**FILE, "lfs": "x"}],
        [{**FILE, "path": 3}],
        b"[",
        b'[{"a": 1, "a": 2}]',
        b"[" * 10_000,
        json.dumps([{TOKEN: 1}])[:-2].encode() + b', "' + TOKEN.encode() + b'": 2}]',
        b"\xff",
    ],
)
def test_a_listing_that_cannot_be_read_is_refused_by_a_line_without_the_token(hub, tmp_path, body):
    hub.said = lambda number: (body, None)
    with pytest.raises(ConnectionError, match=f"{REPO}: .*HF_ENDPOINT") as caught:
        fetch(REPO, tmp_path / "back")
    assert str(caught.value).isprintable()
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("said", [{}, {"tags": 3}, {"tags": [3]}, {"tags": [{"name": "v1"}]}, []])
def test_tags_that_cannot_be_read_are_refused(hub, monkeypatch, said):
    real = hub.answer
    monkeypatch.setattr(hub, "answer", lambda request: Reply(said) if request.path.endswith("/refs") else real(request))
    with pytest.raises(ConnectionError, match="tags cannot be read"):
        locate(REPO).tags()


@pytest.mark.parametrize(("pages", "files", "found"), [(2, 99, "behind 2 pages"), (99, 2, "more than 2 files")])
def test_the_listing_of_a_bucket_is_given_up_too(monkeypatch, pages, files, found):
    with bucket_at(monkeypatch) as address:
        bucket = locate(address)
        for number in range(5):
            bucket.write(f"{number}", b"x", "")
        real = bucket._fs._call_s3
        assert bucket.listing(None).keys() == set("01234")
        monkeypatch.setattr(bucket._fs, "_call_s3", lambda method, **more: real(method, MaxKeys=1, **more))
        assert bucket.listing(None).keys() == set("01234")
        monkeypatch.setattr(s3, "PAGES", pages)
        monkeypatch.setattr(store, "FILES", files)
        with pytest.raises(ValueError, match=found):
            bucket.listing(None)


def test_the_listing_of_a_folder_is_given_up_too(monkeypatch, tmp_path):
    monkeypatch.setattr("zoo.hub.folder.FILES", 2)
    monkeypatch.setattr(store, "FILES", 2)
    for number in range(5):
        (tmp_path / f"{number}").write_bytes(b"x")
    with pytest.raises(ValueError, match="more than 2 files"):
        locate(str(tmp_path)).listing(None)


@pytest.mark.parametrize(
    "about", [b"{" * 10_000, b'{"format": "metazoo-release-1", "format": "metazoo-release-1"}', b"[]", b"\xff"]
)
def test_what_is_no_release_is_not_taken_for_one_to_publish_over(tmp_path, standard, about):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "zoo.json").write_bytes(about)
    with pytest.raises(FileExistsError, match="1 files that are no release"):
        publish(bundle({"plain": standard}), str(tmp_path / "to"), report=quiet)


class Endless(BaseHTTPRequestHandler):
    """A bucket whose listing has one page, without an end."""

    def do_GET(self) -> None:
        """Answers for ever, slowly."""
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(b"<?xml version='1.0'?><ListBucketResult>")
            while True:
                self.wfile.write(b"<Contents><Key>a</Key><Size>1</Size></Contents>" * 10)
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        """Keeps the tests' output clean."""


def test_a_page_of_a_bucket_without_an_end_is_left(monkeypatch):
    pytest.importorskip("s3fs")
    monkeypatch.setattr(s3, "PAGE_SECONDS", 1.0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        begun = time.monotonic()
        with pytest.raises((ConnectionError, TimeoutError), match="s3://bucket/zoos"):
            s3.Bucket("bucket/zoos").listing(None)
        assert time.monotonic() - begun < 60
        server.shutdown()


def test_publishing_and_fetching_read_no_list_of_the_clients_own(hub, standard, tmp_path, monkeypatch):
    """The client reads one of whatever length, for its telemetry, where it is not told to send none."""
    agents = importlib.import_module("huggingface_hub.utils._detect_agent")
    asked = []
    monkeypatch.setattr(agents, "_get_registry", lambda: asked.append(1) or {})
    publish(bundle({"plain": standard}, extra={"more.txt": b"more"}), REPO, report=quiet)
    fetch(REPO, tmp_path / "back", config="plain")
    assert asked == []
