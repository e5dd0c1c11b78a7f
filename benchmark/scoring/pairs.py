"""Pair tasks: the examples are pairs of nets of one split, and the target is what an analysis derived for each pair."""

import pandas as pd

from zoo import Zoo
from zoo.dataset.derived import WORDS, Derived
from zoo.landscape.pairs import shared
from zoo.messages import unknown

FEWEST = 8  # pairs in a split: below, no R² or tau means anything
UNTOUCHED = "none"  # symmetries that were removed


def targets(zoo: Zoo) -> dict[str, tuple[Derived, str, str]]:
    """What can be predicted of pairs of nets: the target's name -> the file, its column, which symmetries were removed.

    The target is called as the column is, with `_without_permutation` or the like where symmetries were removed first.
    """
    found = {}
    for one in zoo.derived.values():
        if one.of == "pairs" and one.note.other is None:
            removals = one.frame[WORDS].unique() if WORDS in one.frame else [UNTOUCHED]
            for column in one.columns:
                for removed in removals:
                    name = column if removed == UNTOUCHED else f"{column}_without_{removed.replace('+', '_')}"
                    found[name] = (one, column, str(removed))
    return found


def pairs_of(zoo: Zoo, target: str, count: int) -> dict[str, pd.DataFrame]:
    """Split -> its pairs with their target, as columns `i`, `j`, `target`: of `count` pairs, each split has its nets' share.

    They are the first of the file in each split. Raises ValueError where the target is not derived for so many pairs.
    """
    known = targets(zoo)
    if target not in known:
        advice = "" if known else "; `metazoo connect` derives barriers between nets"
        raise ValueError(f"{zoo.folder}: {unknown('target of pairs', target, known)}{advice}")
    one, column, removed = known[target]
    frame = one.frame[one.frame[WORDS] == removed] if WORDS in one.frame else one.frame
    diverged = zoo.columns["diverged"].to_numpy()
    frame = frame[frame[column].notna() & ~diverged[frame["i"]] & ~diverged[frame["j"]]]
    splits = zoo.columns["split"].to_numpy()
    if (splits[frame["i"]] != splits[frame["j"]]).any():
        raise ValueError(f"{one.path}: pairs of nets of two splits; a task needs both nets in one")
    parts = {}
    for split, wanted in shared(zoo, count).items():
        if wanted < FEWEST:
            raise ValueError(f"{count} pairs are {wanted} of {split} nets; expected {FEWEST} or more: ask for more pairs")
        part = frame[splits[frame["i"]] == split].head(wanted)
        if len(part) < wanted:
            raise ValueError(
                f"{zoo.folder}: {len(part)} pairs of {split} nets have a {target}; a task of {count} pairs needs {wanted}; "
                f"run the analysis that derived them with more pairs"
            )
        parts[split] = part.rename(columns={column: "target"})[["i", "j", "target"]].reset_index(drop=True)
    return parts
