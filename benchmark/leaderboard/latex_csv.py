"""Boards for papers and spreadsheets: LaTeX in the paper's layout, and CSV of all cells."""

import re
from itertools import accumulate, pairwise

import pandas as pd

from benchmark.leaderboard.beyond import BEYOND
from benchmark.leaderboard.columns import (
    CERTIFICATES,
    HEADS,
    RUNS,
    RUNS_NOTE,
    about,
    attainable,
    beyond,
    certificate,
    explained,
    families,
    number,
    shown,
)
from benchmark.leaderboard.ranking import ranked

FORMULA = ("=", "+", "-", "@", "\t", "\n")  # what a spreadsheet may run begins so (OWASP)
SHOWN = {"r2": "$R^2$", "tau": r"$\tau$", "r2_beyond": "$R^2$ beyond recipe", "tau_beyond": r"$\tau$ beyond recipe"}
LATEX = {  # all with balanced braces, which BibTeX counts even behind a backslash
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "|": r"\textbar{}",
    "[": "{[}",  # at the start of a row, `\\` would take [ or * for its own
    "*": "{*}",
    "²": "$^2$",
    "±": r"$\pm$",
    **{symbol: f"\\{symbol}" for symbol in "$&#_%"},
}


def escape_latex(text: str) -> str:
    """The text as LaTeX shows it literally, on one line; control characters are left out."""
    plain = "".join(symbol for symbol in re.sub(r"\s+", " ", text) if symbol.isprintable())
    return "".join(LATEX.get(symbol, symbol) for symbol in plain)


def to_latex(cells: pd.DataFrame) -> str:
    """A board as a LaTeX table with booktabs, laid out as in Lim et al. 2024 (arXiv:2405.20231).

    A row a metanet and under it, behind a rule, the baselines, each by their mean R²; R² and tau for each family, as mean
    ± sd over seeds with three decimals; where there are some, both beyond the recipe with 95% intervals, and certificates.
    Nothing is set in bold: which differences are real, the table cannot tell.
    """
    zoos, ranking = families(cells), ranked(cells)
    heads = {**SHOWN, **{kind: escape_latex(HEADS[kind]) for kind in CERTIFICATES}}
    kinds = {zoo: [kind for kind in shown(cells, zoo) if kind in heads] for zoo in zoos}
    ends = [*accumulate(map(len, kinds.values()), initial=1)]  # columns before the first zoo's, and up to each
    first = cells.groupby("metanet").first()
    at = {(row["zoo"], row["metanet"]): row for _, row in cells.iterrows()}
    bodies = []
    for kind in (False, True):
        rows = [
            [
                name + RUNS * bool(first.loc[name, "runs"]),
                *(_text(at.get((zoo, name)), metric) for zoo in zoos for metric in kinds[zoo]),
            ]
            for name in ranking.names
            if first.loc[name, "baseline"] == kind
        ]
        if rows:
            bodies.append("\n".join(" & ".join([escape_latex(row[0]), *row[1:]]) + r" \\" for row in rows))
    groups = [rf"\multicolumn{{{len(kinds[zoo])}}}{{c}}{{{escape_latex(str(head))}}}" for zoo, head in zoos.items()]
    rules = [rf"\cmidrule(lr){{{before + 1}-{end}}}" for before, end in pairwise(ends)]
    lines = [
        r"% needs \usepackage{booktabs,textcomp}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(cells)}}}",
        rf"\begin{{tabular}}{{l{'r' * (ends[-1] - 1)}}}",
        r"\toprule",
        " & ".join(["", *groups]) + r" \\",
        " ".join(rules),
        " & ".join(["metanet", *(heads[kind] for found in kinds.values() for kind in found)]) + r" \\",
        r"\midrule",
        "\n\\midrule\n".join(bodies),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _caption(cells: pd.DataFrame) -> str:
    seeds = "/".join(map(str, sorted(set(cells["seeds"]))))
    baselines = " Below the rule: baselines." if cells["baseline"].any() and not cells["baseline"].all() else ""
    note = r" ${}^{*}$: the prediction is constant and ranks nothing; $\tau$ is set to 0." if cells["constant"].any() else ""
    said = [RUNS_NOTE] * bool(cells["runs"].any())
    said += [f"{text} on some of the zoos" for text in sorted(set(cells["gain_note"]) - {""})]
    said += explained(cells)
    said += [text for text in (ranked(cells).note(cells["zoo"].nunique()), *sorted(set(cells["labels"]) - {""})) if text]
    said.append(attainable(cells))
    note += "".join(f" {escape_latex(text[0].upper() + text[1:])}." for text in said)
    return rf"{escape_latex(about(cells))}: mean $\pm$ standard deviation over seeds ({seeds}).{baselines}{note}"


def _text(row: pd.Series | None, metric: str) -> str:
    if row is None:
        return "--"
    if metric in CERTIFICATES:
        return certificate(row, metric) or "--"
    if metric in BEYOND:
        return escape_latex(beyond(row, metric)).replace("-", "$-$") or "--"
    mean, std = round(row[f"{metric}_mean"], 3) + 0.0, row[f"{metric}_std"]  # no -0.000
    spread = "" if pd.isna(std) else rf" \pm {number(std)}"
    return f"${number(mean)}{spread}{'^{*}' if metric == 'tau' and row['constant'] else ''}$"


def to_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV, numbers in full; a name that a spreadsheet would run as a formula gets a ' before it.

    Where a board says why there is no gain, these words stand in its place.
    """
    if "gain_note" in frame:
        told = frame["gain_note"] != ""
        frame = frame.assign(gain=frame["gain"].astype(object).where(~told, frame["gain_note"])) if told.any() else frame
    return frame.map(_harmless).to_csv(index=False, lineterminator="\n")


def _harmless(value: object) -> object:
    """A text as no formula and, since pandas does not quote a carriage return, without what ends a row."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(FORMULA) else text
