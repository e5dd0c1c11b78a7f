"""From a spec to what its nets share: resolved once, and handed on."""

from collections.abc import Sequence
from typing import Any

import torch

from zoo.nets.architectures import ARCHITECTURES, Architecture
from zoo.nets.asymmetric import Masks, draw_gates, draw_masks, masks_digest
from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import Layout, total
from zoo.spec.spec import Net, Spec
from zoo.tasks.image_tasks import TASKS
from zoo.tasks.images import shape_of

_OTHERS = "take another family, or another architecture or mask"


def layout_of(spec: Spec) -> Layout:
    """Where each tensor of this spec's nets lies."""
    task, net = TASKS[spec.images.task], spec.net
    channels, height, across = shape_of(spec.images)
    width = net.width * FAMILIES[net.family].width
    kind = ARCHITECTURES[net.architecture]
    return kind.layout(width=width, channels=channels, pixels=height * across, classes=task.classes, **_own(net, kind))


def _own(net: Net, kind: Architecture) -> dict[str, Any]:
    """The fields that only this architecture has, as far as the spec gives them."""
    return {field: getattr(net, field) for field in kind.fields if getattr(net, field) is not None}


def mask_table(net: Net, layout: Layout) -> dict[str, tuple[int, float]]:
    """For each tensor that a mask may fix entries of: how many for each output unit, and their standard deviation.

    `n_fix` and `kappa` are one number for all, or one for each such tensor. By default 8 * width filters (the paper's), or
    of a perceptron an eighth of what each unit reads, since its layers differ in that. Raises ValueError on other numbers.
    """
    masked = [entry for entry in layout if entry.role in ("conv", "linear")]
    default = [
        max(1, entry.shape[1] // 8) if net.architecture == "mlp" else max(1, round(8 * net.width)) for entry in masked
    ]
    columns: list[Sequence[float]] = []
    for name, given in (("n_fix", default if net.n_fix is None else net.n_fix), ("kappa", net.kappa)):
        values = given if isinstance(given, Sequence) else [given] * len(masked)
        if len(values) != len(masked):
            raise ValueError(f"{name} has {len(values)} numbers; {net.architecture} nets have {len(masked)} masked tensors")
        columns.append(values)
    return {entry.name: (int(n_fix), kappa) for entry, n_fix, kappa in zip(masked, *columns, strict=True)}


def gates_of(spec: Spec) -> dict[str, int]:
    """The channels of each nonlinearity that has a fixed matrix, by name; none but in gated families.

    Raises ValueError where the family is gated and the architecture has no such nonlinearity.
    """
    net, family = spec.net, FAMILIES[spec.net.family]
    if not family.gated:
        return {}
    kind = ARCHITECTURES[net.architecture]
    gates = kind.gates(width=net.width * family.width, **_own(net, kind))
    if not gates:
        raise ValueError(f"{net.architecture} has no gates, so {net.family} nets of it would be standard ones; {_OTHERS}")
    return gates


def blueprint(spec: Spec, masks: Masks | None = None) -> Blueprint:
    """What the nets of this spec share. `masks` are (mask, F) read from files, instead of those of the zoo's seed.

    Raises ValueError where the digest of `masks` is not the spec's, and where nothing would set the nets apart from
    standard ones: a gated family of an architecture without gates, a masked family in which no entry is fixed.
    """
    net, family = spec.net, FAMILIES[spec.net.family]
    found = None if masks is None else masks_digest(masks)
    if found != net.masks_sha256:
        raise ValueError(f"the spec's masks have sha256 {net.masks_sha256}, those given {found}; --masks gives files")
    architecture, layout = ARCHITECTURES[net.architecture], layout_of(spec)
    trained = torch.ones(total(layout), dtype=torch.bool)
    fixed = torch.zeros(total(layout))
    if family.masked:
        table = mask_table(net, layout)
        numbers = {name: row[0] for name, row in table.items()}
        mask, normal = masks or draw_masks(layout, kind=net.mask, n_fix=numbers, seed=spec.seed)
        for entry in layout:
            if entry.name in mask:
                trained[entry.slice] = mask[entry.name].flatten()
                fixed[entry.slice] = (normal[entry.name] * table[entry.name][1]).flatten()
        fixed[trained] = 0.0
        if trained.all():
            where = f"{net.architecture} with {net.mask} masks, n_fix {[*numbers.values()]}"
            raise ValueError(f"{where}: no entry is fixed, so {net.family} nets of it would be standard ones; {_OTHERS}")
    gate = draw_gates(gates_of(spec), seed=spec.seed) if family.gated else None
    init = family.init if net.init == "paper" else net.init
    return Blueprint(architecture, layout, init, trained, fixed, gate)
