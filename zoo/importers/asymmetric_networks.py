"""The zoos of Lim et al. 2024 (arXiv 2405.20231; Zenodo 13883507), and of `zoo.export`: a `{idx}.pt` for each net."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo import foreign, resnet8
from zoo.choices import choose
from zoo.export import OFFICIAL_COLUMNS, OFFICIAL_FAMILIES
from zoo.imported import Imported, Provenance
from zoo.importers.rows import BY_HASH, Foreign, one_by_one, split_by_lineage
from zoo.importers.shapes import check_alike, in_layout, resnet8_layout, shapes_of
from zoo.importers.sources import digests, unwrapped
from zoo.layout import Layout, total
from zoo.recipe import HYPER_PARAMETERS, SPLITS, TARGETS

HPARAMS, PUBLISHED = "hparams.csv", "splits.csv"
BUFFERS = (".mask", ".normal_mask", ".F_mat")  # the same in all nets of a zoo
PAPER = {"standard": 78_042, "smaller": 59_944, "w_asymmetric": 60_634, "sigma_asymmetric": 78_042}  # trained entries
DIGITS = 9  # of idx
SPLIT_RULES = {
    "published": f"{PUBLISHED} of the source",
    "lineage": f"{BY_HASH} source_index",
}


@dataclass(frozen=True)
class _Shared:
    """What all nets of the zoo have in common, as the first file has it."""

    path: Path
    tensors: dict[str, Tensor]
    layout: Layout
    family: str
    trained: Bool[Tensor, " weight"]
    fixed: Float[Tensor, " weight"]
    gate: dict[str, Float[Tensor, "_ _"]] | None


def asymmetric_networks(
    path: Path,
    *,
    nets: str = "",
    hparams: str = "",
    kappa: str = "2",
    split: str = "published",
    name: str = "",
    images: str = "cifar10",
    url: str = "https://zenodo.org/records/13883507",
    licence: str = "not stated in the files; the paper's code (github.com/cptq/asymmetric-networks) is MIT",
    citation: str = "Lim, Putterman, Walters, Maron, Jegelka 2024, arXiv 2405.20231",
) -> Foreign:
    """The nets in `path`, one file `{idx}.pt` a net: (state_dict, test accuracy in percent).

    The family is read off the tensors: `w_asymmetric` has masks, `sigma_asymmetric` matrices F, `smaller` 14, 28 and 56
    channels; all else is `standard`. Masks, normal masks and F must be the same in all nets and are stored once; an
    entry that is fixed is kappa * normal_mask, which is what the nets compute with. What a state_dict has as weight
    there counts for nothing, and the paper's own loader takes normal_mask without kappa. Nets are in order of idx,
    which stays as column `source_index`; gaps are fine.

    Options, as texts:
    - `nets`: the folder of the nets inside `path`, such as `sparse_resnet8`; needed where `path` has several.
    - `hparams`: the table of hyper-parameters, whose row number (from 0) is idx and whose header is
      lr,weight_decay,label_smoothing,epochs. Default: hparams.csv beside the nets or one folder up. Without it the zoo
      has no hyper-parameters.
    - `kappa`: standard deviation of the fixed entries of W-asymmetric nets; the paper's is 2.
    - `split`: `published` takes splits.csv (index,split) beside the nets or one folder up, where there is one;
      `lineage`, and without the file, 50/25/25 by a stable hash of idx, the same for all families.
    - `name`, `images` (the image task), `url`, `licence`, `citation`: as they will stand in zoo.json.

    Raises FileNotFoundError where there are no nets or no such table, ValueError naming the file and tensor at fault.
    """
    choose(SPLIT_RULES, split, "split")
    folder = _folder(path, nets)
    paths, others = _numbered(folder)
    factor = _number(kappa, "kappa")
    shared = _shared(next(iter(paths.values())), factor)
    columns = _measured(paths, shared)
    notes = _notes(paths, others, shared, factor, int(columns["diverged"].sum()))
    table = Path(hparams) if hparams else _beside(folder, HPARAMS)
    if table is None:
        notes.append(f"no {HPARAMS}: the hyper-parameters of the nets are not known")
    else:
        columns |= _hyper_parameters(table, list(paths))
    published = _beside(folder, PUBLISHED) if split == "published" else None
    columns["split"] = split_by_lineage(list(paths)) if published is None else _published(published, list(paths))
    sources = {f"{folder.name}/{part.name}": part for part in paths.values()}
    sources |= {part.name: part for part in (table, published) if part is not None}
    about = Imported(
        name=name or f"{images}-{OFFICIAL_FAMILIES[shared.family]}",
        family=shared.family,
        architecture="resnet8",
        image_task=images,
        dtype="float32",
        split=SPLIT_RULES["lineage" if published is None else "published"],
        provenance=Provenance(
            kind="asymmetric-networks",
            title=f"{folder.name}, in the format of the zoos of Lim et al. 2024",
            url=url,
            licence=licence,
            citation=citation,
            files=digests(sources),
            notes=tuple(notes),
        ),
        hyper_parameters={} if table is None else HYPER_PARAMETERS,
        targets={"test_accuracy": TARGETS["test_accuracy"]},
        columns={"source_index": "idx, the number of the net's file"},
    )
    ordered, frame = list(paths.values()), pd.DataFrame(columns)
    weights = one_by_one(lambda row: _net(ordered[row], shared)[0].numpy(), shared.layout)
    return Foreign(about, shared.layout, frame, weights, shared.trained, shared.fixed, shared.gate)


def _folder(path: Path, nets: str) -> Path:
    """The folder of the nets: `path` itself, the one named, or the only one in it."""
    path = unwrapped(path, unless=nets)
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder; expected one with a file {{idx}}.pt for each net")
    if nets:
        if Path(nets).name != nets or not (path / nets).is_dir():
            raise FileNotFoundError(f"{path / nets}: no such folder; nets=NAME names one inside {path}")
        return path / nets
    if any(path.glob("[0-9]*.pt")):
        return path
    inside = sorted(part for part in path.iterdir() if part.is_dir() and any(part.glob("[0-9]*.pt")))
    if len(inside) > 1:
        raise ValueError(f"{path} has nets in {', '.join(part.name for part in inside)}; name one with nets=NAME")
    if not inside:
        raise FileNotFoundError(f"{path}: no files {{idx}}.pt, neither there nor in a folder of it")
    return inside[0]


def _numbered(folder: Path) -> tuple[dict[int, Path], int]:
    """The file of each idx, in order of idx, and how many other files there are."""
    parts = [part for part in folder.iterdir() if part.is_file() and part.name not in (HPARAMS, PUBLISHED)]
    numbers = [part for part in parts if part.suffix == ".pt" and part.stem.isdecimal()]
    for part in numbers:
        if part.stem != str(int(part.stem)) or len(part.stem) > DIGITS:
            raise ValueError(f"{part} is not named by a plain number of at most {DIGITS} digits, such as 17.pt")
    if not numbers:
        raise FileNotFoundError(f"{folder}: no files {{idx}}.pt there")
    return {int(part.stem): part for part in sorted(numbers, key=lambda part: int(part.stem))}, len(parts) - len(numbers)


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{what} is a finite number, found {text!r}")
    return value


def _pair(path: Path) -> tuple[dict[str, Tensor], float]:
    """A file's tensors and test accuracy in percent."""
    value: Any = foreign.tensors(path)
    if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], dict):
        raise ValueError(f"{path}: expected a pair (state_dict, test accuracy), found {_kind(value)}")
    tensors, accuracy = value
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or tensor.dtype != torch.float32:
            raise ValueError(f"{path}: {name} is {_kind(tensor)}; a state_dict of these zoos has float32 tensors only")
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or accuracy < 0 or accuracy > 100:
        raise ValueError(f"{path}: the test accuracy is {accuracy!r}; expected percent, a number from 0 to 100, or NaN")
    return tensors, float(accuracy)


def _kind(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _net(path: Path, shared: _Shared) -> tuple[Float[Tensor, " weight"], float]:
    """The weights that a net computes with, and its test accuracy in percent; checked against the first net."""
    tensors, accuracy = _pair(path)
    check_alike(path, shapes_of(tensors), shared.path, shapes_of(shared.tensors))
    for name, tensor in shared.tensors.items():
        if name.endswith(BUFFERS) and not torch.equal(tensors[name], tensor):
            raise ValueError(f"{path}: {name} has other values than in {shared.path}; it must be the same in all nets")
    vector = torch.cat([tensors[entry.name].reshape(-1) for entry in shared.layout])  # logical order for any strides
    return torch.where(shared.trained, vector, shared.fixed), accuracy


def _shared(path: Path, kappa: float) -> _Shared:
    tensors, _ = _pair(path)
    shapes = shapes_of(tensors)
    plain = {name: shape for name, shape in shapes.items() if not name.endswith(BUFFERS)}
    layout = resnet8_layout(plain)
    if layout is None:
        first, last = plain.get("conv1.weight", ()), plain.get("linear.weight", ())
        out, channels = first[:2] if len(first) == 4 else (16, 3)
        classes = last[0] if len(last) == 2 else 10
        nearest = resnet8.layout(width=out / resnet8.STAGES[0][0], channels=channels, classes=classes)
        check_alike(path, plain, "the paper's ResNet8", in_layout(nearest))
        raise ValueError(f"{path} is not the paper's ResNet8")
    masked, gated = (any(name.endswith(ends) for name in tensors) for ends in (BUFFERS[:2], BUFFERS[2:]))
    if masked and gated:
        raise ValueError(f"{path} has masks and F_mat; the paper has no such family")
    stages = tuple(plain[f"{name}.weight"][0] for name in ("conv1", "layer2.0.conv1", "layer3.0.conv1"))
    smaller = stages == (14, 28, 56) or path.parent.name == OFFICIAL_FAMILIES["smaller"]
    family = "w_asymmetric" if masked else "sigma_asymmetric" if gated else "smaller" if smaller else "standard"
    trained, fixed = _masks(path, tensors, layout, kappa)
    return _Shared(path, tensors, layout, family, trained, fixed, _gates(path, tensors, layout) if gated else None)


def _masks(path: Path, tensors: dict[str, Tensor], layout: Layout, kappa: float) -> tuple[Tensor, Tensor]:
    """Which entries are trained, and the values of the others."""
    trained, fixed = torch.ones(total(layout), dtype=torch.bool), torch.zeros(total(layout))
    entries = {entry.name.removesuffix(".weight"): entry for entry in layout if entry.role in ("conv", "linear")}
    modules = {name.rpartition(".")[0] for name in tensors if name.endswith(BUFFERS[:2])}
    for module in sorted(modules):
        mask, normal = (tensors.get(f"{module}.{name}") for name in ("mask", "normal_mask"))
        if mask is None or normal is None or module not in entries:
            raise ValueError(f"{path}: {module}: a masked layer has weight, mask and normal_mask; one of them is missing")
        entry = entries[module]
        for name, tensor in (("mask", mask), ("normal_mask", normal)):
            if tensor.shape != entry.shape:
                raise ValueError(f"{path}: {module}.{name} is {tuple(tensor.shape)}, but {entry.name} {entry.shape}")
        if not ((mask == 0) | (mask == 1)).all() or not normal[mask == 0].isfinite().all():
            raise ValueError(f"{path}: {module}: a mask is 0 or 1, and normal_mask finite")
        trained[entry.slice] = (mask == 1).reshape(-1)
        fixed[entry.slice] = (normal * kappa).reshape(-1)
    return trained, torch.where(trained, 0.0, fixed)


def _gates(path: Path, tensors: dict[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The matrix of each nonlinearity, by this package's names."""
    channels = {entry.name: entry.shape[0] for entry in layout}
    found = {name.removesuffix(".F_mat"): tensor for name, tensor in tensors.items() if name.endswith(".F_mat")}
    found = {"nonlin1" if name == "nonlin" else name: tensor for name, tensor in found.items()}
    if wrong := found.keys() ^ (places := resnet8.gates(width=1.0)).keys():
        raise ValueError(f"{path}: {', '.join(sorted(wrong))}: F_mat is missing, or has no place in a ResNet8")
    for place, matrix in found.items():
        size = channels[f"{place.replace('nonlin', 'conv')}.weight"]  # it gets the output of that convolution's norm
        if matrix.shape not in ((size, size), (size, size, 1, 1)) or not matrix.isfinite().all():
            raise ValueError(f"{path}: {place}.F_mat is {tuple(matrix.shape)}, expected {(size, size, 1, 1)}, all finite")
    return {place: found[place].reshape(found[place].shape[:2]).contiguous() for place in places}


def _measured(paths: dict[int, Path], shared: _Shared) -> dict[str, Any]:
    """The columns that the nets' own files give; reads every file, one at a time."""
    accuracy, finite = np.empty(len(paths)), np.empty(len(paths), bool)
    for row, path in enumerate(paths.values()):
        vector, percent = _net(path, shared)
        accuracy[row], finite[row] = percent / 100, bool(vector.isfinite().all())
    index = np.fromiter(paths, np.int64)
    return {"source_index": index, "test_accuracy": accuracy, "diverged": ~(finite & np.isfinite(accuracy))}


def _notes(paths: dict[int, Path], others: int, shared: _Shared, kappa: float, diverged: int) -> list[str]:
    """What is worth saying of the source."""
    notes, gaps, trained = [], max(paths) + 1 - len(paths), int(shared.trained.sum())
    if gaps:
        notes.append(f"{gaps:,} of the nets 0 to {max(paths):,} have no file")
    if others:
        notes.append(f"{others:,} files beside the nets were left out: they are not named {{idx}}.pt")
    if diverged:
        notes.append(f"{diverged:,} nets with a weight or accuracy that is not finite are kept, marked diverged")
    if shared.family == "w_asymmetric":
        notes.append(f"fixed entries hold kappa * normal_mask, with kappa {kappa:g}")
        stored = _stored_kappa(shared)
        if stored is not None and not math.isclose(stored, kappa, rel_tol=1e-4):
            notes.append(
                f"the state dicts have {stored:g} * normal_mask there; if the nets compute with that, kappa is {stored:g}"
            )
    if trained != PAPER[shared.family]:
        notes.append(f"{trained:,} of {total(shared.layout):,} entries are trained; {PAPER[shared.family]:,} in the paper")
    return notes


def _stored_kappa(shared: _Shared) -> float | None:
    """The number that times normal_mask is what the first state dict has as fixed entries, if there is one."""
    weights, normals = [], []
    for name, mask in shared.tensors.items():
        if name.endswith(".mask"):
            module = name.removesuffix(".mask")
            weights.append(shared.tensors[f"{module}.weight"][mask == 0])
            normals.append(shared.tensors[f"{module}.normal_mask"][mask == 0])
    weight, normal = torch.cat(weights), torch.cat(normals)
    if not len(weight) or not (normal != 0).any():
        return None
    ratio = (weight[normal != 0] / normal[normal != 0]).median().item()
    return ratio if torch.allclose(weight, ratio * normal, rtol=1e-4) else None


def _beside(folder: Path, name: str) -> Path | None:
    """The table of that name beside the nets or one folder up."""
    return next((place / name for place in (folder, folder.parent) if (place / name).is_file()), None)


def _hyper_parameters(table: Path, indices: list[int]) -> dict[str, Any]:
    """The columns of the nets with these indices, which are row numbers."""
    frame = foreign.table(table)
    if list(frame.columns) != list(OFFICIAL_COLUMNS.values()):
        raise ValueError(
            f"{table}: columns {','.join(map(str, frame.columns))}; expected lr,weight_decay,label_smoothing,epochs"
        )
    if max(indices) >= len(frame):
        raise ValueError(
            f"{table} has {len(frame):,} rows, but there is a net {max(indices):,}; a row's number is the net's"
        )
    found = {}
    for name, theirs in OFFICIAL_COLUMNS.items():
        if frame[theirs].dtype.kind not in "iuf":
            raise ValueError(f"{table}: {theirs} is not all numbers")
        found[name] = frame[theirs].to_numpy()[indices]
    return found


def _published(table: Path, indices: list[int]) -> np.ndarray:
    """The split of the nets with these indices."""
    frame = foreign.table(table)
    if list(frame.columns) != ["index", "split"]:
        raise ValueError(f"{table}: columns {','.join(map(str, frame.columns))}; expected index,split")
    if frame["index"].duplicated().any() or not frame["split"].isin(SPLITS).all():
        raise ValueError(f"{table}: each index stands there once, with one of {', '.join(SPLITS)}")
    splits = dict(zip(frame["index"], frame["split"], strict=True))
    if missing := [index for index in indices if index not in splits]:
        raise ValueError(
            f"{table}: no split of net {missing[0]}, and of {len(missing) - 1} more; split=lineage does without"
        )
    return np.array([splits[index] for index in indices], object)
