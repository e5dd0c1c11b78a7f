"""Rows of memory-mapped arrays: read into memory in parts, or mapped anew for who may change them."""

from collections.abc import Sequence

import numpy as np

ROWS_AT_ONCE = 256  # read from a shard: bounds the memory beside what is returned


def gathered(arrays: Sequence[np.ndarray], width: int, keep: np.ndarray, entries: np.ndarray | None) -> np.ndarray:
    """The kept rows of a split's shards, all `width` entries or these, in memory once; mapped where nothing is left out.

    Whoever gets them may change them: nobody else sees that.
    """
    if len(arrays) == 1 and keep.all() and entries is None:
        return _of_its_own(arrays[0])
    width = width if entries is None else len(entries)
    found = np.empty((int(keep.sum()), width), arrays[0].dtype if arrays else np.float32)
    seen = done = 0
    for array in arrays:
        for start in range(0, len(array), ROWS_AT_ONCE):
            if not keep[seen + start : seen + start + ROWS_AT_ONCE].any():
                continue
            part = _read(array, start, min(start + ROWS_AT_ONCE, len(array)))
            part = part[keep[seen + start : seen + start + len(part)]]
            found[done : done + len(part)] = part if entries is None else part[:, entries]
            done += len(part)
        seen += len(array)
    return found


def _of_its_own(array: np.ndarray) -> np.ndarray:
    """The same numbers; a memory-mapped array is mapped anew, so that pages are copied only where they are changed."""
    if not isinstance(array, np.memmap):
        return array.copy()
    return np.memmap(str(array.filename), array.dtype, "c", array.offset, array.shape)


def _read(array: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Some rows of a memory-mapped array, read from the file: pages that are mapped would count as memory in use."""
    if not isinstance(array, np.memmap):
        return array[start:stop]
    width = array.shape[1]
    place = array.offset + start * width * array.itemsize
    rows = np.fromfile(str(array.filename), array.dtype, (stop - start) * width, offset=place)
    return rows.reshape(stop - start, width)
