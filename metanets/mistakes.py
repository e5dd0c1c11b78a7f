"""Mistakes in a metanet that was brought along: told in a few lines, with the part of the traceback that is its own."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from metanets.inputs.unable import MistakeError

OURS = tuple(str(place) for place in (Path(__file__).parent, Path(torch.__file__).parent))  # of no use to who wrote it
LINES = 6  # of the traceback that are shown


@contextmanager
def mistakes_named() -> Iterator[None]:
    """Lets whatever a metanet's own code raises be a MistakeError, with where in that code it was raised.

    A lack of memory, which may be no fault of its own, is left as it is.
    """
    try:
        yield
    except (MistakeError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(OURS)]
        own = [f"  {frame.filename}, line {frame.lineno}, in {frame.name}: {frame.line}" for frame in frames[-LINES:]]
        raise MistakeError("\n".join([f"{type(error).__name__}: {error}", *own])) from error
