"""What the shell completes: names of specs and metanets, folders of zoos."""

import os
from pathlib import Path


def specs(incomplete: str) -> list[str]:
    """Names of built-in specs that begin so."""
    from zoo.spec.spec import SPECS

    return [name for name in SPECS if name.startswith(incomplete)]


def metanets(incomplete: str) -> list[str]:
    """Names of metanets that begin so, and `all`."""
    from metanets import METANETS

    return [name for name in (*METANETS, "all") if name.startswith(incomplete)]


def zoos(incomplete: str) -> list[str]:
    """Folders whose path begins so; those of zoos first, others behind them with a slash, since a zoo may be in them."""
    written = incomplete[: incomplete.rfind("/") + 1]
    try:
        at = Path(incomplete).expanduser()
        above = at if incomplete.endswith("/") else at.parent
        names = sorted(path.name for path in above.iterdir() if path.is_dir() and not path.name.startswith("."))
    except (OSError, RuntimeError):  # no such folder, one that may not be read, or of nobody here
        return []
    zoos = {name for name in names if os.access(above / name / "zoo.json", os.F_OK)}  # no error where one may not look
    found = [
        f"{written}{name}" if name in zoos else f"{written}{name}/" for name in sorted(names, key=lambda n: n not in zoos)
    ]
    return [path for path in found if path.startswith(incomplete)]
