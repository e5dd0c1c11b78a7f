"""Releases in an S3 bucket, by s3fs."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.hub.remote import CHUNK, CLAIM, Content, Entry, claim
from zoo.messages import plain


@contextmanager
def _explained_s3(where: str) -> Iterator[None]:
    """Lets the errors of S3's client say what to do; control characters in a server's words are escaped."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        raise PermissionError(f"{where}: no credentials for S3; {hint}") from None
    except BotoCoreError as error:
        hint = "check the connection and AWS_ENDPOINT_URL, then run the same command again"
        raise ConnectionError(f"{where}: {plain(error)[:300]}; {hint}") from None
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: no such bucket or object ({plain(error)[:200]}); check the address") from None
    except (BlockingIOError, FileExistsError):
        raise
    except PermissionError as error:
        hint = "check that these credentials may list, read and, to publish, write there"
        raise PermissionError(f"{where}: S3 refuses ({plain(error)[:200]}); {hint}") from None
    except OSError as error:
        raise ConnectionError(f"{where}: {plain(error)[:300]}; run the same command again") from None


@dataclass(frozen=True)
class Bucket:
    """A prefix of an S3 bucket. Credentials and the endpoint are boto's own: AWS_* variables, profiles, roles."""

    root: str  # bucket/prefix

    @property
    def where(self) -> str:
        """Its address."""
        return f"s3://{self.root}"

    @cached_property
    def _fs(self) -> Any:
        try:
            import s3fs
        except ImportError:
            raise ImportError('s3:// needs the package s3fs: pip install "metazoo[s3]"') from None
        return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)

    def pin(self) -> str | None:
        """None: a bucket keeps one state."""
        return None

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its objects by name; a digest costs a request, and is what the object's uploader put in its metadata."""
        fs = self._fs
        with _explained_s3(self.where):
            found = {path.removeprefix(self.root + "/"): info for path, info in fs.find(self.root, detail=True).items()}
            known = {n: fs.metadata(f"{self.root}/{n}").get("sha256") for n in found if n in digests}
        return {name: Entry(int(info["size"]), known.get(name)) for name, info in found.items()}

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """An object's bytes from `start` on."""
        fs = self._fs
        with _explained_s3(f"{self.where}/{name}"), fs.open(f"{self.root}/{name}", "rb", cache_type="none") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def copy(self, name: str, folder: Path, *, commit: str | None) -> Path:
        """An object, downloaded."""
        path = folder / Path(name).name
        with _explained_s3(f"{self.where}/{name}"):
            self._fs.get_file(f"{self.root}/{name}", str(path))
        return path

    def begin(self, digest: str, *, private: bool) -> None:
        """Claims the prefix by an object that only one of many can create."""
        claim(self, digest, self._create_claim)

    def _create_claim(self, data: bytes) -> bool:
        with _explained_s3(self.where):
            try:
                self._fs.pipe_file(f"{self.root}/{CLAIM}", data, mode="create")
            except FileExistsError:
                return False
        return True

    def put(
        self, contents: dict[str, Content], *, digests: dict[str, str], remove: list[str], parent: str | None
    ) -> str | None:
        """Writes each object with its SHA-256 as metadata; S3 shows an object when it is whole."""
        fs = self._fs
        for name, content in contents.items():
            path, extra = f"{self.root}/{name}", {"Metadata": {"sha256": digests[name]}}
            with _explained_s3(path):
                if isinstance(content, bytes):
                    fs.pipe_file(path, content, **extra)
                else:
                    fs.put_file(str(content), path, **extra)
        for name in remove:
            with _explained_s3(f"{self.where}/{name}"):
                fs.rm_file(f"{self.root}/{name}")
        return None

    def tags(self) -> dict[str, str]:
        """None: a bucket has no tags."""
        return {}

    def finish(self, commit: str | None, *, tag: str | None) -> None:
        """Gives the claim back."""
        with _explained_s3(self.where):
            self._fs.rm_file(f"{self.root}/{CLAIM}")
