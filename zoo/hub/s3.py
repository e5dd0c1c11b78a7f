"""Releases in an S3 bucket, by s3fs."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zoo.hub.store import CHUNK, PAGES, Content, Entry, Kind, Store, few
from zoo.messages import plain

PAGE_SECONDS = 30.0  # for a page of a listing, which has 1,000 objects at most


@dataclass(frozen=True)
class Bucket(Store):
    """A prefix of an S3 bucket. Credentials and the endpoint are boto's own: AWS_* variables, profiles, roles."""

    root: str  # bucket/prefix
    kind: Kind = "dataset"

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

    def listing(self, commit: str | None, *, digests: Collection[str] = ()) -> dict[str, Entry]:
        """Its objects by name; a digest costs a request, and is what the object's uploader put in its metadata."""
        fs, found = self._fs, {}
        with _explained(self.where):
            for name, size in self._objects(fs):
                sha256 = fs.metadata(f"{self.root}/{name}").get("sha256") if name in digests else None
                found[name] = Entry(size, sha256)
                few(found, self.where)
        return found

    def _objects(self, fs: Any) -> Iterator[tuple[str, int]]:
        """Names and bytes, a page at a time: `fs.find` would gather a listing without end before it answers.

        Raises TimeoutError where a page has no end.
        """
        from fsspec.asyn import sync

        bucket, _, prefix = self.root.partition("/")
        more: dict[str, str] = {}
        prefix = prefix and prefix + "/"
        for _ in range(PAGES):
            asked = {"Bucket": bucket, "Prefix": prefix, **more}
            page = sync(fs.loop, fs._call_s3, "list_objects_v2", timeout=PAGE_SECONDS, **asked)  # read whole by the client
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # what some clients leave for a folder
                    yield item["Key"].removeprefix(prefix), int(item["Size"])
            if not (token := page.get("NextContinuationToken")):
                return
            more = {"ContinuationToken": token}
        raise ValueError(f"{self.where}: its listing goes on behind {PAGES:,} pages; something is wrong there")

    def read(self, name: str, *, commit: str | None, start: int = 0) -> Iterator[bytes]:
        """An object's bytes from `start` on."""
        fs = self._fs
        with _explained(f"{self.where}/{name}"), fs.open(f"{self.root}/{name}", "rb", cache_type="none") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def create(self, name: str, data: bytes) -> bool:
        """Creates an object, which only one of many can."""
        with _explained(self.where):
            try:
                self._fs.pipe_file(f"{self.root}/{name}", data, mode="create")
            except FileExistsError:
                return False
        return True

    def write(self, name: str, content: Content, digest: str) -> None:
        """Writes an object with its SHA-256 as metadata; S3 shows it when it is whole."""
        fs, path, extra = self._fs, f"{self.root}/{name}", {"Metadata": {"sha256": digest}}
        with _explained(f"{self.where}/{name}"):
            if isinstance(content, bytes):
                fs.pipe_file(path, content, **extra)
            else:
                fs.put_file(str(content), path, **extra)

    def remove(self, name: str) -> None:
        """Deletes an object."""
        with _explained(f"{self.where}/{name}"):
            self._fs.rm_file(f"{self.root}/{name}")


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Lets the errors of S3's client say what to do; control characters in a server's words are escaped."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        raise PermissionError(f"{where}: no credentials for S3; {hint}") from None
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: no such bucket or object ({plain(error)[:200]}); check the address") from None
    except (BlockingIOError, FileExistsError):
        raise
    except PermissionError as error:
        hint = "check that these credentials may list, read and, to publish, write there"
        raise PermissionError(f"{where}: S3 refuses ({plain(error)[:200]}); {hint}") from None
    except (BotoCoreError, OSError) as error:
        hint = "check the connection and AWS_ENDPOINT_URL, then run the same command again"
        raise ConnectionError(f"{where}: {plain(error)[:300]}; {hint}") from None
