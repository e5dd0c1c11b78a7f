"""Looks at a zoo's files as a stranger may have made them, before anything else reads them.

`zoo.dataset.vet` runs `check` in a limited child. This package and what it imports need the standard library, numpy, h5py
and safetensors only, so that the child is quick and small; what they do not know, they refuse. Every message names the
file and the object in it.
"""

import os
from pathlib import Path

from zoo.untrusted.files import sha256, size
from zoo.untrusted.vetting.about import About, read_about
from zoo.untrusted.vetting.manifests import ABOUT, FIXED, MANIFEST, SHARD, manifest
from zoo.untrusted.vetting.shards import Shard, shard
from zoo.untrusted.vetting.tensors import FIXED_BYTES, TENSORS, tensors_header

__all__ = ["LOCAL", "MANIFEST", "check", "manifest", "tensors_header"]

UNPACKED_BYTES = 2**30  # of all shards' columns in memory; more only where the files themselves are as large
LOCAL = ("plan.json", "units", "cache")  # what `build` and `score` keep beside a zoo and trust


def check(folder: str, *, local: bool = False) -> dict[str, int]:
    """How many files, bytes, nets and columns a zoo from others has; all of them are as this package writes them.

    `local` allows what stands beside a zoo where it was made. Raises ValueError naming what is refused.
    """
    place = Path(folder)
    if not local and (extra := [name for name in LOCAL if os.path.lexists(place / name)]):
        raise ValueError(f"{place / extra[0]}: is trusted where a zoo was made, so a zoo from others has none; delete it")
    digests = manifest(place)
    sizes = {name: size(place / name, place) for name in digests}
    _check_digests(place, digests)
    about = read_about(place / ABOUT)
    fixed = tensors_header(place / FIXED, TENSORS, most=FIXED_BYTES)
    if fixed.get("fixed") != [about.weights]:
        raise ValueError(
            f"{place / FIXED}: tensor fixed has shape {fixed.get('fixed')}, {ABOUT} describes [{about.weights}]"
        )
    found = _shards(place, sizes, about)
    _check_alike(place, found)
    nets = sum(one.nets for one in found)
    return {"files": len(digests), "bytes": sum(sizes.values()), "nets": nets, "columns": len(found[0].columns)}


def _check_alike(place: Path, found: list[Shard]) -> None:
    """Raises ValueError where a shard has other columns than the first, or one of another type."""
    first = found[0]
    for one in found[1:]:
        if one.columns.keys() != first.columns.keys():
            raise ValueError(f"{place}: its shards do not all have the same columns")
        for name, kind in one.columns.items():
            if kind != first.columns[name]:
                there = f"{first.columns[name]} in {first.name}"
                raise ValueError(f"{place}: column {name} is {there}, but {kind} in {one.name}; expected one type")


def _check_digests(folder: Path, digests: dict[str, str]) -> None:
    for name, digest in digests.items():
        if sha256(folder / name, folder) != digest:
            raise ValueError(f"{folder / name}: its bytes are not those that {MANIFEST} lists; fetch the zoo again")


def _shards(folder: Path, sizes: dict[str, int], about: About) -> list[Shard]:
    """The shards. Raises ValueError where a reader of them all would need far more memory than there are files."""
    found: list[Shard] = []
    most = max(UNPACKED_BYTES, sum(sizes.values()))
    for name in filter(SHARD.fullmatch, sizes):
        found.append(shard(folder / name, about))
        if sum(one.held for one in found) > most:
            raise ValueError(f"{folder}: the columns of its shards unpack to more than {most:,} bytes; a bomb?")
    return found
