"""All that a report of a study tells: ranked by validation, judged on the test images once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orgseg_app import __version__
from orgseg_app.core.split import TEST
from orgseg_app.files.workbook import Sheet
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.reporting.curves import LearningCurve, learning_curves
from orgseg_app.runs.reporting.figures import MOST_CURVES, Figure
from orgseg_app.runs.reporting.methods import Methods, methods_of
from orgseg_app.runs.reporting.model_card import ModelCard, model_card
from orgseg_app.runs.reporting.plots import Dot, Row, Series, curves_plot, heat_plot, rows_plot
from orgseg_app.runs.reporting.standing import standings
from orgseg_app.runs.reporting.svg import COLOURS, MUTED
from orgseg_app.runs.reporting.tables import Row as TableRow
from orgseg_app.runs.reporting.tables import image_rows, setting_rows, sheet_of
from orgseg_app.runs.studies.effects import Combination, Neighbour, Spread
from orgseg_app.runs.studies.results import StudyResults, result_rows
from orgseg_app.runs.studies.wording import axis_title, combination_title, place_title

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

SCORE_WORDS = {"mean_iou": "mean IoU", "mean_dice": "mean Dice (F1)"}
MOST_ROWS = 48
"""Combinations in a figure: the best; all are in the table."""


@dataclass(frozen=True)
class StudyReport:
    """What came of a study, and all around it.

    Attributes
    ----------
    results : StudyResults
        Where all figures are from.
    project : str
        Name of its file; "" where not known.
    cards : tuple of ModelCard
        Of the runs of the best combination.
    methods : Methods
    curves : tuple of LearningCurve
        Of the runs of the best combination and of the others' first repeats.
    made : datetime
    """

    results: StudyResults
    project: str
    cards: tuple[ModelCard, ...]
    methods: Methods
    curves: tuple[LearningCurve, ...] = ()
    made: datetime = field(default_factory=lambda: datetime.now().astimezone())

    @property
    def title(self) -> str:
        """For the head of the page."""
        return f"Study: {self.results.folder.study.name}"

    @property
    def score(self) -> str:
        """What ranks, in words."""
        return SCORE_WORDS[self.results.folder.study.score]

    def to_dict(self) -> dict[str, Any]:
        """As ``study --results --json`` prints it, and all that the report adds."""
        return self.results.to_dict() | {
            "report": {
                "title": self.title,
                "project": self.project,
                "made": self.made.isoformat(timespec="seconds"),
                "orgseg": __version__,
            },
            "learning_curves": [curve.to_dict() for curve in self.curves],
            "methods": self.methods.to_dict(),
            "model_cards": [card.to_dict() for card in self.cards],
        }


def make_study_report(
    results: StudyResults, project_file: ProjectFile | None = None
) -> StudyReport:
    """Put the report of a study together.

    Parameters
    ----------
    results
        What it is about.
    project_file
        Images and pixel sizes are looked up there.
    """
    by_id = {run.run_id: run for run in results.folder.runs().values()}
    folders = [by_id[run.run_id] for c in results.ranking for run in c.runs if run.run_id in by_id]
    best = results.best
    chosen = [by_id[run.run_id] for run in best.runs if run.run_id in by_id] if best else []
    firsts = [by_id[c.runs[0].run_id] for c in results.ranking if c.runs[0].run_id in by_id]
    return StudyReport(
        results=results,
        project=project_file.path.name if project_file is not None else "",
        cards=tuple(_cards(chosen, project_file, is_tested=results.test is not None)),
        methods=methods_of(
            folders,
            project_file=project_file,
            images=() if results.test is None else results.test.images,
            used_scores=("iou", "dice"),
            has_pairs=bool(results.why),
            names_runs=False,
        ),
        curves=learning_curves(firsts[:MOST_CURVES]),
    )


def _cards(
    runs: Sequence[RunFolder], project_file: ProjectFile | None, *, is_tested: bool
) -> list[ModelCard]:
    """Cards of the best; test scores only once the study has ended."""
    if not is_tested:
        return [model_card(run, None, None) for run in runs]
    comparison = compare(project_file, runs, TEST)
    stands = standings(comparison)
    return [
        model_card(run, scores, stands[run.run_id])
        for run, scores in zip(runs, comparison.runs, strict=True)
    ]


# -- tables ----------------------------------------------------------------------------------------


def ranking_rows(report: StudyReport) -> list[dict[str, object]]:
    """One row a combination, the best first."""
    return result_rows(report.results)


def study_sheets(report: StudyReport) -> list[Sheet]:
    """All sheets of the workbook."""
    results = report.results
    ranked: list[TableRow] = result_rows(results)
    effects: list[TableRow] = [
        {"axis": effect.key, "place": place, **spread.to_dict()}
        for effect in results.effects
        for place, spread in effect.places
    ]
    grid: list[TableRow] = [
        {"row axis": one.row_key, "row": row, "column axis": one.column_key, "column": column}
        | one.cells[r][c].to_dict()
        for one in results.heat_maps
        for r, row in enumerate(one.rows)
        for c, column in enumerate(one.columns)
    ]
    notes = (*results.notes, *(results.test.notes if results.test else ()))
    methods: list[TableRow] = [{"part": a, "text": b} for a, b in report.methods.paragraphs]
    methods += [{"part": "Source", "text": text} for text in report.methods.sources]
    return [
        sheet_of("ranking", ranked, () if ranked else ("rank",)),
        sheet_of("main effects", effects),
        sheet_of("heat maps", grid),
        sheet_of("why", [why_row(near) for near in results.why]),
        sheet_of("runs", run_rows(results)),
        sheet_of("settings", setting_rows(report.cards)),
        sheet_of("data", image_rows(report.cards)),
        sheet_of("notes", [{"note": text} for text in notes], ("note",)),
        sheet_of("methods", methods, ("part", "text")),
    ]


def why_row(near: Neighbour) -> TableRow:
    """One combination a single step from the best."""
    facts = near.to_dict()
    low, high = near.difference.interval or (None, None)
    left_out = ("places", "interval", "per_image")
    row: TableRow = {key: value for key, value in facts.items() if key not in left_out}
    return row | {"low": low, "high": high}


def run_rows(results: StudyResults) -> list[TableRow]:
    """One row a run."""
    tested = {} if results.test is None else results.test.by_run
    return [
        {"rank": combination.rank, **dict(combination.places)}
        | {"cell": run.cell.cell_id, "run": run.run_id, "name": run.name, "state": run.state}
        | {"seed": run.cell.recipe.seed, "fold": run.cell.fold}
        | {"validation": run.score, "test": tested.get(run.run_id), "seconds": run.seconds}
        for combination in results.ranking
        for run in combination.runs
    ]


# -- figures ---------------------------------------------------------------------------------------


def study_figures(report: StudyReport) -> list[Figure]:
    """All figures that there are numbers for, in the order of the report."""
    results = report.results
    if results.best is None:
        return []
    found = [ranking_figure(report)]
    if results.why:
        found.append(why_figure(report))
    if effects := [effect for effect in results.effects if len(effect.places) > 1]:
        rows: list[Row] = []
        for effect in effects:
            rows.append(Row(axis_title(effect.key), is_heading=True))
            rows += [
                _spread_row(place_title(effect.key, place), spread)
                for place, spread in effect.places
            ]
        caption = (
            f"What each axis does by itself: {report.score} on the validation images, averaged "
            "over all runs at each place, with the standard deviation between them and their "
            "number."
        )
        drawing = rows_plot(rows, title="Main effects", axis_title=_axis(report), within=(0, 1))
        found.append(Figure("main_effects", caption, drawing))
    found += heat_figures(report)
    if report.curves:
        found.append(_learning(report))
    return found


def _axis(report: StudyReport) -> str:
    return f"{report.score[:1].upper()}{report.score[1:]}, validation"


def _spread_row(label: str, spread: Spread, *, colour: str = COLOURS[0]) -> Row:
    interval = None
    note = "–"
    if spread.mean is not None:
        note = f"{spread.mean:.3f}"
        if spread.deviation is not None:
            interval = (spread.mean - spread.deviation, spread.mean + spread.deviation)
            note += f" ± {spread.deviation:.3f}"
        note += f" ({spread.count})"
    return Row(label, centre=spread.mean, interval=interval, note=note, colour=colour)


def ranking_figure(report: StudyReport) -> Figure:
    """Each combination: its runs on validation, their mean, and the mean on test."""
    results = report.results
    shown = [c for c in results.ranking if c.rank is not None][:MOST_ROWS]
    rows = [_combination_row(combination) for combination in shown]
    total = len(results.ranking)
    more = f" The best {len(shown)} of {total} combinations." if len(shown) < total else ""
    return Figure(
        "ranking",
        f"Combinations by their {report.score} on the validation images, on which they were "
        f"chosen. Diamonds: mean of the repeats; dots: each run.{more}",
        rows_plot(rows, title="Ranking", axis_title=_axis(report), within=(0, 1)),
    )


def _combination_row(combination: Combination) -> Row:
    dots = tuple(
        Dot(run.score, f"{run.name}: {run.score:.4f}")
        for run in combination.runs
        if run.score is not None
    )
    row = _spread_row(
        f"{combination.rank}  {combination_title(combination.places)}", combination.validation
    )
    return Row(row.label, dots, row.centre, None, row.note)


def why_figure(report: StudyReport) -> Figure:
    """The best beside each combination one step away."""
    rows: list[Row] = []
    axis = ""
    for near in report.results.why:
        if near.key != axis:
            axis = near.key
            place = place_title(axis, near.place)
            rows.append(Row(f"{axis_title(axis)}: {place} instead of", is_heading=True))
        found = near.difference
        is_clear = found.verdict in ("better", "worse")
        note = "cannot tell" if not is_clear else found.verdict
        if found.verdict in ("same", "alike"):
            note = found.verdict
        colour = COLOURS[0] if is_clear else MUTED
        rows.append(
            Row(
                place_title(near.key, near.other),
                centre=found.mean,
                interval=found.interval,
                note=note,
                colour=colour,
            )
        )
    return Figure(
        "why",
        "Why the best is ahead: its score less that of each combination a single step away, image "
        "by image on validation (repeats averaged first), with 95 % intervals; p corrected by "
        "Holm. Blue: more than luck.",
        rows_plot(
            rows,
            title="The best beside its neighbours",
            axis_title=f"Difference of {report.score}",
            zero=("the other is better", "the best is better"),
        ),
    )


def heat_figures(report: StudyReport) -> list[Figure]:
    """One a pair of axes."""
    found = []
    for number, one in enumerate(report.results.heat_maps, 1):
        if len(one.rows) < 2 and len(one.columns) < 2:
            continue
        row_title, column_title = axis_title(one.row_key), axis_title(one.column_key)
        means = [[spread.mean for spread in row] for row in one.cells]
        counts = [[f"{s.count} run{'' if s.count == 1 else 's'}" for s in row] for row in one.cells]
        drawing = heat_plot(
            [place_title(one.row_key, name) for name in one.rows],
            [place_title(one.column_key, name) for name in one.columns],
            means,
            title=f"{row_title} × {column_title}",
            notes=counts,
            titles=(row_title, column_title),
        )
        caption = (
            f"{row_title} × {column_title}: {report.score} on validation, averaged over all "
            "other axes and repeats."
        )
        found.append(Figure(f"heat_map_{number}", caption, drawing))
    return found


def _learning(report: StudyReport) -> Figure:
    series = [
        Series(curve.name, curve.points, None if curve.best is None else (*curve.best,))
        for curve in report.curves
    ]
    drawing = curves_plot(
        series,
        title="Learning curves",
        titles=("Step", "Mean IoU, validation"),
        across=(0, max(curve.steps[-1] for curve in report.curves)),
    )
    caption = (
        "Mean IoU on the validation images while learning, the first repeat of each of the best "
        "combinations; the diamond is the state that was kept."
    )
    return Figure("learning", caption, drawing)
