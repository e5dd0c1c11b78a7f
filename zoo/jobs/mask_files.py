"""The paper's own mask files."""

from pathlib import Path

import torch

from zoo.nets.asymmetric import Masks
from zoo.nets.layout import Layout
from zoo.untrusted import readers


def read_masks(folder: Path | str, layout: Layout) -> Masks:
    """The (mask, F) pairs of the paper's files, such as `sparse_resnet8_block2_conv1.pt`, for that layout's tensors.

    Nothing but tensors is loaded. Raises FileNotFoundError or ValueError naming the file at fault.
    """
    folder, masks, values = Path(folder).expanduser(), {}, {}
    for entry in layout:
        if entry.role in ("conv", "linear"):
            path = folder / f"sparse_resnet8_{_mask_file(entry.name)}.pt"
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such file; --masks takes a folder with one for each masked tensor")
            try:
                mask, normal = readers.tensors(path)
                shapes = tuple(mask.shape), tuple(normal.shape)
            except (TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{path} holds no pair of tensors (mask, F): {error}") from None
            if shapes != (entry.shape, entry.shape):
                raise ValueError(f"{path} holds shapes {shapes}, but {entry.name} has {entry.shape}")
            if not (torch.isin(mask, torch.tensor([0.0, 1.0])).all() and normal.isfinite().all()):
                raise ValueError(f"{path}: a mask is 0 or 1, and F finite")
            masks[entry.name], values[entry.name] = mask.bool(), normal.float()
    return masks, values


def _mask_file(tensor: str) -> str:
    """The paper's file name for a tensor: `layer2.0.shortcut.0.weight` -> `block2_skip`."""
    if not tensor.startswith("layer"):
        return {"conv1.weight": "conv_f", "linear.weight": "linear"}[tensor]
    stage, part = tensor.removeprefix("layer").split(".")[0], tensor.split(".")[2]
    return f"block{stage}_{'skip' if part == 'shortcut' else part}"
