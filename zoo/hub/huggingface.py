"""Releases on a Hugging Face hub, by its own client.

Files and listings are read by plain HTTP, with the client's token, connections and errors, since its own ways do not do:
`hf_hub_download` starts anew after a kill and takes all that a server sends; `HfFileSystem` asks a broken connection again
unseen and keeps whatever answers a range in memory; `list_repo_tree` sends the token to wherever a next page is said to be.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from zoo.hub.store import CHUNK, PAGES, Content, Entry, Kind, few, small
from zoo.untrusted.json import strict_json

T = TypeVar("T")

TRIES = 5  # of a request that the hub answers with 429 or 5xx; the waits add up to 15 seconds
BUSY = (408, 429, 500, 502, 503, 504)  # answers after which a GET is sent again
LONGEST_WAIT = 60  # seconds that a busy hub may ask for
SILENCE = 60.0  # seconds without a byte after which a connection is given up
FREE_SECONDS, BYTES_A_SECOND = 60.0, 1000  # an answer that takes longer than the one must be as fast as the other
ERROR_BYTES = 10_000  # of what the hub says of an error
FRAMING = ("content-encoding", "content-length", "transfer-encoding")  # headers that say how an answer is sent
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Hub:
    """A repository of the hub at HF_ENDPOINT, huggingface.co unless that is set.

    The token is the environment's (HF_TOKEN) or that of `hf auth login`; it is the client's affair, and never seen here.
    """

    repo: str  # USER/NAME
    revision: str | None = None  # a branch, tag or commit; None is main
    folder: str = ""  # inside the repository
    kind: Kind = "dataset"

    @property
    def where(self) -> str:
        """Its address, without the revision."""
        return f"hf://{'datasets/' * (self.kind == 'dataset')}{self.repo}" + (f"/{self.folder}" if self.folder else "")

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    def _api(self) -> Any:
        try:
            from huggingface_hub import HfApi, constants
        except ImportError:
            raise ImportError('hf:// needs the package huggingface_hub: pip install "metazoo[hub]"') from None
        constants.HF_HUB_DISABLE_TELEMETRY = True  # for it the client reads a list without bounds before each call
        return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)

    @contextmanager
    def _answer(self, url: str, *, name: str = "", start: int = 0) -> Iterator[Any]:
        """The hub's answer to a GET, to be read by `_parts`; a busy hub is asked again, a broken connection is not.

        The client's own way to ask again waits for as long as the hub wants, and reads all that it says of an error.
        """
        from huggingface_hub.utils import get_session

        headers = {**_headers(), **({"Range": f"bytes={start}-"} if name else {})}
        for number in range(TRIES):
            asked = get_session().stream("GET", url, headers=headers, timeout=SILENCE)
            with _explained(self, name), asked as answer:
                if number == TRIES - 1 or answer.status_code not in BUSY:
                    if answer.status_code != 501 or not name:
                        _raise_for_status(answer)
                    yield answer
                    return
            time.sleep(_wait(answer.headers, 2**number))

    def _json(self, url: str) -> tuple[Any, str]:
        """What the hub's JSON says, and the address of its next page or "".

        Raises ConnectionError where it cannot be read, or the next page is at another host, which must not get the token.
        """
        with self._answer(url) as answer:
            try:
                value = strict_json(url, b'{"said": %b}' % small(_parts(answer), url), controls=True)["said"]
            except ValueError as error:
                raise ConnectionError(f"{self.where}: {_struck(str(error))}; check HF_ENDPOINT") from None
            following = urljoin(url, answer.links.get("next", {}).get("url", ""))
        if urlsplit(following)[:2] != urlsplit(url)[:2]:
            raise ConnectionError(f"{self.where}: the next page is at another host, {_struck(following)}; check HF_ENDPOINT")
        return value, "" if following == url else following

    def _about(self, what: str) -> str:
        return f"{self._api().endpoint}/api/{self.kind}s/{self.repo}{what}"

    def pin(self) -> str | None:
        """The commit of the revision; a commit's own name is taken as it is. Raises ConnectionError where none is named."""
        if self.revision and COMMIT.fullmatch(self.revision):
            return self.revision
        said, _ = self._json(self._about(f"/revision/{quote(self.revision, safe='')}" if self.revision else ""))
        commit = said.get("sha") if isinstance(said, dict) else None
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            found = f"found {str(commit)[:100]!r} for {self.revision or 'main'}"
            raise ConnectionError(
                f"{self.where}: expected a commit's name of 40 digits from the hub, {found}; check HF_ENDPOINT"
            )
        return commit

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its files by name: of those that LFS or Xet keeps with their SHA-256, of others with git's SHA-1."""
        found: dict[str, Entry] = {}
        url = self._about(f"/tree/{commit}{'/' + quote(self.folder, safe='') if self.folder else ''}?recursive=true")
        for _ in range(PAGES):
            page, url = self._json(url)
            found |= self._files(page)
            few(found, self.where)
            if not url:
                return found
        raise ConnectionError(f"{self.where}: its listing goes on behind {PAGES:,} pages; check HF_ENDPOINT")

    def _files(self, page: Any) -> dict[str, Entry]:
        found, prefix = {}, self._path("")
        try:
            for item in page:
                if item["type"] == "file":
                    kept = (item["lfs"]["oid"], None) if item.get("lfs") else (None, item["oid"])
                    found[item["path"].removeprefix(prefix)] = Entry(int(item["size"]), *kept)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ConnectionError(f"{self.where}: the hub lists what is no file; check HF_ENDPOINT") from None
        return found

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on, by plain HTTP and past all caches."""
        from huggingface_hub import hf_hub_url

        at = {"repo_type": self.kind, "revision": commit, "endpoint": self._api().endpoint}
        with self._answer(hf_hub_url(self.repo, self._path(name), **at), name=name, start=start) as answer:
            whole = answer.status_code in (200, 501)  # it took no notice of the range, or has the file in its Xet store only
            skip = start if whole else 0
            for chunk in self.as_delivered(name, commit=commit) if answer.status_code == 501 else _parts(answer):
                yield chunk[skip:]
                skip = max(0, skip - len(chunk))

    def as_delivered(self, name: str, *, commit: str | None) -> Iterator[bytes]:
        """A file's bytes as the hub's own client downloads it into a new cache, by Xet where that is in use."""
        api = self._api()
        with tempfile.TemporaryDirectory() as fresh:
            with _explained(self, name):
                asked = {"repo_type": self.kind, "revision": commit, "cache_dir": fresh}
                path = api.hf_hub_download(self.repo, self._path(name), **asked)
            with Path(path).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def begin(self, digest: str, *, private: bool) -> None:
        """Creates the repository if there is none."""
        if self.folder:
            raise ValueError(
                f"{self.where}: a release is a whole repository; publish to {self.where[: -len(self.folder) - 1]}"
            )
        try:
            self.pin()
        except FileNotFoundError:
            self._ask("create_repo", repo_id=self.repo, repo_type=self.kind, private=private, exist_ok=True)

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Uploads what the hub has not, then commits it all at once."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        at = {"repo_id": self.repo, "repo_type": self.kind, "revision": self.revision or "main"}
        added = [CommitOperationAdd(n, c if isinstance(c, bytes) else str(c)) for n, c in contents.items()]
        with _explained(self):
            # Done before the commit, and not within it: this part asks a busy hub again by itself, the commit does not.
            self._api().preupload_lfs_files(additions=added, free_memory=False, **at)
        message = f"metazoo publish: {len(added)} files" + (f", {len(remove)} removed" if remove else "")
        operations = [*added, *(CommitOperationDelete(name) for name in remove)]
        return self._ask("create_commit", operations=operations, commit_message=message, parent_commit=parent, **at).oid

    def tags(self) -> dict[str, str]:
        """The commit of each tag."""
        said, _ = self._json(self._about("/refs"))
        try:
            return {tag["name"]: tag["targetCommit"] for tag in said["tags"]}
        except (KeyError, TypeError):
            raise ConnectionError(f"{self.where}: the hub's list of tags cannot be read; check HF_ENDPOINT") from None

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Sets the tag."""
        if tag is not None:
            self._ask("create_tag", repo_id=self.repo, repo_type=self.kind, tag=tag, revision=commit)

    def _ask(self, function: str, **arguments: Any) -> Any:
        """Calls the hub, again while it is busy. For what the client itself does not ask again."""
        with _explained(self):
            return _patiently(lambda: getattr(self._api(), function)(**arguments))


def _patiently(call: Callable[[], T]) -> T:
    """Calls again while the hub answers 429 or 5xx, after a second, two, four and so on, or what it asks for."""
    from huggingface_hub.errors import HfHubHTTPError

    for wait in [2**number for number in range(TRIES - 1)]:
        try:
            return call()
        except HfHubHTTPError as error:
            if error.response.status_code != 429 and error.response.status_code < 500:
                raise
            time.sleep(_wait(error.response.headers, wait))
    return call()


def _headers() -> dict[str, str]:
    """The token, and that no answer is to be packed; to make its own, the client first reads a list without bounds."""
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    plain = {"User-Agent": "metazoo", "Accept-Encoding": "identity"}
    return {**plain, "Authorization": f"Bearer {token}"} if token else plain


def _wait(headers: Mapping[str, str], seconds: int) -> int:
    """How long to wait before a busy hub is asked again: so many seconds, or what it asks for within bounds."""
    asked = headers.get("Retry-After", "")[:9]
    return min(int(asked), LONGEST_WAIT) if asked.isdecimal() else seconds


def _parts(answer: Any) -> Iterator[bytes]:
    """The bytes of an answer as they come.

    Raises ConnectionError where they are packed, which was not asked for and may become any number of bytes, and
    TimeoutError where they come so slowly that there may be no end.
    """
    if (packed := answer.headers.get("Content-Encoding", "identity")) != "identity":
        raise ConnectionError(f"{_struck(str(answer.url))}: the answer is packed ({_struck(packed)}); check HF_ENDPOINT")
    start, count = time.monotonic(), 0
    for part in answer.iter_raw():
        yield from (part[at : at + CHUNK] for at in range(0, len(part), CHUNK))
        count, spent = count + len(part), time.monotonic() - start
        if spent > FREE_SECONDS and count < BYTES_A_SECOND * spent:
            said = f"{count:,} bytes came in {spent:.0f} s, too slowly"
            raise TimeoutError(f"{_struck(str(answer.url))}: {said}; run the same command again later")


def _raise_for_status(answer: Any) -> None:
    """Raises as the hub's client does, which reads all that is said of an error: it gets the beginning only."""
    from huggingface_hub.utils import hf_raise_for_status

    if answer.is_error:
        headers, said = {k: v for k, v in answer.headers.items() if k not in FRAMING}, bytearray()
        for part in _parts(answer) if "Content-Encoding" not in answer.headers else ():
            said += part
            if len(said) > ERROR_BYTES:
                break
        answer = type(answer)(answer.status_code, headers=headers, content=bytes(said[:ERROR_BYTES]), request=answer.request)
    hf_raise_for_status(answer)


@contextmanager
def _explained(hub: Hub, name: str = "") -> Iterator[None]:
    """Lets the errors of the hub's client say what to do. The client's token is struck out of what a server says."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalEntryNotFoundError

    place = f"{hub.where}/{name}" if name else hub.where
    try:
        yield
    except (HTTPError, RuntimeError, LocalEntryNotFoundError) as error:
        cause = error if isinstance(error, HTTPError) or error.__cause__ is None else error.__cause__
        said = _struck(str(getattr(cause, "server_message", None) or cause))
        if not isinstance(cause, HfHubHTTPError):
            hint = "check the connection and HF_ENDPOINT, then run the same command again"
            raise ConnectionError(f"{place}: no whole answer from {_struck(hub._api().endpoint)} ({said}); {hint}") from None
        status = cause.response.status_code
        kind, hint = HINTS.get(status, HINTS[503] if status >= 500 else (OSError, "the hub's words say why"))
        raise kind(f"{place}: {hint} (the hub answered {status}: {said})") from None


HINTS: dict[int, tuple[type[OSError], str]] = {
    401: (PermissionError, "log in by `hf auth login` or set HF_TOKEN to a valid token; or there is no such repository"),
    403: (PermissionError, "the token may not do this: publishing needs write access, gated data the owner's consent"),
    404: (FileNotFoundError, "no such repository, revision or file, or it is private and the token may not see it"),
    409: (FileExistsError, "something else of this name is there already"),
    412: (BlockingIOError, "somebody else has committed in the meantime"),
    429: (ConnectionError, "the hub is asked too often; run the same command again later, it goes on where it stopped"),
    503: (ConnectionError, "the hub is unwell; run the same command again later, it goes on where it stopped"),
}


def _struck(text: str) -> str:
    """Foreign words as one short line, without the token and without the password of an address."""
    from huggingface_hub import get_token

    text = text.replace(get_token() or "\0", "***")
    text = re.sub(r"//[^/@\s]+@", "//***@", text)
    return re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", text).strip()[:300]
