"""The zoos of Lim et al. 2024 (arXiv 2405.20231; Zenodo 13883507), and of `export.py`: a `{idx}.pt` for each net."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.importers.asymmetric_networks import nets as official_nets
from zoo.importers.asymmetric_networks import tables
from zoo.importers.asymmetric_networks.export import OFFICIAL_FAMILIES
from zoo.importers.asymmetric_networks.nets import Shared
from zoo.importers.asymmetric_networks.tables import HPARAMS, PUBLISHED
from zoo.importers.source_files import digests, unwrapped
from zoo.importers.source_zoo import BY_HASH, Foreign, one_by_one, split_by_lineage
from zoo.messages import choose, plain_line
from zoo.nets.layout import total
from zoo.spec.columns import HYPER_PARAMETERS, TARGETS
from zoo.spec.imported import Imported, Provenance
from zoo.untrusted.litter import inside

PAPER = {"standard": 78_042, "smaller": 59_944, "w_asymmetric": 60_634, "sigma_asymmetric": 78_042}  # trained entries
DIGITS = 9  # of idx
SPLIT_RULES = {
    "published": f"{PUBLISHED} of the source",
    "lineage": f"{BY_HASH} source_index",
}


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
    channels; all else is `standard`. Masks and normal masks must be the same in all nets and are stored once. So is F;
    where each net has its own, as in the paper's zoo, it stands among that net's weights, as entries that are not trained.
    A fixed entry is kappa * normal_mask, which is what the nets compute with. What a state_dict has as weight there counts
    for nothing, and the paper's own loader takes normal_mask without kappa. Nets are in order of idx, which stays as column
    `source_index`; gaps are fine.

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
    shared = official_nets.shared(list(paths.values()), factor)
    columns = _measured(paths, shared)
    notes = _notes(paths, others, shared, factor, int(columns["diverged"].sum()))
    table = Path(hparams) if hparams else tables.beside(folder, HPARAMS)
    if table is None:
        notes.append(f"no {HPARAMS}: the hyper-parameters of the nets are not known")
    else:
        known, told = tables.hyper_parameters(table, list(paths))
        columns, notes = columns | known, [*notes, *map(plain_line, told)]
    published = tables.beside(folder, PUBLISHED) if split == "published" else None
    columns["split"] = split_by_lineage(list(paths)) if published is None else tables.published(published, list(paths))
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
            title=plain_line(f"{folder.name}, in the format of the zoos of Lim et al. 2024"),
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
    weights = one_by_one(lambda row: official_nets.net(ordered[row], shared)[0].numpy(), shared.layout)
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
    found = [part for part in inside(path) if part.is_dir() and any(part.glob("[0-9]*.pt"))]
    if len(found) > 1:
        raise ValueError(f"{path} has nets in {', '.join(part.name for part in found)}; name one with nets=NAME")
    if not found:
        raise FileNotFoundError(f"{path}: no files {{idx}}.pt, neither there nor in a folder of it")
    return found[0]


def _numbered(folder: Path) -> tuple[dict[int, Path], int]:
    """The file of each idx, in order of idx, and how many other files there are."""
    parts = [part for part in inside(folder) if part.is_file() and part.name not in (HPARAMS, PUBLISHED)]
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


def _measured(paths: dict[int, Path], shared: Shared) -> dict[str, Any]:
    """The columns that the nets' own files give; reads every file, one at a time."""
    accuracy, finite = np.empty(len(paths)), np.empty(len(paths), bool)
    for row, path in enumerate(paths.values()):
        vector, percent = official_nets.net(path, shared)
        accuracy[row], finite[row] = percent / 100, bool(vector.isfinite().all())
    index = np.fromiter(paths, np.int64)
    return {"source_index": index, "test_accuracy": accuracy, "diverged": ~(finite & np.isfinite(accuracy))}


def _notes(paths: dict[int, Path], others: int, shared: Shared, kappa: float, diverged: int) -> list[str]:
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
        stored = official_nets.stored_kappa(shared)
        if stored is not None and not math.isclose(stored, kappa, rel_tol=1e-4):
            notes.append(
                f"the state dicts have {stored:g} * normal_mask there; if the nets compute with that, kappa is {stored:g}"
            )
    if shared.family == "sigma_asymmetric" and shared.gate is None:
        notes.append("each net has its own matrices F: they stand among its weights, as entries that are not trained")
    if trained != PAPER[shared.family]:
        notes.append(f"{trained:,} of {total(shared.layout):,} entries are trained; {PAPER[shared.family]:,} in the paper")
    return notes
