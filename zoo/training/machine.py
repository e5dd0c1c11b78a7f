"""The devices that nets are trained on: `cpu`; `cuda`, which is all GPUs of the machine; `cuda:1`, which is one of them."""

import ctypes
import platform
import sys
from typing import Any

import numpy as np
import torch

UNSEEN_GPU = 16 * 10**9  # bytes, where a plan is made on a machine without a GPU for others that have one


def ready(name: str) -> torch.device:
    """The device of that name, with float32 being float32; `cuda` is the GPU that this process uses first.

    By default convolutions on a GPU round float32 to TF32, of 10 bits. Raises ValueError where there is no such device.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"no device {name!r} here: {str(error).splitlines()[0]}") from None
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"nothing is trained on {name!r}; the devices are cpu, cuda, and cuda:1 and so on")
    torch.backends.cudnn.allow_tf32 = False
    return device


def spread(name: str, workers: int) -> list[str]:
    """The device of each of so many workers of this machine: with `cuda` its GPUs in turn."""
    gpus = torch.cuda.device_count() if name == "cuda" else 0
    return [f"cuda:{number % gpus}" if gpus > 1 else name for number in range(workers)]


def free_bytes(name: str) -> int:
    """The free memory of that GPU, or what a GPU surely has where this machine has none."""
    return torch.cuda.mem_get_info(torch.device(name))[0] if torch.cuda.is_available() else UNSEEN_GPU


def wait_for(device: torch.device) -> None:
    """Waits until a GPU has done all that it was given, before a clock is read; a CPU has always done it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's mallopt names

CPU = torch.device("cpu")


def environment(device: torch.device = CPU) -> dict[str, Any]:
    """What the numbers depend on besides the spec."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }


def one_thread_that_keeps_its_memory(largest: int = 2**30) -> None:
    """One thread a worker: equal bytes for any number of workers, and no time lost between threads on small tensors."""
    torch.set_num_threads(1)
    keep_memory(largest)


def keep_memory(largest: int = 2**30) -> None:
    """Has this process keep the memory that tensors leave, up to `largest` bytes a block.

    glibc gives large blocks back at once, so that each step faults all its pages in again (a ReLU runs four times
    slower). Other allocators ignore or lack the call.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, largest)
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
