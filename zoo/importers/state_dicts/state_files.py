"""A net's own file, of safetensors or PyTorch, as training scripts leave it: the tensors in it, and what else it has."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.importers.fixed_matrices import recognised
from zoo.messages import unknown
from zoo.untrusted import readers
from zoo.untrusted.files import opened

NAMED = (".pt", ".pth", ".safetensors")  # nets by name; others by how they begin, such as .ckpt, .bin and .pth.tar
ZIPPED = b"PK\x03\x04"  # how what torch.save writes begins
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # and what it wrote before 2020
KEYS = ("state_dict", "model", "model_state_dict")
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel, AveragedModel and torch.compile put before every name
COUNTER = "n_averaged"  # AveragedModel's, beside them
HEADER_BYTES = 2**27  # of safetensors: more is none
SHOWN = 8  # keys that a message names


@dataclass(frozen=True)
class State:
    """A net's tensors in float32, and what its file has besides."""

    tensors: dict[str, Tensor]
    left_out: tuple[str, ...]  # integer buffers and what is no tensor
    converted: tuple[str, ...]  # other float types


def is_net(path: Path) -> bool:
    """Whether a file is one of a net, by its name or, where that does not tell, by how it begins."""
    return path.suffix in NAMED or _format(path) != ""


def _format(path: Path) -> str:
    """What a file is by how it begins: safetensors, pytorch, or empty for anything else."""
    with opened(path) as file:
        start = file.read(len(LEGACY))
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < HEADER_BYTES:
        return "safetensors"
    zipped = start.startswith(ZIPPED) and _has_pickle(path)
    return "pytorch" if zipped or start == LEGACY else ""


def _has_pickle(path: Path) -> bool:
    """Whether a zip archive is one of PyTorch, and no other, such as an .npz or a .docx."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(re.fullmatch("[^/]+/data.pkl", name) for name in archive.namelist())
    except Exception:  # damaged archives raise whatever comes
        return False


def read(path: Path, key: str) -> State:
    """A net's tensors, floats only and in float32; `key` is where in its file they are, "" for where most have them.

    Raises ValueError naming the file where it holds no such tensors.
    """
    if path.suffix == ".safetensors" or _format(path) == "safetensors":
        value = readers.safetensors(path)
        value = {name: value[name] for name in sorted(value, key=_natural)}
    else:
        value = _inside(readers.tensors(path), path, key)
    while prefix := next((start for start in WRAPPERS if _wrapped(value, start)), ""):
        value = {name.removeprefix(prefix): tensor for name, tensor in value.items()}
    floats = {n: t for n, t in value.items() if isinstance(t, Tensor) and t.is_floating_point() and t.numel()}
    if not floats:
        raise ValueError(f"{path}: no tensors of floating-point numbers")
    other = {str(tensor.dtype).removeprefix("torch.") for tensor in floats.values()} - {"float32"}
    tensors = {name: tensor.float().reshape(tensor.shape or (1,)) for name, tensor in floats.items()}
    return State(recognised(tensors), tuple(name for name in value if name not in floats), tuple(sorted(other)))


def _wrapped(value: dict[str, Any], prefix: str) -> bool:
    """Whether all names but that of a counter begin so."""
    names = [name for name in value if name != COUNTER]
    return bool(names) and all(name.startswith(prefix) for name in names)


def _natural(name: str) -> list[Any]:
    """Sorts layer2 before layer10, and a layer's weight before its bias, as PyTorch has them."""
    module, _, leaf = name.rpartition(".")
    rank = ("weight", "bias").index(leaf) if leaf in ("weight", "bias") else 2
    return [_counted(module), rank, _counted(leaf)]


def _counted(text: str) -> list[str | int]:
    """Words and numbers in turn."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def _inside(value: Any, path: Path, key: str) -> dict[str, Any]:
    """The state dict in what a file of PyTorch holds."""
    if isinstance(value, dict):
        keys = [key] if key else [name for name in KEYS if isinstance(value.get(name), dict)]
        if key and key not in value:
            raise ValueError(f"{path}: {unknown('key', key, map(str, value))}")
        value = value[keys[0]] if keys else value
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{path}: expected a state dict, or a dict with one (see key=), found a {type(value).__name__}")
    if not any(isinstance(tensor, Tensor) for tensor in value.values()):
        raise ValueError(
            f"{path}: no tensors in it; its keys are {', '.join(list(value)[:SHOWN])}; key=NAME says where they are"
        )
    return value
