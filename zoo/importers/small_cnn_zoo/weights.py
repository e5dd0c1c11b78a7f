"""The rows of a large .npy file, read as they are asked for, with their entries in our order."""

from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

import numpy as np

from zoo.untrusted import readers

ROWS_AT_ONCE = 256

DType = Literal["float32", "float16"]


def opened(path: Path) -> np.memmap:
    """The array [row, weight] in a file, of which nothing is read yet. Raises ValueError where it is another one."""
    array = readers.array(path)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{path}: expected numbers [row, weight] in floating point, found {array.shape} of {array.dtype}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{path} has one column after the other; save it anew row by row, with numpy.ascontiguousarray")
    return array


@dataclass(frozen=True)
class ArrayRows:
    """The rows of a file, and for each weight of our layout its place in them."""

    path: Path
    array: np.memmap
    order: np.ndarray

    @property
    def dtype(self) -> DType:
        """How rows are given: as they are stored, but float64 in float32."""
        return "float16" if self.array.dtype.itemsize == 2 else "float32"

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """These rows [row, weight] in our layout; NaN where a number is below 0.

        They are read from the file, and in its order: pages that are mapped would count as memory in use.
        """
        gathered = np.full((len(numbers), len(self.order)), np.nan, self.dtype)
        places = np.argsort(numbers, kind="stable")
        places = places[numbers[places] >= 0]
        with self.path.open("rb", buffering=0) as file, np.errstate(over="ignore"):  # float64 beyond float32: infinite
            for start in range(0, len(places), ROWS_AT_ONCE):
                part = places[start : start + ROWS_AT_ONCE]
                gathered[part] = self._block(file, numbers[part])[:, self.order]
        return gathered

    def _block(self, file: FileIO, numbers: np.ndarray) -> np.ndarray:
        """Rows in ascending order, each run of neighbours read at once."""
        width, pieces = self.array.shape[1], []
        ends = [*(np.flatnonzero(np.diff(numbers) != 1) + 1), len(numbers)]
        for first, last in zip([0, *ends], ends, strict=False):
            file.seek(self.array.offset + int(numbers[first]) * width * self.array.itemsize)
            pieces.append(np.fromfile(file, self.array.dtype, (last - first) * width))
            if len(pieces[-1]) != (last - first) * width:
                raise ValueError(f"{self.path} ends within row {numbers[last - 1]}; it changed while it was read")
        return np.concatenate(pieces).reshape(-1, width)
