"""Looking a name up in one of the project's tables, with an error that helps."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not among the known: the nearest ones, then all of them."""
    known = list(known)
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"unknown {what} {name!r}{hint} (known: {', '.join(known)})"


def choose(table: Mapping[str, T], name: str, what: str) -> T:
    """`table[name]`. Raises ValueError naming the nearest entries where there is no such."""
    if name not in table:
        raise ValueError(unknown(what, name, table))
    return table[name]
