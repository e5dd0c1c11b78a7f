"""Pairs of nets: which ones, by a stable hash."""

import numpy as np
import pandas as pd
import torch

from zoo.dataset.reader import Zoo
from zoo.seeds import stream
from zoo.spec.columns import SPLITS

AT_ONCE = 256  # draws


def pairs_of(zoo: Zoo, count: int, seed: int = 0, other: Zoo | None = None) -> pd.DataFrame:
    """`count` pairs of nets of one split each: columns i, j and split; as many as there are, where there are fewer.

    Each split has its share of the pairs, as of the nets. No net is paired with itself, no pair comes twice, i < j, and
    diverged nets are left out. The first pairs of a split are the same for any `count`. With `other`, j is one of its
    nets, of the same split; then i and j are any.
    """
    settled = [[_settled(one, split) for split in SPLITS] for one in (zoo, other or zoo)]
    shares = np.cumsum([0, *(len(nets) for nets in settled[0])]) / max(1, sum(len(nets) for nets in settled[0]))
    numbers = np.diff(np.round(shares * count).astype(int)).tolist()
    frames = [
        _drawn(split, first, second, number, seed, apart=other is not None)
        for split, number, first, second in zip(SPLITS, numbers, *settled, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


def _settled(zoo: Zoo, split: str) -> np.ndarray:
    """The indices of a split's nets that did not diverge."""
    return zoo.columns.loc[(zoo.columns["split"] == split) & ~zoo.columns["diverged"], "index"].to_numpy()


def _drawn(split: str, first: np.ndarray, second: np.ndarray, count: int, seed: int, *, apart: bool) -> pd.DataFrame:
    """Draws pairs of the two lists one after the other, which are one and the same unless they are `apart`."""
    rng, found = stream("pairs", seed, split), dict[tuple[int, int], None]()
    wanted = min(count, len(first) * len(second) if apart else len(first) * (len(first) - 1) // 2)
    while len(found) < wanted:
        at = torch.rand(AT_ONCE, 2, generator=rng, dtype=torch.float64).numpy()
        for i, j in zip(
            first[(at[:, 0] * len(first)).astype(int)], second[(at[:, 1] * len(second)).astype(int)], strict=True
        ):
            if len(found) < wanted and (apart or i != j):
                found[(int(i), int(j)) if apart or i < j else (int(j), int(i))] = None
    return pd.DataFrame(found.keys(), columns=["i", "j"], dtype=np.int64).assign(split=split)
