"""Moved copies: a zoo of nets with other weights that compute the same, to test metanets on."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.dataset import not_a_zoo, zoo_json
from zoo.dataset.aside import aside
from zoo.dataset.reader import Zoo, open
from zoo.dataset.zoo_json import Description
from zoo.seeds import stream
from zoo.spec.imported import Imported
from zoo.spec.moved import Moved
from zoo.storage import files, shards
from zoo.storage.manifest import write_manifest
from zoo.symmetry import KINDS, Element, Group, act, draw, group_of

SHARD_BYTES = 64 * 2**20  # weights a shard at most: each is moved and written in memory
MOVED_AT_ONCE = 64  # nets; see `act`


def move(
    source: Path | str,
    folder: Path | str,
    *,
    kinds: tuple[str, ...] = ("permutation", "scale", "size"),
    copies: int = 1,
    largest: float = 2.0,
    seed: int = 0,
) -> Path:
    """Writes a zoo of moved copies of the source's nets to `folder`; returns the folder.

    Net i * copies + k is copy k of net i (column `lineage`), with its targets, hyper-parameters and split; scales and sizes
    lie between 1 / `largest` and `largest`. The same arguments give the same bytes. The folder gets its name when it is
    whole. Raises ValueError where the nets have none of a kind, or were imported or moved already; FileExistsError where
    `folder` exists.
    """
    folder, zoo = Path(folder).expanduser(), open(source)
    _check(zoo)
    group = _of_kinds(zoo, kinds)
    moved = Moved(zoo.manifest_sha256, kinds, copies, largest, seed)
    with aside(folder, "moving") as place:
        _write(zoo, group, replace(zoo_json.read(zoo.folder), moved=moved), place / "zoo")
    return folder


def element_of(group: Group, moved: Moved, lineages: np.ndarray, copies: np.ndarray) -> Element:
    """The elements that move these copies of these nets, each drawn by its own numbers."""
    numbers = zip(lineages.tolist(), copies.tolist(), strict=True)
    drawn = [
        draw(group, 1, stream(moved.seed, "move", net, copy), kinds=moved.kinds, largest=moved.largest)
        for net, copy in numbers
    ]

    def joined(part: str) -> dict[str, Tensor]:
        return {name: torch.cat([getattr(one, part)[name] for one in drawn]) for name in getattr(drawn[0], part)}

    return Element(joined("orders"), joined("scales"), joined("mixes"), joined("sizes"))


def _check(zoo: Zoo) -> None:
    not_a_zoo.check(zoo.folder)
    if isinstance(zoo.spec, Imported):
        raise ValueError(f"{zoo.folder}: an imported zoo, whose images are not known, so copies could not be verified")
    if zoo.moved is not None:
        raise ValueError(f"{zoo.folder} is a zoo of moved copies; move the nets of its source, {zoo.moved.source[:8]}")


def _of_kinds(zoo: Zoo, kinds: tuple[str, ...]) -> Group:
    group = group_of(zoo.blueprint)
    if not kinds:
        raise ValueError(f"no kind of symmetry to move nets by; expected some of {', '.join(KINDS)}")
    for kind in kinds:
        if not group.only((kind,)):
            raise ValueError(f"{zoo.folder}: {zoo.spec.family} nets have no {kind} symmetry; leave it out of --kinds")
    return group.only(kinds)


def _write(zoo: Zoo, group: Group, about: Description, folder: Path) -> None:
    assert about.moved is not None
    (folder / "data").mkdir(parents=True)
    zoo_json.write(folder, about)
    attributes, names = zoo_json.shard_attributes(about), [zoo_json.FILE, zoo_json.FIXED]
    for split, parts in zoo.parts.items():
        pieces = [(part, rows) for part in parts for rows in _pieces(part, about.moved.copies)]
        for number, (part, rows) in enumerate(pieces):
            name = f"data/{split}-{number:05}-of-{len(pieces):05}.h5"
            weights, columns = _copied(part, rows, zoo, group, about.moved)
            files.write(folder / name, shards.image(weights, columns, attributes))
            names.append(name)
    write_manifest(folder, names)


def _pieces(part: shards.Shard, copies: int) -> Iterator[np.ndarray]:
    """The rows of a shard, so many at a time that their copies make a shard."""
    points = 0 if part.trajectory is None else part.trajectory.shape[1]
    bytes_ = part.weights.nbytes * copies * (1 + points)
    yield from np.array_split(np.arange(len(part.weights)), max(1, ceil(bytes_ / SHARD_BYTES)))


def _copied(
    part: shards.Shard, rows: np.ndarray, zoo: Zoo, group: Group, moved: Moved
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The weights and columns of all copies of these rows, the copies of a net one after the other."""
    rows = np.repeat(rows, moved.copies)
    copies = np.arange(len(rows)) % moved.copies
    weights, columns = part.rows(rows)
    lineage = columns["index"]
    element = element_of(group, moved, lineage, copies)
    columns |= {"index": lineage * moved.copies + copies, "lineage": lineage}
    if part.trajectory is not None:
        points = columns[shards.TRAJECTORY]
        along = [_acted(points[:, number], zoo, element) for number in range(points.shape[1])]
        columns[shards.TRAJECTORY] = np.stack(along, axis=1)
    found = _acted(weights, zoo, element)
    if lost := int((~np.isfinite(found).all(axis=1) & ~columns["diverged"].astype(bool)).sum()):
        raise ValueError(
            f"{zoo.folder}: {lost} copies have weights that {zoo.spec.dtype} cannot hold; give a smaller --largest"
        )
    return found, columns


def _acted(weights: np.ndarray, zoo: Zoo, element: Element) -> Float[np.ndarray, "net weight"]:
    parts = []
    for rows in torch.arange(len(weights)).split(MOVED_AT_ONCE):
        here = Element(*({name: values[rows] for name, values in part.items()} for part in vars(element).values()))
        parts.append(act(torch.from_numpy(np.asarray(weights[rows.numpy()], np.float32)), zoo.layout, here))
    with np.errstate(over="ignore"):  # said by whoever asks
        return torch.cat(parts).numpy().astype(weights.dtype)
