"""Matplotlib's `Figure`, by which pictures are drawn whatever backend the environment names.

A picture is a `Figure` that is saved: it needs no `pyplot`, and leaves the backend that the user of a notebook has chosen as
it is. A notebook hands its backend on to other programs too, by MPLBACKEND, and matplotlib cannot be imported where they do
not have it. So it is imported as if nothing were named, and takes the name afterwards, as it does by itself, if it knows it.
"""

import os
import sys
from contextlib import suppress

named = os.environ.pop("MPLBACKEND", "") if "matplotlib" not in sys.modules else ""
import matplotlib  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

if named:
    os.environ["MPLBACKEND"] = named
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = named

__all__ = ["Figure"]
