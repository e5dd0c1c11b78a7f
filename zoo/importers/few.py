"""Some of many names or numbers, for a message that must stay short."""

from collections.abc import Iterable

NAMES, NUMBERS = 12, 5  # that are named
LETTERS = 60  # of a name


def names(found: Iterable[object]) -> str:
    """Some of the names, each once, in order and in plain characters."""
    known = sorted({ascii(str(name)[:LETTERS])[1:-1] for name in found})
    return ", ".join(known[:NAMES]) + (f" and {len(known) - NAMES} more" if len(known) > NAMES else "")


def numbers(found: Iterable[int]) -> str:
    """Some whole numbers in few words."""
    ordered = sorted(found)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    shown = ", ".join(map(str, ordered[:NUMBERS]))
    return shown if len(ordered) <= NUMBERS else f"{shown} ... {ordered[-1]} ({len(ordered)} in all)"
