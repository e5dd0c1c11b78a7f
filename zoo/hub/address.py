"""Which address is which place of releases: a folder, an S3 bucket, a Hugging Face hub."""

import re
from pathlib import Path

from zoo.hub.folder import Folder
from zoo.hub.huggingface import Hub
from zoo.hub.s3 import Bucket
from zoo.hub.store import Kind

Remote = Folder | Bucket | Hub

_REST = r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[^/@\s]+))?(?:/(?P<folder>[\w./-]*))?"
HUB: dict[Kind, re.Pattern[str]] = {
    "dataset": re.compile(f"hf://datasets/{_REST}", re.ASCII),
    "model": re.compile(f"hf://(?!(?:datasets|models|spaces|buckets)/){_REST}", re.ASCII),
}
ON_HUB: dict[Kind, str] = {"dataset": "hf://datasets/USER/NAME", "model": "hf://USER/NAME"}
BUCKET = re.compile(r"s3://(?P<root>[a-z0-9][a-z0-9.-]+(?:/[^\x00-\x1f?#\\]*)?)", re.ASCII)


def locate(text: str, *, revision: str | None = None, kind: Kind = "dataset") -> Remote:
    """The place of this address: `hf://datasets/USER/NAME[@REVISION][/FOLDER]`, `s3://bucket/prefix` or a folder.

    Models are at `hf://USER/NAME`. Raises ValueError for other addresses, and for a revision where there are none.
    """
    if match := HUB[kind].fullmatch(text):
        if revision and match["revision"] not in (None, revision):
            raise ValueError(f"{text} and the revision {revision!r}: give one of them")
        return Hub(match["repo"], revision or match["revision"], _clean(match["folder"] or "", text), kind)
    if revision:
        raise ValueError(f"{text} has no revisions, found {revision!r}; only {ON_HUB[kind]} has")
    if match := BUCKET.fullmatch(text):
        return Bucket(_clean(match["root"], text), kind)
    if re.match(r"[A-Za-z0-9+.-]+://", text):
        kinds = f"{ON_HUB[kind]}[@REVISION], s3://bucket/prefix or a folder's path"
        what = "releases" if kind == "dataset" else "models"
        raise ValueError(f"no place of {what}: {text!r}; expected {kinds}")
    return Folder(Path(text).expanduser(), kind)


def _clean(path: str, text: str) -> str:
    parts = path.rstrip("/").split("/") if path else []
    if {"", ".", ".."} & set(parts):
        raise ValueError(f"{text}: an address may not have empty parts, `.` or `..`")
    return "/".join(parts)
