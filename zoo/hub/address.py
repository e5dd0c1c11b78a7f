"""Which address is which place of releases: a folder, an S3 bucket, a Hugging Face hub."""

import re
from pathlib import Path

from zoo.hub.folder import Folder
from zoo.hub.huggingface import Hub
from zoo.hub.s3 import Bucket

Remote = Folder | Bucket | Hub

HUB = re.compile(
    r"hf://datasets/(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[^/@\s]+))?(?:/(?P<folder>[\w./-]*))?", re.ASCII
)
BUCKET = re.compile(r"s3://(?P<root>[a-z0-9][a-z0-9.-]+(?:/[^\x00-\x1f?#\\]*)?)", re.ASCII)


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
