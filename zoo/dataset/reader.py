"""Reading a zoo: its columns as a frame, its weights memory-mapped, as torch tensors, and tensor by tensor."""

import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import SupportsIndex

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from zoo.dataset import not_a_zoo, vet, zoo_json
from zoo.dataset.derived import Derived, merged, read_all
from zoo.dataset.mapped import gathered
from zoo.dataset.nets import Inputs, Nets
from zoo.messages import Facts, facts_html, facts_text, plain, some_names, unknown
from zoo.nets.blueprint import Blueprint
from zoo.nets.layout import Layout, total, views
from zoo.spec.columns import SPLITS
from zoo.spec.imported import Imported
from zoo.spec.moved import Moved
from zoo.spec.spec import Spec
from zoo.storage import shards
from zoo.storage.manifest import MANIFEST, read_manifest
from zoo.symmetry.group import known_group
from zoo.tasks.image_tasks import TASKS
from zoo.tasks.images import Images, shape_of
from zoo.untrusted.files import sha256
from zoo.untrusted.json import read_json

SOURCE, SOURCE_BYTES = "source.json", 10_000  # what `fetch` leaves in a zoo, not in its manifest; at most so large


@dataclass(frozen=True)
class Zoo:
    """A whole zoo, opened for reading; weights stay on disk until they are asked for.

    `columns` has a row a net in order of `index`, with hyper-parameters, targets, `diverged`, `split`, and what analyses
    derived for each net. `manifest_sha256` identifies the zoo's content. `derived` has what analyses added, by name;
    `left_aside` a line on each such file that is of another zoo. `moved`: its nets are moved copies of another zoo's.
    """

    folder: Path
    spec: Spec | Imported
    blueprint: Blueprint
    manifest_sha256: str
    columns: pd.DataFrame
    parts: dict[str, tuple[shards.Shard, ...]]
    derived: dict[str, Derived] = field(default_factory=dict)
    left_aside: tuple[str, ...] = ()
    moved: Moved | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return facts_text(self._facts())

    def _repr_html_(self) -> str:
        return facts_html(self._facts())

    def _facts(self) -> Facts:
        spec, counts, weights = self.spec, self.columns["split"].value_counts(), self.blueprint.trained
        splits = ", ".join(f"{split} {counts.get(split, 0):,}" for split in self.parts)
        return f"Zoo {spec.name}: {len(self):,} nets", {
            "family": spec.family,
            "architecture": spec.architecture_text,
            "images": spec.image_task,
            "weights": f"{len(weights):,} a net, {int(weights.sum()):,} of them trained, {spec.dtype}",
            **({"moved": _moved_text(self.moved)} if self.moved else {}),
            "nets": f"{splits}; {int(self.columns['diverged'].sum()):,} diverged",
            "hyper-parameters": some_names(self.hyper_parameters),
            "targets": some_names(self.targets),
            **({"derived": "; ".join(map(str, self.derived.values()))} if self.derived else {}),
            **({"derived, left aside": "; ".join(self.left_aside)} if self.left_aside else {}),
            "folder": str(self.folder),
        }

    @property
    def source(self) -> str | None:
        """Where in the world the zoo was fetched from, with its commit and config; None where it was not.

        `hf://datasets/USER/NAME@COMMIT/CONFIG`; a folder's path says nothing to others, and is left out.
        """
        path = self.folder / SOURCE
        if path.is_symlink() or not path.is_file() or path.stat().st_size > SOURCE_BYTES:
            return None
        told = read_json(path, below=self.folder, most=SOURCE_BYTES)
        where, commit, config = (str(told.get(name) or "") for name in ("source", "revision", "config"))
        text = where + f"@{commit}" * bool(commit) + f"/{config}" * bool(config)
        return plain(text)[:500] if "://" in where else None

    @property
    def layout(self) -> Layout:
        """Where each tensor lies in a net's vector."""
        return self.blueprint.layout

    @property
    def image(self) -> tuple[int, int, int] | None:
        """[channel, height, width] of the images that its nets are run on; None where they cannot be run, or not known."""
        if self.blueprint.architecture is None or self.spec.image_task not in TASKS:
            return None
        return shape_of(self.spec.images if isinstance(self.spec, Spec) else Images(task=self.spec.image_task))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """The nets one after the other, in order of `index`, each as `net` gives it."""
        return (self.net(index) for index in range(len(self)))

    def __getitem__(self, index: SupportsIndex) -> dict[str, Tensor]:
        """`net(index)`; from the last on where negative. Raises IndexError where there is none."""
        at = operator.index(index)
        if not -len(self) <= at < len(self):
            raise IndexError(f"{self.folder}: no net {at}; it has nets 0 to {len(self) - 1}")
        return self.net(at % len(self))

    def xy(
        self, split: str = "train", target: str = "test_accuracy", *, inputs: Inputs = "trained"
    ) -> tuple[Float[np.ndarray, "net weight"], Float[np.ndarray, " net"]]:
        """What scikit-learn takes, as numpy arrays: weights in float32, a row a net, and the target in float64.

        Rows are in order of `index`, without diverged nets and those that lack the target; `inputs` is as in `nets`. Raises
        ValueError where there is no such split or target.
        """
        self.check_target(target)
        nets = self.nets(split, inputs=inputs)
        y = self.columns[target].to_numpy(np.float64)[nets.index]
        kept = np.isfinite(y)
        x = nets.weights.numpy() if kept.all() else nets.weights.numpy()[kept]
        return x.astype(np.float32, copy=False), y[kept]

    def arrays(self, split: str) -> list[np.ndarray]:
        """The weights [net, weight] of a split, memory-mapped: one array a shard, fixed entries included."""
        return [part.weights for part in self._parts(split)]

    def trajectories(self, split: str) -> list[np.ndarray]:
        """The weights during training [net, checkpoint, weight], memory-mapped: one array a shard, rows as `arrays`.

        Checkpoints are those of `spec.trajectory`; NaN where a net was trained for fewer epochs. Empty without any.
        """
        return [part.trajectory for part in self._parts(split) if part.trajectory is not None]

    def curves(self, split: str) -> dict[str, np.ndarray]:
        """Test and train accuracy and loss [net, checkpoint] by name, rows as `trajectories`; empty without any."""
        parts = [part.columns for part in self._parts(split)]
        names = [name for name in parts[0] if shards.is_curve(name)] if parts else []
        return {name.removeprefix("trajectory_"): np.concatenate([part[name] for part in parts]) for name in names}

    def tensors(self, split: str) -> list[dict[str, np.ndarray]]:
        """Each tensor by name, [net, *shape], as views of `arrays`."""
        return [views(array, self.layout) for array in self.arrays(split)]

    def net(self, index: int) -> dict[str, Tensor]:
        """One net's tensors by name, float32, with the values that it computes with: a plain state_dict."""
        if not 0 <= index < len(self):
            raise ValueError(f"{self.folder}: no net {index}; it has nets 0 to {len(self) - 1}")
        for part in self._parts(self.columns["split"][index]):
            rows = np.flatnonzero(part.columns["index"] == index)
            if len(rows):
                vector = torch.from_numpy(part.weights[rows].astype(np.float32))
                return {name: tensor[0].clone() for name, tensor in views(vector, self.layout).items()}
        raise ValueError(f"{self.folder} is damaged: net {index} is in no shard; see `metazoo verify`")

    def nets(self, split: str, *, inputs: Inputs = "trained", diverged: bool = False, most: int | None = None) -> Nets:
        """The nets of a split in memory, with trained entries only or all; without the diverged ones unless asked.

        Of these the first, where `most` says how many; no more is read then.
        """
        frame = self.columns[self.columns["split"] == split]
        keep = np.ones(len(frame), bool) if diverged else ~frame["diverged"].to_numpy()
        keep &= keep.cumsum() <= (len(keep) if most is None else most)
        shared = self.blueprint
        entries = None if inputs == "all" or bool(shared.trained.all()) else np.flatnonzero(shared.trained.numpy())
        weights = torch.from_numpy(gathered(self.arrays(split), total(self.layout), keep, entries))
        index, hyper_parameters = frame["index"].to_numpy()[keep], frame.loc[keep, self.hyper_parameters]
        given = index, weights, hyper_parameters, self.layout, shared.trained.clone(), shared.fixed.clone()
        return Nets(*given, known_group(shared), self.image, shared.gate)

    def _parts(self, split: str) -> tuple[shards.Shard, ...]:
        if split not in self.parts:
            raise ValueError(unknown("split", split, self.parts))
        return self.parts[split]

    @cached_property
    def hyper_parameters(self) -> list[str]:
        """The columns of hyper-parameters; those whose values are words are categorical."""
        return [name for name in self.spec.hyper_parameters if name in self.columns]

    @cached_property
    def targets(self) -> list[str]:
        """The columns that can be predicted: measured targets that this zoo has, derived columns, hyper-parameters.

        Words cannot be.
        """
        added = [name for one in self.derived.values() if one.of == "nets" for name in one.columns]
        names = [*self.spec.targets, *added, *self.spec.hyper_parameters]
        numbers = [name for name in names if name in self.columns and name not in self.spec.text]
        return [name for name in numbers if self.columns[name].notna().any()]

    @property
    def hidden_axes(self) -> list[str]:
        """The hidden axes that its nets differ in; none of imported ones."""
        return [] if isinstance(self.spec, Imported) else [*self.spec.recipe.hidden.axes]

    @property
    def headline(self) -> str | None:
        """The target that says most of the nets: `test_accuracy`, or the first that was measured; None where none was."""
        measured = [name for name in self.targets if name in self.spec.targets]
        return "test_accuracy" if "test_accuracy" in measured else next(iter(measured), None)

    def source_of(self, column: str) -> Derived | None:
        """The derived file of nets that a column comes from; None where it is the zoo's own."""
        return next((one for one in self.derived.values() if one.of == "nets" and column in one.columns), None)

    def check_target(self, name: str) -> None:
        """Raises ValueError where there is no such target, naming the nearest, and what analyses added of other zoos."""
        if name not in self.targets:
            aside = f"; derived columns left aside: {'; '.join(self.left_aside)}" if self.left_aside else ""
            raise ValueError(f"{self.folder}: {unknown('target', name, self.targets)}{aside}")


def _moved_text(moved: Moved) -> str:
    return f"{moved.copies} copies of each net of zoo {moved.source[:8]}, by {', '.join(moved.kinds)}"


def open(folder: Path | str) -> Zoo:
    """Opens the zoo in a folder.

    Columns are read, weights only mapped. A zoo that this machine did not make is vetted first, and hashed by that; later
    its bytes are not hashed again until it changes (see `verify`). Raises FileNotFoundError where there is no zoo or only
    a begun one, ValueError where a file is damaged or holds what a zoo does not need.
    """
    folder = Path(folder).expanduser()
    not_a_zoo.check(folder)
    if not os.path.lexists(folder / MANIFEST):
        raise FileNotFoundError(
            f"{folder} is an unfinished zoo (see `metazoo status {folder}`); run its `metazoo build` again to finish it"
        )
    vet.once(folder, local=True)  # before anything in it is read
    about = zoo_json.read(folder)
    manifest = read_manifest(folder)
    parts: dict[str, tuple[shards.Shard, ...]] = dict.fromkeys(SPLITS, ())
    frames = []
    for name in manifest:
        split = Path(name).name.split("-")[0]
        if name.startswith("data/") and split in parts:
            shard = _shard(folder / name, about)
            parts[split] = (*parts[split], shard)
            columns = {name: values for name, values in shard.columns.items() if not shards.is_curve(name)}
            frames.append(pd.DataFrame(columns).assign(split=split))
    if not frames:
        raise ValueError(f"{folder / MANIFEST} names no shards; rebuild the zoo")
    columns = pd.concat(frames).sort_values("index", ignore_index=True)
    if not np.array_equal(columns["index"], np.arange(len(columns))):
        raise ValueError(f"{folder}: its shards do not hold nets 0 to {len(columns) - 1} once each; rebuild the zoo")
    spec = zoo_json.read(folder, nets=len(columns)).spec
    columns = columns.astype(dict.fromkeys(spec.text, "category"))
    digest = sha256(folder / MANIFEST)
    columns, found, aside = merged(columns[_ordered(columns, spec)], read_all(folder), digest)
    by_name = {one.name: one for one in found}
    return Zoo(folder, spec, about.blueprint, digest, columns, parts, by_name, tuple(aside), about.moved)


def _ordered(columns: pd.DataFrame, spec: Spec | Imported) -> list[str]:
    """The names of the columns as people read them: which net, what was measured of it, how it was trained, all else."""
    first = ["index", "split", *spec.targets, *spec.hyper_parameters]
    return list(dict.fromkeys(name for name in [*first, *columns.columns] if name in columns))


def _shard(path: Path, about: zoo_json.Description) -> shards.Shard:
    shard = shards.read(path)
    wanted = about.columns.keys() - zoo_json.TRAJECTORY_COLUMNS.keys()
    if missing := wanted - shard.columns.keys():
        raise ValueError(f"{path}: no column {', '.join(sorted(missing))}; rebuild the zoo")
    words = {name for name, values in shard.columns.items() if shards.is_text(values)}
    if words != set(about.spec.text):
        raise ValueError(
            f"{path}: {zoo_json.FILE} says that the columns of words are {sorted(about.spec.text)}, "
            f"found {sorted(words)}; the shard belongs to another zoo"
        )
    if shard.weights.shape[1] != total(about.blueprint.layout):
        raise ValueError(
            f"{path}: nets of {shard.weights.shape[1]} weights, but {zoo_json.FILE} describes "
            f"{total(about.blueprint.layout)}; the shard belongs to another zoo"
        )
    return shard
