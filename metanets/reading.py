"""The nets of a zoo as metanets are given them."""

from dataclasses import replace

from zoo import Nets, Zoo
from zoo.dataset.mapped import ROWS_AT_ONCE
from zoo.dataset.nets import Inputs


def nets_of(zoo: Zoo, split: str, *, whole: bool, inputs: Inputs = "trained", hidden: str | None = None) -> Nets:
    """A split's nets that did not diverge; `whole`: with all their entries.

    `hidden` is a hyper-parameter that the metanet must not see, because it is the target. Raises ValueError where some
    weights are not finite.
    """
    nets = zoo.nets(split, inputs="all" if whole else inputs)
    if not all(bool(part.isfinite().all()) for part in nets.weights.split(ROWS_AT_ONCE)):
        raise ValueError(f"{zoo.folder}: {split} nets have weights that are not finite; see `metazoo verify`")
    return replace(nets, hyper_parameters=nets.hyper_parameters.drop(columns=hidden or [], errors="ignore"))
