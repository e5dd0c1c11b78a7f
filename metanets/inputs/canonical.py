"""Nets in canonical form: what scales, mixes and sizes change, and no logit shows, is taken out before they are read."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from metanets.inputs.batch import Batch
from zoo import Nets
from zoo.symmetry import Group, canonical, log_sizes

MARKS = ("+canonical+sizes", "+canonical")  # behind the name of a metanet or an input; the longer first
AT_ONCE = 64  # nets: bounds the memory, since the canonical form is computed in float64


def split(name: str) -> tuple[str, str]:
    """A name without its mark, and the mark: `statnn+canonical` is statnn and `+canonical`."""
    mark = next((mark for mark in MARKS if name.endswith(mark)), "")
    return name.removesuffix(mark), mark


def marked(name: str, mark: str) -> str:
    """The name with this mark, unless it has one that says more."""
    plain, own = split(name)
    return plain + max(own, mark, key=len)


def canonical_nets(nets: Nets) -> Nets:
    """The nets in canonical form (see `zoo.symmetry.canonical`), with the entries that they have, in float32 at least.

    Nets of whose weights nothing is free, such as W-asymmetric ones, stay as they are. Raises ValueError where their
    symmetries are not known.
    """
    group = _known(nets)
    if not (group.scales or group.mixes or group.sizes):
        return nets
    kind, parts = torch.promote_types(nets.weights.dtype, torch.float32), []
    for part in nets.whole().split(AT_ONCE):
        found = canonical(part, nets.layout, group)
        parts.append((found if nets.is_whole else found[:, nets.trained]).to(kind))
    return replace(nets, weights=torch.cat(parts))


def with_sizes(batch: Batch, nets: Nets) -> Float[Tensor, "net feature"]:
    """The features, and behind them the logarithm of each tensor's root mean square that the canonical form leaves out.

    They are of nets whose scales and mixes are in canonical form already, so that sizes alone move them. Raises ValueError
    where the batch is no Tensor [net, feature].
    """
    if not isinstance(batch, Tensor) or batch.dim() != 2:
        raise ValueError(
            f"+sizes adds features to a Tensor [net, feature], and this input gives a {type(batch).__name__}; "
            "take +canonical alone"
        )
    group, kind, rows = _known(nets), torch.promote_types(batch.dtype, torch.float32), []
    for part in nets.whole().split(AT_ONCE):
        unscaled = canonical(part, nets.layout, replace(group, sizes=()))
        sizes = log_sizes(unscaled, nets.layout, group).values()
        rows.append(torch.stack([*sizes], dim=1).to(kind) if sizes else batch.new_zeros((len(part), 0), dtype=kind))
    return torch.cat([batch.to(kind), torch.cat(rows)], dim=1)


def _known(nets: Nets) -> Group:
    if nets.group is None:
        raise ValueError("the symmetries of these nets are not known, so they have no canonical form; read them as they are")
    return nets.group
