"""Publishing a release: to a hub, a bucket or a folder; what is there is not sent again, what was sent is read back."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.hub.address import ON_HUB, Remote, locate
from zoo.hub.huggingface import Hub
from zoo.hub.release import Release
from zoo.hub.store import Content, Entry, small
from zoo.storage import files
from zoo.storage.manifest import MANIFEST
from zoo.untrusted.files import sha256
from zoo.untrusted.manifest import digests_of

DATA = re.compile(r".*\.(h5|safetensors)|[^/]+/derived/.*")  # go first; all else describes them
FILES_AT_ONCE, BYTES_AT_ONCE = 50, 2 << 30  # in a commit: the hub ends one after a minute
ATTEMPTS = 3  # where others commit in between
OWN = re.compile(r"README\.md|zoo\.json|index\.parquet|croissant\.json|MANIFEST\.sha256|pictures/[^/]+\.png")
ZOO = re.compile(r"(?P<config>[^/]+)/(zoo\.json|fixed\.safetensors|MANIFEST\.sha256|data/[^/]+\.h5|derived/[^/]+\.parquet)")


@dataclass(frozen=True)
class Published:
    """What a publish did. `revision` is the commit on a hub, else None; `uploaded` has bytes by name."""

    where: str
    revision: str | None
    tag: str | None
    uploaded: dict[str, int]
    skipped: tuple[str, ...]
    removed: tuple[str, ...]


def publish(
    release: Release,
    to: Path | str,
    *,
    tag: str | None = None,
    dry_run: bool = False,
    private: bool = False,
    report: Callable[[str], None],
) -> Published:
    """Brings a release to `to`: `hf://datasets/USER/NAME`, `s3://bucket/prefix` or a folder; run again, it goes on.

    A model's goes to `hf://USER/NAME` instead of the first.

    Data goes first and the manifest last; then every file is read back, and on a hub the tag set (`m` and the beginning
    of the manifest's SHA-256, unless given). Files of an earlier release that are in this one no more are removed.
    `dry_run` writes nothing and reports files and sizes; `private` holds for a repository that this creates.

    Raises ValueError where bytes are not the release's, here or there; BlockingIOError where somebody else publishes to
    the same place; FileExistsError where the tag is another release's or a folder or bucket holds other things;
    PermissionError, FileNotFoundError, ConnectionError as the place answers. None of them has a token in it.
    """
    for name, content in release.files.items():
        if _sha256(content) != release.digests[name]:
            raise ValueError(f"{name}: its bytes are no longer those of the release; verify the zoo and publish again")
    remote, digest = locate(str(to), kind=release.kind), release.digests[MANIFEST]
    if tag is not None and not isinstance(remote, Hub):  # before the place is claimed
        raise ValueError(f"{remote.where} has no tags, found {tag!r}; only {ON_HUB[release.kind]} has")
    if dry_run:
        return _described(remote, release, report)
    remote.begin(digest, private=private)
    tag = _free_tag(remote, release, tag)
    commit, uploaded, removed = _brought(remote, release, report)
    report(f"reading back {len(release.files)} files")
    _read_back(remote, release, commit)
    if tag is None or tag not in remote.tags():
        remote.finish(commit, tag=tag)
    skipped = tuple(name for name in release.files if name not in uploaded)
    sizes = {name: release.sizes[name] for name in uploaded}
    return Published(remote.where, commit, tag, sizes, skipped, tuple(removed))


def _sha256(content: Content) -> str:
    return files.hash_of(content) if isinstance(content, bytes) else sha256(content)


def _held(entry: Entry | None, release: Release, name: str) -> bool:
    """Whether a remote's file is the release's."""
    if entry is None or entry.size != release.sizes[name]:
        return False
    if entry.sha256 is None and entry.blob is not None:
        return entry.blob == _git_blob(release.files[name])
    return entry.sha256 == release.digests[name]


def _git_blob(content: Content) -> str:
    """Git's name of a file's content: a hub has those of its small files only."""
    data = content if isinstance(content, bytes) else content.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _described(remote: Remote, release: Release, report: Callable[[str], None]) -> Published:
    """A line for each file: its size, and whether it would be uploaded. A place that cannot be asked counts as empty."""
    try:
        commit = remote.pin()
        there = remote.listing(commit, digests=release.files)
    except OSError as error:
        report(f"taken as empty: {error}")
        commit, there = None, {}
    held = tuple(name for name in release.files if _held(there.get(name), release, name))
    for name, size in release.sizes.items():
        report(f"{size:>15,}  {name}{'  (there already)' if name in held else ''}")
    left = {name: size for name, size in release.sizes.items() if name not in held}
    report(f"{sum(left.values()):>15,}  bytes in {len(left)} of {len(release.files)} files would go to {remote.where}")
    return Published(remote.where, commit, None, {}, held, ())


def _free_tag(remote: Remote, release: Release, tag: str | None) -> str | None:
    """The tag to set; None where the place has none. Raises FileExistsError where it is another release's."""
    if remote.pin() is None:
        return None
    tag = tag or f"m{release.digests[MANIFEST][:12]}"
    commit = remote.tags().get(tag)
    if commit is not None and not _held(remote.listing(commit).get(MANIFEST), release, MANIFEST):
        raise FileExistsError(f"{remote.where}: the tag {tag!r} is another release's; give this one another tag")
    return tag


def _brought(remote: Remote, release: Release, report: Callable[[str], None]) -> tuple[str | None, set[str], list[str]]:
    """Uploads what is missing; the commit then, what was uploaded and what was removed.

    Where others commit in between it looks again, and goes on unless they have written to this release's own files.
    """
    uploaded: set[str] = set()
    before: dict[str, Entry] | None = None
    for _ in range(ATTEMPTS):
        head = remote.pin()
        there = remote.listing(head, digests=release.files)
        missing = [name for name in release.files if not _held(there.get(name), release, name)]
        if before is not None and any(there.get(name) != before.get(name) for name in missing):
            break
        before = there
        data = [name for name in missing if DATA.fullmatch(name)]
        small = sorted(
            (name for name in missing if name not in data), key=lambda name: (Path(name).name == MANIFEST, -name.count("/"))
        )
        gone = _gone(remote, release, head, there)
        try:
            for part in _parts(release, data):
                report(f"uploading {len(part)} data files, {sum(release.sizes[name] for name in part):,} bytes")
                head = remote.put({n: release.files[n] for n in part}, digests=release.digests, remove=[], parent=head)
                uploaded |= set(part)
            if small or gone:
                report(f"uploading {len(small)} files that describe them" + "".join(f"; removing {name}" for name in gone))
                head = remote.put({n: release.files[n] for n in small}, digests=release.digests, remove=gone, parent=head)
            return head, uploaded | set(small), gone
        except BlockingIOError:
            continue
    raise BlockingIOError(
        f"somebody else is publishing to {remote.where}; wait for it to end, then run the same command again"
    )


def _parts(release: Release, names: list[str]) -> Iterator[list[str]]:
    """The names in parts that are one commit each."""
    part: list[str] = []
    for name in names:
        if part and (len(part) == FILES_AT_ONCE or sum(release.sizes[n] for n in [*part, name]) > BYTES_AT_ONCE):
            yield part
            part = []
        part.append(name)
    if part:
        yield part


def _gone(remote: Remote, release: Release, commit: str | None, there: dict[str, Entry]) -> list[str]:
    """Files that an earlier release brought and this one has not.

    Those that the manifest there names, and shards in this release's own configs, which `load_dataset` would read too.
    All under names that a publish writes: others' files are never touched.
    """
    earlier = _named(remote, commit) if MANIFEST in there else set()
    configs = {name.split("/")[0] for name in release.files if ZOO.fullmatch(name)}
    gone = []
    for name in sorted(there.keys() - release.files.keys()):
        match = ZOO.fullmatch(name)
        if (name in earlier and (match or OWN.fullmatch(name))) or (match and match["config"] in configs):
            gone.append(name)
    return gone


def _named(remote: Remote, commit: str | None) -> set[str]:
    """What the manifest there names; nothing where it is damaged, which this publish mends."""
    where = f"{remote.where}/{MANIFEST}"
    data = small(remote.read(MANIFEST, commit=commit), where)
    try:
        return set(digests_of(data, where))
    except ValueError:
        return set()


def _read_back(remote: Remote, release: Release, commit: str | None) -> None:
    """Raises ValueError naming the first file that does not come back as it was sent."""
    for name, digest in release.digests.items():
        came = hashlib.sha256()
        for chunk in remote.as_delivered(name, commit=commit):
            came.update(chunk)
        if (found := came.hexdigest()) != digest:
            raise ValueError(
                f"{remote.where}: {name} came back with SHA-256 {found}, not {digest}; delete it there and publish again"
            )
