"""The tables of a report, for CSV files and workbooks: whole figures, one fact a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orgseg_app.core.metrics.class_groups import GROUP_SCORES
from orgseg_app.files.workbook import Sheet
from orgseg_app.runs.class_scores import EVERY_SCORE, ClassScores
from orgseg_app.runs.made_elsewhere import IMPORTED
from orgseg_app.runs.pairs import Pair
from orgseg_app.runs.reporting.model_card import ModelCard
from orgseg_app.runs.reporting.report import Report
from orgseg_app.runs.reporting.score_facts import fact_of

POOLED = "(pooled)"

SCORE_COLUMNS = (
    *("rank", "run", "id", "split", "image", "image_id", "class"),
    *EVERY_SCORE,
    *("mean_iou", "mean_dice", "accuracy", "background_iou", *GROUP_SCORES, "distance_unit"),
    *("leaked", "outdated", "refused"),
)
PAIR_COLUMNS = (
    *("first", "first_id", "second", "second_id", "score", "images", "mean_difference"),
    *("low", "high", "p", "p_adjusted", "pairs", "cohens_d", "rank_biserial", "verdict", "finding"),
)

Row = dict[str, object]


def score_rows(report: Report) -> list[Row]:
    """One row a run, image and class; pooled ones have the image ``(pooled)``.

    A refused image has a row with the reason and no score; runs without a rank have none in the
    first column.
    """
    rows: list[Row] = []
    for entry in report.entries:
        run = entry.run
        known: Row = {"rank": entry.standing.rank, "run": run.name, "id": run.run_id}
        known["split"] = report.comparison.split
        unknown = "unknown" if run.kind == IMPORTED else "no"
        for one in run.per_image:
            facts = known | {"image": one.image, "image_id": one.image_id}
            facts["leaked"] = "yes" if one.is_leaked else unknown
            facts["outdated"] = "yes" if one.is_outdated else "no"
            rows += _of_classes(facts, one.scores)
        if run.pooled is not None:
            facts = known | {"image": POOLED, "leaked": "yes" if run.leaked else unknown}
            is_outdated = any(one.is_outdated for one in run.per_image)
            facts["outdated"] = "yes" if is_outdated else "no"
            rows += _of_classes(facts, run.pooled)
        for image_id, reason in run.refused.items():
            rows.append(known | {"image": image_id, "image_id": image_id, "refused": reason})
    return rows


def _of_classes(facts: Mapping[str, object], scores: ClassScores) -> list[Row]:
    whole: Row = {name: getattr(scores, name) for name in ("mean_iou", "mean_dice", "accuracy")}
    whole |= {"background_iou": scores.background_iou, "distance_unit": scores.distance_unit}
    whole |= scores.over_classes
    return [
        dict(facts)
        | {"class": name}
        | {score: scores.by_class.get(score, {}).get(name) for score in EVERY_SCORE}
        | whole
        for name in scores.by_class["iou"]
    ]


def ranking_rows(report: Report) -> list[Row]:
    """One row a run, the best first."""
    rows = []
    for entry in report.entries:
        run, pooled, interval = entry.run, entry.run.pooled, entry.interval
        row: Row = {"rank": entry.standing.rank, "run": run.name, "id": run.run_id}
        row["mean_iou"] = None if pooled is None else pooled.mean_iou
        row["mean_dice"] = None if pooled is None else pooled.mean_dice
        for name in report.comparison.classes:
            row[f"iou {name}"] = None if pooled is None else pooled.by_class["iou"].get(name)
        row["mean_of_images"] = entry.mean_of_images
        row["low"] = None if interval is None else interval[0]
        row["high"] = None if interval is None else interval[1]
        row |= {"seconds": run.seconds, "seconds_per_megapixel": run.seconds_per_megapixel}
        row |= {"recipe": run.recipe, "not_ranked_because": entry.standing.sentence}
        rows.append(row | {"caution": run.caution})
    return rows


def repeat_rows(report: Report) -> list[Row]:
    """One row a training whose repeats are put together, the best first."""
    rows = []
    for one in report.repeated:
        row: Row = {"training": one.name, "seeds": one.mean_iou.count}
        spreads = {"mean_iou": one.mean_iou, "mean_dice": one.mean_dice}
        spreads |= {f"iou {name}": spread for name, spread in one.iou.items()}
        for name, spread in (spreads | {"mean_of_images": one.mean_of_images}).items():
            row |= {name: spread.mean, f"{name} lowest": spread.lowest}
            row |= {f"{name} highest": spread.highest}
        rows.append(row | {"ids": ", ".join(one.run_ids)})
    return rows


def pair_rows(pairs: Sequence[Pair]) -> list[Row]:
    """One row a pair; those that are not compared have the reason as their finding."""
    rows: list[Row] = []
    for pair in pairs:
        facts = pair.to_dict()
        low, high = facts.get("interval") or (None, None)
        row: Row = {"first": pair.first, "first_id": pair.ids[0]}
        row |= {"second": pair.second, "second_id": pair.ids[1], "low": low, "high": high}
        row |= {name: facts.get(name) for name in PAIR_COLUMNS if name not in row}
        rows.append(row | {"finding": pair.sentence})
    return rows


def setting_rows(cards: Sequence[ModelCard]) -> list[Row]:
    """One row a run: how it was made, what it takes, and its settings."""
    rows = []
    for card in cards:
        row: Row = {"run": card.name, "id": card.run_id}
        row |= dict(card.made)
        row |= dict(card.facts)
        row |= dict(card.settings)
        rows.append(row)
    return rows


def image_rows(cards: Sequence[ModelCard]) -> list[Row]:
    """One row a run and image that it was given, with fingerprints."""
    rows = []
    for card in cards:
        for image in card.images:
            row: Row = {"run": card.name, "id": card.run_id}
            row |= image.to_dict()
            rows.append(row)
    return rows


def sheet_of(name: str, rows: Sequence[Row], columns: Sequence[str] = ()) -> Sheet:
    """A sheet of a workbook; columns as met in the rows unless given."""
    names = list(columns) or list(dict.fromkeys(key for row in rows for key in row))
    return Sheet(name, tuple(names), tuple(tuple(row.get(n) for n in names) for row in rows))


def sheets_of(report: Report) -> list[Sheet]:
    """All sheets of the workbook."""
    used = {name for row in score_rows(report) for name, value in row.items() if value is not None}
    columns = [name for name in SCORE_COLUMNS if name in used]
    notes: list[Row] = [{"note": text} for text in report.comparison.notes]
    methods: list[Row] = [{"part": a, "text": b} for a, b in report.methods.paragraphs]
    methods += [{"part": "Source", "text": text} for text in report.methods.sources]
    explained: list[Row] = [
        {"column": name, "score": fact_of(name).title, "source": fact_of(name).source}
        for name in columns
        if name in EVERY_SCORE or name in GROUP_SCORES
    ]
    return [
        sheet_of("ranking", ranking_rows(report)),
        *([sheet_of("repeats", repeat_rows(report))] if report.repeated else []),
        sheet_of("pairs", pair_rows(report.pairs), PAIR_COLUMNS),
        sheet_of("scores", score_rows(report), columns),
        sheet_of("settings", setting_rows(report.cards)),
        sheet_of("data", image_rows(report.cards)),
        sheet_of("notes", notes, ("note",)),
        sheet_of("methods", methods, ("part", "text")),
        sheet_of("columns", explained, ("column", "score", "source")),
    ]
