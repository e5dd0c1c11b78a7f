"""What a stranger's file may be: a pickle that runs code where it is loaded, or half of what it should be."""

import pickle
from pathlib import Path

import torch


class Malicious:
    """What makes the file `marker` where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


def put(path: Path, value: object, marker: Path) -> None:
    """Saves a value over the file at `path`; None: half of the file, Malicious: a pickle that makes `marker`."""
    if value is None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif value is Malicious:
        path.write_bytes(pickle.dumps(Malicious(marker), protocol=2))
    else:
        torch.save(value, path)
