"""Boards as tables: Markdown, and for the terminal, where what does not fit is left out with a word and never cropped."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from html import escape as html
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.markup import escape
from rich.table import Table

from benchmark.analyses.certificates import kept
from benchmark.leaderboard.columns import CERTIFICATES, Column, about, attainable, columns, legend
from benchmark.leaderboard.leaderboard import from_records
from benchmark.records.readable import has_records, readable
from zoo.messages import plain

WIDE = 150  # characters of a line where there is no terminal
WHOLE = 21  # characters of a text that is not broken: beside a name it fits a terminal of 40
NAME = 12  # characters of a name that stay on a line, where there is no room for more
WIDER = "; see --format csv or a wider terminal"


def to_table(cells: pd.DataFrame, *, width: int = WIDE) -> Table:
    """A board for a terminal of so many characters, 40 or more."""
    found = columns(cells, plain)
    first = ("rank", "metanet")
    kept, left = _fitting(sorted(found, key=lambda column: (*first, column.kind).index(column.kind)), width)
    note = f"\nleft out for width: {', '.join(left)}{WIDER}" if left else ""
    table = Table(
        title=_literal(about(cells)), caption=escape(f"{_order(found)}; {legend(cells)}\n{attainable(cells, plain)}{note}")
    )
    _add_columns(table, kept, width)
    for row in zip(*(column.texts for column in kept), strict=True):
        table.add_row(*map(escape, row), style="dim" if any(text.endswith("(baseline)") for text in row) else None)
    return table


def frame_tables(frame: pd.DataFrame, title: str, *, width: int = WIDE) -> Iterator[Table]:
    """Any small frame for the terminal, numbers to three places; columns that do not fit stand in tables below the first.

    Of text, what is longer than WHOLE can be broken.
    """
    texts = [[f"{x:.3f}" if isinstance(x, float) else plain(str(x)) for x in frame[name]] for name in frame.columns]
    names = Column("metanet", plain(str(frame.index.name or "")), [plain(str(name)) for name in frame.index])
    left = [
        Column(_kind(frame[name], values), plain(str(name)), values)
        for name, values in zip(frame.columns, texts, strict=True)
    ]
    while left or title:
        fit = max(1, sum(_width([names, *left[: end + 1]]) <= width for end in range(len(left))))
        kept, left = [names, *left[:fit]], left[fit:]
        table = Table(title=_literal(title))
        _add_columns(table, kept, width)
        for row in zip(*(column.texts for column in kept), strict=True):
            table.add_row(*map(escape, row))
        yield table
        title = ""


def _kind(values: pd.Series, texts: list[str]) -> str:
    if pd.api.types.is_numeric_dtype(values):
        return "r2"
    return "text" if max(map(len, texts), default=0) <= WHOLE else "metanet"


def _fitting(found: list[Column], width: int) -> tuple[list[Column], list[str]]:
    """The columns that fit, and what was left out for that: as in LESS, then zoos from the last on."""
    left: list[str] = []
    for name, less in LESS.items():
        if _width(found) > width and (fewer := less(found)) != found:
            found, left = fewer, [*left, name]
    for kind, least in (("tau", 0), ("r2", 1)):
        while _width(found) > width and sum(column.kind == kind for column in found) > least:
            last = max(place for place, column in enumerate(found) if column.kind == kind)
            left.append(found[last].head)
            found = found[:last] + found[last + 1 :]
    return found, left


def _without(*kinds: str) -> Callable[[list[Column]], list[Column]]:
    return lambda found: [column for column in found if column.kind not in kinds]


def _cut(mark: str, *kinds: str) -> Callable[[list[Column]], list[Column]]:
    """Columns of these kinds without what begins at the mark; that a prediction is constant stays."""

    def cut(text: str) -> str:
        return text.partition(mark)[0] + " *" * text.endswith(" *") if mark in text else text

    return lambda found: [
        replace(column, texts=[*map(cut, column.texts)]) if column.kind in kinds else column for column in found
    ]


LESS: dict[str, Callable[[list[Column]], list[Column]]] = {  # what is left out first, and how
    "certificates": _without(*CERTIFICATES),
    "gain": _without("gain"),
    "tau beyond recipe": _without("tau_beyond"),
    "seeds": _without("seeds"),
    "intervals of R²": _cut(" [", "r2"),
    "standard deviations": _cut("±", "r2", "tau"),
    "intervals": _cut(" [", "r2_beyond"),
    "R² beyond recipe": _without("r2_beyond"),
}


def _order(found: Iterable[Column]) -> str:
    """In which order rows are, and what a rank is where there is one."""
    ranked = any(column.kind == "rank" for column in found)
    return "metanets by mean R², baselines below" + "; rank: by R² on each zoo, the mean over them" * ranked


def _width(found: Sequence[Column]) -> int:
    """What a table of these columns needs: long names can be broken, numbers and words of heads cannot; a rule and a space
    on each side of each.
    """
    return sum(_least(column) + 3 for column in found) + 1


def _least(column: Column) -> int:
    widest = max(map(len, column.texts), default=0)
    if column.kind == "metanet":
        return max(4, min(widest, NAME))
    return max(4, widest, min(NAME, max(map(len, column.head.split()), default=0)))


def _add_columns(table: Table, kept: Sequence[Column], width: int) -> None:
    """Adds the columns, each as wide as it needs; what is left goes to words of heads, names, whole heads."""
    spare = max(0, width - _width(kept))
    wide = [_least(column) for column in kept]
    words = [column.head.split() for column in kept]
    names = [column.texts if column.kind == "metanet" else [] for column in kept]
    for wanted in (words, names, [[column.head] for column in kept]):
        for place, texts in enumerate(wanted):
            more = min(spare, max(0, max(map(len, texts), default=0) - wide[place]))
            wide[place], spare = wide[place] + more, spare - more
    for column, size in zip(kept, wide, strict=True):
        justify: Literal["left", "right"] = "left" if column.kind in ("metanet", "text") else "right"
        table.add_column(escape(column.head), overflow="fold", justify=justify, width=size)


def _literal(value: object) -> str:
    """A value for the terminal, which neither Rich nor the terminal takes for anything but text."""
    return escape(plain(str(value)))


def to_markdown(cells: pd.DataFrame) -> str:
    """A board as a Markdown table; names are escaped, since they may come from others: no links, no pictures, no lines."""
    found = columns(cells, _inert)
    heads, rows = [column.head for column in found], list(zip(*(column.texts for column in found), strict=True))
    table = markdown_lines(map(_escaped, line) for line in (heads, ["---", *["---:"] * (len(heads) - 1)], *rows))
    head = f"{_escaped(_inert(about(cells)))}: {_order(found)}; {_escaped(legend(cells))}"
    return f"{head}\n\n{table}\n\n{_escaped(attainable(cells, _inert))}\n"


def markdown_lines(lines: Iterable[Iterable[str]]) -> str:
    """Lines of a Markdown table from their cells, which are Markdown already."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_html(cells: pd.DataFrame) -> str:
    """A board as a table for notebooks; everything that stands in it is escaped."""
    found = columns(cells, plain)
    heads = "".join(f"<th>{html(column.head)}</th>" for column in found)
    rows = "".join(
        f"<tr>{''.join(f'<td>{html(text)}</td>' for text in row)}</tr>"
        for row in zip(*(column.texts for column in found), strict=True)
    )
    below = f"<p><small>{html(legend(cells))}<br>{html(attainable(cells, plain))}</small></p>"
    return f"<table><caption>{html(plain(about(cells)))}</caption><tr>{heads}</tr>{rows}</table>{below}"


def markdown_of(folder: Path, manifests: Collection[str]) -> str:
    """The boards of the zoos with these manifests, for their data set's card; empty where the folder has no such records.

    Transfer from other zoos is left out, since the card describes these.
    """
    if not has_records(folder):
        return ""
    of_these = [
        one
        for one in readable(folder)[0]
        if {one.record.task.zoo.manifest_sha256, one.record.task.test_zoo.manifest_sha256} <= set(manifests)
    ]
    return "\n".join(map(to_markdown, from_records(of_these, certificates=kept(folder)).boards())) if of_these else ""


def _inert(name: str) -> str:
    """A name in Markdown that begins nothing; what `_escaped` escapes is left to it."""
    return re.sub(r"[\\`\[\]~#>&]", r"\\\g<0>", plain(name))


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("|", "\\|").replace("<", "&lt;")
