"""Where releases lie: in a folder, in an S3 bucket, on a Hugging Face hub. One way to list, read, put and finish."""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from zoo import files

Content = Path | bytes
T = TypeVar("T")

RELEASE = "metazoo-release-1"  # the format that a release's zoo.json names
CLAIM = ".publishing"  # lies in a folder or a bucket while a publish is at work there; has its manifest's SHA-256
CHUNK = 4 << 20  # bytes read at once
TRIES = 5  # of a request that the hub answers with 429 or 5xx; the waits add up to 15 seconds
HUB = re.compile(
    r"hf://datasets/(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[^/@\s]+))?(?:/(?P<folder>[\w./-]*))?", re.ASCII
)
BUCKET = re.compile(r"s3://(?P<root>[a-z0-9][a-z0-9.-]+(?:/[^\x00-\x1f?#\\]*)?)", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Entry:
    """A file of a remote: bytes, and its SHA-256 or git's SHA-1 of it where the remote knows them, else None."""

    size: int
    sha256: str | None = None
    blob: str | None = None


@runtime_checkable
class Remote(Protocol):
    """A place of releases. A commit is a hub's; other places keep one state only and take and give None."""

    @property
    def where(self) -> str:
        """Its address, without the revision."""

    def pin(self) -> str | None:
        """The commit that the revision stands for now. Raises FileNotFoundError where there is none."""

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its files by name; those of `digests` with their SHA-256 even where that costs a look at each."""

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on. Raises ConnectionError where they break off: read again from there."""

    def copy(self, name: str, folder: Path, *, commit: str | None) -> Path:
        """A file as its users get it, brought into an empty folder so that no cache answers."""

    def begin(self, digest: str, *, private: bool) -> None:
        """Prepares for a release of this manifest. Raises BlockingIOError where another is being published."""

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Writes files in this order and removes others; on a hub as one commit, which it returns, on top of `parent`.

        Raises BlockingIOError where `parent` is no longer the newest commit.
        """

    def tags(self) -> dict[str, str]:
        """The commit of each tag."""

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Ends a publish: sets the tag if there is one to set."""


def locate(text: str, *, revision: str | None = None) -> Remote:
    """The place of this address: `hf://datasets/USER/NAME[@REVISION][/FOLDER]`, `s3://bucket/prefix` or a folder.

    Raises ValueError for other addresses, and for a revision where there are none.
    """
    if match := HUB.fullmatch(text):
        if revision and match["revision"] not in (None, revision):
            raise ValueError(f"{text} and the revision {revision!r}: give one of them")
        return Hub(match["repo"], revision or match["revision"], _clean(match["folder"] or "", text))
    if revision:
        raise ValueError(f"{text} has no revisions, found {revision!r}; only hf://datasets/USER/NAME has")
    if match := BUCKET.fullmatch(text):
        return Bucket(_clean(match["root"], text))
    if re.match(r"[A-Za-z0-9+.-]+://", text):
        kinds = "hf://datasets/USER/NAME[@REVISION], s3://bucket/prefix or a folder's path"
        raise ValueError(f"no place of releases: {text!r}; expected {kinds}")
    return Folder(Path(text).expanduser())


def _clean(path: str, text: str) -> str:
    parts = path.rstrip("/").split("/") if path else []
    if {"", ".", ".."} & set(parts):
        raise ValueError(f"{text}: an address may not have empty parts, `.` or `..`")
    return "/".join(parts)


def git_blob(content: Content) -> str:
    """Git's name of a file's content."""
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    if isinstance(content, bytes):
        digest.update(content)
        return digest.hexdigest()
    with content.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _claim(remote: Remote, digest: str, create: Callable[[bytes], bool]) -> None:
    """Takes a folder or a bucket for one publish; `create` writes the claim unless there is one.

    The claim of a killed publish stands, and lets the same release go on. Raises BlockingIOError where another release
    holds it, FileExistsError where other things than a release lie there.
    """
    there = remote.listing(None)
    if CLAIM not in there:
        if there and not _holds_release(remote, there):
            raise FileExistsError(f"{remote.where} holds {len(there)} files that are no release; publish to an empty place")
        if create(digest.encode()):
            return
    if b"".join(remote.read(CLAIM, commit=None)).decode(errors="replace") != digest:
        raise BlockingIOError(
            f"another release is being published to {remote.where}, or was and did not end: wait for it or run it again; "
            f"if it is given up, delete {CLAIM} there"
        )


def _holds_release(remote: Remote, there: dict[str, Entry]) -> bool:
    try:
        about = json.loads(b"".join(remote.read("zoo.json", commit=None))) if "zoo.json" in there else None
    except ValueError:
        return False
    return isinstance(about, dict) and about.get("format") == RELEASE


@dataclass(frozen=True)
class Folder:
    """A plain folder; every file in it is whole or absent."""

    path: Path

    @property
    def where(self) -> str:
        """Its path."""
        return str(self.path)

    def pin(self) -> str | None:
        """None. Raises FileNotFoundError where there is no such folder."""
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path}: no such folder")
        return None

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its files by name, hidden ones left out; a digest costs reading the file."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_file() and (name == CLAIM or not re.search(r"(^|/)\.", name)):
                found[name] = Entry(path.stat().st_size, files.sha256(path) if name in digests else None)
        return found

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on."""
        with (self.path / name).open("rb") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def copy(self, name: str, folder: Path, *, commit: str | None) -> Path:
        """The file where it lies: nothing stands between it and its users."""
        return self.path / name

    def begin(self, digest: str, *, private: bool) -> None:
        """Makes the folder, and claims it."""
        self.path.mkdir(parents=True, exist_ok=True)
        _claim(self, digest, lambda data: files.publish(self.path / CLAIM, data))

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Writes each file aside and renames it."""
        for name, content in contents.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            files.write(self.path / name, content if isinstance(content, bytes) else content.read_bytes())
        for name in remove:
            (self.path / name).unlink(missing_ok=True)
        return None

    def tags(self) -> dict[str, str]:
        """None: a folder has no tags."""
        return {}

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Gives the claim back."""
        (self.path / CLAIM).unlink(missing_ok=True)


@contextmanager
def _explained_s3(where: str) -> Iterator[None]:
    """Lets the errors of S3's client say what to do."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        raise PermissionError(f"{where}: no credentials for S3; {hint}") from None
    except BotoCoreError as error:
        hint = "check the connection and AWS_ENDPOINT_URL, then run the same command again"
        raise ConnectionError(f"{where}: {str(error)[:300]}; {hint}") from None
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: no such bucket or object ({str(error)[:200]}); check the address") from None
    except (BlockingIOError, FileExistsError):
        raise
    except PermissionError as error:
        hint = "check that these credentials may list, read and, to publish, write there"
        raise PermissionError(f"{where}: S3 refuses ({str(error)[:200]}); {hint}") from None
    except OSError as error:
        raise ConnectionError(f"{where}: {str(error)[:300]}; run the same command again") from None


@dataclass(frozen=True)
class Bucket:
    """A prefix of an S3 bucket. Credentials and the endpoint are boto's own: AWS_* variables, profiles, roles."""

    root: str  # bucket/prefix

    @property
    def where(self) -> str:
        """Its address."""
        return f"s3://{self.root}"

    @cached_property
    def _fs(self) -> Any:
        try:
            import s3fs
        except ImportError:
            raise ImportError('s3:// needs the package s3fs: pip install "metazoo[s3]"') from None
        return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)

    def pin(self) -> str | None:
        """None: a bucket keeps one state."""
        return None

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its objects by name; a digest costs a request, and is what the object's uploader put in its metadata."""
        fs = self._fs
        with _explained_s3(self.where):
            found = {path.removeprefix(self.root + "/"): info for path, info in fs.find(self.root, detail=True).items()}
            known = {n: fs.metadata(f"{self.root}/{n}").get("sha256") for n in found if n in digests}
        return {name: Entry(int(info["size"]), known.get(name)) for name, info in found.items()}

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """An object's bytes from `start` on."""
        fs = self._fs
        with _explained_s3(f"{self.where}/{name}"), fs.open(f"{self.root}/{name}", "rb", cache_type="none") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def copy(self, name: str, folder: Path, *, commit: str | None) -> Path:
        """An object, downloaded."""
        path = folder / Path(name).name
        with _explained_s3(f"{self.where}/{name}"):
            self._fs.get_file(f"{self.root}/{name}", str(path))
        return path

    def begin(self, digest: str, *, private: bool) -> None:
        """Claims the prefix by an object that only one of many can create."""
        _claim(self, digest, self._create_claim)

    def _create_claim(self, data: bytes) -> bool:
        with _explained_s3(self.where):
            try:
                self._fs.pipe_file(f"{self.root}/{CLAIM}", data, mode="create")
            except FileExistsError:
                return False
        return True

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Writes each object with its SHA-256 as metadata; S3 shows an object when it is whole."""
        fs = self._fs
        for name, content in contents.items():
            path, extra = f"{self.root}/{name}", {"Metadata": {"sha256": digests[name]}}
            with _explained_s3(path):
                if isinstance(content, bytes):
                    fs.pipe_file(path, content, **extra)
                else:
                    fs.put_file(str(content), path, **extra)
        for name in remove:
            with _explained_s3(f"{self.where}/{name}"):
                fs.rm_file(f"{self.root}/{name}")
        return None

    def tags(self) -> dict[str, str]:
        """None: a bucket has no tags."""
        return {}

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Gives the claim back."""
        with _explained_s3(self.where):
            self._fs.rm_file(f"{self.root}/{CLAIM}")


@dataclass(frozen=True)
class Hub:
    """A dataset repository of the hub at HF_ENDPOINT, huggingface.co unless that is set.

    The token is the environment's (HF_TOKEN) or that of `hf auth login`; it is the client's affair, and never seen here.
    """

    repo: str  # USER/NAME
    revision: str | None = None  # a branch, tag or commit; None is main
    folder: str = ""  # inside the repository

    @property
    def where(self) -> str:
        """Its address, without the revision."""
        return f"hf://datasets/{self.repo}" + (f"/{self.folder}" if self.folder else "")

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    def _api(self) -> Any:
        try:
            from huggingface_hub import HfApi
        except ImportError:
            raise ImportError('hf:// needs the package huggingface_hub: pip install "metazoo[hub]"') from None
        return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)

    def _ask(self, function: str, **arguments: Any) -> Any:
        """Calls the hub, again while it is busy. For what the client itself does not ask again."""
        api = self._api()
        with _explained_hub(self, api.endpoint):
            return _patiently(lambda: getattr(api, function)(repo_id=self.repo, repo_type="dataset", **arguments))

    def pin(self) -> str | None:
        """The commit of the revision; a commit's own name is taken as it is."""
        if self.revision and COMMIT.fullmatch(self.revision):
            return self.revision
        return self._ask("repo_info", revision=self.revision).sha

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its files by name: of those that LFS or Xet keeps with their SHA-256, of others with git's SHA-1."""
        api, prefix = self._api(), self.folder + "/" if self.folder else ""
        asked = {"repo_id": self.repo, "repo_type": "dataset", "revision": commit, "recursive": True}
        with _explained_hub(self, api.endpoint):
            tree = _patiently(lambda: list(api.list_repo_tree(path_in_repo=self.folder or None, **asked)))
        found = {item.path.removeprefix(prefix): item for item in tree if hasattr(item, "size")}
        return {n: Entry(i.size, i.lfs.sha256 if i.lfs else None, None if i.lfs else i.blob_id) for n, i in found.items()}

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on, by plain HTTP and past all caches."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_stream_backoff

        api = self._api()
        url = hf_hub_url(self.repo, self._path(name), repo_type="dataset", revision=commit, endpoint=api.endpoint)
        headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        # Broken connections are not asked again here: the caller knows how far it got.
        asked = http_stream_backoff("GET", url, headers=headers, retry_on_exceptions=(), max_retries=TRIES - 1)
        with _explained_hub(self, api.endpoint, name), asked as answer:
            if answer.status_code != 501:
                hf_raise_for_status(answer)
                skip = start if answer.status_code == 200 else 0  # it took no notice of the range
                for chunk in answer.iter_bytes(CHUNK):
                    yield chunk[skip:]
                    skip = max(0, skip - len(chunk))
                return
        with tempfile.TemporaryDirectory() as fresh:  # a hub that has the file in its Xet store only
            yield from Folder(self.copy(name, Path(fresh), commit=commit).parent).read(
                Path(name).name, commit=None, start=start
            )

    def copy(self, name: str, folder: Path, *, commit: str | None) -> Path:
        """A file as the hub's own client downloads it into a new cache, by Xet where that is in use."""
        api = self._api()
        with _explained_hub(self, api.endpoint, name):
            asked = {"repo_type": "dataset", "revision": commit, "cache_dir": folder}
            return Path(api.hf_hub_download(self.repo, self._path(name), **asked))

    def begin(self, digest: str, *, private: bool) -> None:
        """Creates the repository if there is none."""
        if self.folder:
            raise ValueError(f"{self.where}: a release is a whole repository; publish to hf://datasets/{self.repo}")
        try:
            self.pin()
        except FileNotFoundError:
            self._ask("create_repo", private=private, exist_ok=True)

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Uploads what the hub has not, then commits it all at once."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        api, at = self._api(), {"repo_id": self.repo, "repo_type": "dataset", "revision": self.revision or "main"}
        added = [CommitOperationAdd(n, c if isinstance(c, bytes) else str(c)) for n, c in contents.items()]
        operations = [*added, *(CommitOperationDelete(name) for name in remove)]
        with _explained_hub(self, api.endpoint):
            # Done before the commit, and not within it: this part asks a busy hub again by itself, the commit does not.
            api.preupload_lfs_files(additions=added, free_memory=False, **at)
            message = f"metazoo publish: {len(added)} files" + (f", {len(remove)} removed" if remove else "")
            asked = {"operations": operations, "commit_message": message, "parent_commit": parent}
            return _patiently(lambda: api.create_commit(**asked, **at)).oid

    def tags(self) -> dict[str, str]:
        """The commit of each tag."""
        return {tag.name: tag.target_commit for tag in self._ask("list_repo_refs").tags}

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Sets the tag."""
        if tag is not None:
            self._ask("create_tag", tag=tag, revision=commit)


def _patiently(call: Callable[[], T]) -> T:
    """Calls again while the hub answers 429 or 5xx, after a second, two, four and so on, or what it asks for."""
    from huggingface_hub.errors import HfHubHTTPError

    for wait in [2**number for number in range(TRIES - 1)]:
        try:
            return call()
        except HfHubHTTPError as error:
            if error.response.status_code != 429 and error.response.status_code < 500:
                raise
            asked = error.response.headers.get("Retry-After", "")
            time.sleep(min(int(asked), 60) if asked.isdecimal() else wait)
    return call()


@contextmanager
def _explained_hub(hub: Hub, endpoint: str, name: str = "") -> Iterator[None]:
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
            raise ConnectionError(f"{place}: no whole answer from {_struck(endpoint)} ({said}); {hint}") from None
        status = cause.response.status_code
        kind, hint = HINTS.get(status, HINTS[503] if status >= 500 else (OSError, "the hub's words say why"))
        raise kind(f"{place}: {hint} (the hub answered {status}: {said})") from None


HINTS: dict[int, tuple[type[OSError], str]] = {
    401: (
        PermissionError,
        "log in by `hf auth login` or set HF_TOKEN to a token that is valid; or there is no such repository",
    ),
    403: (
        PermissionError,
        "the token may not do this: publishing needs one with write access, gated data the owner's consent",
    ),
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
