"""Fetching a zoo: from a hub, a bucket or a folder, checked against its checksums, and whole or not there at all."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zoo import compiled, files, vet
from zoo.choices import unknown
from zoo.manifest import MANIFEST
from zoo.places import CHUNK, RELEASE, Remote
from zoo.remotes import locate
from zoo.verify import check_bytes

SOURCE = "source.json"  # where a fetched zoo comes from; its manifest does not name it
SMALL = 16 << 20  # bytes of a manifest or a zoo.json, at most
NAMES = 100_000  # in a manifest, at most
BREAKS = 5  # of a connection in a row, with nothing received in between
LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^\n]+)")
PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,149}(?<!\.)"  # of a path: no hidden ones, and the same on every file system
NAME = re.compile(rf"{PART}(/{PART}){{0,7}}")
SHIPPED = re.compile(rf"zoo\.json|fixed\.safetensors|data/{PART}\.h5")  # all that a zoo consists of
Report = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What is to be fetched: a zoo's files below `prefix` at a commit, their SHA-256 and bytes by name."""

    remote: Remote
    commit: str | None
    prefix: str
    manifest: bytes
    digests: dict[str, str]
    sizes: dict[str, int]


def fetch(
    source: str, out: Path, *, config: str | None = None, revision: str | None = None, report: Report = lambda line: None
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
    order = _ordered(source, config=config, revision=revision, report=report)
    if _is_there(order, out):
        report(f"{out} holds this zoo already")
        return out
    return _brought(order, out, report)


def open_remote(
    source: str, *, config: str | None = None, revision: str | None = None, report: Report = lambda line: None
) -> Path:
    """The folder of a zoo in the user's cache, fetched unless it is there. A pinned one needs no connection then.

    Raises as `fetch` does.
    """
    remote = locate(source, revision=revision)
    commit = remote.pin()
    if commit is None or not (folder := _cached(remote, config, commit)).exists():
        order = _ordered(source, config=config, revision=commit, report=report)
        folder = _cached(remote, config, commit or files.hash_of(order.manifest))
        if not folder.exists():
            _brought(order, folder, report)
    return folder


def _cached(remote: Remote, config: str | None, state: str) -> Path:
    """The cache's folder of a zoo; `state` is the commit, or the manifest's SHA-256 where there are none."""
    key = files.hash_of(files.to_json([remote.where, config, state]))[:20]
    return compiled.cache() / "zoos" / key


def _ordered(source: str, *, config: str | None, revision: str | None, report: Report) -> Order:
    """What `fetch` has to bring, known from a few small files."""
    remote = locate(source, revision=revision)
    commit = remote.pin()
    report(f"{remote.where}" + (f" at {getattr(remote, 'revision', None) or 'main'}, commit {commit}" if commit else ""))
    sizes = {name: entry.size for name, entry in remote.listing(commit).items()}
    if missing := {MANIFEST, "zoo.json"} - sizes.keys():
        raise FileNotFoundError(
            f"{remote.where}: no {min(missing)}, so no whole release or zoo; is its publish still at work?"
        )
    manifest = _small(remote, commit, MANIFEST, sizes)
    digests = names(manifest, f"{remote.where}/{MANIFEST}")
    about = _small(remote, commit, "zoo.json", sizes)
    if files.hash_of(about) != digests.get("zoo.json"):
        raise ValueError(f"{remote.where}: zoo.json is not what {MANIFEST} says; is a publish at work? else publish again")
    prefix = ""
    if (release := _json(about, remote.where)).get("format") == RELEASE:
        prefix = _chosen(release, config, remote.where) + "/"
        manifest = _small(remote, commit, prefix + MANIFEST, sizes)
        if files.hash_of(manifest) != digests.get(prefix + MANIFEST):
            raise ValueError(f"{remote.where}: {prefix}{MANIFEST} is not what {MANIFEST} says; publish again")
        digests = names(manifest, f"{remote.where}/{prefix}{MANIFEST}")
    elif config is not None:
        raise ValueError(f"{remote.where} is one zoo and has no configs, found {config!r}; leave the config out")
    return Order(remote, commit, prefix, manifest, _shipped(digests, remote.where), _sizes(digests, sizes, prefix, remote))


def _small(remote: Remote, commit: str | None, name: str, sizes: dict[str, int]) -> bytes:
    """A small file's bytes; however much the remote sends, no more are taken."""
    if sizes.get(name, SMALL + 1) > SMALL:
        raise ValueError(f"{remote.where}: {name} has {sizes.get(name, 'no')} bytes, expected at most {SMALL:,}")
    data = b""
    for chunk in remote.read(name, commit=commit):
        data += chunk
        if len(data) > SMALL:
            raise ValueError(f"{remote.where}: {name} goes on behind its {sizes[name]} bytes; something is wrong there")
    return data


def _json(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: zoo.json is damaged: not JSON ({str(error)[:100]})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{where}: zoo.json is damaged: expected an object, found {type(value).__name__}")
    return value


def names(manifest: bytes, where: str) -> dict[str, str]:
    """The SHA-256 of each name in a stranger's manifest.

    Raises ValueError for lines and names that are not plain: absolute, `..`, hidden, drive letters, backslashes, control
    characters, two that differ in case only, a file that is another's folder.
    """
    digests: dict[str, str] = {}
    lines = manifest.decode("ascii", errors="replace").split("\n")
    if lines.pop() or len(lines) > NAMES:
        raise ValueError(f"{where} is damaged: it has {len(lines):,} lines, the last not ended or more than {NAMES:,}")
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None or not NAME.fullmatch(match["name"]) or match["name"].endswith(".part"):
            raise ValueError(f"{where}: refused {line[:200]!r}; expected `sha256  name` with a plain relative name")
        digests[match["name"]] = match["digest"]
    folded = {name.lower() for name in digests}
    folders = {str(folder) for name in folded for folder in Path(name).parents}
    if len(folded) < len(lines) or folded & folders:
        raise ValueError(f"{where}: refused: names in it are one file on some file systems, or both file and folder")
    return digests


def _chosen(release: dict[str, Any], config: str | None, where: str) -> str:
    """The config to fetch. Raises ValueError naming those there are."""
    configs = release.get("configs")
    found = [c.get("name") for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    known = [name for name in found if isinstance(name, str) and re.fullmatch(PART, name)]
    if not known or len(known) < len(found):
        raise ValueError(f"{where}: zoo.json is damaged: it must name configs plainly, found {str(found)[:200]}")
    if config is None and len(known) > 1:
        raise ValueError(f"{where} has several zoos; choose a config: {', '.join(known)}")
    if config is not None and config not in known:
        raise ValueError(unknown("config", config, known))
    return config or known[0]


def _shipped(digests: dict[str, str], where: str) -> dict[str, str]:
    """The names, all of them those of a zoo's files, so that none is taken for something else in its folder."""
    if others := [name for name in digests if not SHIPPED.fullmatch(name)]:
        raise ValueError(
            f"{where}: refused {others[0]!r}: no file of a zoo; expected zoo.json, fixed.safetensors, data/*.h5"
        )
    return digests


def _sizes(digests: dict[str, str], sizes: dict[str, int], prefix: str, remote: Remote) -> dict[str, int]:
    if missing := [name for name in digests if prefix + name not in sizes]:
        raise FileNotFoundError(f"{remote.where}: no {prefix}{missing[0]}, which {MANIFEST} names; publish it again")
    return {name: sizes[prefix + name] for name in digests}


def _is_there(order: Order, out: Path) -> bool:
    """Whether `out` holds this zoo. Raises FileExistsError where it holds another or anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / MANIFEST).is_file() or files.sha256(out / MANIFEST) != files.hash_of(order.manifest):
        raise FileExistsError(f"{out} is not empty and not this zoo; fetch into another folder")
    if problems := list(check_bytes(out)):
        raise ValueError(f"{problems[0]}; delete {out} and fetch it again")
    return True


def _brought(order: Order, out: Path, report: Report) -> Path:
    """The zoo in `out`, by way of a folder beside it that a killed fetch leaves and the next one goes on with."""
    staging = out.parent / f".{out.name}.fetching"
    staging.mkdir(parents=True, exist_ok=True)
    with files.locked(staging):
        _room(order, staging)
        for number, name in enumerate(order.digests, start=1):
            report(f"{number} of {len(order.digests)}: {order.prefix}{name}, {order.sizes[name]:,} bytes")
            _file(order, name, staging / name)
        files.write(staging / MANIFEST, order.manifest)
        _tidied(order, staging)
        _vetted(staging)
        files.write_json(staging / SOURCE, _source(order))
        if out.exists():
            out.rmdir()  # empty, or it would have been refused
        staging.rename(out)
        _synced(out.parent)
        vet.remember(out)  # as it was vetted under the other name
    return out


def _source(order: Order) -> dict[str, str | None]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "source": order.remote.where,
        "revision": order.commit,
        "config": order.prefix.rstrip("/") or None,
        "fetched": now,
    }


def _room(order: Order, staging: Path) -> None:
    """Raises OSError where the disk has not the room for what is still to come."""
    here = sum(part.stat().st_size for name in order.digests for part in _both(staging / name) if part.is_file())
    needed, free = sum(order.sizes.values()) - here, shutil.disk_usage(staging).free
    if needed > free:
        where = staging.parent
        raise OSError(
            errno.ENOSPC, f"{order.remote.where} needs {needed:,} bytes more, {where} has {free:,} free; make room"
        )


def _both(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + ".part")


def _file(order: Order, name: str, path: Path) -> None:
    """Brings one file to `path`, whole and right, unless it is there. Raises ValueError where twice it comes wrong."""
    whole, part = _both(path)
    if whole.is_file() and files.sha256(whole) == order.digests[name]:
        return
    whole.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        found = _received(order, name, part)
        if found == order.digests[name]:
            part.rename(whole)
            _synced(whole.parent)
            return
        part.unlink()
    raise ValueError(
        f"{order.remote.where}/{order.prefix}{name}: received SHA-256 {found}, {MANIFEST} says {order.digests[name]}; "
        "twice wrong, so it is damaged there or on the way: publish it again, or fetch another revision"
    )


def _received(order: Order, name: str, part: Path) -> str:
    """The SHA-256 of `part` after all that lacks has been added to it; a broken connection is taken up again."""
    digest, size, breaks = hashlib.sha256(), order.sizes[name], 0
    with part.open("a+b") as file:
        if file.tell() > size:
            file.truncate(0)
        file.seek(0)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        while (start := file.tell()) < size and breaks < BREAKS:
            try:
                for chunk in order.remote.read(order.prefix + name, commit=order.commit, start=start):
                    chunk = chunk[: size - file.tell()]
                    file.write(chunk)
                    digest.update(chunk)
                    if file.tell() == size:
                        break
            except ConnectionError:
                if file.tell() == start and breaks == BREAKS - 1:
                    raise
            breaks = 0 if file.tell() > start else breaks + 1
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _tidied(order: Order, staging: Path) -> None:
    """Removes what a killed fetch of another revision has left in the staging folder."""
    wanted = {staging / name for name in (*order.digests, MANIFEST)}
    for path in list(staging.rglob("*")):
        if path.is_file() and path not in wanted:
            path.unlink()


def _vetted(staging: Path) -> None:
    """Raises ValueError where the zoo is refused, and removes it: bytes that are right may still do harm."""
    try:
        vet.vet(staging)
    except ValueError:
        shutil.rmtree(staging)
        raise


def _synced(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
