"""The words of messages: errors that name the nearest choice, spans of time, objects in a few lines, texts of strangers."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
NAMES, NUMBERS = 12, 5  # that a message names
LETTERS = 60  # of a name in a message
TEXT = 1000  # characters of a message that are kept
LINE, NAME = 1000, 100  # characters at most of a stranger's text or name
ACTED_ON = (ValueError, OSError, RuntimeError, ImportError)  # errors whose words say what to do
COLUMN = "[a-z][a-z0-9_]{0,63}"


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


def duration(seconds: float) -> str:
    """Such as `40 s`, `12 min`, `3.5 h`, `2.1 days`."""
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}" if size > 60 else f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


Facts = tuple[str, dict[str, str]]  # what an object is shown as: a title, and what there is to say of it, by name


def facts_text(facts: Facts) -> str:
    """An object's facts as its `repr`: the title, and a line for each."""
    title, known = facts
    return "\n".join([plain(title), *(f"  {name:16} {plain(text)}" for name, text in known.items() if text)])


def facts_html(facts: Facts) -> str:
    """The same as a table for notebooks; everything that stands in it is escaped."""
    title, known = facts
    cells = [(escape(plain(name)), escape(plain(text))) for name, text in known.items() if text]
    rows = "".join(f'<tr><th style="text-align: left">{name}</th><td>{text}</td></tr>' for name, text in cells)
    return f"<table><caption>{escape(plain(title))}</caption>{rows}</table>"


def some_names(found: Iterable[object]) -> str:
    """Some of the names, for a message that must stay short: each once, in order and in plain characters."""
    known = sorted({ascii(str(name)[:LETTERS])[1:-1] for name in found})
    return ", ".join(known[:NAMES]) + (f" and {len(known) - NAMES} more" if len(known) > NAMES else "")


def some_numbers(found: Iterable[int]) -> str:
    """Some whole numbers in few words."""
    ordered = sorted(found)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    shown = ", ".join(map(str, ordered[:NUMBERS]))
    return shown if len(ordered) <= NUMBERS else f"{shown} ... {ordered[-1]} ({len(ordered)} in all)"


def plain(text: object) -> str:
    """The text on one line, control characters escaped, so that a name out of a file cannot steer a terminal."""
    line = str(text)
    line = line if len(line) <= TEXT else f"{line[:TEXT]}..."
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def error_text(error: BaseException) -> str:
    """What an error says, in plain characters: names of others may stand in it."""
    return "\n".join(map(plain, str(error).split("\n")))


@contextmanager
def ending_in_words() -> Iterator[None]:
    """Ends a program by what an error says that the user can act on, without a traceback, and exit code 1."""
    try:
        yield
    except ACTED_ON as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {error_text(error)}")


def plain_line(text: str) -> str:
    """A text of a stranger as a `Line`: ? for what cannot be printed, and cut where it is too long."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= LINE else f"{plain[: LINE - 3]}..."


def plain_name(text: str) -> str:
    """A text as near to a `Name` as it may be; empty where nothing of it can stay."""
    return re.sub("[^A-Za-z0-9._-]+", "-", text).strip("-._")[:NAME]


def plain_column(text: str) -> str:
    """A text in small letters and underscores, as names of columns are; `is_column` says whether it is one."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def is_column(name: str) -> bool:
    """Whether a text is a `Column`."""
    return bool(re.fullmatch(COLUMN, name))
