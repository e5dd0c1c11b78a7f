"""The manifest of a zoo that lies elsewhere: known from small files of a stranger's, each checked before it is used."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo.dataset import derived
from zoo.dataset.not_a_zoo import RELEASE
from zoo.hub.address import Remote, locate
from zoo.hub.store import MARKS, SMALL, small
from zoo.messages import unknown
from zoo.storage import files
from zoo.untrusted.json import strict_json
from zoo.untrusted.manifest import MANIFEST, PART, digests_of

DERIVED = re.compile(rf"{derived.FOLDER}/{derived.NAME.pattern}\.parquet")  # what analyses added to a zoo
SHIPPED = re.compile(rf"zoo\.json|fixed\.safetensors|data/{PART}\.h5")  # all that a zoo consists of
MODEL, MODEL_BYTES = ("model.json", "weights.safetensors"), 2**31  # all that a fitted metanet is, and bytes of a file
Report = Callable[[str], None]


@dataclass(frozen=True)
class RemoteManifest:
    """A zoo elsewhere: its files below `prefix` at a commit, their SHA-256 and bytes by name."""

    remote: Remote
    commit: str | None
    prefix: str
    manifest: bytes
    digests: dict[str, str]
    sizes: dict[str, int]


@dataclass(frozen=True)
class _Place:
    """A release, or a zoo by itself, as two small files say: what `MANIFEST` names, and what zoo.json or model.json has."""

    remote: Remote
    commit: str | None
    sizes: dict[str, int]
    manifest: bytes
    digests: dict[str, str]
    about: dict[str, Any]


def remote_manifest(source: str, *, config: str | None, revision: str | None, report: Report) -> RemoteManifest:
    """The files that `zoo.hub.fetch.fetch` brings for these arguments. Raises as it does, for all that small files tell."""
    place = _found(locate(source, revision=revision), report)
    remote, commit, sizes, manifest, digests = place.remote, place.commit, place.sizes, place.manifest, place.digests
    prefix, added = "", {}
    if place.about.get("format") == RELEASE:
        prefix = _chosen(_configs(place.about, remote.where), config, remote.where) + "/"
        manifest = _small(remote, commit, prefix + MANIFEST, sizes)
        if files.hash_of(manifest) != digests.get(prefix + MANIFEST):
            raise ValueError(f"{remote.where}: {prefix}{MANIFEST} is not what {MANIFEST} says; publish again")
        added = _added(digests, prefix)
        digests = digests_of(manifest, f"{remote.where}/{prefix}{MANIFEST}")
    elif config is not None:
        raise ValueError(f"{remote.where} is one zoo and has no configs, found {config!r}; leave the config out")
    elif beside := [name for name in sizes if name.startswith(f"{derived.FOLDER}/")]:
        report(f"left there: {', '.join(beside[: derived.FILES])}: only a release has the SHA-256 of derived columns")
    digests = _shipped(digests, remote.where) | added
    return RemoteManifest(remote, commit, prefix, manifest, digests, _sizes(digests, sizes, prefix, remote))


def configs_of(source: str) -> dict[str, str]:
    """The configs of the release at this address, by the SHA-256 of their zoos' manifests.

    Raises ValueError where it is no release or damaged, and as `remote_manifest` does.
    """
    place = _found(locate(source), lambda line: None)
    if place.about.get("format") != RELEASE:
        raise ValueError(f"{source} is no release of zoos; `metazoo publish` makes one")
    named = {place.digests.get(f"{name}/{MANIFEST}"): name for name in _configs(place.about, place.remote.where)}
    return {digest: name for digest, name in named.items() if digest is not None}


def remote_model(source: str, *, revision: str | None, report: Report) -> RemoteManifest:
    """The two files of the fitted metanet at this address. Raises as `remote_manifest` does."""
    place = _found(locate(source, revision=revision, kind="model"), report)
    where, (_, field, words) = place.remote.where, MARKS["model"]
    if place.about.get(field) != words or not {*MODEL} <= place.digests.keys():
        raise ValueError(f"{where} is no fitted metanet as `metazoo publish` leaves it: {field} {place.about.get(field)!r}")
    digests = {name: place.digests[name] for name in MODEL}
    sizes = _sizes(digests, place.sizes, "", place.remote)
    if (most := max(sizes.values())) > MODEL_BYTES:
        raise ValueError(f"{where} has a file of {most:,} bytes; a model's have {MODEL_BYTES:,} at most")
    return RemoteManifest(place.remote, place.commit, "", place.manifest, digests, sizes)


def _found(remote: Remote, report: Report) -> _Place:
    """What lies there. Raises FileNotFoundError where that is nothing of the place's kind."""
    commit, (about, _, _) = remote.pin(), MARKS[remote.kind]
    report(f"{remote.where}" + (f" at {getattr(remote, 'revision', None) or 'main'}, commit {commit}" if commit else ""))
    sizes = {name: entry.size for name, entry in remote.listing(commit).items()}
    if missing := {MANIFEST, about} - sizes.keys():
        what = "release or zoo" if remote.kind == "dataset" else "model"
        raise FileNotFoundError(f"{remote.where}: no {min(missing)}, so no whole {what}; is its publish still at work?")
    manifest = _small(remote, commit, MANIFEST, sizes)
    digests = digests_of(manifest, f"{remote.where}/{MANIFEST}")
    data = _small(remote, commit, about, sizes)
    if files.hash_of(data) != digests.get(about):
        raise ValueError(f"{remote.where}: {about} is not what {MANIFEST} says; is a publish at work? else publish again")
    return _Place(remote, commit, sizes, manifest, digests, strict_json(f"{remote.where}/{about}", data))


def _small(remote: Remote, commit: str | None, name: str, sizes: dict[str, int]) -> bytes:
    """A small file's bytes; however much the remote sends, no more are taken."""
    if sizes.get(name, SMALL + 1) > SMALL:
        raise ValueError(f"{remote.where}: {name} has {sizes.get(name, 'no')} bytes, expected at most {SMALL:,}")
    return small(remote.read(name, commit=commit), f"{remote.where}/{name}")


def _configs(release: dict[str, Any], where: str) -> list[str]:
    """The names of a release's configs. Raises ValueError where they are not plain ones."""
    configs = release.get("configs")
    found = [c.get("name") for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    known = [name for name in found if isinstance(name, str) and re.fullmatch(PART, name)]
    if not known or len(known) < len(found):
        raise ValueError(f"{where}: zoo.json is damaged: it must name configs plainly, found {str(found)[:200]}")
    return known


def _chosen(known: list[str], config: str | None, where: str) -> str:
    """The config to fetch. Raises ValueError naming those there are."""
    if config is None and len(known) > 1:
        raise ValueError(f"{where} has several zoos; choose a config: {', '.join(known)}")
    if config is not None and config not in known:
        raise ValueError(unknown("config", config, known))
    return config or known[0]


def _added(release: dict[str, str], prefix: str) -> dict[str, str]:
    """The files of derived columns of a config, out of the release's manifest; the zoo's own does not name them."""
    names = {name.removeprefix(prefix): digest for name, digest in release.items() if name.startswith(prefix)}
    return {name: digest for name, digest in names.items() if DERIVED.fullmatch(name)}


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
