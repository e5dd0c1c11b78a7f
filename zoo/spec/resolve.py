"""From a spec to what its nets share: resolved once, and handed on."""

import torch

from zoo.nets.architectures import ARCHITECTURES
from zoo.nets.asymmetric import Masks, draw_gates, draw_masks, masks_digest
from zoo.nets.blueprint import Blueprint
from zoo.nets.families import FAMILIES
from zoo.nets.layout import Layout, total
from zoo.spec.spec import Spec
from zoo.tasks.image_tasks import TASKS

_OTHERS = "take another family, or another architecture or mask"


def layout_of(spec: Spec) -> Layout:
    """Where each tensor of this spec's nets lies."""
    task, net = TASKS[spec.images.task], spec.net
    channels = 1 if spec.images.grey else task.channels
    width = net.width * FAMILIES[net.family].width
    return ARCHITECTURES[net.architecture].layout(width=width, channels=channels, classes=task.classes)


def gates_of(spec: Spec) -> dict[str, int]:
    """The channels of each nonlinearity that has a fixed matrix, by name; none but in gated families.

    Raises ValueError where the family is gated and the architecture has no such nonlinearity.
    """
    net, family = spec.net, FAMILIES[spec.net.family]
    if not family.gated:
        return {}
    gates = ARCHITECTURES[net.architecture].gates(width=net.width * family.width)
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
        mask, normal = masks or draw_masks(layout, kind=net.mask, n_fix=net.fixed_per_unit(), seed=spec.seed)
        for entry in layout:
            if entry.name in mask:
                trained[entry.slice] = mask[entry.name].flatten()
                fixed[entry.slice] = (normal[entry.name] * net.kappa).flatten()
        fixed[trained] = 0.0
        if trained.all():
            where = f"{net.architecture} with {net.mask} masks, n_fix {net.fixed_per_unit()}"
            raise ValueError(f"{where}: no entry is fixed, so {net.family} nets of it would be standard ones; {_OTHERS}")
    gate = draw_gates(gates_of(spec), seed=spec.seed) if family.gated else None
    init = family.init if net.init == "paper" else net.init
    return Blueprint(architecture, layout, init, trained, fixed, gate)
