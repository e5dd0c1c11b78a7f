"""The native engine: ResNet8 trained by compiled code with bfloat16 tiles, one net and one core at a time.

`resnet8.cpp` is compiled at first use by the machine's C++ compiler and kept in the user's cache. It needs an x86
processor with AMX (Intel's from 2023 on) and Linux; elsewhere, and for what it does not know, nets are trained by
PyTorch as before. `METAZOO_ENGINE=torch` forces that.
"""

import ctypes
import functools
import subprocess
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.native.compile import at, library
from zoo.nets import resnet
from zoo.nets.blueprint import Blueprint
from zoo.tasks.augment import Augmentation
from zoo.tasks.images import ImageSet
from zoo.training.data import Shown

SOURCE = Path(__file__).with_name("resnet8.cpp")


def missing() -> str | None:
    """Why the native engine cannot run here, in a few words; None where it can."""
    try:
        _library()
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None


def serves(blueprint: Blueprint, precision: str, device: torch.device) -> bool:
    """Whether nets like these are trained by the native engine on this machine."""
    architecture = blueprint.architecture
    known = architecture is not None and architecture.forward is resnet.forward and blueprint.gate is None
    return known and precision == "bfloat16" and device.type == "cpu" and missing() is None


@functools.cache
def _library() -> ctypes.CDLL:
    """The compiled engine. Raises OSError or SubprocessError, saying what is missing."""
    found = library(SOURCE, needs=("__AMX_BF16__", "__linux__"))
    if not found.allowed():
        raise OSError("the system does not let this process use AMX")
    found.net_new.restype = ctypes.c_void_p
    return found


class _Epoch(ctypes.Structure):
    """`Epoch` of resnet8.cpp; `tensors` keeps alive what the pointers point to."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("images", "labels", "order", "flip", "shift", "cut")),
        ("cutout", ctypes.c_int64),
        ("batch", ctypes.c_int64),
        ("smoothing", ctypes.c_float),
    ]

    def __init__(self, images: Tensor, shown: Shown, *, cutout: int, batch: int, smoothing: float) -> None:
        change = shown.change
        self.tensors = (images, shown.labels, shown.order, change.flip, change.shift, change.cut)
        super().__init__(*(at(tensor) for tensor in self.tensors), cutout, batch, smoothing)


class Trainer:
    """Trains nets of one blueprint on one set of images, each on its own; its results depend on nothing else."""

    def __init__(self, blueprint: Blueprint, images: ImageSet) -> None:
        """Raises ValueError where the engine counts other weights than the blueprint."""
        self.images, self.library, self.trained = images, _library(), blueprint.trained
        channels, size = images.train.shape[1:3]
        widths = [entry.shape[0] for entry in blueprint.layout if entry.name.endswith("conv2.weight")]
        self.classes, stages = int(images.classes), torch.tensor(widths, dtype=torch.int32)
        self.net = ctypes.c_void_p(
            self.library.net_new(size, channels, self.classes, at(stages), at(images.mean), at(images.std))
        )
        if self.library.net_weights(self.net) != len(self.trained):
            raise ValueError(f"the layout has {len(self.trained)} weights, natively {self.library.net_weights(self.net)}")
        self.room = torch.empty(len(self.trained))  # for a gradient

    def __del__(self) -> None:
        if hasattr(self, "net"):
            self.library.net_free(self.net)

    def logits(self, weights: Float[Tensor, " weight"], images: Tensor) -> Float[Tensor, "image cls"]:
        """The logits of the net with these effective weights on clean images, uint8."""
        found = torch.empty(len(images), self.classes)
        self.library.net_logits(self.net, at(weights), at(images), ctypes.c_int64(len(images)), at(found))
        return found

    def gradient(
        self, weights: Float[Tensor, " weight"], order: Tensor, change: Augmentation, *, cutout: int, smoothing: float
    ) -> Float[Tensor, " weight"]:
        """The gradient of the mean smoothed cross-entropy over the training images `order`, augmented."""
        shown = Shown(order, self.images.train_labels[order], change)
        epoch = _Epoch(self.images.train, shown, cutout=cutout, batch=len(order), smoothing=smoothing)
        self.library.net_gradient(self.net, at(weights), ctypes.byref(epoch), ctypes.c_int64(0), at(self.room))
        return self.room.clone()

    def train(
        self,
        weights: Float[Tensor, " weight"],
        moments: Float[Tensor, "2 weight"],
        shown: Shown,
        *,
        cutout: int,
        batch: int,
        smoothing: float,
        rates: Float[Tensor, " step"],
        corrections: Float[Tensor, "step 2"],
        decay: float,
    ) -> None:
        """One epoch of AdamW steps on effective weights and their two moments, in place; fixed entries stay."""
        epoch = _Epoch(self.images.train, shown, cutout=cutout, batch=batch, smoothing=smoothing)
        state = (at(weights), at(moments[0]), at(moments[1]), at(self.trained))
        steps = ctypes.c_int64(len(rates)), at(rates), at(corrections)
        self.library.net_train(self.net, *state, ctypes.byref(epoch), *steps, ctypes.c_float(decay), at(self.room))
