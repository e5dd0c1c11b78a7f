"""A folder of nets and a CSV with a row for each: which table it is, and which file each row names."""

from pathlib import Path

import numpy as np
import pandas as pd

from zoo.importers.state_dicts import state_files
from zoo.importers.state_dicts.state_files import PICKLED, SAFETENSORS


def find(path: Path, name: str) -> Path:
    """The CSV of that name, or the only one. Raises ValueError where there is not one, or it is not in the folder."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder; expected one with state dicts and a CSV")
    found = [path / name] if name else sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise ValueError(f"{path} has {len(found)} files *.csv; name the table of the nets with table=NAME")
    if not found[0].resolve().is_relative_to(path.resolve()):
        raise ValueError(f"{found[0]}: the table must be in {path}")
    if not found[0].is_file():
        raise FileNotFoundError(f"{found[0]}: no such table")
    return found[0]


def nets(path: Path, csv: Path, rows: pd.DataFrame) -> tuple[list[Path], int]:
    """The file of each row, and how many other files of nets there are.

    Raises ValueError where a file is outside the folder, is no net's, or stands there twice, FileNotFoundError where it is
    missing.
    """
    if "file" not in rows or not len(rows):
        raise ValueError(f"{csv}: {len(rows)} rows, columns {', '.join(map(str, rows.columns))}; expected a column file")
    root, places = path.resolve(), [_below(path, str(text)) for text in rows["file"]]
    for place in places:
        if not place.resolve().is_relative_to(root):
            raise ValueError(f"{csv}: {place} is outside {path}; every net must be in the folder")
        if not state_files.is_net(place):
            raise ValueError(f"{csv}: {place} is no file of a net; expected {', '.join((SAFETENSORS, *PICKLED))}")
    if missing := [place for place in places if not place.is_file()]:
        raise FileNotFoundError(
            f"{missing[0]}: no such file; {csv.name} names it, and {len(missing) - 1} more that are missing"
        )
    real = pd.Series([place.resolve() for place in places])
    if twice := np.flatnonzero(real.duplicated()).tolist():
        raise ValueError(f"{csv}: {places[twice[0]]} stands there more than once; each row is a net of its own")
    found = {part.resolve() for part in path.rglob("*") if state_files.is_net(part) and part.is_file()}
    return places, len(found - set(real))


def _below(path: Path, text: str) -> Path:
    """What an entry of the table names: a path in the folder, or a whole one that leads into it."""
    place = path / text
    if Path(text).is_absolute() and (real := place.resolve()).is_relative_to(path.resolve()):
        return path / real.relative_to(path.resolve())
    return place
