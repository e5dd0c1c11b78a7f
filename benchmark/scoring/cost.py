"""What a prediction takes, for records: the multiply-adds of a module."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from metanets.inputs import batch as batches
from metanets.inputs.batch import Batch
from metanets.mistakes import MistakeError, mistakes_named

FEW, MORE = 2, 4  # nets: some modules take no single one


@torch.no_grad()
def multiply_adds(module: nn.Module, features: Batch) -> float | None:
    """Those of matrix products and convolutions, which are nearly all, to predict one net more from what was read of it.

    What is done once for all nets, such as making probes, is not in them. They are those of the plain code, whatever
    library ran, counted on a copy. None of a module that takes float32 alone, and where there are not enough nets.
    """
    if (most := min(MORE, batches.length(features))) <= FEW:
        return None
    try:
        with mistakes_named(), _plain():
            # In float64 no native code of ours runs, which none can count; nor can it count with views of parameters that
            # ask for a gradient and have no function for it.
            plain = copy.deepcopy(module).double().cpu().eval().requires_grad_(False)
            few, more = (_counted(plain, features, nets) for nets in (FEW, most))
    except MistakeError:
        return None
    return (more - few) / (most - FEW)


def _counted(module: nn.Module, features: Batch, nets: int) -> float:
    some = batches.rows(features, torch.arange(nets))
    with FlopCounterMode(display=False) as counter:
        module(batches.floats(batches.to(some, "cpu"), torch.float64))
    return counter.get_total_flops() / 2


@contextmanager
def _plain() -> Iterator[None]:
    """Without PyTorch's own fused attention, of which the counter sees nothing."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
