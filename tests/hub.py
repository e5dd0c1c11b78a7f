"""A small server on loopback that speaks the Hugging Face Hub's routes, so that unmodified clients can be tested.

`with Hub(folder) as hub:` serves at `hub.url`; writes need `hub.token`. It keeps contents as files under `folder`
and everything else in memory. Routes and answers follow what huggingface_hub 2.4, the `hf` command, `datasets` 5.2
and @huggingface/hub 2.17 call; test_hub_server.py runs these clients against it. A new route is a function of
`(hub, request, match)` that returns a `Reply`, and one line in `ROUTES`.
"""

import base64
import fnmatch
import hashlib
import json
import re
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LFS_PATTERNS = ("*.h5", "*.parquet", "*.png", "*.safetensors")
LFS_BYTES = 10_000_000  # the hub's own limit for files that git keeps itself
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()
DATE = "2026-01-01T00:00:00.000Z"  # every commit's: clients parse it, nothing depends on it


@dataclass(frozen=True)
class Blob:
    """One content: its SHA-256 (its file's name under the hub's folder), size in bytes, and whether git or LFS keeps it."""

    sha256: str
    size: int
    lfs: bool
    oid: str  # git's name: SHA-1 of the content, or of the pointer file where LFS keeps it
    xet: str | None = None  # its name in the Xet store, if it lies there and not under the hub's folder


@dataclass(frozen=True)
class Commit:
    """A state of a repository: path -> blob. The history is linear."""

    oid: str
    parent: str | None
    title: str
    files: dict[str, Blob]


@dataclass
class Repo:
    """A repository with its commits, by their names, and what branches and tags point to."""

    kind: str  # "dataset", "model" or "space"
    name: str  # USER/NAME
    private: bool = False
    gated: bool = False  # its files answer 403, its description does not
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)  # LFS objects that this repository has, by SHA-256


@dataclass(kw_only=True)
class Fault:
    """What goes wrong, once `after` more requests have matched, for the `times` requests that follow."""

    method: str  # "*" for any
    path: str  # a regular expression that is found in the path
    after: int = 0
    times: int = 1
    status: int | None = None  # answers this instead; 429 and 503 with `Retry-After: 0`
    code: str = ""  # ... with this X-Error-Code
    body: str | None = None  # carries the request out, then: "cut" sends half of the body, "wrong" other bytes of the
    # same length, "drop" closes the connection without an answer
    call: Callable[[], object] | None = None  # is called first, as when a test kills its client at this request

    def strikes(self, request: "Request") -> bool:
        """Whether this request is hit; counts it."""
        if self.times == 0 or self.method not in ("*", request.method) or not re.search(self.path, request.path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Logged(NamedTuple):
    """A request as it was answered. `authorised`: whether a token was sent; the token itself is never kept."""

    method: str
    path: str
    status: int  # 0: the connection was closed without an answer
    received: int  # bytes of the request's body
    authorised: bool


class Request(NamedTuple):
    """A request as routes see it."""

    method: str
    path: str  # still percent-encoded, without the query
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass
class Reply:
    """An answer: bytes go out as they are, other values as JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 -- it is the answer, not a mistake of the server
    """An answer that is an error, with the code from which clients choose the exception to raise."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = Reply({"error": message}, status, {"X-Error-Code": code, "X-Error-Message": message})


class Hub:
    """The server. `xet=True` offers hf_xet's file-system store (hf_xet 1.8), otherwise clients must disable Xet."""

    def __init__(self, folder: Path, *, xet: bool = False) -> None:
        self.folder, self.xet, self.token = folder, xet, "hf_token_of_the_test_hub"
        self.repos: dict[tuple[str, str], Repo] = {}
        self.log: list[Logged] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        (folder / "cas").mkdir(exist_ok=True)
        self.server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def environment(self, home: Path) -> dict[str, str]:
        """Variables that point a client's process, and it alone, to this server; `home` holds its caches and token."""
        names = ("TELEMETRY", "UPDATE_CHECK", "PROGRESS_BARS", *(() if self.xet else ("XET",)))
        disabled = {f"HF_HUB_DISABLE_{name}": "1" for name in names}
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_TOKEN": self.token, **disabled}

    # What tests do behind the clients' backs.

    def fault(self, method: str, path: str, **what: Any) -> Fault:
        """Let requests go wrong, as `Fault` says; of several faults the first set strikes first."""
        self.faults.append(Fault(method=method, path=path, **what))
        return self.faults[-1]

    def repo(self, name: str, *, kind: str = "dataset") -> Repo:
        """The repository USER/NAME, which must exist."""
        return self.repos[kind, name]

    def move_tag(self, repo: str, tag: str, commit: str) -> None:
        """Let a tag point elsewhere, which the hub itself never does to a tag in use."""
        self.repo(repo).tags[tag] = commit

    def add_file(self, repo: str, path: str, content: bytes) -> str:
        """Commit a file to main under any name, also those that no client would send; returns the commit."""
        owner = self.repo(repo)
        lfs = is_lfs(path, len(content))
        files = {**owner.commits[owner.branches["main"]].files, path: self.store(content, lfs=lfs)}
        if lfs:
            owner.objects.add(files[path].sha256)
        return self.commit(owner, "main", f"add {path}", files).oid

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Every path of a revision with its content: what clients should see."""
        found = self.revision(self.repo(repo), revision).files
        return {path: self.content(blob.sha256) for path, blob in found.items()}

    def uploads(self) -> list[Logged]:
        """The requests that carried an LFS object."""
        return [entry for entry in self.log if entry.method == "PUT"]

    # What the routes do.

    def store(self, content: bytes, *, lfs: bool) -> Blob:
        """Keep a content and describe it."""
        sha256 = hashlib.sha256(content).hexdigest()
        (self.folder / "objects" / sha256).write_bytes(content)
        return self.blob(sha256, len(content), lfs=lfs)

    def blob(self, sha256: str, size: int, *, lfs: bool) -> Blob:
        """Describe a content that is kept here, or where LFS keeps it perhaps in the Xet store."""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        content = pointer if lfs else self.content(sha256)
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        return Blob(sha256, size, lfs, oid, self.xet_names().get(sha256) if lfs else None)

    def content(self, sha256: str) -> bytes:
        return (self.folder / "objects" / sha256).read_bytes()

    def xet_names(self) -> dict[str, str]:
        """SHA-256 -> Xet hash of every file in hf_xet's file-system store, from its shards (huggingface.co/docs/xet/shard).

        Records have 48 bytes: a file's header, one for each segment, with flag 31 as many again, with flag 30 one that
        holds the SHA-256; the list of files ends with a header of ones. Hashes are written as four 64-bit numbers.
        """
        names: dict[str, str] = {}
        for shard in (self.folder / "cas" / "xet" / "xorbs" / "shards").glob("*.mdb"):
            data, at = shard.read_bytes(), 48
            while data[at : at + 32] != b"\xff" * 32:
                flags, segments = struct.unpack_from("<2I", data, at + 32)
                extra = at + 48 * (1 + segments * (2 if flags >> 31 else 1))
                if flags >> 30 & 1:
                    names[xet_hex(data, extra)] = xet_hex(data, at)
                at = extra + 48 * (flags >> 30 & 1)
        return names

    def commit(self, repo: Repo, branch: str, title: str, files: dict[str, Blob]) -> Commit:
        """Make a commit and move the branch to it."""
        parent = repo.branches.get(branch)
        listed = sorted((path, blob.sha256) for path, blob in files.items())
        text = json.dumps([repo.kind, repo.name, branch, parent, title, len(repo.commits), listed])
        oid = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        repo.commits[oid] = Commit(oid, parent, title, files)
        repo.branches[branch] = oid
        return repo.commits[oid]

    def revision(self, repo: Repo, revision: str) -> Commit:
        """The commit that a branch, a tag or a commit's own name stands for."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        oid = repo.branches.get(name) or repo.tags.get(name) or name
        if oid not in repo.commits:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repo.commits[oid]

    def signed_in(self, request: Request) -> bool:
        """Whether the token came with this request. No token is no mistake, another one is."""
        sent = request.headers.get("authorization")
        if sent not in (None, f"Bearer {self.token}"):
            raise Refusal(401, "", "Invalid credentials in Authorization header")
        return sent is not None

    def must_sign_in(self, request: Request) -> None:
        if not self.signed_in(request):
            raise Refusal(401, "", "Invalid username or password.")

    def open(self, request: Request, match: re.Match[str], *, write: bool = False) -> Repo:
        """The repository that a route names, if this client may read it, or with `write` change it."""
        kind = (match["kind"] or "models").rstrip("s/")
        found, signed_in = self.repos.get((kind, match["repo"])), self.signed_in(request)
        if found is None or (found.private and not signed_in):
            raise Refusal(404 if signed_in else 401, "RepoNotFound", "Repository not found")
        if write and not signed_in:
            raise Refusal(401, "RepoNotFound", "Invalid username or password.")
        return found

    def answer(self, request: Request) -> Reply:
        """What the first route that matches says."""
        try:
            for method, pattern, route in ROUTES:
                if method == request.method.replace("HEAD", "GET") and (match := re.fullmatch(pattern, request.path)):
                    with self.lock:
                        return route(self, request, match)
            raise Refusal(404, "", f"No route for {request.method} {request.path}")
        except Refusal as refusal:
            return refusal.reply


def xet_hex(data: bytes, at: int) -> str:
    """The hash at this place as Xet writes it."""
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", data, at))


def is_lfs(path: str, size: int) -> bool:
    """Whether the hub keeps such a file as an LFS object."""
    return size > LFS_BYTES or any(fnmatch.fnmatch(path, pattern) for pattern in LFS_PATTERNS)


def entry(path: str, blob: Blob) -> dict[str, Any]:
    """A file as the tree lists it."""
    listed: dict[str, Any] = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
    if blob.lfs:
        listed["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 125 + len(str(blob.size))}
    if blob.xet:
        listed["xetHash"] = blob.xet
    return listed


def walk(commit: Commit, folder: str, *, recursive: bool) -> Iterator[dict[str, Any]]:
    """The files and folders inside `folder`, which is "" at the top, as the tree lists them."""
    prefix, seen = folder + "/" if folder else "", set()
    for path, blob in sorted(commit.files.items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            name = prefix + "/".join(parts[:depth])
            if name not in seen:
                seen.add(name)
                oid = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
                yield {"type": "directory", "oid": oid, "size": 0, "path": name}
        if recursive or len(parts) == 1:
            yield entry(path, blob)


# The routes, in the order of ROUTES.


def whoami(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    hub.must_sign_in(request)
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write", "createdAt": DATE}}
    return Reply({"type": "user", "id": "1", "name": "user", "fullname": "A User", "orgs": [], "auth": token})


def validate_yaml(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    front = re.match(r"\ufeff?---\r?\n(.*?)\r?\n---\s*(\n|$)", request.json()["content"], re.DOTALL)
    errors, warnings = [], []
    try:
        if front is None or yaml.safe_load(front[1]) is None:
            warnings.append({"message": "empty or missing yaml metadata in repo card"})
        elif not isinstance(yaml.safe_load(front[1]), dict):
            errors.append({"message": "the metadata is not a mapping"})
    except yaml.YAMLError as error:
        errors.append({"message": f"invalid yaml: {error}"})
    return Reply({"errors": errors, "warnings": warnings}, 400 if errors else 200)


def create_repo(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    hub.must_sign_in(request)
    asked = request.json()
    kind, name = asked.get("type") or "model", f"{asked.get('organization') or 'user'}/{asked['name']}"
    url = f"{hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
    if (kind, name) in hub.repos:
        return Reply({"error": "You already created this repo", "url": url, "id": name, "name": name}, 409)
    private = asked.get("private") is True or asked.get("visibility") == "private"
    repo = hub.repos[kind, name] = Repo(kind, name, private)
    hub.commit(repo, "main", "initial commit", {".gitattributes": hub.store(ATTRIBUTES, lfs=False)})
    return Reply({"url": url, "id": name, "name": name})


def delete_repo(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    hub.must_sign_in(request)
    asked = request.json()
    name = f"{asked.get('organization') or 'user'}/{asked['name']}"
    if hub.repos.pop((asked.get("type") or "model", name), None) is None:
        raise Refusal(404, "RepoNotFound", "Repository not found")
    return Reply({})


def preupload(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match, write=True)
    commit, files = hub.revision(repo, unquote(match["revision"])), []
    for asked in request.json()["files"]:
        path, lfs = asked["path"], is_lfs(asked["path"], asked["size"])
        blob = commit.files.get(path)
        oid = {"oid": blob.sha256 if blob.lfs else blob.oid} if blob else {}
        files.append({"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, **oid})
    return Reply({"files": files, "commitOid": commit.oid})


def lfs_batch(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo, objects = hub.open(request, match, write=True), []
    for asked in request.json()["objects"]:
        href = f"{hub.url}/lfs/{repo.kind}s/{repo.name}/{asked['oid']}"
        actions = {"upload": {"href": href}, "verify": {"href": href + "/verify"}}
        objects.append({**asked, **({} if asked["oid"] in repo.objects else {"actions": actions})})
    return Reply({"transfer": "basic", "objects": objects})


def lfs_put(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    """Take an object. Like a pre-signed address of S3, this needs no token, and the content must be what it is named."""
    found = hashlib.sha256(request.body).hexdigest()
    if found != match["oid"]:
        raise Refusal(400, "", f"The content's SHA-256 is {found}, expected {match['oid']}")
    hub.store(request.body, lfs=True)
    hub.repos[match["kind"].rstrip("s/"), match["repo"]].objects.add(found)
    return Reply(headers={"ETag": f'"{found}"'})


def lfs_verify(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo, asked = hub.open(request, match, write=True), request.json()
    if asked["oid"] not in repo.objects or len(hub.content(asked["oid"])) != asked["size"]:
        raise Refusal(404, "EntryNotFound", f"There is no object {asked['oid']} of {asked['size']} bytes")
    return Reply({})


def commit(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo, branch = hub.open(request, match, write=True), unquote(match["revision"])
    if branch not in repo.branches:
        raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {branch}")
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    if header.get("parentCommit") not in (None, "", repo.branches[branch]):
        raise Refusal(412, "", "A commit has happened since. Please refresh and try again.")
    files = dict(repo.commits[repo.branches[branch]].files)
    for line in lines:
        apply(hub, repo, files, line["key"], line["value"])
    made = hub.commit(repo, branch, header["summary"], files)
    url = f"{hub.url}/{'' if repo.kind == 'model' else repo.kind + 's/'}{repo.name}/commit/{made.oid}"
    return Reply({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


def apply(hub: Hub, repo: Repo, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
    """Carry one operation of a commit out on `files`."""
    path = value.get("path", "")
    if key != "header" and (not path or {"", ".", ".."} & set(path.rstrip("/").split("/"))):
        raise Refusal(400, "", f"Invalid path {path!r}")
    if key == "file":
        files[path] = hub.store(base64.b64decode(value["content"]), lfs=False)
    elif key == "lfsFile":
        if value["oid"] not in repo.objects and not (hub.xet and value["oid"] in hub.xet_names()):
            raise Refusal(400, "", f"{path}: the LFS object {value['oid']} was never uploaded")
        known = {blob.sha256: blob.size for made in repo.commits.values() for blob in made.files.values()}
        files[path] = hub.blob(value["oid"], value.get("size") or known[value["oid"]], lfs=True)  # a copy has no size
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            del files[name]


def describe(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match)
    found = hub.revision(repo, unquote(match["revision"] or "main"))
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in sorted(found.files)]
    if "blobs" in request.query:
        for sibling in siblings:
            listed = entry(sibling["rfilename"], found.files[sibling["rfilename"]])
            sibling |= {"size": listed["size"], "blobId": listed["oid"]}
            if "lfs" in listed:
                sibling["lfs"] = {**listed["lfs"], "sha256": listed["lfs"]["oid"]}
    flags = {"private": repo.private, "gated": "auto" if repo.gated else False, "disabled": False}
    dates = {"lastModified": DATE, "createdAt": DATE}
    return Reply({"id": repo.name, "author": repo.name.split("/")[0], "sha": found.oid, **flags, **dates,
                  "downloads": 0, "likes": 0, "tags": [], "siblings": siblings})  # fmt: skip


def tree(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    found = hub.revision(hub.open(request, match), unquote(match["revision"]))
    folder = unquote(match["path"] or "").strip("/")
    listed = list(walk(found, folder, recursive=request.query.get("recursive", "").lower() in ("true", "1")))
    if folder and not listed:
        raise Refusal(404, "EntryNotFound", f"{folder} does not exist on {match['revision']}")
    return Reply(listed)


def paths_info(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    found = hub.revision(hub.open(request, match), unquote(match["revision"]))
    json_sent = request.headers.get("content-type", "").startswith("application/json")
    paths = request.json()["paths"] if json_sent else parse_qs(request.body.decode())["paths"]
    listed = {item["path"]: item for item in walk(found, "", recursive=True)}
    return Reply([listed[path.strip("/")] for path in paths if path.strip("/") in listed])


def refs(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match)
    branches = [{"name": k, "ref": f"refs/heads/{k}", "targetCommit": v} for k, v in sorted(repo.branches.items())]
    tags = [{"name": k, "ref": f"refs/tags/{k}", "targetCommit": v} for k, v in sorted(repo.tags.items())]
    return Reply({"branches": branches, "converts": [], "tags": tags, "pullRequests": []})


def commits(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo, history = hub.open(request, match), []
    oid: str | None = hub.revision(repo, unquote(match["revision"])).oid
    while oid is not None:
        history.append({"id": oid, "title": repo.commits[oid].title, "message": "", "date": DATE, "authors": []})
        oid = repo.commits[oid].parent
    return Reply(history)


def create_ref(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    """Make a tag of a revision (the tag is in the body), or a branch (it is in the path)."""
    repo, revision, asked = hub.open(request, match, write=True), unquote(match["revision"]), request.json()
    if match["ref"] == "tag":
        names, name, target = repo.tags, asked["tag"], revision
    else:
        names, name, target = repo.branches, revision, asked.get("startingPoint") or "main"
    oid = hub.revision(repo, target).oid
    if name in names:
        raise Refusal(409, "", f"Reference already exists: {name}")
    names[name] = oid
    return Reply({})


def delete_ref(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match, write=True)
    names = repo.tags if match["ref"] == "tag" else repo.branches
    if names.pop(unquote(match["revision"]), None) is None:
        raise Refusal(404, "RevisionNotFound", f"There is no {match['ref']} {match['revision']}")
    return Reply({})


def resolve(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    repo, path = hub.open(request, match), unquote(match["path"])
    if repo.gated:
        raise Refusal(403, "GatedRepo", f"Access to {repo.name} is restricted")
    found = hub.revision(repo, unquote(match["revision"]))
    if path not in found.files:
        reply = Refusal(404, "EntryNotFound", "Entry not found").reply
        reply.headers["X-Repo-Commit"] = found.oid
        return reply
    blob = found.files[path]
    headers = {"X-Repo-Commit": found.oid, "Accept-Ranges": "bytes", "ETag": f'"{blob.sha256 if blob.lfs else blob.oid}"'}
    if blob.lfs:
        headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": f'"{blob.sha256}"'}
    if blob.xet and blob.sha256 not in repo.objects:
        route = f"{hub.url}/api/{repo.kind}s/{repo.name}/xet-read-token/{found.oid}"
        status = 200 if request.method == "HEAD" else 501  # the contents are in a form that only hf_xet reads
        return Reply(b"", status, headers | {"X-Xet-Hash": blob.xet, "X-Xet-Refresh-Route": route})
    return cut_range(hub.content(blob.sha256), request.headers.get("range", ""), headers)


def xet_token(hub: Hub, request: Request, match: re.Match[str]) -> Reply:
    """Where the Xet store lies, for huggingface_hub in headers and for hf_xet as JSON: here a folder, not an address."""
    hub.open(request, match, write=match["access"] == "write")
    if not hub.xet:
        raise Refusal(404, "", "This hub has no Xet store: set HF_HUB_DISABLE_XET=1, or open it with xet=True")
    url, expires = f"local://{(hub.folder / 'cas').absolute()}", int(time.time()) + 3600
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": "unused", "X-Xet-Token-Expiration": str(expires)}
    return Reply({"casUrl": url, "accessToken": "unused", "exp": expires}, 200, headers)


def cut_range(content: bytes, asked: str, headers: dict[str, str]) -> Reply:
    """The whole content, or the range of bytes that was asked for (RFC 9110, section 14; one range)."""
    match, size = re.fullmatch(r"bytes=(\d*)-(\d*)", asked), len(content)
    if match is None or match[0] == "bytes=-":
        return Reply(content, 200, headers)
    start = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    stop = min(int(match[2]) + 1, size) if match[1] and match[2] else size
    if start >= stop:
        return Reply(b"", 416, {**headers, "Content-Range": f"bytes */{size}"})
    return Reply(content[start:stop], 206, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"})


API = r"/api/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+/[^/]+)"
WEB = r"/(?P<kind>datasets/|spaces/)?(?P<repo>[^/]+/[^/]+)"
AT = r"/(?P<revision>[^/]+)"
OBJECT = r"/lfs/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+/[^/]+)/(?P<oid>[0-9a-f]{64})"
ROUTES: list[tuple[str, str, Callable[[Hub, Request, re.Match[str]], Reply]]] = [
    ("GET", "/api/whoami-v2", whoami),
    ("POST", "/api/validate-yaml", validate_yaml),
    ("POST", "/api/repos/create", create_repo),
    ("DELETE", "/api/repos/delete", delete_repo),
    ("POST", API + "/preupload" + AT, preupload),
    ("POST", WEB + r"\.git/info/lfs/objects/batch", lfs_batch),
    ("PUT", OBJECT, lfs_put),
    ("POST", OBJECT + "/verify", lfs_verify),
    ("POST", API + "/commit" + AT, commit),
    ("GET", API + "(?:/revision" + AT + ")?", describe),
    ("GET", API + "/tree" + AT + "(?P<path>/.*)?", tree),
    ("POST", API + "/paths-info" + AT, paths_info),
    ("GET", API + "/refs", refs),
    ("GET", API + "/commits" + AT, commits),
    ("POST", API + "/(?P<ref>tag|branch)" + AT, create_ref),
    ("DELETE", API + "/(?P<ref>tag|branch)" + AT, delete_ref),
    ("GET", API + "/xet-(?P<access>read|write)-token" + AT, xet_token),
    ("GET", WEB + "/resolve" + AT + "/(?P<path>.+)", resolve),
]


class Server(ThreadingHTTPServer):
    """One thread a connection. None keeps the test alive, and that a client was killed is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """HTTP around `Hub.answer`: reads the body, lets the due fault strike, sends the answer, logs."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, and would wait 40 ms for each other

    def handle_any(self) -> None:
        """Answer one request of any method."""
        target, body = urlsplit(self.path), self.read_body()
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, target.path, query, headers, body)
        with self.hub.lock:
            fault = next((fault for fault in self.hub.faults if fault.strikes(request)), None)
        if fault and fault.call:
            fault.call()
        if fault and fault.status:
            reply = Refusal(fault.status, fault.code, "a fault that the test asked for").reply
            reply.headers |= {"Retry-After": "0"} if fault.status in (429, 503) else {}
        else:
            reply = self.hub.answer(request)
        spoil = fault.body if fault else None
        status = 0 if spoil == "drop" else reply.status
        self.hub.log.append(Logged(request.method, request.path, status, len(body), "authorization" in headers))
        self.send(reply, spoil)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def read_body(self) -> bytes:
        """The request's body, sent with its length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # half a commit must not be taken for a whole one
                raise ConnectionAbortedError("the client went away in the middle of its request")
            return body
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def send(self, reply: Reply, spoil: str | None) -> None:
        """Send an answer, spoilt if a fault asks for it."""
        self.close_connection = self.close_connection or spoil in ("cut", "drop")
        if spoil == "drop":
            return
        raw = isinstance(reply.body, bytes)
        body = reply.body if raw else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        kind = "application/octet-stream" if raw else "application/json"
        for name, value in {"Content-Type": kind, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if spoil == "wrong":
            body = bytes(255 - byte for byte in body)
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if spoil == "cut" else body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean; `Hub.log` has what happened."""
