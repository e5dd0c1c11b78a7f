"""DMC: 1-D convolutions along the vector of weights (Eilertsen et al. 2020, arXiv 2002.05688)."""

import ctypes
import functools
import subprocess
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from zoo.native.compile import at, library

CHANNELS = (2, 4, 8, 16, 32, 64, 64, 64, 64, 64)
POOLED_AFTER = (1, 2, 3, 4, 5, 6, 8, 10)  # convolutions that are followed by a max-pool of 2
MOMENTUM = 0.1  # of the norms' running mean and variance: PyTorch's default
KERNEL = 5  # without padding: 78,042 weights leave 297 positions, as in the official code
SHORTEST = 2044  # weights that leave one position
SOURCE = Path(__file__).with_name("dmc.cpp")


class DMC(nn.Module):
    """Ten convolutions with ReLU, BatchNorm and pooling, a read-out at each position, their mean, a second read-out.

    The version of Lim et al. 2024: 105,357 parameters for any number of weights; nets of fewer than 2,044, which would leave
    no position, are filled up with zeros. On a CPU with a C++
    compiler the convolutions are run by `dmc.cpp`, many times faster and equal but for rounding; `plain=True` keeps to
    PyTorch's modules, as the reference.
    """

    def __init__(self, weights: int, *, hidden: int = 64, plain: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (into, out) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False), start=1):
            layers += [nn.Conv1d(into, out, KERNEL), nn.ReLU(), nn.BatchNorm1d(out)]
            if number in POOLED_AFTER:
                layers.append(nn.MaxPool1d(2))
        self.convolutions = nn.Sequential(*layers)
        self.at_positions = nn.Sequential(nn.Linear(CHANNELS[-1], hidden), nn.LayerNorm(hidden), nn.ReLU())
        self.read_out = nn.Sequential(nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.filling = max(0, SHORTEST - weights)  # zeros behind the weights
        self.native = None if plain or missing() else _Convolutions(weights + self.filling)

    def forward(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, " net"]:
        """One prediction for each net."""
        weights = F.pad(weights, (0, self.filling)) if self.filling else weights
        native = self.native is not None and weights.device.type == "cpu" and weights.dtype == torch.float32
        if native and not weights.requires_grad:
            features = self._by_native_code(weights.contiguous())
        else:
            features = self.convolutions(weights.unsqueeze(1))  # net channel position
        return self.read_out(self.at_positions(features.mT).mean(dim=1)).squeeze(-1)

    def _by_native_code(self, weights: Float[Tensor, "net weight"]) -> Float[Tensor, "net channel position"]:
        norms = [layer for layer in self.convolutions if isinstance(layer, nn.BatchNorm1d)]
        parameters = torch.cat([parameter.flatten() for parameter in self.convolutions.parameters()])
        means, variances = (torch.cat([getattr(norm, name) for norm in norms]) for name in ("running_mean", "running_var"))
        if not self.training:
            return _Run.apply(weights, parameters, self.native, means, variances, False)
        features = _Run.apply(weights, parameters, self.native, means, variances, True)
        parts = zip(norms, means.split(CHANNELS), variances.split(CHANNELS), _positions(weights.shape[1]), strict=True)
        for norm, mean, variance, positions in parts:
            count = len(weights) * positions
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.lerp_(mean, MOMENTUM)
            norm.running_var.lerp_(variance * (count / (count - 1)), MOMENTUM)
        return features


def _positions(weights: int) -> list[int]:
    """Over how many positions of a net each norm runs."""
    found = []
    for number in range(1, len(CHANNELS) + 1):
        weights -= KERNEL - 1
        found.append(weights)
        weights = weights // 2 if number in POOLED_AFTER else weights
    return found


def missing() -> str | None:
    """Why the native code cannot run here, in a few words; None where it can."""
    try:
        _library()
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None


@functools.cache
def _library() -> ctypes.CDLL:
    found = library(SOURCE)
    found.dmc_new.restype = ctypes.c_void_p
    return found


class _Convolutions:
    """The convolutions of `dmc.cpp` for nets of so many weights; it keeps what a backward pass needs of the last forward.

    With `tiles`, on a processor with AMX, products have an error of 2^-17, without it that of float32.
    """

    def __init__(self, weights: int, *, tiles: bool = True) -> None:
        self.weights, self.library, self.turn = weights, _library(), 0
        pooled = [number in POOLED_AFTER for number in range(1, len(CHANNELS) + 1)]
        outs, pools = (torch.tensor(values, dtype=torch.int32) for values in (CHANNELS, pooled))
        self.net = ctypes.c_void_p(self.library.dmc_new(weights, len(CHANNELS), at(outs), at(pools), int(tiles)))

    def __del__(self) -> None:
        if hasattr(self, "net"):
            self.library.dmc_free(self.net)

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return _Convolutions, (self.weights,)  # a copy has its own memory


class _Run(torch.autograd.Function):
    """[net, weight] -> [net, channel, position]; in training the batch's means and variances overwrite those given."""

    @staticmethod
    def forward(
        ctx: Any, nets: Tensor, parameters: Tensor, native: _Convolutions, means: Tensor, variances: Tensor, training: bool
    ) -> Tensor:
        if nets.shape[1] != native.weights:
            raise ValueError(f"expected nets of {native.weights} weights, found {nets.shape[1]}")
        positions = native.library.dmc_positions(native.net)
        features = nets.new_empty(len(nets), CHANNELS[-1], positions)
        epsilon = ctypes.c_float(nn.BatchNorm1d(1).eps)
        state = at(nets), len(nets), at(parameters)
        native.library.dmc_forward(native.net, *state, int(training), epsilon, at(means), at(variances), at(features))
        native.turn += 1
        ctx.native, ctx.turn, ctx.training = native, native.turn, training
        ctx.save_for_backward(nets, parameters)
        return features

    @staticmethod
    def backward(ctx: Any, of_features: Tensor) -> tuple[Tensor | None, ...]:
        nets, parameters = ctx.saved_tensors
        if not ctx.training or ctx.turn != ctx.native.turn:
            raise RuntimeError("DMC's native code goes backward only from its last forward pass, in training; or plain=True")
        gradients, of_features = torch.empty_like(parameters), of_features.contiguous()
        state = at(nets), len(nets), at(parameters)
        ctx.native.library.dmc_backward(ctx.native.net, *state, at(of_features), at(gradients))
        return None, gradients, None, None, None, None
