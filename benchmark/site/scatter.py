"""Predicted against true, written as SVG right away: a large site has hundreds, and a plotting library takes long."""

import json
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import Float
from matplotlib.ticker import MaxNLocator

from benchmark.site.svg import COLOURS, CSS, Picture, drawn, slug

WIDTH, HEIGHT = 288, 269  # pixels
LEFT, RIGHT, TOP, BOTTOM = 52.0, 280.0, 8.0, 228.0  # where the axes are

Numbers = Float[np.ndarray, " net"]


def scatter(key: tuple[str, ...], true: Numbers, predicted: Numbers, *, target: str, alt: str) -> Picture:
    """A point a net, and the line on which predictions are right; predictions far off stand at the edge."""
    ends = float(true.min()), float(true.max())
    margin = 0.25 * (ends[1] - ends[0]) or 0.1
    low, high = ends[0] - margin, ends[1] + margin  # a wild prediction must not squeeze the others
    space = 0.045 * (ends[1] - ends[0]) or 0.01
    across, up = _scale(ends[0] - space, ends[1] + space, LEFT, RIGHT), _scale(low, high, BOTTOM, TOP)
    x, y = across[0] * true + across[1], up[0] * predicted.clip(low, high) + up[1]
    x_line, y_line = ([scale[0] * end + scale[1] for end in ends] for scale in (across, up))
    points = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.8"/>' for a, b in zip(x, y, strict=True))
    parts = [
        f'<path d="M{LEFT:g} {TOP:g}V{BOTTOM:g}H{RIGHT:g}" fill="none" stroke="currentColor"/>',
        f'<path d="M{x_line[0]:.1f} {y_line[0]:.1f}L{x_line[1]:.1f} {y_line[1]:.1f}" stroke="currentColor" opacity=".4"/>',
        f'<g fill="{COLOURS[0]}" fill-opacity=".6">{points}</g>',
        '<g fill="currentColor" font-family="system-ui,sans-serif" font-size="12">',
        *(_tick(across[0] * value + across[1], BOTTOM, value, across=True) for value in _ticks(*ends)),
        *(_tick(LEFT, up[0] * value + up[1], value, across=False) for value in _ticks(low, high)),
        f'<text x="{(LEFT + RIGHT) / 2:g}" y="{HEIGHT - 7}" text-anchor="middle">true {escape(drawn(target))}</text>',
        f'<text transform="translate(13 {(TOP + BOTTOM) / 2:g}) rotate(-90)" text-anchor="middle">predicted</text></g>',
    ]
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
    text = f"{opening}<style>{CSS}</style>{''.join(parts)}</svg>\n"
    return Picture(f"pictures/{slug(json.dumps(key))}.svg", text.encode(), alt, WIDTH, HEIGHT)


def _scale(low: float, high: float, start: float, end: float) -> tuple[float, float]:
    """Factor and summand from a value to a pixel."""
    factor = (end - start) / (high - low)
    return factor, start - factor * low


def _ticks(low: float, high: float) -> list[float]:
    """Round values between the ends."""
    found = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(value) for value in found if low <= value <= high]


def _tick(x: float, y: float, value: float, *, across: bool) -> str:
    text = f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
    stroke, anchor, x_text, y_text = ("v4", "middle", x, y + 17) if across else ("h-4", "end", x - 7, y + 4)
    mark = f'<path d="M{x:.1f} {y:.1f}{stroke}" stroke="currentColor"/>'
    return f'{mark}<text x="{x_text:.1f}" y="{y_text:.1f}" text-anchor="{anchor}">{text}</text>'
