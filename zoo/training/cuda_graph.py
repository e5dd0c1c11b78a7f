"""Steps that a CUDA device replays as one graph, since a CPU launches small kernels slower than a GPU runs them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UPS = 3  # steps before one is recorded, as PyTorch's documentation advises: libraries choose their kernels in them


class Replayed:
    """A step on tensors alone, recorded anew when the shapes of its inputs change.

    `step(*inputs)` changes the tensors of `state` in place and returns nothing; it must not wait for the device, nor
    depend on anything that changes but `inputs` and `state`.
    """

    def __init__(self, step: Callable[..., None], state: Sequence[Tensor]) -> None:
        self.step, self.state = step, state
        self.inputs: list[Tensor] = []
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> None:
        """One step, as the function itself would do it."""
        if [part.shape for part in self.inputs] != [part.shape for part in inputs]:
            self._capture(inputs)
        for held, given in zip(self.inputs, inputs, strict=True):
            held.copy_(given)
        assert self.graph is not None
        self.graph.replay()

    def _capture(self, inputs: Sequence[Tensor]) -> None:
        """Makes the graph of a step on inputs of these shapes; the state stays as it is."""
        self.graph = None  # gives back the memory of the last one
        self.inputs, before = [part.clone() for part in inputs], [part.clone() for part in self.state]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self.step(*self.inputs)
        torch.cuda.current_stream().wait_stream(aside)
        for part, value in zip(self.state, before, strict=True):
            part.copy_(value)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):  # records, and runs nothing
            self.step(*self.inputs)
