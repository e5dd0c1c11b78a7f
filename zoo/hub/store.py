"""A place of releases that keeps one state: a folder or a bucket. Each publish claims it for itself while it is at work."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.dataset.not_a_zoo import RELEASE
from zoo.untrusted.json import strict_json

Content = Path | bytes
Kind = Literal["dataset", "model"]  # what is published: zoos, or a fitted metanet

MARKS: dict[Kind, tuple[str, str, str]] = {  # the file that says what a release is, by which field, and with which words
    "dataset": ("zoo.json", "format", RELEASE),
    "model": ("model.json", "schema", "metazoo-model-1"),
}

CLAIM = ".publishing"  # lies in a place while a publish is at work there; has its manifest's SHA-256
CHUNK = 4 << 20  # bytes read at once
SMALL = 16 << 20  # bytes at most of a small file, which is read whole, or of one page of a listing
FILES, PAGES = 200_000, 1000  # of a listing at most


@dataclass(frozen=True)
class Entry:
    """A file of a place: bytes, and its SHA-256 or git's SHA-1 of it where the place knows them, else None."""

    size: int
    sha256: str | None = None
    blob: str | None = None


def small(chunks: Iterable[bytes], where: str) -> bytes:
    """A small file's bytes; however much comes, no more are taken. Raises ValueError where it has more than SMALL."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > SMALL:
            raise ValueError(f"{where} goes on behind {SMALL:,} bytes; something is wrong there")
    return bytes(data)


def few(found: dict[str, Entry], where: str) -> None:
    """Raises ValueError where a listing has more files than any release."""
    if len(found) > FILES:
        raise ValueError(f"{where} has more than {FILES:,} files, and no release has so many; check the address")


class Store(ABC):
    """A folder or a bucket, by five things that each does its own way. It has no commits and no tags: they are None."""

    kind: Kind  # of the releases that it is for

    @property
    @abstractmethod
    def where(self) -> str:
        """Its address."""

    @abstractmethod
    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its files by name; those of `digests` with their SHA-256, which costs a look at each."""

    @abstractmethod
    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on. Raises ConnectionError where they break off: read again from there."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Writes a small file unless it is there: of many processes one gets True."""

    @abstractmethod
    def write(self, name: str, content: Content, digest: str) -> None:
        """Writes a file of this SHA-256, whole or not at all."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Deletes a file."""

    def pin(self) -> str | None:
        """None. Raises FileNotFoundError where there is no such place and that can be told."""
        return None

    def as_delivered(self, name: str, *, commit: str | None) -> Iterator[bytes]:
        """A file's bytes as its users get them, with no cache in between."""
        return self.read(name, commit=commit)

    def tags(self) -> dict[str, str]:
        """None: only a hub has tags."""
        return {}

    def begin(self, digest: str, *, private: bool) -> None:
        """Claims the place for a release of this manifest; the claim of a killed publish lets the same release go on.

        Raises BlockingIOError where another release holds it, FileExistsError where other things than a release lie there.
        """
        there = self.listing(None)
        if CLAIM not in there:
            if there and not self._holds_release(there):
                raise FileExistsError(
                    f"{self.where} holds {len(there)} files that are no release; publish to an empty place"
                )
            if self.create(CLAIM, digest.encode()):
                return
        if small(self.read(CLAIM, commit=None), f"{self.where}/{CLAIM}").decode(errors="replace") != digest:
            raise BlockingIOError(
                f"another release is being published to {self.where}, or was and did not end: wait for it or run it again; "
                f"if it is given up, delete {CLAIM} there"
            )

    def _holds_release(self, there: dict[str, Entry]) -> bool:
        name, field, words = MARKS[self.kind]
        where = f"{self.where}/{name}"
        try:
            about = strict_json(where, small(self.read(name, commit=None), where)) if name in there else {}
        except ValueError:
            return False
        return about.get(field) == words

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Writes files in this order, then removes others."""
        for name, content in contents.items():
            self.write(name, content, digests[name])
        for name in remove:
            self.remove(name)
        return None

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Gives the claim back."""
        self.remove(CLAIM)
