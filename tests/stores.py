"""Where tests publish to: a folder, a bucket of moto's S3 server and the test hub; small releases; and sudden deaths."""

import os
import re
import shutil
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, Reply, Request

from zoo.hub.release import Release
from zoo.storage import files
from zoo.storage.manifest import MANIFEST, read_manifest
from zoo.untrusted.files import sha256

REPO = "hf://datasets/user/zoos"
CARD = "---\nlicense: mit\n---\n# Zoos\n"
DIED = 77  # how a process ends that a test stops suddenly
# The hub's client hands bytes to its HTTP library in a way that the library no longer likes.
QUIET = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")


def bundle(zoos: dict[str, Path], *, card: str = CARD, extra: dict[str, bytes] | None = None) -> Release:
    """A release of these zoos by config, with little to describe them."""
    configs = [{"name": name, "manifest_sha256": sha256(folder / MANIFEST)} for name, folder in zoos.items()]
    made: dict[str, Path | bytes] = {
        "README.md": card.encode(),
        "zoo.json": files.to_json({"format": "metazoo-release-1", "configs": configs}),
        **(extra or {}),
    }
    for name, folder in zoos.items():
        made |= {f"{name}/{path}": folder / path for path in (*read_manifest(folder), MANIFEST)}
    return whole(made)


def whole(made: dict[str, Path | bytes]) -> Release:
    """A release of these files, and its manifest."""
    data = {name: content if isinstance(content, bytes) else content.read_bytes() for name, content in sorted(made.items())}
    data.pop(MANIFEST, None)
    data[MANIFEST] = "".join(f"{files.hash_of(content)}  {name}\n" for name, content in data.items()).encode()
    sources = {**made, MANIFEST: data[MANIFEST]}
    paths = sorted(data)  # as a real release has them: the manifest stands among the others
    digests = {path: files.hash_of(data[path]) for path in paths}
    return Release({path: sources[path] for path in paths}, digests, {path: len(data[path]) for path in paths})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def zoo_files(folder: Path) -> dict[str, bytes]:
    """The files that make up a zoo, without what stays at home."""
    return {name: (folder / name).read_bytes() for name in (*read_manifest(folder), MANIFEST)}


def shipped(release: Release) -> dict[str, bytes]:
    """A release's files as bytes."""
    return {n: c if isinstance(c, bytes) else c.read_bytes() for n, c in release.files.items()}


class Stopping(Hub):
    """A hub at whose `at`-th change the process `victim` is killed: before it is carried out, or before it is answered."""

    at, after, victim, changes = 0, False, 0, 0

    def answer(self, request: Request) -> Reply:
        """As the hub does, but for that one request."""
        if not re.search("^PUT /lfs/|^POST .*/(commit|tag|repos/create)", f"{request.method} {request.path}"):
            return super().answer(request)
        self.changes += 1
        reply = super().answer(request) if self.changes != self.at or self.after else Reply(status=500)
        if self.changes == self.at:
            os.kill(self.victim, 9)
        return reply


def in_child(action: Callable[[], Any], started: Callable[[int], None] = lambda pid: None) -> int:
    """How a child process ends that does this: 0, 1 with an exception, DIED, or minus a signal's number."""
    gate, opened = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: the child uses none of the threads
        pid = os.fork()
    if pid == 0:
        os.read(gate, 1)
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    started(pid)
    os.write(opened, b"x")
    os.close(gate)
    os.close(opened)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(step: int, folder: Path) -> None:
    """Lets this process end just before its `step`-th change below `folder`; for children only, as it lasts."""
    left = [step]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        changes = written or event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link")
        name = arguments[0] if isinstance(arguments[0], str | os.PathLike) else "/"
        # A relative name is one in a folder that is open: this process opens none elsewhere.
        if changes and (not Path(name).is_absolute() or str(name).startswith(str(folder))):
            left[0] -= 1
            if left[0] == 0:
                os._exit(DIED)

    sys.addaudithook(hook)


@contextmanager
def hub_at(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Hub] = Hub, *, xet: bool = False) -> Iterator[Hub]:
    """A hub that this process's client knows and is signed in to."""
    import huggingface_hub.constants

    with kind(folder, xet=xet) as hub:
        for name, value in hub.environment(folder / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", not xet)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits a second and more between tries
        yield hub


@contextmanager
def bucket_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a new prefix in a bucket of an S3 server on loopback."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        port = server.get_host_and_port()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing-" + name.lower())
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        bucket = f"bucket-{uuid.uuid4().hex}"  # what the server holds is one for the whole process
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
        yield f"s3://{bucket}/some/prefix"
    finally:
        server.stop()


def copied(folder: Path, to: Path) -> Path:
    """A copy of a zoo, to be changed."""
    shutil.copytree(folder, to)
    return to


def lay_out(released: Release, folder: Path) -> Path:
    """The release as a folder."""
    for path, file in released.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(file if isinstance(file, bytes) else file.read_bytes())
    return folder
