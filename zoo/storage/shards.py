"""One flat HDF5 file of nets, which `datasets.load_dataset("hdf5")` reads as it is: write it, read it."""

import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

FORMAT = "metazoo-1"
TRAJECTORY = "trajectory"  # the column of weights during training


@dataclass(frozen=True)
class Shard:
    """The nets of one file: `weights` [net, weight], memory-mapped, and columns [net] by name.

    Opt-in: `trajectory` [net, checkpoint, weight], memory-mapped too, and columns `trajectory_...` [net, checkpoint].
    """

    weights: np.ndarray
    columns: dict[str, np.ndarray]
    attributes: dict[str, str]
    trajectory: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The weights and all columns of these rows, as `image` takes them."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return self.weights[rows], columns if self.trajectory is None else {**columns, TRAJECTORY: self.trajectory[rows]}


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
            file.create_dataset(name, data=values, dtype=h5py.string_dtype() if is_text(values) else None)
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
                if file[name].is_virtual or file[name].external:
                    raise ValueError(f"{path}: {name} would be read from other files; a shard holds what it is made of")
            columns = {name: _column(file[name]) for name in file if name not in ("weights", TRAJECTORY)}
            weights = _mapped(path, file["weights"], "[net, weight]")
            trajectory = _mapped(path, file[TRAJECTORY], "[net, checkpoint, weight]") if TRAJECTORY in file else None
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or no shard: {error}") from None
    for name, column in columns.items():
        expected = (len(weights),) if not is_curve(name) or trajectory is None else trajectory.shape[:2]
        if column.shape != expected:
            raise ValueError(
                f"{path}: column {name} has shape {column.shape}, expected {expected}: its columns differ in length"
            )
    if trajectory is not None and (len(trajectory), trajectory.shape[2]) != weights.shape:
        raise ValueError(f"{path}: trajectory {trajectory.shape} does not fit weights {weights.shape}")
    return Shard(weights, columns, attributes, trajectory)


def is_text(values: np.ndarray) -> bool:
    """Whether a column holds words."""
    return values.dtype.kind in "OU"


def _column(dataset: h5py.Dataset) -> np.ndarray:
    text = h5py.check_string_dtype(dataset.dtype) is not None
    return dataset.asstr()[()] if text else dataset[()]


def is_curve(column: str) -> bool:
    """Whether a column has a value a checkpoint, [net, checkpoint], instead of one a net."""
    return column.startswith(f"{TRAJECTORY}_")


def _mapped(path: Path, dataset: h5py.Dataset, axes: str) -> np.ndarray:
    offset, shape, dtype = dataset.id.get_offset(), dataset.shape, dataset.dtype
    name = dataset.name.lstrip("/")
    if offset is None or dtype not in (np.float16, np.float32) or len(shape) != axes.count(",") + 1:
        raise ValueError(f"{path}: {name} must be {axes}, contiguous float16 or float32; found {shape} {dtype}")
    if path.stat().st_size < offset + dataset.size * dtype.itemsize:
        raise ValueError(f"{path} is truncated: {path.stat().st_size:,} bytes do not hold {name} {shape} {dtype}")
    return np.memmap(path, dtype=dtype, mode="c", offset=offset, shape=shape)
