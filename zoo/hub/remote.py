"""What a place of releases can do, whichever kind it is; and the plainest kind, a folder."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

Content = Path | bytes

RELEASE = "metazoo-release-1"  # the format that a release's zoo.json names
CLAIM = ".publishing"  # lies in a folder or a bucket while a publish is at work there; has its manifest's SHA-256
CHUNK = 4 << 20  # bytes read at once


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


def claim(remote: Remote, digest: str, create: Callable[[bytes], bool]) -> None:
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
