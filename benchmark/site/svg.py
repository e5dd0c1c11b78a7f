"""One picture of the site: an SVG that fits light and dark pages, safe to name and safe to draw names in."""

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

DIGITS = 24  # of a hash in a file's name: of fewer, two names with the same can be had by trying
INK, INK_IN_THE_DARK = "#1f2329", "#d7dde4"
COLOURS = ("#2f81c7", "#d9772b", "#3a9a5b", "#c9475b", "#8a6cc0", "#2a9d9d", "#b08a1e", "#7d8590")
CSS = f"svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:{INK_IN_THE_DARK}}}}}"
STYLE: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "legend.frameon": False,
    "svg.hashsalt": "metazoo",
}


@dataclass(frozen=True)
class Picture:
    """An SVG of the site: its file's name and bytes, its size in pixels, and its numbers in words for who cannot see it."""

    file: str
    data: bytes
    alt: str
    width: int
    height: int

    def named(self) -> tuple[str, bytes]:
        """The name and the bytes of its file."""
        return self.file, self.data


def slug(name: str) -> str:
    """A file name that is safe anywhere and different for different names."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].strip("-")
    return f"{words or 'x'}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:DIGITS]}"


def picture(key: tuple[str, ...], draw: Callable[[], Figure], alt: str, *, names: bool = True) -> Picture:
    """Draws an SVG that is the same each time, and whose ink is dark on light pages and light on dark ones.

    `names`: has texts of others, in which a $ begins no formula.
    """
    memory = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "text.parse_math": not names}):
        figure = draw()
        figure.savefig(memory, format="svg", metadata={"Date": None, "Creator": None})
    text = memory.getvalue().decode().replace(INK, "currentColor")
    data = text.replace('<style type="text/css">', f'<style type="text/css">{CSS}', 1).encode()
    width, height = figure.get_size_inches() * 96
    return Picture(f"pictures/{slug(json.dumps(key))}.svg", data, alt, round(width), round(height))


def drawn(name: str) -> str:
    """A name as pictures show it: short, in letters that the font has, and different for different names."""
    text = "".join(letter if letter.isprintable() and ord(letter) in _letters() else "?" for letter in name)
    text = f" {text}" if text.startswith("_") else text  # matplotlib leaves labels with _ out of legends
    return text if text.strip() == name and len(name) <= 40 else f"{text[:30]}… {slug(name)[-4:]}"


@cache
def _letters() -> frozenset[int]:
    """The letters of the font that are written from left to right without being joined: Latin, Greek, Cyrillic."""
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return frozenset(code for code in font.get_charmap() if code < 0x530)
