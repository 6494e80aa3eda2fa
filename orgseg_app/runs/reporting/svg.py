"""Drawings in SVG 1.1: few shapes, plain attributes, so that browsers and printers, Inkscape,
Illustrator and Qt all show the same. No style sheets, no scripts, no fonts inside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

FONT = "Helvetica, Arial, Liberation Sans, sans-serif"
SIZE = 11.0
"""Of text, in units of the drawing (CSS pixels)."""

INK, MUTED, RULE, GRID, PAPER = "#1c2330", "#5b6575", "#9aa3b1", "#e6e9ee", "#ffffff"
WARNING = "#b3261e"

# Okabe & Ito, "Color Universal Design" (2008), without their yellow, which is lost on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4b4b8f", "#7a7a7a")

# A little more than Helvetica's letters take, for fonts that stand in for it are wider.
_NARROW, _WIDE = set("fijlrtI.,:;'|!()[]{} "), set("mwMWOQGAVDHNCUR%@—…")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def text_width(text: str, size: float = SIZE) -> float:
    """About how wide a text is drawn."""
    return size * sum(0.34 if c in _NARROW else 0.84 if c in _WIDE else 0.6 for c in text)


def shortened(text: str, width: float, size: float = SIZE) -> str:
    """The text, or its beginning and "…", to fit a width.

    >>> shortened("a long name of a run", 60)
    'a long n…'
    """
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def safe(text: str) -> str:
    """Text for an attribute or between tags, without what XML forbids."""
    return escape(_CONTROL.sub("", text), quote=True)


class Drawing:
    """A picture that is being drawn.

    Parameters
    ----------
    width, height
        In CSS pixels: 96 to an inch.
    title
        Read aloud in place of the picture.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def line(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: str = RULE,
        *,
        width: float = 1,
        dash: str = "",
    ) -> None:
        """A straight line; `dash` as ``"3 3"``."""
        more = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{_n(x0)}" y1="{_n(y0)}" x2="{_n(x1)}" y2="{_n(y1)}" stroke="{colour}" '
            f'stroke-width="{_n(width)}"{more}/>'
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        stroke: str = "none",
        round: float = 0,
    ) -> None:
        """A rectangle."""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'rx="{_n(round)}" fill="{fill}" stroke="{stroke}"/>'
        )

    def dot(
        self,
        x: float,
        y: float,
        radius: float,
        fill: str,
        *,
        stroke: str = "none",
        opacity: float = 1,
        about: str = "",
    ) -> None:
        """A circle; `about` is told where the pointer rests."""
        told = f"<title>{safe(about)}</title>" if about else ""
        self._parts.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="1.2" fill-opacity="{_n(opacity)}">{told}</circle>'
        )

    def diamond(self, x: float, y: float, radius: float, fill: str, *, about: str = "") -> None:
        """A square on its tip, outlined in white to stand out among dots."""
        told = f"<title>{safe(about)}</title>" if about else ""
        points = ((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y))
        listed = " ".join(f"{_n(a)},{_n(b)}" for a, b in points)
        self._parts.append(
            f'<polygon points="{listed}" fill="{fill}" stroke="{PAPER}" stroke-width="1.2">{told}'
            "</polygon>"
        )

    def path(
        self,
        points: Sequence[tuple[float, float]],
        colour: str,
        *,
        width: float = 1.8,
        opacity: float = 1,
        dash: str = "",
    ) -> None:
        """A line through many points."""
        listed = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        more = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<polyline points="{listed}" fill="none" stroke="{colour}" stroke-width="{_n(width)}" '
            f'stroke-opacity="{_n(opacity)}" stroke-linejoin="round"{more}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        colour: str = INK,
        size: float = SIZE,
        bold: bool = False,
        turned: bool = False,
    ) -> None:
        """A line of text on the base line `y`; `turned` reads upwards."""
        more = ' font-weight="bold"' if bold else ""
        if turned:
            more += f' transform="rotate(-90 {_n(x)} {_n(y)})"'
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}" '
            f'text-anchor="{anchor}"{more}>{safe(words)}</text>'
        )

    def to_svg(self) -> str:
        """The whole picture, a text that can be a file or a part of an HTML page."""
        size = f'width="{_n(self.width)}" height="{_n(self.height)}"'
        view = f'viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img" '
            f'font-family="{FONT}">\n<title>{safe(self.title)}</title>\n'
            f'<rect width="100%" height="100%" fill="{PAPER}"/>\n{body}\n</svg>\n'
        )


def _n(value: float) -> str:
    """A number in few digits."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"
