"""The figures of a comparison, as SVG: the same numbers as in its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orgseg_app.core.metrics.thresholds import RatedVoxels, average_precision, precision_recall
from orgseg_app.runs.pairs import Pair
from orgseg_app.runs.reporting.plots import Dot, Row, Series, curves_plot, rows_plot
from orgseg_app.runs.reporting.report import Entry, Report
from orgseg_app.runs.reporting.svg import COLOURS, MUTED, shortened

MOST_ROWS = 60
"""Runs in a figure; all are in the tables."""
MOST_CURVES = 16
MOST_PAIRS = 45

_DECISION = {"better": 0, "worse": 0, "alike": 1, "same": 1}
_POINTS = 300
_PAIR_WIDTH = 300.0


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name : str
        For its file, without suffix.
    caption : str
        What is to be seen, and how it was counted.
    svg : str
    """

    name: str
    caption: str
    svg: str


def figures_of(report: Report) -> list[Figure]:
    """All figures that there are numbers for, in the order of the report."""
    found = [scores_figure(report)]
    if len(report.comparison.classes) > 1:
        found += [class_figure(report, name) for name in report.comparison.classes]
    if pairs := [pair for pair in report.pairs if pair.found is not None]:
        found.append(pairs_figure(pairs))
    found += precision_recall_figures(report)
    if report.curves:
        found.append(learning_figure(report))
    return found


def scores_figure(report: Report) -> Figure:
    """Mean IoU of each run: pooled, each image, and the interval of the mean."""
    rows = _in_order(report.entries[:MOST_ROWS], "")
    images = len(report.comparison.common_images)
    return Figure(
        "scores",
        f"Mean IoU over the classes. Diamonds: {images} {report.comparison.split} "
        f"image{'' if images == 1 else 's'} counted together (the number at the right). Dots: each "
        "image by itself; hollow and red where the run had seen it while learning, or where it was "
        "painted anew since. Bars: interval of the mean over images, 95 % (from six images on)."
        f"{_first_of(report)}",
        rows_plot(rows, title="Mean IoU of each run", axis_title="Mean IoU", within=(0, 1)),
    )


def _first_of(report: Report) -> str:
    total = len(report.entries)
    return f" The first {MOST_ROWS} of {total} runs." if total > MOST_ROWS else ""


def class_figure(report: Report, class_name: str) -> Figure:
    """IoU of one class."""
    number = report.comparison.classes.index(class_name)
    plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in class_name.casefold())
    return Figure(
        f"class_{number + 1}_{plain}"[:60],
        f"IoU of {class_name}. Diamonds: all images together; dots: each image by itself.",
        rows_plot(
            _in_order(report.entries[:MOST_ROWS], class_name),
            title=f"IoU of {class_name}",
            axis_title=f"IoU of {class_name}",
            within=(0, 1),
        ),
    )


def _in_order(entries: Iterable[Entry], class_name: str) -> list[Row]:
    """Rows of the ranked runs, then of the others below a heading."""
    rows: list[Row] = []
    was_ranked = True
    for entry in entries:
        is_ranked = entry.standing.rank is not None
        if was_ranked and not is_ranked:
            rows.append(Row("Not ranked", is_heading=True))
        was_ranked = is_ranked
        rows.append(_row(entry, class_name))
    return rows


def _row(entry: Entry, class_name: str) -> Row:
    run = entry.run
    dots = []
    for one in run.per_image:
        value = one.scores.by_class["iou"].get(class_name) if class_name else one.scores.mean_iou
        if value is None:
            continue
        is_marked = one.is_leaked or one.is_outdated
        why = " (seen while learning)" if one.is_leaked else " (painted anew)"
        about = f"{one.image}: {value:.4f}{why if is_marked else ''}"
        dots.append(Dot(value, about, is_marked))
    pooled = None
    if run.pooled is not None:
        by_class = run.pooled.by_class["iou"]
        pooled = by_class.get(class_name) if class_name else run.pooled.mean_iou
    rank = entry.standing.rank
    return Row(
        label=f"{rank}  {run.name}" if rank is not None else run.name,
        dots=tuple(dots),
        centre=pooled,
        interval=None if class_name else entry.interval,
        note="–" if pooled is None else f"{pooled:.3f}",
        colour=COLOURS[0] if rank is not None else MUTED,
    )


def pairs_figure(pairs: Sequence[Pair]) -> Figure:
    """A forest plot: the mean difference of each pair with its interval."""
    shown, total = sorted(pairs, key=_clearness)[:MOST_PAIRS], len(pairs)
    rows = []
    for pair in shown:
        found = pair.found
        assert found is not None  # only such are given
        half = (_PAIR_WIDTH - 20) / 2
        name = f"{shortened(pair.first, half)} − {shortened(pair.second, half)}"
        p = "" if found.p_adjusted is None else f"p = {found.p_adjusted:.3f}"
        clear = _DECISION.get(found.verdict, 2)
        colour = (COLOURS[0], COLOURS[2], MUTED)[clear]
        note = f"{_verdict(pair)}, {p}".strip(", ")
        rows.append(Row(name, centre=found.mean, interval=found.interval, note=note, colour=colour))
    more = f" The {len(shown)} clearest of {total} pairs." if len(shown) < total else ""
    return Figure(
        "pairs",
        "Mean difference of the mean IoU on the same images, first run less second, with its 95 % "
        "interval (symmetric bootstrap-t over images) and Wilcoxon's p, corrected for all pairs by "
        f"Holm. Blue: one is better; grey: not told apart.{more}",
        rows_plot(
            rows,
            title="Differences between runs",
            axis_title="Difference of mean IoU",
            zero=("second is better", "first is better"),
            label_width=_PAIR_WIDTH,
        ),
    )


def _clearness(pair: Pair) -> tuple[int, float]:
    assert pair.found is not None
    mean = abs(pair.found.mean or 0.0)
    return _DECISION.get(pair.found.verdict, 2), -mean


def _verdict(pair: Pair) -> str:
    """In one or two words, for the edge of the figure."""
    assert pair.found is not None
    words = {"better": "first better", "worse": "second better", "alike": "alike", "same": "same"}
    return words.get(pair.found.verdict, "cannot tell")


def learning_figure(report: Report) -> Figure:
    """Mean IoU on validation images while learning."""
    order = {entry.run.run_id: number for number, entry in enumerate(report.entries)}
    curves = sorted(report.curves, key=lambda curve: order.get(curve.run_id, len(order)))
    shown = curves[:MOST_CURVES]
    more = f" The first {len(shown)} of {len(curves)} runs." if len(shown) < len(curves) else ""
    series = [
        Series(curve.name, curve.points, None if curve.best is None else (*curve.best,))
        for curve in shown
    ]
    return Figure(
        "learning",
        "Mean IoU on the validation images while learning; the diamond is the state that was kept."
        + more,
        curves_plot(
            series,
            title="Learning curves",
            titles=("Step", "Mean IoU, validation"),
            across=(0, max(curve.steps[-1] for curve in shown)),
        ),
    )


def precision_recall_figures(report: Report) -> list[Figure]:
    """One a class for which jobs noted how likely each voxel is."""
    found = []
    for number, name in enumerate(report.comparison.classes, 1):
        series = []
        for entry in report.entries[:MOST_CURVES]:
            rated = _rated(entry, name)
            curve = None if rated is None else _curve(rated)
            if rated is None or not curve:
                continue
            area = average_precision(rated)
            label = shortened(entry.run.name, 180)
            label += "" if area is None else f" (AP {area:.3f})"
            if entry.standing.rank is None:
                label += ", not ranked"
            series.append(Series(label, curve))
        if series:
            caption = (
                f"Precision over recall of {name}, as the threshold of its probability falls; all "
                "images counted together. AP: average precision."
            )
            drawing = curves_plot(
                series,
                title=f"Precision and recall of {name}",
                titles=("Recall", "Precision"),
                across=(0, 1),
                up=(0, 1),
            )
            found.append(Figure(f"precision_recall_{number}", caption, drawing))
    return found


def _rated(entry: Entry, class_name: str) -> RatedVoxels | None:
    if entry.run.pooled is None:
        return None
    return entry.run.pooled.rated.get(class_name)


def _curve(rated: RatedVoxels) -> tuple[tuple[float, float], ...]:
    """Points of the curve, thinned out."""
    curve = precision_recall(rated)
    points = list(zip(curve.x.tolist(), curve.y.tolist(), strict=True))
    every = max(1, len(points) // _POINTS)
    return tuple(p for i, p in enumerate(points) if i % every == 0 or i == len(points) - 1)
