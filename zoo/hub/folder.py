"""Releases in a plain folder."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.hub.remote import CHUNK, CLAIM, Content, Entry, claim
from zoo.storage import files
from zoo.untrusted.files import sha256


@dataclass(frozen=True)
class Folder:
    """A plain folder; every file in it is whole or absent."""

    path: Path

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
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_file() and (name == CLAIM or not re.search(r"(^|/)\.", name)):
                found[name] = Entry(path.stat().st_size, sha256(path) if name in digests else None)
        return found

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on."""
        with (self.path / name).open("rb") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def copy(self, name: str, folder: Path, *, commit: str | None) -> Path:
        """The file where it lies: nothing stands between it and its users."""
        return self.path / name

    def begin(self, digest: str, *, private: bool) -> None:
        """Makes the folder, and claims it."""
        self.path.mkdir(parents=True, exist_ok=True)
        claim(self, digest, lambda data: files.publish(self.path / CLAIM, data))

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Writes each file aside and renames it."""
        for name, content in contents.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            files.write(self.path / name, content if isinstance(content, bytes) else content.read_bytes())
        for name in remove:
            (self.path / name).unlink(missing_ok=True)
        return None

    def tags(self) -> dict[str, str]:
        """None: a folder has no tags."""
        return {}

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Gives the claim back."""
        (self.path / CLAIM).unlink(missing_ok=True)
