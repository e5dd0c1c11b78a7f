"""Releases in a plain folder, whose every file is whole or absent.

fsspec's local file system follows links and writes in place; another may have laid this folder, so the opener reads it.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zoo.hub.store import CHUNK, CLAIM, FILES, Content, Entry, Kind, Store, few
from zoo.storage import files
from zoo.untrusted.files import opened, plain_files, remove, sha256, size


@dataclass(frozen=True)
class Folder(Store):
    """A folder in which no link is followed: where one stands, ValueError or FileExistsError names it."""

    path: Path
    kind: Kind = "dataset"

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
        for path in islice(plain_files(self.path), FILES + 1):
            name = path.relative_to(self.path).as_posix()
            if name == CLAIM or not re.search(r"(^|/)\.", name):
                found[name] = Entry(size(path, self.path), sha256(path, self.path) if name in digests else None)
        few(found, self.where)
        return found

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on."""
        with opened(self.path / name, self.path) as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def create(self, name: str, data: bytes) -> bool:
        """Writes a file unless it is there."""
        return files.publish(self.path / name, data, below=self.path)

    def write(self, name: str, content: Content, digest: str) -> None:
        """Writes the file aside and renames it."""
        data = content if isinstance(content, bytes) else content.read_bytes()
        files.write(self.path / name, data, below=self.path)

    def remove(self, name: str) -> None:
        """Deletes a file."""
        remove(self.path / name, self.path)

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Deletes what a killed publish left half written, and gives the claim back."""
        for path in plain_files(self.path):
            if path.match(files.TEMPORARY):
                remove(path, self.path)
        super().finish(commit, tag=tag)
