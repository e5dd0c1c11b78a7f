"""The command line: `metazoo`."""

import os
import signal
import sys

from rich.console import Console

from benchmark.cli.terminal import app, console
from zoo.messages import ACTED_ON, error_text

from benchmark.cli import specs, zoos, symmetries, landscape, charges, scores, models, references, leaderboards, hub  # isort: skip (the order of the help)

__all__ = [
    "app",
    "charges",
    "console",
    "hub",
    "landscape",
    "leaderboards",
    "main",
    "models",
    "references",
    "scores",
    "specs",
    "symmetries",
    "zoos",
]


def main() -> None:
    """Runs the command; an error the user can act on is printed without a traceback, and the exit code is 1."""
    os.environ["MPLBACKEND"] = "agg"  # a notebook hands on its own, which need not be installed here
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except ACTED_ON as error:
        text = f"metazoo: {error_text(error)}"
        Console(stderr=True, soft_wrap=True).print(text, style="red", markup=False, highlight=False)
        sys.exit(1)
