"""The routes that change nothing: who asks, what repositories hold, and their files."""

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from hub_server.messages import Refusal, Reply, Request
from hub_server.repositories import entry, walk

if TYPE_CHECKING:
    from hub_server.server import Hub

DATE = "2026-01-01T00:00:00.000Z"  # every commit's: clients parse it, nothing depends on it


def whoami(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    hub.must_sign_in(request)
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write", "createdAt": DATE}}
    return Reply({"type": "user", "id": "1", "name": "user", "fullname": "A User", "orgs": [], "auth": token})


def describe(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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


def tree(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    found = hub.revision(hub.open(request, match), unquote(match["revision"]))
    folder = unquote(match["path"] or "").strip("/")
    listed = list(walk(found, folder, recursive=request.query.get("recursive", "").lower() in ("true", "1")))
    if folder and not listed:
        raise Refusal(404, "EntryNotFound", f"{folder} does not exist on {match['revision']}")
    return Reply(listed)


def paths_info(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    found = hub.revision(hub.open(request, match), unquote(match["revision"]))
    json_sent = request.headers.get("content-type", "").startswith("application/json")
    paths = request.json()["paths"] if json_sent else parse_qs(request.body.decode())["paths"]
    listed = {item["path"]: item for item in walk(found, "", recursive=True)}
    return Reply([listed[path.strip("/")] for path in paths if path.strip("/") in listed])


def refs(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match)
    branches = [{"name": k, "ref": f"refs/heads/{k}", "targetCommit": v} for k, v in sorted(repo.branches.items())]
    tags = [{"name": k, "ref": f"refs/tags/{k}", "targetCommit": v} for k, v in sorted(repo.tags.items())]
    return Reply({"branches": branches, "converts": [], "tags": tags, "pullRequests": []})


def commits(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    repo, history = hub.open(request, match), []
    oid: str | None = hub.revision(repo, unquote(match["revision"])).oid
    while oid is not None:
        history.append({"id": oid, "title": repo.commits[oid].title, "message": "", "date": DATE, "authors": []})
        oid = repo.commits[oid].parent
    return Reply(history)


def resolve(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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


def xet_token(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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
