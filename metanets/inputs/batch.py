"""Batches: what inputs return of nets, rows of which a metanet reads.

A batch is a Tensor, a dict of Tensors (rows are the first axis of each), or anything else with `len`, indexing by a
Tensor of rows and `.to(device)`; of a torch-geometric `Batch`, which counts and indexes in its own way, rows are graphs.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor

Batch = Any


def length(batch: Batch) -> int:
    """The number of nets in a batch."""
    if isinstance(batch, dict):
        return len(next(iter(batch.values())))
    return int(batch.num_graphs) if _is_graphs(batch) else len(batch)


def rows(batch: Batch, chosen: Tensor) -> Batch:
    """The nets with these numbers, in this order."""
    if isinstance(batch, dict):
        return {name: part[chosen] for name, part in batch.items()}
    if _is_graphs(batch):
        return type(batch).from_data_list([batch[int(number)] for number in chosen])
    return batch[chosen]


def to(batch: Batch, device: torch.device | str) -> Batch:
    """The same on a device."""
    if isinstance(batch, dict):
        return {name: part.to(device) for name, part in batch.items()}
    return batch.to(device)


def floats(batch: Batch, kind: torch.dtype = torch.float32) -> Batch:
    """The same in float32, as metanets compute, or another type; zoos may keep float16.

    What is neither Tensor nor dict stays as it is.
    """
    if isinstance(batch, dict):
        return {name: floats(part, kind) for name, part in batch.items()}
    return batch.to(kind) if isinstance(batch, Tensor) and batch.is_floating_point() else batch


def parts(batch: Batch, size: int) -> Iterator[Batch]:
    """The batch in order, so many nets at a time; each part a copy, which a metanet may change."""
    for chosen in torch.arange(length(batch)).split(size):
        yield batch[chosen[0] : chosen[-1] + 1].clone() if isinstance(batch, Tensor) else rows(batch, chosen)


def copied(batch: Batch) -> Batch:
    """All of the batch, as a copy, which a metanet may change."""
    return rows(batch, torch.arange(length(batch)))


def numbers(batch: Batch) -> int:
    """How many numbers stand for a net in a Tensor or a dict of them. Raises TypeError of anything else."""
    if isinstance(batch, dict):
        return sum(map(numbers, batch.values()))
    if not isinstance(batch, Tensor):
        raise TypeError(f"a {type(batch).__name__} has no fixed number of inputs a net")
    return prod(batch.shape[1:])


def _is_graphs(batch: Batch) -> bool:
    return hasattr(batch, "num_graphs") and hasattr(type(batch), "from_data_list")
