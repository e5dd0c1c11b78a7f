"""A net's file in the format of Lim et al. 2024, (state_dict, test accuracy in percent), and what all of a zoo's share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zoo.importers.asymmetric_networks.export import OFFICIAL_FAMILIES
from zoo.importers.fixed_matrices import MATRIX, in_our_names
from zoo.importers.infer_layout import check_alike, shapes_of, without_statistics
from zoo.nets import resnet
from zoo.nets.layout import Layout, Shapes, shapes_in, total
from zoo.untrusted import readers

MASKS = (".mask", ".normal_mask")  # the same in all nets of a zoo
SMALLER = (14, 28, 56)  # channels of the paper's family of this name


@dataclass(frozen=True)
class Shared:
    """What all nets of the zoo have in common, as the first file has it.

    `gate` is None also where each net has its own matrices, which are then tensors of the layout.
    """

    path: Path
    tensors: dict[str, Tensor]
    layout: Layout
    family: str
    trained: Bool[Tensor, " weight"]
    fixed: Float[Tensor, " weight"]
    gate: dict[str, Float[Tensor, "_ _"]] | None


def shared(paths: list[Path], kappa: float) -> Shared:
    """What the first net says of all; the others tell whether each has its own matrices.

    Raises ValueError naming the tensor that is not of the paper's nets.
    """
    path = paths[0]
    tensors, _ = _pair(path)
    plain = {name: shape for name, shape in shapes_of(tensors).items() if not name.endswith((*MASKS, MATRIX))}
    layout = resnet.like(plain)
    if layout is None:
        check_alike(path, plain, "the paper's ResNet8", shapes_in(_nearest(plain)))
        raise ValueError(f"{path} is not the paper's ResNet8")
    masked, gated = (any(name.endswith(ends) for name in tensors) for ends in (MASKS, MATRIX))
    if masked and gated:
        raise ValueError(f"{path} has masks and F_mat; the paper has no such family")
    stages = tuple(plain[f"{name}.weight"][0] for name in ("conv1", "layer2.0.conv1", "layer3.0.conv1"))
    smaller = stages == SMALLER or path.parent.name == OFFICIAL_FAMILIES["smaller"]
    family = "w_asymmetric" if masked else "sigma_asymmetric" if gated else "smaller" if smaller else "standard"
    trained, fixed = _masks(path, tensors, layout, kappa)
    gate = _gates(path, tensors, layout) if gated else None
    if gate is not None and any(_differ(other, gate) for other in paths[1:]):
        layout, gate = resnet.with_gates(layout), None
        trained, fixed = without_statistics(layout)
    return Shared(path, tensors, layout, family, trained, fixed, gate)


def _differ(path: Path, gate: dict[str, Tensor]) -> bool:
    """Whether the net at `path` has other matrices; if it lacks one, `net` says so."""
    tensors, _ = _pair(path)
    return any(not torch.equal(tensors.get(f"{place}{MATRIX}", matrix), matrix) for place, matrix in gate.items())


def _nearest(shapes: Shapes) -> Layout:
    """The ResNet8 that these tensors come nearest to."""
    first, last = shapes.get("conv1.weight", ()), shapes.get("linear.weight", ())
    out, channels = first[:2] if len(first) == 4 else (resnet.STAGES[0][0], 3)
    return resnet.layout(width=out / resnet.STAGES[0][0], channels=channels, classes=last[0] if len(last) == 2 else 10)


def net(path: Path, shared: Shared) -> tuple[Float[Tensor, " weight"], float]:
    """The weights that a net computes with, and its test accuracy in percent; checked against the first net."""
    tensors, accuracy = _pair(path)
    check_alike(path, shapes_of(tensors), shared.path, shapes_of(shared.tensors))
    for name, tensor in shared.tensors.items():
        if name.endswith(MASKS) and not torch.equal(tensors[name], tensor):
            raise ValueError(f"{path}: {name} has other values than in {shared.path}; it must be the same in all nets")
    vector = torch.cat([tensors[entry.name].reshape(-1) for entry in shared.layout])  # logical order for any strides
    return torch.where(shared.trained | shared.fixed.isnan(), vector, shared.fixed), accuracy


def _pair(path: Path) -> tuple[dict[str, Tensor], float]:
    """A file's tensors, matrices under our names, and test accuracy in percent."""
    value: Any = readers.tensors(path)
    if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], dict):
        raise ValueError(f"{path}: expected a pair (state_dict, test accuracy), found {_kind(value)}")
    tensors, accuracy = value
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or tensor.dtype != torch.float32:
            raise ValueError(f"{path}: {name} is {_kind(tensor)}; a state_dict of these zoos has float32 tensors only")
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or accuracy < 0 or accuracy > 100:
        raise ValueError(f"{path}: the test accuracy is {accuracy!r}; expected percent, a number from 0 to 100, or NaN")
    try:
        return in_our_names(tensors), float(accuracy)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _kind(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _masks(path: Path, tensors: dict[str, Tensor], layout: Layout, kappa: float) -> tuple[Tensor, Tensor]:
    """Which entries are trained, and the values of the others."""
    trained, fixed = torch.ones(total(layout), dtype=torch.bool), torch.zeros(total(layout))
    entries = {entry.name.removesuffix(".weight"): entry for entry in layout if entry.role in ("conv", "linear")}
    modules = {name.rpartition(".")[0] for name in tensors if name.endswith(MASKS)}
    for module in sorted(modules):
        mask, normal = (tensors.get(f"{module}{name}") for name in MASKS)
        if mask is None or normal is None or module not in entries:
            raise ValueError(f"{path}: {module}: a masked layer has weight, mask and normal_mask; one of them is missing")
        entry = entries[module]
        for name, tensor in zip(MASKS, (mask, normal), strict=True):
            if tensor.shape != entry.shape:
                raise ValueError(f"{path}: {module}{name} is {tuple(tensor.shape)}, but {entry.name} {entry.shape}")
        if not ((mask == 0) | (mask == 1)).all() or not normal[mask == 0].isfinite().all():
            raise ValueError(f"{path}: {module}: a mask is 0 or 1, and normal_mask finite")
        trained[entry.slice] = (mask == 1).reshape(-1)
        fixed[entry.slice] = (normal * kappa).reshape(-1)
    return trained, torch.where(trained, 0.0, fixed)


def _gates(path: Path, tensors: dict[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The matrix of each nonlinearity, by this package's names."""
    channels = {entry.name: entry.shape[0] for entry in layout}
    found = {name.removesuffix(MATRIX): tensor for name, tensor in tensors.items() if name.endswith(MATRIX)}
    if wrong := found.keys() ^ (places := resnet.gates(width=1.0)).keys():
        raise ValueError(f"{path}: {', '.join(sorted(wrong))}: F_mat is missing, or has no place in a ResNet8")
    for place, matrix in found.items():
        size = channels[f"{place.replace('nonlin', 'conv')}.weight"]  # it gets the output of that convolution's norm
        if matrix.shape != (size, size) or not matrix.isfinite().all():
            raise ValueError(f"{path}: {place}.F_mat is {tuple(matrix.shape)}, expected {(size, size)}, all finite")
    return {place: found[place].contiguous() for place in places}


def stored_kappa(shared: Shared) -> float | None:
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
