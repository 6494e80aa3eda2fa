"""The tables about a study: what stands in each line. No Qt widgets."""

from __future__ import annotations

from collections.abc import Mapping

from orgseg_app.gui.comparing.measures import score_page
from orgseg_app.gui.runs.estimate import duration
from orgseg_app.gui.studies.facts_table import Column, Line
from orgseg_app.gui.studies.study_facts import CellFacts
from orgseg_app.runs.studies.effects import Combination
from orgseg_app.runs.studies.results import StudyResults
from orgseg_app.runs.studies.wording import (
    NONE,
    SCORES,
    THE_RECIPE,
    axis_title,
    figure,
    place_title,
    spread_words,
)

TEST_TIP = (
    "Shown once all runs are done. The best was chosen on the validation images; the test images "
    "judge that one choice, and must not choose anew."
)
STATES = {"": "waiting", "queued": "waiting", "lost": "interrupted"}


def ranking(results: StudyResults) -> tuple[list[Column], list[Line]]:
    """Combinations, the best on validation first."""
    study = results.folder.study
    score = SCORES[study.score]
    many = any(len(combination.runs) > 1 for combination in results.ranking)
    columns = [Column("", "Rank on the validation images", is_number=True)]
    widest = 218 if len(study.axes) < 4 else 140
    columns += [
        Column(axis_title(axis.key), f"Axis {axis.key}", widest=widest) for axis in study.axes
    ]
    if not study.axes:
        columns.append(Column("Combination"))
    tip = f"{score} on the validation images, mean over the repeats"
    page = score_page(study.score.removeprefix("mean_"))
    columns.append(Column(f"{score}\nvalidation", tip, is_number=True, page=page))
    if many:
        columns.append(Column("Spread", "Standard deviation over the repeats", is_number=True))
    columns.append(Column("Runs", "Finished, of those planned", is_number=True))
    if results.test is not None:
        title = "Test\njudges one choice"
        columns.append(Column(title, TEST_TIP, is_number=True, is_quiet=True))
    columns.append(Column("", widest=0))  # takes the rest of a wide window
    lines = [_ranked(results, combination, many=many) for combination in results.ranking]
    return columns, lines


def _ranked(results: StudyResults, combination: Combination, *, many: bool) -> Line:
    found = combination.validation
    names = [place_title(key, name) for key, name in combination.places] or [THE_RECIPE]
    cells = [str(combination.rank or NONE), *names, figure(found.mean)]
    cells += [NONE if found.deviation is None else f"± {found.deviation:.3f}"] if many else []
    total = len(combination.runs)
    cells.append(str(total) if found.count == total else f"{found.count} of {total}")
    if results.test is not None:
        cells.append(spread_words(results.test.of(combination)))
    runs = tuple(run.run_id for run in combination.runs if run.run_id)
    each = [f"{run.cell.title}: {figure(run.score)}" for run in combination.runs]
    best = results.best is not None and combination.places == results.best.places
    return Line((*cells, ""), "\n".join(each), runs, best)


def why(results: StudyResults) -> tuple[list[Column], list[Line]]:
    """The best beside each combination a single step away."""
    columns = [
        Column("Axis", widest=114),
        Column("The best has", widest=170),
        Column("Instead of", widest=170),
        Column("Difference", "Mean over the validation images", is_number=True),
        Column(
            "95 % interval",
            "Bootstrap over the images",
            is_number=True,
            page="statistics#interval",
        ),
        Column("Better on", "Validation images on which the best is ahead", is_number=True),
        Column(
            "Verdict",
            "Wilcoxon's signed-rank test, corrected for their number (Holm)",
            page="statistics#better",
        ),
    ]
    lines = []
    for near in results.why:
        found = near.difference
        low_high = found.interval
        span = NONE if low_high is None else f"{low_high[0]:+.3f} … {low_high[1]:+.3f}"
        cells = (
            axis_title(near.key),
            place_title(near.key, near.place),
            place_title(near.key, near.other),
            NONE if found.mean is None else f"{found.mean:+.3f}",
            span,
            f"{near.better} of {found.images}",
            found.verdict[:1].upper() + found.verdict[1:],
        )
        ids = {c.places: tuple(r.run_id for r in c.runs if r.run_id) for c in results.ranking}
        tip = "\n".join(f"{image}: {value:+.3f}" for image, value in near.per_image.items())
        best = ids.get(results.best.places, ()) if results.best is not None else ()
        lines.append(Line(cells, tip, (*best, *ids.get(near.places, ()))))
    return columns, lines


def queue(results: StudyResults, cells: Mapping[str, CellFacts]) -> tuple[list[Column], list[Line]]:
    """All runs in the order in which they are trained, with where each stands."""
    score = SCORES[results.folder.study.score]
    columns = [
        Column("", "Number", is_number=True),
        Column("Run", widest=420),
        Column("State"),
        Column(score, f"{score} on the validation images", is_number=True),
        Column("Time", "To train", is_number=True),
        Column("What was said"),
    ]
    lines = []
    for run in results.runs:
        facts = cells.get(run.cell.cell_id, CellFacts())
        state = run.state if run.run_id else facts.state
        names = [place_title(key, name) for key, name in run.cell.places]
        names.append(f"seed {run.cell.repeat + 1}")
        names += [f"fold {run.cell.fold + 1}"] if run.cell.fold is not None else []
        line = (
            str(run.cell.number),
            " · ".join(names),
            STATES.get(state, state),
            figure(run.score),
            NONE if run.seconds is None else duration(run.seconds).removeprefix("about "),
            facts.message if state not in ("finished", "running") else "",
        )
        ids = (run.run_id,) if run.run_id else ()
        lines.append(Line(line, run.name, ids, state == "running"))
    return columns, lines
