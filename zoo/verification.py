"""Checking a zoo against itself: bytes, shapes, its spec; some accuracies and derived columns, computed again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from zoo.dataset import derived, not_a_zoo, zoo_json
from zoo.dataset.reader import Zoo, open
from zoo.landscape import again
from zoo.messages import plain
from zoo.nets.blueprint import Blueprint
from zoo.seeds import net_seed, stream
from zoo.spec.draws import drawn, split_of
from zoo.spec.imported import Imported
from zoo.spec.resolve import gates_of, layout_of
from zoo.spec.spec import Spec
from zoo.storage.manifest import MANIFEST, check_bytes, read_manifest
from zoo.storage.shards import Shard
from zoo.tasks import images
from zoo.tasks.augment import normalise
from zoo.tasks.images import ImageSet
from zoo.training.measure import measure

MEASURED_AT_ONCE = 16  # nets, in one stack
COMPARED = 64  # images, whose logits moved copies must share
# Of the logits' deviation: norms' epsilon and rounded weights move them by up to 2.3e-4 (1,024 copies of digits nets, by a
# factor of 2), more in nets of tiny weights; float16 keeps three digits.
LOGIT_TOLERANCE = {"float32": 1e-2, "float16": 0.1}
ACCURACY_TOLERANCE = 3  # images of the measured set: other machines and thread counts round logits differently


def verify(
    folder: Path | str,
    *,
    nets: int = 4,
    images_folder: Path | str | None = None,
    download: bool = False,
    seed: int = 0,
    source: Path | str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """All that is wrong with a zoo, a line each; an empty list if nothing is.

    Checks the files' SHA-256, shapes and types (by opening), finite weights, fixed entries, hyper-parameters, hidden
    axes, seeds and splits against the spec, and measures the targets of `nets` random nets again. Images other than
    `digits` come from `images_folder`. An imported zoo has no spec to check against, and is not measured again. Of moved
    copies, the logits of `nets` random lineages are compared: with those of the `source` zoo's nets where it is given, else
    with each other. Of each file of derived columns, `nets` random rows are computed again; `report` gets a line on each
    file of which none could be. Raises as `open` does where there is no zoo, and ValueError where `source` is another zoo's.
    """
    folder = Path(folder).expanduser()
    not_a_zoo.check(folder)
    problems = [*check_bytes(folder), *_unlisted(folder)]
    if problems:
        return problems
    zoo, origin = open(folder), None if source is None else open(source)
    if origin is not None and (zoo.moved is None or zoo.moved.source != origin.manifest_sha256):
        raise ValueError(f"{folder} has no moved copies of the nets of {source}; leave --source away")
    if isinstance(zoo.spec, Imported):
        return [*_weights(zoo), *_derived_again(zoo, nets, None, seed, report)]
    problems += _columns(zoo, zoo.spec)
    problems += _weights(zoo)
    if not nets:
        return problems
    if not _is_of(zoo.blueprint, zoo.spec):
        return [*problems, f"{zoo.folder}: its tensors are not those that its spec's nets have; nothing was measured again"]
    image_set = images.load(zoo.spec.images, path=images_folder, download=download)
    if image_set.digest() != zoo_json.read(zoo.folder).images_sha256:
        return [
            *problems,
            f"{zoo.folder}: these are not the images that the nets were trained on; nothing was measured again",
        ]
    if zoo.moved is not None and not problems:  # else lineages may be those of no net
        problems += _apart(zoo, origin, image_set, nets, seed)
    problems += _measured_again(zoo, nets, image_set, seed)
    return [*problems, *_derived_again(zoo, nets, image_set, seed, report)]


def _unlisted(folder: Path) -> Iterator[str]:
    """A line for each shard that the manifest does not name: without the last nets, a zoo looks like a smaller one."""
    digests = read_manifest(folder) if (folder / MANIFEST).exists() else {}
    for path in sorted((folder / "data").glob("*.h5")):
        if f"data/{path.name}" not in digests:
            where = plain(path)
            yield f"{where}: not in {MANIFEST}: its line is lost, or a build that adds nets was stopped; run that again"


def _columns(zoo: Zoo, spec: Spec) -> Iterator[str]:
    copies = 1 if zoo.moved is None else zoo.moved.copies
    for row in zoo.columns.itertuples():
        first = row.index // copies  # the net that was trained
        if zoo.moved is not None and row.lineage != first:
            yield f"{zoo.folder}: net {row.index} has lineage {row.lineage}, expected {first}, with {copies} copies a net"
        seed = net_seed(spec.seed, first)
        if row.seed != seed or row.split != split_of(spec, first):
            yield f"{zoo.folder}: net {row.index} has seed {row.seed} and split {row.split}, not those of its index"
        for name, value in drawn(spec.recipe, seed=seed).items():
            if not np.isclose(getattr(row, name), value, rtol=1e-6, atol=0):
                yield f"{zoo.folder}: net {row.index} has {name} {getattr(row, name)}, the spec draws {value}"
    finite = zoo.columns.loc[~zoo.columns["diverged"], ["test_accuracy", "train_accuracy"]]
    if not finite.to_numpy().size or not np.isfinite(finite).all(axis=None):
        yield f"{zoo.folder}: nets that did not diverge must have finite accuracies"


def _weights(zoo: Zoo) -> Iterator[str]:
    shared = ~zoo.blueprint.trained.numpy() & np.isfinite(zoo.blueprint.fixed.numpy())
    for split, parts in zoo.parts.items():
        for part in parts:
            fixed = zoo.blueprint.fixed.numpy().astype(part.weights.dtype)
            for row, index, diverged in zip(part.weights, part.columns["index"], part.columns["diverged"], strict=True):
                if not diverged and not np.isfinite(row).all():
                    yield f"{zoo.folder}: {split} net {index} has weights that are not finite, and is not marked diverged"
                if not np.array_equal(row[shared], fixed[shared]):
                    yield f"{zoo.folder}: {split} net {index} has fixed entries that are not the zoo's"
            if part.trajectory is not None and "epochs" in part.columns:
                yield from _ends(zoo, part)


def _ends(zoo: Zoo, part: Shard) -> Iterator[str]:
    """A line for each net whose trajectory does not end in its weights, or goes on behind its last epoch."""
    assert part.trajectory is not None
    epochs = np.array(zoo.spec.trajectory)
    for row, points, index, last in zip(
        part.weights, part.trajectory, part.columns["index"], part.columns["epochs"], strict=True
    ):
        ends = points[epochs == last]
        if len(ends) and not np.array_equal(ends[0], row, equal_nan=True):
            yield f"{zoo.folder}: net {index}'s trajectory ends in other weights than the net's own"
        if not np.isnan(points[epochs > last]).all():
            yield f"{zoo.folder}: net {index} was trained for {last} epochs, and has checkpoints of later ones"


def _is_of(blueprint: Blueprint, spec: Spec) -> bool:
    """Whether these are the tensors of the spec's nets: few weights of other shapes can take any memory to run."""
    matrices = {name: tuple(matrix.shape) for name, matrix in (blueprint.gate or {}).items()}
    return blueprint.layout == layout_of(spec) and matrices == {name: (size, size) for name, size in gates_of(spec).items()}


def _measured_again(zoo: Zoo, nets: int, image_set: ImageSet, seed: int) -> Iterator[str]:
    settled = zoo.columns.loc[~zoo.columns["diverged"], "index"].to_numpy()
    chosen = torch.randperm(len(settled), generator=stream("verify", seed))[:nets]
    for part in chosen.split(MEASURED_AT_ONCE) if len(chosen) else ():
        indices = settled[part.numpy()]  # a tensor of one number would be taken for that number
        vectors = [torch.cat([tensor.flatten() for tensor in zoo.net(int(index)).values()]) for index in indices]
        again = measure(zoo.blueprint, torch.stack(vectors), image_set)
        for name, count in (("test", len(image_set.test)), ("train", len(image_set.train))):
            stored = zoo.columns[f"{name}_accuracy"].to_numpy()[indices]
            for index, before, now in zip(indices, stored, again[f"{name}_accuracy"], strict=True):
                if abs(before - now) > ACCURACY_TOLERANCE / count:
                    yield f"{zoo.folder}: net {index} has stored {name}_accuracy {before:.4f}, measured again {now:.4f}"


def _apart(zoo: Zoo, origin: Zoo | None, image_set: ImageSet, nets: int, seed: int) -> Iterator[str]:
    """A line for each moved copy whose logits are not those of the source's net, or without it of the first copy."""
    assert zoo.moved is not None
    copies, few = zoo.moved.copies, image_set.test[:COMPARED]
    inputs, tolerance = normalise(few, image_set.mean, image_set.std), LOGIT_TOLERANCE[zoo.spec.dtype]
    settled = zoo.columns.loc[~zoo.columns["diverged"], "lineage"].unique()
    for net in settled[torch.randperm(len(settled), generator=stream("verify", "moved", seed))[:nets].numpy()]:
        first = [] if origin is None else [origin.net(int(net))]
        tensors = [*first, *(zoo.net(int(index)) for index in net * copies + np.arange(copies))]
        vectors = torch.stack([torch.cat([tensor.flatten() for tensor in one.values()]) for one in tensors]).double()
        blueprint = zoo.blueprint.to(vectors.device, vectors.dtype)
        with torch.no_grad():
            parts = (
                blueprint.logits(part, inputs.double().expand(len(part), *inputs.shape))
                for part in vectors.split(MEASURED_AT_ONCE)
            )
            logits = torch.cat(list(parts))
        far = (logits - logits[0]).abs().amax(dim=(1, 2)) / logits[0].std()
        for copy, distance in enumerate(far[len(first) :].tolist()):
            if not distance <= tolerance:
                what = "the first copy's" if origin is None else "the source's"
                yield (
                    f"{zoo.folder}: copy {copy} of net {net} has logits that are {distance:.2g} of their standard deviation "
                    f"from {what}; expected {tolerance:g} or less"
                )


def _derived_again(
    zoo: Zoo, rows: int, image_set: ImageSet | None, seed: int, report: Callable[[str], None]
) -> Iterator[str]:
    """A line for each number of some rows of derived columns that comes out otherwise."""
    for one in zoo.derived.values():
        where = plain(f"{zoo.folder}: {derived.FOLDER}/{one.path.name}")
        if one.note.analysis not in again.ANALYSES:
            report(f"{where}: not recomputed: this release has no {plain(one.note.analysis)}")
            continue
        if one.note.other is not None:
            report(f"{where}: not recomputed: its pairs reach into another zoo, {one.note.other[:8]}")
            continue
        if one.frame.empty:
            continue
        chosen = torch.randperm(len(one.frame), generator=stream("verify", "derived", one.name, seed))[:rows]
        try:
            lines = again.differing(zoo, one, one.frame.iloc[chosen.numpy()], image_set)
        except ValueError as error:
            report(f"{where}: not recomputed: {plain(error)}")
            continue
        yield from (f"{where}: {plain(line)}" for line in lines)
