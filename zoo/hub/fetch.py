"""Fetching a zoo: from a hub, a bucket or a folder, checked against its checksums, and whole or not there at all."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from zoo.dataset import reader, vet
from zoo.dataset.reader import SOURCE, Zoo
from zoo.hub.address import Remote, locate
from zoo.hub.download import download
from zoo.hub.remote_manifest import DERIVED, RemoteManifest, Report, remote_manifest, remote_model
from zoo.storage import files
from zoo.storage.manifest import MANIFEST, check_bytes
from zoo.untrusted.files import sha256


def fetch(
    source: Path | str,
    out: Path | str,
    *,
    config: str | None = None,
    revision: str | None = None,
    report: Report = lambda line: None,
) -> Path:
    """Brings a zoo into the new folder `out`, whole or not at all; run again after a break, it goes on.

    `source` is a release or a zoo by itself: `hf://datasets/USER/NAME[@REVISION][/CONFIG]`, `s3://bucket/prefix[/CONFIG]`
    or a folder; `config` may be left out where a release has one only. The revision is pinned to its commit first. Each
    file's SHA-256 must be the manifest's, and the zoo is vetted before it gets its name; `source.json` in it says where
    it comes from. Where `out` holds this very zoo, nothing is done.

    Raises ValueError for wrong bytes, names that could leave the folder, an unknown config, and what the vet refuses;
    FileExistsError where `out` holds something else; OSError where the disk is too small; PermissionError,
    FileNotFoundError, ConnectionError as the source answers.
    """
    out = Path(out).expanduser()
    wanted = remote_manifest(str(source), config=config, revision=revision, report=report)
    if _is_there(wanted, out):
        report(f"{out} holds this zoo already{_lacking(wanted, out)}")
        return out
    return _brought(wanted, out, report)


def open(where: Path | str) -> Zoo:
    """Opens the zoo in a folder, or at `hf://...` or `s3://...` (fetched into the user's cache, once a commit).

    Raises as `zoo.dataset.reader.open` and `fetch` do.
    """
    return reader.open(open_remote(where) if isinstance(where, str) and "://" in where else where)


def open_remote(
    source: str, *, config: str | None = None, revision: str | None = None, report: Report = lambda line: None
) -> Path:
    """The folder of a zoo in the user's cache, fetched unless it is there. A pinned one needs no connection then.

    Raises as `fetch` does.
    """
    remote = locate(source, revision=revision)

    def wanted(commit: str | None) -> RemoteManifest:
        return remote_manifest(remote.where, config=config, revision=commit, report=report)

    return _in_cache(remote, config, wanted, report)


def open_model(source: str, *, report: Report = lambda line: None) -> Path:
    """The folder of a fitted metanet at `hf://USER/NAME[@REVISION]` or `s3://...` in the user's cache, fetched once.

    Its files are compared with the manifest there, and are looked into by whoever reads them. Raises as `fetch` does.
    """
    remote = locate(source, kind="model")
    return _in_cache(remote, None, lambda commit: remote_model(remote.where, revision=commit, report=report), report)


def _in_cache(remote: Remote, config: str | None, wanted_at: Callable[[str | None], RemoteManifest], report: Report) -> Path:
    commit = remote.pin()
    if commit is None or not (folder := _cached(remote, config, commit)).exists():
        wanted = wanted_at(commit)
        folder = _cached(remote, config, commit or files.hash_of(wanted.manifest))
        if not folder.exists():
            _brought(wanted, folder, report)
    return folder


def _cached(remote: Remote, config: str | None, state: str) -> Path:
    """The cache's folder of what was fetched; `state` is the commit, or the manifest's SHA-256 where there are none."""
    key = files.hash_of(files.to_json([remote.where, config, state]))[:20]
    return files.cache() / ("zoos" if remote.kind == "dataset" else "models") / key


def _is_there(wanted: RemoteManifest, out: Path) -> bool:
    """Whether `out` holds this zoo. Raises FileExistsError where it holds another or anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / MANIFEST).is_file() or sha256(out / MANIFEST, out) != files.hash_of(wanted.manifest):
        raise FileExistsError(f"{out} is not empty and not this zoo; fetch into another folder")
    if problems := list(check_bytes(out)):
        raise ValueError(f"{problems[0]}; delete {out} and fetch it again")
    return True


def _lacking(wanted: RemoteManifest, out: Path) -> str:
    """What is to be said of derived columns that a zoo that was fetched before does not have as they are there now."""
    names = [name for name in wanted.digests if DERIVED.fullmatch(name)]
    other = [name for name in names if not (out / name).is_file() or sha256(out / name, out) != wanted.digests[name]]
    return f", but not its {', '.join(other)} as they are there now; fetch into another folder for them" * bool(other)


def _brought(wanted: RemoteManifest, out: Path, report: Report) -> Path:
    """The zoo or model in `out`, by way of a folder beside it that a killed fetch leaves and the next one goes on with."""
    _clear(out)
    staging = out.parent / f".{out.name}.fetching"
    with files.workplace(staging):
        download(wanted, staging, report)
        if is_zoo := wanted.remote.kind == "dataset":
            _vetted(staging)
        files.write_json(staging / SOURCE, _source(wanted), below=staging)
        staging.rename(out)
        files.sync_folder(out.parent)
        if is_zoo:
            vet.remember(out)  # as it was vetted under the other name
    return out


def _clear(out: Path) -> None:
    """Removes `out`, which is empty, or it would have been refused. Raises FileExistsError where that cannot be."""
    try:
        if os.path.lexists(out):
            out.rmdir()
    except (
        OSError
    ) as error:  # the working directory as `.`, a mounted disk, a link that leads nowhere: better now than when all is there
        raise FileExistsError(f"{out} cannot give way to a zoo ({error.strerror}); fetch into a new folder") from None


def _source(wanted: RemoteManifest) -> dict[str, str | None]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "source": wanted.remote.where,
        "revision": wanted.commit,
        "config": wanted.prefix.rstrip("/") or None,
        "fetched": now,
    }


def _vetted(staging: Path) -> None:
    """Raises ValueError where the zoo is refused, and removes it: bytes that are right may still do harm."""
    try:
        vet.vet(staging)
    except ValueError:
        shutil.rmtree(staging)
        raise
