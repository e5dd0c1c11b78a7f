"""Repositories as the hub keeps them in memory: contents, commits, what git and what LFS has; and as it lists them."""

import fnmatch
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LFS_PATTERNS = ("*.h5", "*.parquet", "*.png", "*.safetensors")
LFS_BYTES = 10_000_000  # the hub's own limit for files that git keeps itself
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()


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
