"""The routes that change repositories: creating them, uploads, commits, branches and tags."""

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import yaml

from hub_server.messages import Refusal, Reply, Request
from hub_server.repositories import ATTRIBUTES, Blob, Repo, is_lfs
from hub_server.xet import xet_names

if TYPE_CHECKING:
    from hub_server.server import Hub


def validate_yaml(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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


def create_repo(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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


def delete_repo(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    hub.must_sign_in(request)
    asked = request.json()
    name = f"{asked.get('organization') or 'user'}/{asked['name']}"
    if hub.repos.pop((asked.get("type") or "model", name), None) is None:
        raise Refusal(404, "RepoNotFound", "Repository not found")
    return Reply({})


def preupload(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match, write=True)
    commit, files = hub.revision(repo, unquote(match["revision"])), []
    for asked in request.json()["files"]:
        path, lfs = asked["path"], is_lfs(asked["path"], asked["size"])
        blob = commit.files.get(path)
        oid = {"oid": blob.sha256 if blob.lfs else blob.oid} if blob else {}
        files.append({"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, **oid})
    return Reply({"files": files, "commitOid": commit.oid})


def lfs_batch(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    repo, objects = hub.open(request, match, write=True), []
    for asked in request.json()["objects"]:
        href = f"{hub.url}/lfs/{repo.kind}s/{repo.name}/{asked['oid']}"
        actions = {"upload": {"href": href}, "verify": {"href": href + "/verify"}}
        objects.append({**asked, **({} if asked["oid"] in repo.objects else {"actions": actions})})
    return Reply({"transfer": "basic", "objects": objects})


def lfs_put(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    """Take an object. Like a pre-signed address of S3, this needs no token, and the content must be what it is named."""
    found = hashlib.sha256(request.body).hexdigest()
    if found != match["oid"]:
        raise Refusal(400, "", f"The content's SHA-256 is {found}, expected {match['oid']}")
    hub.store(request.body, lfs=True)
    hub.repos[match["kind"].rstrip("s/"), match["repo"]].objects.add(found)
    return Reply(headers={"ETag": f'"{found}"'})


def lfs_verify(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    repo, asked = hub.open(request, match, write=True), request.json()
    if asked["oid"] not in repo.objects or len(hub.content(asked["oid"])) != asked["size"]:
        raise Refusal(404, "EntryNotFound", f"There is no object {asked['oid']} of {asked['size']} bytes")
    return Reply({})


def commit(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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


def apply(hub: "Hub", repo: Repo, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
    """Carry one operation of a commit out on `files`."""
    path = value.get("path", "")
    if key != "header" and (not path or {"", ".", ".."} & set(path.rstrip("/").split("/"))):
        raise Refusal(400, "", f"Invalid path {path!r}")
    if key == "file":
        files[path] = hub.store(base64.b64decode(value["content"]), lfs=False)
    elif key == "lfsFile":
        if value["oid"] not in repo.objects and not (hub.xet and value["oid"] in xet_names(hub.folder)):
            raise Refusal(400, "", f"{path}: the LFS object {value['oid']} was never uploaded")
        known = {blob.sha256: blob.size for made in repo.commits.values() for blob in made.files.values()}
        files[path] = hub.blob(value["oid"], value.get("size") or known[value["oid"]], lfs=True)  # a copy has no size
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            del files[name]


def create_ref(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
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


def delete_ref(hub: "Hub", request: Request, match: re.Match[str]) -> Reply:
    repo = hub.open(request, match, write=True)
    names = repo.tags if match["ref"] == "tag" else repo.branches
    if names.pop(unquote(match["revision"]), None) is None:
        raise Refusal(404, "RevisionNotFound", f"There is no {match['ref']} {match['revision']}")
    return Reply({})
