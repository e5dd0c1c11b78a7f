"""A folder of nets and a CSV with a row for each: which table it is, and which file each row names."""

from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd

from zoo.importers.state_dicts import state_files
from zoo.untrusted.litter import inside
from zoo.untrusted.tables import Table


def find(path: Path, name: str) -> Path:
    """The CSV of that name, or the only one. Raises ValueError where there is not one, or it is not in the folder."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder; expected one with state dicts and a CSV")
    found = [path / name.replace("\\", "/")] if name else inside(path, "*.csv")
    if len(found) != 1:
        raise ValueError(f"{path} has {len(found)} files *.csv; name the table of the nets with table=NAME")
    if not found[0].resolve().is_relative_to(path.resolve()):
        raise ValueError(f"{found[0]}: the table must be in {path}")
    if not found[0].is_file():
        raise FileNotFoundError(f"{found[0]}: no such table")
    return found[0]


def nets(path: Path, table: Table) -> tuple[list[Path], int]:
    """The file of each row, and how many other files of nets there are.

    Raises ValueError where a row names none, or a file is outside the folder, is no net's, or stands there twice,
    FileNotFoundError where it is missing.
    """
    csv, names = table.path, ", ".join(map(str, table.frame.columns))
    if "file" not in table.frame or not len(table):
        raise ValueError(f"{csv}: {len(table)} rows, columns {names}; expected a column file")
    places = [_place(path, table, row, text) for row, text in enumerate(table.texts("file"))]
    if missing := [place for place in places if not place.is_file()]:
        raise FileNotFoundError(
            f"{missing[0]}: no such file; {csv.name} names it, and {len(missing) - 1} more that are missing"
        )
    for row, place in enumerate(places):
        if not state_files.is_net(place):
            raise ValueError(f"{csv}, {table.where(row)}: {place} is no file of a net, of safetensors or PyTorch")
    real = pd.Series([place.resolve() for place in places])
    if twice := np.flatnonzero(real.duplicated()).tolist():
        raise ValueError(f"{csv}: {places[twice[0]]} stands there more than once; each row is a net of its own")
    found = {part.resolve() for part in inside(path, "**/*") if part.is_file() and state_files.is_net(part)}
    return places, len(found - set(real))


def _place(path: Path, table: Table, row: int, text: str) -> Path:
    """The file that a row names, in the folder."""
    if not text:
        raise ValueError(f"{table.path}: {table.where(row)} has entries, but no file of a net")
    place = _below(path, text)
    if not place.resolve().is_relative_to(path.resolve()):
        raise ValueError(f"{table.path}, {table.where(row)}: {place} is outside {path}; every net must be in the folder")
    return place


def _below(path: Path, text: str) -> Path:
    """What an entry names: a path in the folder, also as Windows writes it, or a whole one that leads into it."""
    place = path / text
    if Path(text).is_absolute() and (real := place.resolve()).is_relative_to(path.resolve()):
        return path / real.relative_to(path.resolve())
    if "\\" not in text or place.is_file():
        return place
    windows = PureWindowsPath(text)
    if not windows.is_absolute():
        return path / windows.as_posix()
    parts, name = windows.parts, path.resolve().name  # of a whole path on another machine, what is below the folder's name
    return path.joinpath(*parts[parts.index(name) + 1 :]) if name in parts else path / windows.name
