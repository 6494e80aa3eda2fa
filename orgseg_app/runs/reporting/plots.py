"""Plots of any numbers: dots with intervals in rows, curves, and heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orgseg_app.runs.reporting.axes import Axis, draw_across, draw_up, span_of
from orgseg_app.runs.reporting.svg import (
    COLOURS,
    INK,
    MUTED,
    PAPER,
    RULE,
    WARNING,
    Drawing,
    shortened,
    text_width,
)

WIDTH = 680.0
"""Of all figures: what an A4 page holds between its margins, at 96 dots an inch."""

_ROW = 22.0
_LONGEST = 220.0
_LEGEND = 290.0
_FOOT = 42.0


@dataclass(frozen=True)
class Dot:
    """One value in a row.

    Attributes
    ----------
    value
        Where it lies.
    about
        Told where the pointer rests.
    is_marked
        Drawn hollow and red: its value flatters, or is out of date.
    """

    value: float
    about: str = ""
    is_marked: bool = False


@dataclass(frozen=True)
class Row:
    """A line of a plot of rows.

    Attributes
    ----------
    label
        To the left.
    dots
        Single values, such as those of the images.
    centre
        What counts: a diamond; None where there is none.
    interval
        Its ends; None where there is none.
    note
        To the right.
    colour
        Of dots and diamond.
    is_heading
        A heading between rows: nothing but the label.
    """

    label: str
    dots: tuple[Dot, ...] = ()
    centre: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    colour: str = COLOURS[0]
    is_heading: bool = False


def rows_plot(
    rows: Sequence[Row],
    *,
    title: str,
    axis_title: str,
    zero: tuple[str, str] | None = None,
    within: tuple[float, float] | None = None,
    label_width: float = _LONGEST,
) -> str:
    """Values in rows, over one axis.

    Parameters
    ----------
    label_width
        What the labels may take; longer ones are cut.
    zero
        Draw a line at 0, and say below what lies to its left and right.
    within
        As in `axes.span_of`.

    Returns
    -------
    str
        The drawing as SVG.
    """
    values = [dot.value for row in rows for dot in row.dots]
    values += [row.centre for row in rows if row.centre is not None]
    values += [end for row in rows for end in row.interval or ()]
    if zero is not None:
        values.append(0.0)
    longest = max((text_width(row.label) for row in rows), default=0)
    left = min(label_width, longest) + 18
    noted = max((text_width(row.note) for row in rows), default=0)
    right = WIDTH - (min(noted, 170) + 16 if noted else 12)
    top, bottom = 8.0, 8.0 + _ROW * max(1, len(rows))
    height = bottom + _FOOT + (18 if zero else 0)
    drawing = Drawing(WIDTH, height, title)
    axis = Axis(*span_of(values, within=within), left, right)
    draw_across(drawing, axis, top, bottom, axis_title)
    if zero is not None:
        x = axis.at(0)
        drawing.line(x, top, x, bottom, INK, width=1.2)
        _sides(drawing, axis, zero, bottom + 51)
    for number, row in enumerate(rows):
        _draw_row(drawing, axis, row, top + _ROW * (number + 0.5), (label_width, right))
    return drawing.to_svg()


def _sides(drawing: Drawing, axis: Axis, words: tuple[str, str], y: float) -> None:
    """What lies to the left and to the right, at the ends of the axis."""
    drawing.text(axis.start, y, f"← {words[0]}", colour=MUTED)
    drawing.text(axis.end, y, f"{words[1]} →", anchor="end", colour=MUTED)


def _draw_row(drawing: Drawing, axis: Axis, row: Row, y: float, room: tuple[float, float]) -> None:
    """One row; `room` is how wide its label may be, and where its note begins."""
    wide, right = room
    if row.is_heading:
        covered = text_width(row.label) * 1.06 + 6
        drawing.box(0, y - 9, covered, 18, PAPER)  # not crossed by the lines of the axis
        drawing.text(4, y + 4, row.label, colour=MUTED, bold=True)
        return
    drawing.text(4, y + 4, shortened(row.label, wide))
    if row.note:
        note = shortened(row.note, WIDTH - right - 11)
        drawing.text(right + 10, y + 4, note, colour=MUTED)
    if row.interval is not None:
        low, high = (axis.at(end) for end in row.interval)
        drawing.line(low, y, high, y, row.colour, width=2)
        for x in (low, high):
            drawing.line(x, y - 6.5, x, y + 6.5, row.colour, width=1.5)
    for dot in sorted(row.dots, key=lambda dot: dot.is_marked):  # what warns lies on top
        if dot.is_marked:
            drawing.dot(axis.at(dot.value), y, 3.6, PAPER, stroke=WARNING, about=dot.about)
        else:
            drawing.dot(axis.at(dot.value), y, 3, row.colour, opacity=0.4, about=dot.about)
    if row.centre is not None:
        drawing.diamond(axis.at(row.centre), y, 5.5, row.colour, about=f"{row.centre:.4f}")


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes
    ----------
    label
        In the legend.
    points
        (x, y), in order.
    end
        A point to mark, such as the state that was kept.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    end: tuple[float, float] | None = None


def curves_plot(
    series: Sequence[Series],
    *,
    title: str,
    titles: tuple[str, str],
    across: tuple[float, float] | None = None,
    up: tuple[float, float] | None = None,
    height: float = 300,
    width: float = WIDTH,
) -> str:
    """Curves over two axes, with a legend below.

    Parameters
    ----------
    titles
        Of the axis across and of the one that goes up.
    across, up
        Ends of the axes; by the points without.

    Returns
    -------
    str
        The drawing as SVG.
    """
    places = _legend_places([one.label for one in series], width)
    legend = (places[-1][1] + 1) * 18 + 8 if places else 0.0
    drawing = Drawing(width, height + legend, title)
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    across = across or ((min(xs), max(xs)) if xs else (0.0, 1.0))
    axis_x = Axis(*across, 62, width - 14)
    axis_y = Axis(*(up or span_of(ys)), height - _FOOT, 10)
    draw_up(drawing, axis_y, axis_x.start, axis_x.end, titles[1])
    draw_across(drawing, axis_x, axis_y.end, axis_y.start, titles[0])
    for number, one in enumerate(series):
        colour, dash = style_of(number)
        points = [(axis_x.at(x), axis_y.at(y)) for x, y in one.points]
        if len(points) > 1:
            drawing.path(points, colour, dash=dash)
        elif points:
            drawing.dot(*points[0], 3, colour)
        if one.end is not None:
            drawing.diamond(axis_x.at(one.end[0]), axis_y.at(one.end[1]), 5, colour)
    for number, (one, (x, line)) in enumerate(zip(series, places, strict=True)):
        colour, dash = style_of(number)
        y = height + 10 + 18 * line
        drawing.line(x, y, x + 20, y, colour, width=2.4, dash=dash)
        drawing.text(x + 26, y + 4, shortened(one.label, _LEGEND))
    return drawing.to_svg()


def style_of(number: int) -> tuple[str, str]:
    """Colour and dashes of the curve with a number: eight colours, then again in dashes."""
    dashes = ("", "6 3", "2 3", "8 3 2 3")
    return COLOURS[number % len(COLOURS)], dashes[number // len(COLOURS) % len(dashes)]


def _legend_places(labels: Sequence[str], width: float) -> list[tuple[float, int]]:
    """(x, line) of each label, as many a line as fit."""
    places: list[tuple[float, int]] = []
    x, line = 62.0, 0
    for label in labels:
        wide = 26 + min(text_width(label), _LEGEND) + 18
        if x > 62 and x + wide > width:
            x, line = 62.0, line + 1
        places.append((x, line))
        x += wide
    return places


def heat_plot(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[float | None]],
    *,
    title: str,
    notes: Sequence[Sequence[str]] | None = None,
    titles: tuple[str, str] = ("", ""),
) -> str:
    """Numbers in a grid, the darker the higher.

    Parameters
    ----------
    cells
        One a row and column; None is left empty.
    notes
        A second, smaller line in each cell.
    titles
        Of the rows and of the columns.

    Returns
    -------
    str
        The drawing as SVG.
    """
    left = min(_LONGEST, max((text_width(row) for row in rows), default=0)) + 16
    left = max(left, text_width(titles[0]) + 16)
    wide = min(120.0, (WIDTH - left - 4) / max(1, len(columns)))
    high = 40.0 if notes else 28.0
    top = 46.0
    drawing = Drawing(WIDTH, top + high * len(rows) + 6, title)
    drawing.text(4, top - 8, titles[0], colour=MUTED)
    drawing.text(left + wide * len(columns) / 2, 14, titles[1], colour=MUTED, anchor="middle")
    for number, name in enumerate(columns):
        words = shortened(name, wide - 4)
        drawing.text(left + wide * (number + 0.5), top - 8, words, anchor="middle")
    found = [value for row in cells for value in row if value is not None]
    low, most = (min(found), max(found)) if found else (0.0, 1.0)
    for r, name in enumerate(rows):
        drawing.text(4, top + high * (r + 0.5) + 4, shortened(name, _LONGEST))
        for c, value in enumerate(cells[r]):
            x, y = left + wide * c, top + high * r
            share = 0.5 if most == low or value is None else (value - low) / (most - low)
            fill, ink = ("#f3f4f6", MUTED) if value is None else shade(share)
            drawing.box(x + 1, y + 1, wide - 2, high - 2, fill, round=3)
            words = "–" if value is None else f"{value:.3f}"
            shift = -2.0 if notes else 4.0
            drawing.text(x + wide / 2, y + high / 2 + shift, words, anchor="middle", colour=ink)
            if notes:
                at = y + high / 2 + 12
                drawing.text(x + wide / 2, at, notes[r][c], anchor="middle", colour=ink, size=9)
    if not found:
        drawing.line(left, top, left, top, RULE)
    return drawing.to_svg()


def shade(share: float) -> tuple[str, str]:
    """Fill from pale to deep blue for 0…1, and the colour of text that is read on it."""
    pale, deep = (232, 240, 250), (17, 78, 140)
    share = min(1.0, max(0.0, share))
    colour = [round(a + (b - a) * share) for a, b in zip(pale, deep, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*colour), (PAPER if share > 0.5 else INK)
