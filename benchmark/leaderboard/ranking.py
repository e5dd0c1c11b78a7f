"""Who is ranked on a board: the metanets with records on all its zoos; an incomplete row changes nobody's rank."""

from dataclasses import dataclass

import pandas as pd

from benchmark.statistics.intervals import mean_ranks
from metanets.inputs.canonical import split


@dataclass(frozen=True)
class Ranking:
    """The metanets of a board in the order of its rows: by mean R² over the zoos that count, baselines after the others.

    `in_place`: the same, with baselines where their scores put them.
    `ranks`: the mean rank by R² over these zoos of each that has records on all; empty where there is nothing to rank, and
    on zoos of a Lite run. `incomplete`: those that lack a zoo, and so stand unranked behind the others; none where nothing
    is ranked for being Lite. `zoos`: those that count.
    """

    names: tuple[str, ...]
    in_place: tuple[str, ...]
    ranks: dict[str, float]
    incomplete: tuple[str, ...]
    zoos: tuple[str, ...]

    def rank(self, name: str) -> str:
        """A metanet's rank in words."""
        return f"{self.ranks[name]:.1f}" if name in self.ranks else "unranked"

    def note(self, zoos: int) -> str:
        """What is to be said of rows that lack some of so many zoos; empty where none does."""
        parts = []
        if self.incomplete:
            parts.append("unranked: no records on some of the zoos")
        if self.ranks and len(self.zoos) < zoos:
            parts.append(f"ranks are over the {len(self.zoos)} zoos with results of most of the suite's own")
        return "; ".join(parts)


def that_count(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of scores (a column a metanet of `cells`, NaN where there is no record) that count.

    A row counts where at least half of the suite's own metanets and baselines, or of all where there is none of these, have
    records: records on another zoo or task, which anybody can bring, must not make all the others incomplete. A metanet in
    another form (`ridge+canonical`) is no other one here.
    """
    own = [name for name in cells.loc[cells["own"], "metanet"].unique() if split(name)[1] == ""]
    present = (table[own] if len(own) else table).notna().mean(axis="columns")
    return table[present >= min(0.5, present.max())]


def ranked(cells: pd.DataFrame) -> Ranking:
    """The ranking of a board, over the zoos `that_count`."""
    table = cells.pivot(index="zoo", columns="metanet", values="r2_mean")
    counting = that_count(table, cells)
    whole = counting.columns[counting.notna().all()]
    baseline = cells.groupby("metanet")["baseline"].first()
    order = pd.DataFrame({"baseline": baseline, "lacking": ~baseline.index.isin(whole), "r2": counting.mean()})
    order["r2"] = order["r2"].fillna(table.mean())
    names = order.sort_values(["baseline", "lacking", "r2"], ascending=[True, True, False]).index
    in_place = order.sort_values(["lacking", "r2"], ascending=[True, False]).index
    lite = bool(cells["lite"].any())
    rankable = len(counting) > 1 and len(whole) > 1 and not lite
    ranks = mean_ranks(counting).dropna() if rankable else pd.Series(dtype=float)
    return Ranking(
        tuple(map(str, names)),
        tuple(map(str, in_place)),
        {str(name): float(rank) for name, rank in ranks.items()},
        tuple(str(name) for name in names if name not in whole and not lite),
        tuple(map(str, counting.index)),
    )
