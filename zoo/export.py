"""One net out of a zoo, as a file that plain PyTorch reads."""

import io
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch

from zoo import files
from zoo.reader import Zoo

ExportFormat = Literal["safetensors", "state_dict"]


def export(zoo: Zoo, index: int, path: Path, *, kind: ExportFormat, overwrite: bool = False) -> Path:
    """Writes net `index` with the paper's tensor names: as safetensors, or as a state_dict for `torch.load`.

    W-asymmetric nets are written with the values that they compute with (mask * trained + (1 - mask) * kappa * F), so
    that the file runs in an ordinary ResNet8; a sigma-asymmetric net's fixed matrices stand in it as `....F_mat`.
    Raises FileExistsError where the file exists, unless `overwrite`.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give another --out, or --overwrite")
    tensors = zoo.net(index)
    tensors |= {f"{name}.F_mat": matrix for name, matrix in (zoo.blueprint.gate or {}).items()}
    if kind == "safetensors":
        row = zoo.columns.iloc[index]
        notes = {"zoo": zoo.spec.name, "index": str(index), "test_accuracy": str(row["test_accuracy"])}
        files.write(path, safetensors.torch.save(tensors, metadata=notes))
    else:
        memory = io.BytesIO()
        torch.save(tensors, memory)
        files.write(path, memory.getvalue())
    return path
