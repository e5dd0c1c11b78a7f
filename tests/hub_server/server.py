"""The server: what it keeps, what tests do behind the clients' backs, and what its routes do."""

import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any, Self

from hub_server.messages import Fault, Logged, Refusal, Reply, Request
from hub_server.repositories import Blob, Commit, Repo, is_lfs
from hub_server.routes import ROUTES
from hub_server.wire import Handler, Server
from hub_server.xet import xet_names


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

    def add_file(self, repo: str, path: str, content: bytes, *, kind: str = "dataset") -> str:
        """Commit a file to main under any name, also those that no client would send; returns the commit."""
        owner = self.repo(repo, kind=kind)
        lfs = is_lfs(path, len(content))
        files = {**owner.commits[owner.branches["main"]].files, path: self.store(content, lfs=lfs)}
        if lfs:
            owner.objects.add(files[path].sha256)
        return self.commit(owner, "main", f"add {path}", files).oid

    def files(self, repo: str, revision: str = "main", *, kind: str = "dataset") -> dict[str, bytes]:
        """Every path of a revision with its content: what clients should see."""
        found = self.revision(self.repo(repo, kind=kind), revision).files
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
        return Blob(sha256, size, lfs, oid, xet_names(self.folder).get(sha256) if lfs else None)

    def content(self, sha256: str) -> bytes:
        return (self.folder / "objects" / sha256).read_bytes()

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
