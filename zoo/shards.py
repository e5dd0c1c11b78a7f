"""One flat HDF5 file of nets, which `datasets.load_dataset("hdf5")` reads as it is: write it, read it."""

import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

FORMAT = "metazoo-1"


@dataclass(frozen=True)
class Shard:
    """The nets of one file: `weights` [net, weight], memory-mapped, and columns [net] by name."""

    weights: np.ndarray
    columns: dict[str, np.ndarray]
    attributes: dict[str, str]


def image(weights: np.ndarray, columns: dict[str, np.ndarray], attributes: dict[str, str]) -> bytes:
    """The bytes of a shard: one top-level data set a column, rows along the first axis, nothing else.

    Built in memory, because HDF5 cannot survive a full disk or a kill while it writes; the same input gives the same
    bytes. Weights are contiguous and uncompressed: trained weights shrink by a tenth at most, and are memory-mapped so.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs["format"] = FORMAT
        for name, text in attributes.items():
            file.attrs[name] = text
        for name, values in columns.items():
            file.create_dataset(name, data=values)
        file.create_dataset("weights", data=weights)
    return memory.getvalue()


def read(path: Path) -> Shard:
    """Opens a shard without reading its weights. Raises ValueError saying what is wrong with the file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such shard")
    try:
        with h5py.File(path, "r", locking=False) as file:
            attributes = {name: str(text) for name, text in file.attrs.items()}
            if attributes.get("format") != FORMAT:
                raise ValueError(f"{path}: shard format {attributes.get('format')}, this release reads {FORMAT}")
            for name in file:
                if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
                    raise ValueError(f"{path}: {name} is not a plain column; a shard holds nothing else")
            columns = {name: file[name][()] for name in file if name != "weights"}
            weights = file["weights"]
            offset, shape, dtype = weights.id.get_offset(), weights.shape, weights.dtype
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or no shard: {error}") from None
    if offset is None or dtype not in (np.float16, np.float32) or len(shape) != 2:
        raise ValueError(f"{path}: weights must be [net, weight], contiguous float16 or float32; found {shape} {dtype}")
    if any(column.shape != shape[:1] for column in columns.values()):
        raise ValueError(f"{path}: its columns differ in length; expected {shape[0]} rows in each")
    if path.stat().st_size < offset + shape[0] * shape[1] * dtype.itemsize:
        raise ValueError(f"{path} is truncated: {path.stat().st_size:,} bytes do not hold weights {shape} {dtype}")
    return Shard(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape), columns, attributes)
