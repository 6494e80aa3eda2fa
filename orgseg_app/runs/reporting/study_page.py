"""A study as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from orgseg_app.runs.reporting.markup import (
    Html,
    heading,
    listing,
    number,
    page,
    paragraph,
    table,
    tag,
    words,
)
from orgseg_app.runs.reporting.page import Numbered, cards_part, foot, methods_part
from orgseg_app.runs.reporting.page_style import STYLE
from orgseg_app.runs.reporting.study_report import StudyReport, study_figures
from orgseg_app.runs.studies.effects import Neighbour, Spread
from orgseg_app.runs.studies.wording import axis_title, combination_title, place_title


def study_page(report: StudyReport) -> str:
    """The whole report as HTML."""
    drawings = {one.name: one for one in study_figures(report)}
    counted = Numbered()
    parts = [_head(report), *_in_short(report), _ranking(report)]
    if "ranking" in drawings:
        parts.append(counted.show(drawings.pop("ranking")))
    if report.results.test is not None:
        parts += _test(report)
    if report.results.why:
        best = report.results.best
        parts.append(heading("Why is the best one ahead?"))
        if best is not None:
            parts.append(
                paragraph(
                    f"{combination_title(best.places)}, beside each combination a single step away."
                )
            )
        parts += [counted.show(drawings.pop("why")), _why(report)]
    if report.results.effects:
        parts.append(heading("What each axis does"))
        if "main_effects" in drawings:
            parts.append(counted.show(drawings.pop("main_effects")))
        parts.append(_effects(report))
    parts += [counted.show(one) for one in drawings.values()]
    if report.results.refused:
        parts += _refused(report)
    parts += methods_part(report.methods)
    parts += cards_part(report.cards)
    parts.append(foot())
    return page(report.title, STYLE, "\n".join(parts))


def _head(report: StudyReport) -> Html:
    results, study = report.results, report.results.folder.study
    finished = sum(run.state == "finished" for run in results.runs)
    facts = [report.project, f"{finished} of {len(results.runs)} runs finished", results.state]
    line = " · ".join([fact for fact in facts if fact] + [f"{report.made:%Y-%m-%d %H:%M}"])
    parts = [tag("h1", words(report.title))]
    if study.question:
        parts.append(paragraph(study.question, "verdict"))
    if study.source:
        parts.append(paragraph(f"After: {study.source}", "small"))
    return tag("header", "".join(parts) + paragraph(line, "meta"))


def _in_short(report: StudyReport) -> list[Html]:
    results = report.results
    if results.best is None:
        parts = [paragraph("No run has finished yet, so nothing can be ranked.", "verdict")]
    else:
        best = results.best
        value = _spread(best.validation, "best validation")
        name = tag("b", words(combination_title(best.places)))
        parts = [
            tag(
                "p",
                f"{name} is best by {words(report.score)} on the validation images: {value}.",
                "verdict",
            )
        ]
        if results.test is not None and results.test.by_run:
            tested = _spread(results.test.of(best), "best test")
            images = len(results.test.images)
            which = "test image" if images == 1 else f"{images} test images"
            text = f"On the {which}, looked at once after the choice: {tested}."
            parts.append(tag("p", text, "verdict"))
    notes = (*results.notes, *(results.test.notes if results.test else ()))
    if notes:
        inside = heading("Before you believe it", 3) + listing(notes)
        parts.append(tag("section", inside, "notes"))
    return parts


def _spread(spread: Spread, of: str) -> Html:
    if spread.mean is None:
        return "–"
    text = number(spread.mean, f"{of} mean")
    if spread.deviation is not None:
        text += f" ± {number(spread.deviation, f'{of} deviation')}"
    return text


def _ranking(report: StudyReport) -> Html:
    """Combinations, the best on validation first."""
    keys = [axis.key for axis in report.results.folder.study.axes]
    rows, kinds = [], []
    for combination in report.results.ranking:
        places = dict(combination.places)
        of = f"{combination.title} validation"
        row = ["–" if combination.rank is None else str(combination.rank)]
        row += [words(place_title(key, places[key])) for key in keys]
        row += [_spread(combination.validation, of)]
        row.append(number(combination.validation.count, f"{of} count", 0))
        rows.append(row)
        kinds.append("best" if combination.rank == 1 else "")
    caption = f"Ranked by {report.score} on the validation images: mean ± standard deviation of "
    return table(
        ["", *map(axis_title, keys), "Validation", "Runs"],
        rows,
        texts=range(len(keys) + 1),
        caption=caption + "the repeats.",
        row_kinds=kinds,
    )


def _test(report: StudyReport) -> list[Html]:
    """The test images speak once: about the choice, and whether the order holds."""
    results = report.results
    assert results.test is not None
    if not results.test.by_run:
        return []
    rows, kinds = [], []
    for combination in results.ranking:
        spread = results.test.of(combination)
        of = f"{combination.title} test"
        rank = "–" if combination.rank is None else str(combination.rank)
        name = words(combination_title(combination.places))
        rows.append([rank, name, _spread(spread, of), number(spread.count, f"{of} count", 0)])
        kinds.append("best" if combination.rank == 1 else "apart")
    caption = (
        f"{report.score[:1].upper()}{report.score[1:]} on the test images, in the order of "
        "validation. They judge the first line; the others show whether the order holds, and must "
        "not choose anew."
    )
    heads = ["By validation", "Combination", "Test", "Runs"]
    return [
        heading("On the test images, once"),
        table(heads, rows, caption=caption, row_kinds=kinds, texts={0, 1}),
    ]


def _why(report: StudyReport) -> Html:
    rows = []
    for near in report.results.why:
        found = near.difference
        of = f"why {near.key} {near.other}"
        interval = "–"
        if found.interval is not None:
            low, high = found.interval
            interval = f"{number(low, f'{of} low')} to {number(high, f'{of} high')}"
        rows.append(
            [
                words(_step(near)),
                number(found.mean, f"{of} mean"),
                interval,
                number(found.p_adjusted, f"{of} p_adjusted"),
                number(found.images, f"{of} images", 0),
                f"{near.better} / {near.worse}",
                words(found.verdict),
            ]
        )
    heads = ["Step", "Difference", "95 % interval", "p (Holm)", "Images", "Ahead / behind"]
    return table([*heads, "Finding"], rows, texts={0, 6})


def _step(near: Neighbour) -> str:
    """What is changed, from what to what."""
    place, other = place_title(near.key, near.place), place_title(near.key, near.other)
    return f"{axis_title(near.key)}: {place} instead of {other}"


def _effects(report: StudyReport) -> Html:
    rows = []
    for effect in report.results.effects:
        for place, spread in effect.places:
            of = f"effect {effect.key} {place}"
            rows.append(
                [
                    words(axis_title(effect.key)),
                    words(place_title(effect.key, place)),
                    _spread(spread, of),
                    number(spread.lowest, f"{of} lowest"),
                    number(spread.highest, f"{of} highest"),
                    number(spread.count, f"{of} count", 0),
                ]
            )
    caption = "Means over all finished runs at a place; compare the counts before the means."
    heads = ["Axis", "", "Mean ± deviation", "Lowest", "Highest", "Runs"]
    return table(heads, rows, caption=caption, texts={0, 1})


def _refused(report: StudyReport) -> list[Html]:
    texts = [f"{combination_title(item.places)}: {item.reason}" for item in report.results.refused]
    return [heading("Left out"), listing(texts)]
