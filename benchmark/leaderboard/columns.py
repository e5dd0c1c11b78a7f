"""What stands on a board, in words: its title, its legend, and the columns that all its tables have."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.leaderboard.beyond import BEYOND, attainable_line
from benchmark.leaderboard.ranking import Ranking, ranked
from metanets.table import RECIPES

HEADS = {
    "r2": "R²",
    "tau": "tau",
    "gain": "gain",
    "r2_beyond": "R² beyond recipe",
    "tau_beyond": "tau beyond recipe",
    "exact": "exact",
    "moved_r2": "R² moved",
    "worst_r2": "R² worst",
}
KNOWN_BEYOND = {  # what the columns of BEYOND say
    "r2_beyond": "R² beyond recipe: squared partial correlation given the recipe's prediction, with its sign",
    "tau_beyond": "tau beyond recipe: of what the recipe leaves, among nets it predicts alike",
}
CERTIFICATES = {  # what the columns of certificates say of validation nets
    "exact": "exact: no symmetry of permutation or scale moves a prediction",
    "moved_r2": "R² moved: of validation nets moved by all their symmetries",
    "worst_r2": "R² worst: at scales within 10% that change no logit",
}
RUNS = " †"  # behind the name of what runs the nets
RUNS_NOTE = "† runs the nets; the suite's others read weights alone, or what the recipe says"
NOTE = "* the prediction is constant and ranks nothing; tau is set to 0"
LITE_NOTE = (
    "Lite: a run on the smallest zoos of the reference, to try that all works; with so few test nets it ranks nothing"
)
LARGE = 1e4  # beyond, a number is written with its power of ten


def brief(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a board that shows less: no gain, tau beyond the recipe or certificates. It fits a page's width."""
    blank = dict.fromkeys(("gain", "tau_beyond", "moved_r2", "worst_r2"), np.nan)
    return cells.assign(**blank, gain_note="", exact="")


def about(cells: pd.DataFrame) -> str:
    """A board's title."""
    return f"{cells['task'].iloc[0]} of {cells['board'].iloc[0]} nets"


def legend(cells: pd.DataFrame) -> str:
    """What a board's numbers mean."""
    recipes = sorted(set(cells.loc[cells["recipe"], "metanet"]))
    gain = (
        f"gain: in R² over the recipe, {', '.join(recipes)}"
        if recipes
        else f"not scored: a baseline that reads the recipe ({', '.join(RECIPES)}), so what the weights add is unknown"
    )
    one_seed = bool((cells["seeds"][~cells["baseline"]] == 1).any())
    interval = "95% interval over test nets and seeds" + "; none of one seed" * one_seed
    parts = [f"mean±standard deviation over seeds [{interval}]"]
    parts += [RUNS_NOTE] * bool(cells["runs"].any())
    parts += [LITE_NOTE] * bool(cells["lite"].any())
    parts += [gain] * (not recipes or "gain" in shown(cells))
    parts += [f"{note}: the recipe predicts a constant" for note in sorted(set(cells["gain_note"]) - {""})]
    parts += [NOTE] * bool(cells["constant"].any())
    parts += explained(cells)
    parts += [note for note in (ranked(cells).note(cells["zoo"].nunique()),) if note]
    parts += [f"{note}: submitted without its zoo" for note in sorted(set(cells["labels"]) - {""})]
    return "; ".join(parts)


def explained(cells: pd.DataFrame) -> list[str]:
    """What the columns say that a board has beside the scores."""
    return [text for kind, text in {**KNOWN_BEYOND, **CERTIFICATES}.items() if kind in shown(cells)]


def attainable(cells: pd.DataFrame, shown_as: Callable[[str], str] = str) -> str:
    """What could be known of a board's zoos, in a line."""
    return attainable_line({zoo: shown_as(called) for zoo, called in families(cells).items()}, cells)


def families(cells: pd.DataFrame) -> dict[str, str]:
    """What to call each zoo of a board: its family, and where two have the same, its label."""
    family = dict(zip(cells["zoo"], cells["family"], strict=True))
    return family if len(set(family.values())) == len(family) else {zoo: zoo for zoo in family}


@dataclass(frozen=True)
class Column:
    """A column of a board: its head and a text for each row, and of what kind: metanet, rank, seeds, or one in HEADS."""

    kind: str
    head: str
    texts: list[str]


def columns(cells: pd.DataFrame, shown_as: Callable[[str], str] = str) -> list[Column]:
    """The columns of a board: metanets by mean R², then baselines; a few a zoo; the mean rank over zoos, and seeds."""
    zoos, ranking = families(cells), ranked(cells)
    at = {(row["zoo"], row["metanet"]): row for _, row in cells.iterrows()}
    first = {name: cells[cells["metanet"] == name].iloc[0] for name in ranking.names}
    found = [Column("metanet", "metanet", [_name(name, first[name], shown_as) for name in ranking.names])]
    for zoo, called in zoos.items():
        for kind in shown(cells, zoo):
            texts = [_text(at.get((zoo, name)), kind) for name in ranking.names]
            found.append(Column(kind, f"{shown_as(called)} {HEADS[kind]}", texts))
    if ranking.ranks or ranking.incomplete:
        found.append(Column("rank", "rank", [_rank(ranking, name) for name in ranking.names]))
    counts = {name: sorted(set(cells.loc[cells["metanet"] == name, "seeds"])) for name in ranking.names}
    return [*found, Column("seeds", "seeds", ["/".join(map(str, counts[name])) for name in ranking.names])]


def shown(cells: pd.DataFrame, zoo: str | None = None) -> list[str]:
    """What a board shows of a zoo, or of any: no gain where there is none, and no word on why; certificates it has."""
    own = cells if zoo is None else cells[cells["zoo"] == zoo]
    has_gain = cells["gain"].notna().any() or (cells["gain_note"] != "").any()
    has = {"r2": True, "tau": True, "gain": has_gain, **{kind: bool(cells[kind].notna().any()) for kind in BEYOND}}
    has |= {kind: _certified(own, kind) for kind in CERTIFICATES}
    return [kind for kind in HEADS if has[kind]]


def _certified(cells: pd.DataFrame, kind: str) -> bool:
    return bool((cells[kind] != "").any() if kind == "exact" else cells[kind].notna().any())


def number(value: float, form: str = ".3f") -> str:
    """A score to so many places, and one that is enormous with its power of ten."""
    return f"{value:{form}}" if abs(value) < LARGE else f"{value:{form[:-2]}1e}"


def certificate(row: pd.Series, kind: str) -> str:
    """A column of CERTIFICATES in words; empty where there is none."""
    if kind == "exact":
        return str(row[kind])
    return "" if pd.isna(row[kind]) else number(round(row[kind], 3) + 0.0)


def beyond(row: pd.Series, kind: str) -> str:
    """A column of BEYOND in words, with its interval; empty where there is none."""
    return "" if pd.isna(row[kind]) else f"{number(round(row[kind], 3) + 0.0)}{_bounds(row, kind, '.2f')}"


def _rank(ranking: Ranking, name: str) -> str:
    return ranking.rank(name) if ranking.ranks or name in ranking.incomplete else ""


def _name(name: str, first: pd.Series, shown_as: Callable[[str], str]) -> str:
    marks = [*["baseline"] * bool(first["baseline"]), *[first["labels"]] * bool(first["labels"])]
    return shown_as(name) + RUNS * bool(first["runs"]) + "".join(f" ({mark})" for mark in marks)


def _text(row: pd.Series | None, kind: str) -> str:
    if row is None:
        return ""
    if kind == "gain":
        if row["gain_note"] and not row["recipe"]:
            return str(row["gain_note"])
        return "" if pd.isna(row["gain"]) else f"{number(row['gain'], '+.3f')}{_bounds(row, 'gain', '+.2f')}"
    if kind in BEYOND:
        return beyond(row, kind)
    if kind in CERTIFICATES:
        return certificate(row, kind)
    mean, std = row[f"{kind}_mean"], row[f"{kind}_std"]
    mean = round(mean, 3) + 0.0  # no -0.000
    text = number(mean) if pd.isna(std) else f"{number(mean)}±{number(std)}"
    if kind == "tau":
        return f"{text} *" if row["constant"] else text
    return f"{text}{_bounds(row, 'r2', '.2f')}"


def _bounds(row: pd.Series, kind: str, form: str) -> str:
    low, high = row[f"{kind}_low"], row[f"{kind}_high"]
    return "" if pd.isna(low) else f" [{number(low, form)}, {number(high, form)}]"
