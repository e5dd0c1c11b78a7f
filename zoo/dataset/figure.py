"""Matplotlib's `Figure`, by which pictures are drawn whatever backend the environment names.

A picture is a `Figure` that is saved: it needs no `pyplot`, and leaves the backend that the user of a notebook has chosen as
it is. A notebook hands its backend on to other programs too, by MPLBACKEND, and matplotlib cannot be imported where they do
not have it. So it is imported as if nothing were named, and takes the name afterwards, as it does by itself, if it knows it.
"""

import io
import os
import sys
from contextlib import suppress

named = os.environ.pop("MPLBACKEND", "") if "matplotlib" not in sys.modules else ""
import matplotlib  # noqa: E402
from matplotlib import figure  # noqa: E402

if named:
    os.environ["MPLBACKEND"] = named
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = named


class Figure(figure.Figure):
    """A picture, which shows itself in a notebook whatever backend that has chosen."""

    def _repr_png_(self) -> bytes:
        memory = io.BytesIO()
        self.savefig(memory, format="png", bbox_inches="tight")
        return memory.getvalue()
