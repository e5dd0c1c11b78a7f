"""Writing a new zoo aside: it gets its folder's name when it is whole and vetted, and a killed run leaves no zoo."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.dataset import vet
from zoo.storage import files


@contextmanager
def aside(folder: Path, doing: str) -> Iterator[Path]:
    """A place beside `folder`, where the zoo is to be written to `zoo`; at the end it is vetted and becomes `folder`.

    `doing` says what goes on, in the place's name: what a killed run leaves there, the next one clears. Raises
    FileExistsError where `folder` exists.
    """
    if os.path.lexists(folder):
        raise FileExistsError(f"{folder} exists; give a new folder to --out")
    place = folder.with_name(f".{folder.name}.{doing}")
    with files.workplace(place):
        for left in place.iterdir():
            shutil.rmtree(left)
        try:
            yield place
            vet.vet(place / "zoo")
            (place / "zoo").rename(folder)
            vet.remember(folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
