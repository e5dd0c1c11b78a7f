"""CUDA graphs, emulated on the CPU: what a capture records is done again by a replay, on the same memory.

As on a device, a capture changes no tensor, whatever is not an operation on tensors happens at the capture alone, and an
operation that waits for the device is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique")  # need a value on the host


class Graph:
    """In the place of torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def replay(self) -> None:
        """Does the recorded operations again, each into the memory that its result had at the capture."""
        with torch.no_grad():
            for function, args, options, results in self.operations:
                for old, new in zip(tree_leaves(results), tree_leaves(function(*args, **options)), strict=True):
                    if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


class Capture(TorchDispatchMode):
    """Records operations into a graph, and at its end undoes what they changed."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operation on tensors."""
        if function.overloadpacket.__name__ in WAITS:
            raise RuntimeError(f"operation not permitted when stream is capturing: {function}")
        for argument, given in zip(function._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self.before.append((given, given.clone()))
        results = function(*args, **(kwargs or {}))
        self.graph.operations.append((function, args, kwargs or {}, results))
        return results

    def undo(self) -> None:
        """Puts back what the operations changed, the last first."""
        with torch.no_grad():
            for changed, value in reversed(self.before):
                changed.copy_(value)


class Stream:
    """In the place of torch.cuda.Stream: the CPU has one."""

    def wait_stream(self, other: "Stream") -> None:
        """Nothing is waited for."""


@contextmanager
def _capturing(graph: Graph) -> Iterator[None]:
    with Capture(graph) as capture:
        yield
    capture.undo()


def emulate(patch: pytest.MonkeyPatch) -> list[Graph]:
    """Puts the emulation into torch.cuda; returns the list to which each graph is added when it is captured."""
    made: list[Graph] = []

    def graph() -> Graph:
        made.append(Graph())
        return made[-1]

    patch.setattr(torch.cuda, "CUDAGraph", graph)
    patch.setattr(torch.cuda, "graph", _capturing)
    patch.setattr(torch.cuda, "Stream", Stream)
    patch.setattr(torch.cuda, "current_stream", Stream)
    patch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    return made
