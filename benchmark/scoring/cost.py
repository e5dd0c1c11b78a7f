"""What a prediction takes, for records: the multiply-adds of a module."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from metanets.inputs import batch as batches
from metanets.inputs.batch import Batch
from metanets.mistakes import MistakeError, mistakes_named

COUNTED = 2  # nets: some modules take no single one


@torch.no_grad()
def multiply_adds(module: nn.Module, features: Batch) -> float | None:
    """Those of matrix products and convolutions, which are nearly all, to predict a net from what was read of it.

    They are those of the plain code, whatever library ran, counted on a copy. None of a module that takes float32 alone.
    """
    few = batches.rows(features, torch.arange(batches.length(features))[:COUNTED])
    try:
        with mistakes_named(), FlopCounterMode(display=False) as counter:
            # In float64 no native code of ours runs, which none can count; nor can it count with views of parameters that
            # ask for a gradient and have no function for it.
            plain = copy.deepcopy(module).double().cpu().eval().requires_grad_(False)
            plain(batches.floats(batches.to(few, "cpu"), torch.float64))
    except MistakeError:
        return None
    return counter.get_total_flops() / 2 / batches.length(few)
