"""One net out of a zoo as a file that plain PyTorch reads, or a whole zoo as the code of Lim et al. 2024 reads it."""

import io
import json
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor

from zoo.dataset.reader import Zoo
from zoo.storage import files

ExportFormat = Literal["safetensors", "state_dict"]


def export(zoo: Zoo, index: int, path: Path | str, *, kind: ExportFormat, overwrite: bool = False) -> Path:
    """Writes net `index` with the paper's tensor names: as safetensors, or as a state_dict for `torch.load`.

    W-asymmetric nets are written with the values that they compute with (mask * trained + (1 - mask) * kappa * F), so
    that the file runs in an ordinary ResNet8; a sigma-asymmetric net's fixed matrices stand in it as in the paper's code,
    which loads the file (see `in_official_names`).
    Raises FileExistsError where the file exists, unless `overwrite`.
    """
    path = Path(path).expanduser()
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give another --out, or --overwrite")
    tensors = zoo.net(index)
    tensors |= {f"{name}.F_mat": matrix for name, matrix in (zoo.blueprint.gate or {}).items()}
    tensors = in_official_names(tensors)
    if kind == "safetensors":
        row = zoo.columns.iloc[index]
        # One entry: safetensors writes several in an order that changes from call to call.
        notes = {"zoo": zoo.spec.name, "index": str(index), "test_accuracy": str(row.get("test_accuracy", "unknown"))}
        files.write(path, safetensors.torch.save(tensors, metadata={"metazoo": json.dumps(notes)}))
    else:
        files.write(path, _saved(tensors))
    return path


def in_official_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, fixed matrices as in Lim et al.'s code: `nonlin.F_mat` (ours is `nonlin1`), as 1x1 kernels."""
    return {
        "nonlin.F_mat" if name == "nonlin1.F_mat" else name: value[:, :, None, None] if name.endswith(".F_mat") else value
        for name, value in tensors.items()
    }


def _saved(value: Any) -> bytes:
    """What `torch.save` writes."""
    memory = io.BytesIO()
    torch.save(value, memory)
    return memory.getvalue()
