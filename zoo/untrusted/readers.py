"""Readers for single files from strangers: .pt, .safetensors, .npy and lines of JSON, each with limits, none executing.

They bound what they can before they read, but run in the process that calls them: what parses many files of others
calls them in a child (`zoo.untrusted.child`).
"""

import math
import re
import stat
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy

from zoo.messages import plain
from zoo.untrusted import vetting
from zoo.untrusted.files import read_bytes
from zoo.untrusted.json import strict_json
from zoo.untrusted.numpy_scalars import STAND_INS, NumberType

VALUES, DEPTH = 10**6, 16  # in a .pt file: how many values, how deeply nested
PICKLE_BYTES = 64 * 2**20  # of what is no tensor
COPIES = 16  # tensors may share storage, but not claim more than so many times the file
PARTS = 100_000  # files in a .pt
HEADER_BYTES = 10_000  # of a .npy
LINES_BYTES = 256 * 2**20  # of a file with a JSON object a line
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
DTYPES = (*FLOATS, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)
SAFE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def tensors(path: Path) -> Any:
    """What a .pt file holds: dicts, lists, tuples, numbers, texts, None, and CPU tensors, which are memory-mapped.

    Only `torch.load(weights_only=True)` reads it, so nothing in it is executed; every dict comes as a plain dict, and
    numpy's numbers as plain ones. Raises ValueError naming the file, and the tensor, where it holds anything else, or
    tensors larger than what is stored of them.
    """
    size = plain_size(path)
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    if zipped:
        _check_parts(path, size)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(STAND_INS):
            warnings.simplefilter("ignore")  # of old formats; what matters is raised
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except MemoryError:
        raise
    except Exception as error:  # damaged pickles raise whatever comes
        raise ValueError(f"{path}: {_reason(error)}") from None
    return _Walk(path, COPIES * size + 2**20).copy(loaded, ())


def _check_parts(path: Path, size: int) -> None:
    """Refuses bombs by the archive's own list of its files; PyTorch stores them as they are, not compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except Exception as error:  # damaged archives raise whatever comes
        raise ValueError(f"{path}: is damaged, or no PyTorch file ({plain(error)})") from None
    if len(parts) > PARTS or len({part.filename for part in parts}) < len(parts):
        raise ValueError(f"{path}: has {len(parts):,} parts, more than {PARTS:,} or two of one name")
    for part in parts:
        name = plain(part.filename)
        if part.filename.startswith("/") or "\\" in part.filename or ".." in part.filename.split("/"):
            raise ValueError(f"{path}: has a part with the path {name}")
        if part.compress_type != zipfile.ZIP_STORED or part.file_size != part.compress_size:
            raise ValueError(f"{path}: its part {name} is compressed, which PyTorch does not do")
        if part.filename.endswith(".pkl") and part.file_size > PICKLE_BYTES:
            raise ValueError(f"{path}: its part {name} has {part.file_size:,} bytes; {PICKLE_BYTES:,} are allowed")
    if sum(part.file_size for part in parts) > size:
        raise ValueError(f"{path}: its parts claim more bytes than the {size:,} of the file")


def _reason(error: Exception) -> str:
    """What is wrong, without PyTorch's advice to load the file in a way that executes it."""
    if found := re.search(r"(?:GLOBAL|[Uu]nsupported class) (\S+)", str(error)):
        return (
            f"holds objects that are made by running code ({plain(found[1])}), which is never done; "
            "save plain tensors, as `torch.save(net.state_dict(), path)` does"
        )
    lines = [line for line in str(error).splitlines() if line and not re.search("weights.only|documentation", line, re.I)]
    kind = type(error).__name__
    return f"is damaged, or holds more than tensors, numbers and text ({kind}: {plain(' '.join(lines)[:200])})"


class _Walk:
    """Copies the structure of what was loaded, tensors not, and refuses what is no plain value on the way."""

    def __init__(self, path: Path, most: int) -> None:
        self.path, self.most, self.values, self.bytes = path, most, 0, 0

    def copy(self, value: Any, at: tuple[Any, ...]) -> Any:
        """The value without what is not plain in it; `at` are the keys that lead to it."""
        self.values += 1  # of shared values each time: lists that hold one list often grow exponentially
        if len(at) > DEPTH or self.values > VALUES:
            raise ValueError(f"{self.path}: more than {VALUES:,} values, or nested more than {DEPTH} deep")
        kind = type(value)
        if kind in (dict, OrderedDict):
            return {self._key(key): self.copy(inner, (*at, key)) for key, inner in value.items()}
        if kind in (list, tuple, torch.Size):
            return (list if kind is list else tuple)(self.copy(inner, (*at, row)) for row, inner in enumerate(value))
        if kind in (torch.Tensor, torch.nn.Parameter):
            return self._tensor(value, plain(".".join(map(str, at))) or "it")
        if value is None or kind in (bool, int, float, str):
            return value
        name = "numpy dtype" if kind is NumberType else plain(kind.__name__)
        raise ValueError(f"{self.path}: holds a {name}; expected tensors, numbers, texts, dicts and lists")

    def _key(self, key: Any) -> Any:
        if type(key) not in (str, int):
            raise ValueError(f"{self.path}: a dict has a key that is a {plain(type(key).__name__)}")
        return key

    def _tensor(self, value: torch.Tensor, name: str) -> torch.Tensor:
        if fault := _not_plain(value):
            raise ValueError(f"{self.path}: {name} is {fault}; save plain tensors")
        tensor = torch.Tensor.detach(value).as_subclass(torch.Tensor)  # without what else the file set on it
        if tensor.dtype not in DTYPES or tensor.is_neg():
            raise ValueError(f"{self.path}: {name} is a tensor of {tensor.dtype}; expected real numbers")
        self.bytes += tensor.numel() * tensor.element_size()
        if self.bytes > self.most:
            raise ValueError(
                f"{self.path}: up to {name} its tensors claim {self.bytes:,} bytes; the file does not hold so many"
            )
        return tensor.contiguous() if 0 in tensor.stride() else tensor  # expanded: one number in the place of many


def _not_plain(tensor: torch.Tensor) -> str:
    """In which way a tensor is not a block of numbers; empty where it is one."""
    if tensor.device.type == "meta":
        return "a tensor without data (meta)"
    if tensor.is_quantized:
        return "a quantized tensor"
    if tensor.layout != torch.strided or tensor.is_nested:
        return f"a sparse or nested tensor ({str(tensor.layout).removeprefix('torch.')})"
    return "" if tensor.device.type == "cpu" else f"a tensor on {plain(tensor.device)}"


def safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors file by name. Raises ValueError naming the file and the tensor at fault."""
    from safetensors import SafetensorError  # here, because this function has the package's name
    from safetensors.torch import load_file

    vetting.tensors_header(path, SAFE, most=plain_size(path))
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: {plain(error)}") from None


def array(path: Path) -> np.memmap:
    """The array of a .npy file, memory-mapped read-only. Raises ValueError where it is no plain array of numbers.

    Its size must be what its header says; object and structured arrays are refused, and nothing is unpickled.
    """
    size = plain_size(path)
    with path.open("rb") as file:
        try:
            version = npy.read_magic(file)
            read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of headers that Python 2 wrote
                shape, columns_first, dtype = read(file, max_header_size=HEADER_BYTES)
        except Exception as error:  # numpy reads it with Python's own parser, which raises whatever comes
            raise ValueError(f"{path}: is damaged, or no .npy file ({plain(error)})") from None
        offset = file.tell()
    if dtype.hasobject or dtype.names or dtype.subdtype or dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise ValueError(f"{path}: an array of {plain(dtype)}; expected plain numbers, as objects would have to be executed")
    if any(length < 1 for length in shape) or offset + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{path}: {size:,} bytes are not the array {shape} of {dtype} that its header names")
    return np.memmap(path, dtype, "r", offset, shape, order="F" if columns_first else "C")


def json_lines(path: Path, *, most: int = LINES_BYTES, nan: bool = False) -> tuple[list[dict[str, Any]], bool]:
    """The JSON objects in a file, one a line, and whether it breaks off within a last one, which is left out.

    Empty lines do not count. Raises ValueError naming the file and the line.
    """
    *lines, last = read_bytes(path, most).split(b"\n")  # `last` has no end of line: empty, or written to its end or not
    found = [strict_json(f"{path}, line {number}", line, nan=nan) for number, line in enumerate(lines, 1) if line.strip()]
    if not last.strip():
        return found, False
    try:
        return [*found, strict_json(f"{path}, line {len(lines) + 1}", last, nan=nan)], False
    except ValueError:
        if not found:
            raise
    return found, True


def plain_size(path: Path) -> int:
    """The bytes of a plain file, links followed. Raises FileNotFoundError, or ValueError where it is something else."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{path}: is no plain file")
    return about.st_size
