"""Exporting a zoo in the format of Lim et al.'s own code."""

import os
from pathlib import Path

from torch import Tensor

from zoo.dataset.export import _saved, in_official_names
from zoo.dataset.reader import Zoo
from zoo.nets.families import FAMILIES
from zoo.nets.layout import views
from zoo.spec.imported import Imported
from zoo.storage import files
from zoo.untrusted.files import remove

# Lim et al. 2024's code (github.com/cptq/asymmetric-networks, metanet/data_utils.py): names of families and columns.
OFFICIAL_FAMILIES = {
    "standard": "resnet8",
    "smaller": "smaller_resnet8",
    "w_asymmetric": "sparse_resnet8",
    "sigma_asymmetric": "sigma_asym_resnet8",
}

OFFICIAL_COLUMNS = {
    "learning_rate": "lr",
    "weight_decay": "weight_decay",
    "label_smoothing": "label_smoothing",
    "epochs": "epochs",
}


def export_official(zoo: Zoo, folder: Path | str, *, overwrite: bool = False) -> Path:
    """Writes a whole zoo in the layout of the published ones, for `NetDataset(f"{folder}/", name)`; returns folder/name.

    folder/name/{index}.pt holds (state_dict, test accuracy in percent), the state_dict with what the nets compute with
    and with the family's buffers (see `official`). Beside it hparams.csv, whose row number is the index (their code
    expects it as metanet_data/grid_runs/hparams.csv), and splits.csv, which is ours. Families of one seed have both
    tables in common and can share a folder. Nets that diverged have rows but no file, since their code leaves out only
    those with a NaN weight.

    Raises FileExistsError where folder/name or another table exists, unless `overwrite`, which leaves no file of
    another zoo in folder/name.
    """
    folder = Path(folder).expanduser()
    if isinstance(zoo.spec, Imported) or zoo.spec.net.architecture != "resnet8":
        raise ValueError(
            f"{zoo.folder}: {zoo.spec.name} was not built here as ResNet8; the official layout holds nothing else"
        )
    tables = {
        folder / "hparams.csv": zoo.columns[list(OFFICIAL_COLUMNS)].rename(columns=OFFICIAL_COLUMNS),
        folder / "splits.csv": zoo.columns[["index", "split"]],
    }
    contents = {path: table.to_csv(index=False, lineterminator="\n").encode() for path, table in tables.items()}
    nets = folder / OFFICIAL_FAMILIES[zoo.spec.family]
    other = [path for path, content in contents.items() if os.path.lexists(path) and not _holds(path, content)]
    if not overwrite and (nets.exists() or other):
        raise FileExistsError(f"{other[0] if other else nets} exists; give another --out, or --overwrite")
    settled = zoo.columns[~zoo.columns["diverged"]]
    paths = [nets / f"{index}.pt" for index in settled["index"]]
    for path, index, accuracy in zip(paths, settled["index"], settled["test_accuracy"], strict=True):
        files.write(path, _saved((official(zoo, int(index)), float(accuracy) * 100)), below=folder)
    for stale in set(nets.glob("*.pt")) - set(paths):
        remove(stale, folder)
    for path, content in contents.items():
        files.write(path, content, below=folder)
    return nets


def _holds(path: Path, content: bytes) -> bool:
    """Whether a plain file has these bytes; no link is followed."""
    return not path.is_symlink() and path.is_file() and path.read_bytes() == content


def official(zoo: Zoo, index: int) -> dict[str, Tensor]:
    """A net's state_dict in the official code's names, all float32.

    W-asymmetric: each convolution and the linear layer have a `mask` (1: trained) and `normal_mask`, F where an entry is
    fixed and 0 elsewhere, where it counts for nothing. Sigma-asymmetric: see `in_official_names`.
    """
    spec = zoo.spec
    if isinstance(spec, Imported):
        raise ValueError(f"{zoo.folder}: {spec.name} is imported; only zoos that were built here have the official names")
    tensors = zoo.net(index)
    if FAMILIES[spec.net.family].masked:
        masks = views(zoo.blueprint.trained.float().unsqueeze(0), zoo.layout)
        for entry in zoo.layout:
            if entry.role in ("conv", "linear"):
                module, mask = entry.name.removesuffix(".weight"), masks[entry.name][0].clone()
                tensors[f"{module}.mask"] = mask
                tensors[f"{module}.normal_mask"] = (1 - mask) * tensors[entry.name] / (spec.net.kappa or 1.0)
    return in_official_names(tensors | {f"{place}.F_mat": matrix for place, matrix in (zoo.blueprint.gate or {}).items()})
