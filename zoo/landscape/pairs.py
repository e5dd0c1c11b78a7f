"""Pairs of nets: which ones, by a stable hash."""

import numpy as np
import pandas as pd
import torch

from zoo.dataset.reader import Zoo
from zoo.seeds import stream
from zoo.spec.columns import SPLITS

AT_ONCE = 256  # draws


def pairs_of(zoo: Zoo, count: int, seed: int = 0, other: Zoo | None = None, least: float | None = None) -> pd.DataFrame:
    """`count` pairs of nets of one split each: columns i, j and split; as many as there are, where there are fewer.

    Each split has its share of the pairs, as of the nets. No net is paired with itself, no pair comes twice, i < j, and
    nets are left out that diverged, or whose test accuracy is below `least`. The first pairs of a split are the same for
    any `count`. With `other`, j is one of its nets, of the same split; then i and j are any. Raises ValueError where test
    accuracies are asked for and not known.
    """
    frames = [
        _drawn(split, _fit(zoo, split, least), _fit(other or zoo, split, least), number, seed, apart=other is not None)
        for split, number in shared(zoo, count, least).items()
    ]
    return pd.concat(frames, ignore_index=True)


def drawable(zoo: Zoo, rows: pd.DataFrame, least: float | None = None) -> pd.Series:
    """Whether each row (i, j) is a pair that `pairs_of` can draw of one zoo."""
    split = {index: name for name in SPLITS for index in _fit(zoo, name, least)}
    one, two = rows["i"].map(split), rows["j"].map(split)
    return (one == two) & (rows["i"] < rows["j"])  # None, of a net that is in no pair, equals nothing


def shared(zoo: Zoo, count: int, least: float | None = None) -> dict[str, int]:
    """How many of `count` pairs each split has: its share of the nets that can be paired."""
    nets = np.array([len(_fit(zoo, split, least)) for split in SPLITS])
    ends = np.cumsum([0, *nets]) / max(1, nets.sum())
    return dict(zip(SPLITS, np.diff(np.round(ends * count).astype(int)).tolist(), strict=True))


def _fit(zoo: Zoo, split: str, least: float | None) -> np.ndarray:
    """The indices of a split's nets that did not diverge, and are as accurate as that."""
    fit = (zoo.columns["split"] == split) & ~zoo.columns["diverged"]
    if least is not None:
        if "test_accuracy" not in zoo.columns:
            raise ValueError(f"{zoo.folder}: no column test_accuracy that nets could be chosen by")
        fit &= zoo.columns["test_accuracy"] >= least
    return zoo.columns.loc[fit, "index"].to_numpy()


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
