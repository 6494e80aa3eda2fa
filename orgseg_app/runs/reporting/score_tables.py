"""The tables of scores on a page: the ranking, each class, each image, each pair."""

from __future__ import annotations

from collections.abc import Sequence

from orgseg_app.core.metrics.class_groups import GROUP_SCORES
from orgseg_app.runs.class_scores import ClassScores
from orgseg_app.runs.comparison import ImageScores
from orgseg_app.runs.pairs import Pair
from orgseg_app.runs.reporting.markup import Html, number, paragraph, table, tag, words
from orgseg_app.runs.reporting.model_card import duration
from orgseg_app.runs.reporting.repeated import Repeated
from orgseg_app.runs.reporting.report import Entry, Report, scores_shown
from orgseg_app.runs.reporting.score_facts import SECTIONS, arrow, fact_of, is_on_page, worth
from orgseg_app.runs.studies.effects import Spread

MOST_CLASSES = 4
"""So many have a column of their own in the ranking."""
MOST_COLUMNS = 8
MOST_IMAGE_TABLES = 3
"""Of eight runs each; all are in the tables beside the page."""
MOST_PAIRS = 60
_ENDS = ("lowest", "highest")

SEEN, CHANGED, REFUSED = "†", "‡", "✕"
_FINDINGS = {
    "better": "first is better",
    "worse": "second is better",
    "alike": "alike",
    "same": "the same on every image",
    "no clear difference": "no clear difference",
}

MARKS = (
    f"{SEEN} seen while learning: the score flatters. {CHANGED} painted anew since it was scored. "
    f"{REFUSED} no honest score: refused. – no score."
)


def ranking_table(report: Report) -> Html:
    """Runs, the best first; those that are not ranked below, with the reason."""
    shown = _class_columns(report)
    heads = ["Run", "Mean IoU", *(f"IoU {name}" for name in shown), "Mean Dice"]
    heads += ["Mean of images", "95 % interval", "Trained in"]
    rows, kinds = [], []
    for entry in report.entries:
        run, rank = entry.run, entry.standing.rank
        name = tag("span", "–" if rank is None else str(rank), "rank") + tag("b", words(run.name))
        if differs := report.differs.get(run.run_id):
            name += tag("div", words(differs), "small")
        if run.caution:
            name += tag("span", words(run.caution), "why")
        if rank is None:
            name += tag("span", words(f"Not ranked: {entry.standing.sentence}."), "why")
        pooled, key = run.pooled, f"{run.run_id} pooled"
        row = [name, number(pooled.mean_iou if pooled else None, f"{key} mean_iou")]
        for each in shown:
            iou = pooled.by_class["iou"].get(each) if pooled else None
            row.append(number(iou, f"{key} iou {each}"))
        row.append(number(pooled.mean_dice if pooled else None, f"{key} mean_dice"))
        row.append(number(entry.mean_of_images, f"{run.run_id} ranking mean_of_images"))
        row.append(_interval(entry.interval, f"{run.run_id} ranking interval"))
        row.append(words("–" if run.seconds is None else duration(run.seconds)))
        rows.append(row)
        kinds.append("apart" if rank is None else "best" if rank == 1 else "")
    if report.baseline.get("mean_iou") is not None:
        rows.append(_baseline_row(report, shown))
        kinds.append("apart")
    return table(heads, rows, kind="ranking", row_kinds=kinds, caption=_ranking_caption(report))


def _class_columns(report: Report) -> Sequence[str]:
    classes = report.comparison.classes
    return classes if 1 < len(classes) <= MOST_CLASSES else ()


def repeats_table(report: Report) -> Html:
    """Repeats of each training together; "" where nothing was repeated."""
    if not report.repeated:
        return ""
    shown = _class_columns(report)
    heads = ["Training", "Seeds", "Mean IoU", "Lowest to highest"]
    heads += [*(f"IoU {name}" for name in shown), "Mean Dice", "Mean of images"]
    rows = []
    for one in report.repeated:
        key = repeats_key(one)
        rows.append(
            [
                tag("b", words(one.name)),
                number(one.mean_iou.count, f"{key} mean_iou count", 0),
                number(one.mean_iou.mean, f"{key} mean_iou mean"),
                span(one.mean_iou, f"{key} mean_iou"),
                *(number(one.iou[name].mean, f"{key} iou {name} mean") for name in shown),
                number(one.mean_dice.mean, f"{key} mean_dice mean"),
                number(one.mean_of_images.mean, f"{key} mean_of_images mean"),
            ]
        )
    caption = (
        "Repeats, which differ in the seed alone, put together: means over the ranked runs, and "
        "the lowest and highest of their mean IoU. Seeds are repeats of one model; trainings "
        "closer than these ranges may differ by luck of the seed."
    )
    return table(heads, rows, caption=caption)


def repeats_key(one: Repeated) -> str:
    """What the figures of a training are of."""
    return f"{one.run_ids[0]} repeats"


def span(spread: Spread, of: str) -> Html:
    """From the lowest to the highest; a dash for a single run."""
    both = (spread.lowest, spread.highest)
    if spread.count < 2 or None in both:
        return "–"
    low, high = (number(x, f"{of} {name}") for x, name in zip(both, _ENDS, strict=True))
    return tag("span", f"{low} to {high}", "joined")


def _ranking_caption(report: Report) -> str:
    images = report.comparison.common_images
    split = report.comparison.split
    return (
        f"Pooled: all voxels of the {len(images)} common {split} image"
        f"{'' if len(images) == 1 else 's'} counted together. Mean of images: every image counts "
        "the same; its interval holds the mean over all such images in 95 of 100 cases."
    )


def _baseline_row(report: Report, shown: Sequence[str]) -> list[Html]:
    baseline = report.baseline
    text = (
        tag("span", "–", "rank")
        + tag("b", "Plain threshold")
        + tag("div", words("For comparison: the best Otsu threshold for each class"), "small")
    )
    row = [text, number(baseline["mean_iou"], "baseline mean_iou")]
    row += [number(baseline["iou"].get(each), f"baseline iou {each}") for each in shown]
    return [*row, "", "", "", ""]


def _interval(interval: tuple[float, float] | None, of: str) -> Html:
    if interval is None:
        return "–"
    low, high = interval
    both = f"{number(low, f'{of} low')} to {number(high, f'{of} high')}"
    return tag("span", both, "joined")


def class_tables(report: Report) -> list[tuple[str, list[Html]]]:
    """(class, tables of its pooled scores), and at the end the scores of all classes together."""
    names = [name for name in scores_shown(report.comparison) if is_on_page(name)]
    found = []
    for class_name in report.comparison.classes:
        parts = []
        for section in SECTIONS:
            scores = [name for name in names if fact_of(name).section == section]
            scores = [name for name in scores if _has(report.entries, name, class_name)]
            parts += [_class_table(report, class_name, section, part) for part in _parted(scores)]
        found.append((class_name, parts))
    return [*found, ("All classes together", [_together_table(report)])]


def _parted(scores: Sequence[str]) -> list[Sequence[str]]:
    """As few tables as hold all columns, about equally wide."""
    tables = -(-len(scores) // MOST_COLUMNS)
    wide = -(-len(scores) // tables) if tables else 1
    return [scores[start : start + wide] for start in range(0, len(scores), wide)]


def _has(entries: Sequence[Entry], score: str, class_name: str) -> bool:
    return any(
        entry.run.pooled.by_class.get(score, {}).get(class_name) is not None
        for entry in entries
        if entry.run.pooled is not None
    )


def _class_table(report: Report, class_name: str, section: str, scores: Sequence[str]) -> Html:
    heads = ["Run", *(fact_of(score).title + arrow(score) for score in scores)]
    columns = [
        [_of_class(entry.run.pooled, score, class_name) for entry in report.entries]
        for score in scores
    ]
    best = [_best(*pair, report.entries) for pair in zip(columns, scores, strict=True)]
    rows, kinds = [], []
    for place, entry in enumerate(report.entries):
        row = [_name(entry)]
        for at, score in enumerate(scores):
            value = columns[at][place]
            cell = number(value, f"{entry.run.run_id} pooled {score} {class_name}")
            is_best = value is not None and value == best[at] and entry.standing.rank is not None
            row.append(tag("b", cell) if is_best else cell)
        rows.append(row)
        kinds.append("apart" if entry.standing.rank is None else "")
    caption = f"{section}."
    units = {e.run.pooled.distance_unit for e in report.entries if e.run.pooled} - {""}
    if units and "hausdorff" in scores:
        caption += f" Distances in {' or '.join(sorted(units))}."
    return table(heads, rows, caption=caption, row_kinds=kinds)


def _of_class(pooled: ClassScores | None, score: str, class_name: str) -> float | None:
    return None if pooled is None else pooled.by_class.get(score, {}).get(class_name)


def _best(column: Sequence[float | None], score: str, entries: Sequence[Entry]) -> float | None:
    """Of the ranked runs; None where there is nothing to choose among."""
    found = [
        value
        for value, entry in zip(column, entries, strict=True)
        if value is not None and entry.standing.rank is not None
    ]
    return max(found, key=lambda value: worth(score, value)) if len(found) > 1 else None


def _together_table(report: Report) -> Html:
    names = ("accuracy", "background_iou", *GROUP_SCORES)
    rows, kinds = [], []
    for entry in report.entries:
        pooled = entry.run.pooled
        row = [_name(entry)]
        for name in names:
            value = None
            if pooled is not None:
                value = pooled.over_classes[name] if name in GROUP_SCORES else getattr(pooled, name)
            row.append(number(value, f"{entry.run.run_id} pooled {name}"))
        rows.append(row)
        kinds.append("apart" if entry.standing.rank is None else "")
    group = report.comparison.group
    caption = f"The group: {', '.join(group)}." if group else "The group: all but background."
    return table(
        ["Run", *(fact_of(name).title for name in names)], rows, caption=caption, row_kinds=kinds
    )


def _name(entry: Entry) -> Html:
    return words(entry.run.name) + ("" if entry.standing.rank else tag("span", " *", "mark"))


def image_tables(report: Report) -> list[Html]:
    """Mean IoU of each image and run, so many runs a table."""
    found = []
    images = _images(report)
    most = MOST_IMAGE_TABLES * MOST_COLUMNS
    for start in range(0, min(len(report.entries), most), MOST_COLUMNS):
        entries = report.entries[start : start + MOST_COLUMNS]
        rows = []
        for image_id, sha256, name in images:
            values = [_on(entry, image_id, sha256) for entry in entries]
            good = [
                one.scores.mean_iou
                for entry, one in zip(entries, values, strict=True)
                if one is not None and entry.standing.rank is not None
            ]
            there = [value for value in good if value is not None]
            best = max(there) if len(there) > 1 else None
            rows.append(
                [
                    words(name),
                    *(
                        _image_cell(entry, one, image_id, best)
                        for entry, one in zip(entries, values, strict=True)
                    ),
                ]
            )
        heads = ["Image", *(entry.run.name for entry in entries)]
        found.append(table(heads, rows, caption=f"Mean IoU of each image. {MARKS}"))
    if len(report.entries) > most:
        text = f"The first {most} of {len(report.entries)} runs; all are in the tables."
        found.append(paragraph(text, "small"))
    return found


def _images(report: Report) -> list[tuple[str, str, str]]:
    """(id, fingerprint, name) of all images compared, and of those refused everywhere."""
    found: dict[tuple[str, str], str] = {}
    for entry in report.entries:
        for one in entry.run.per_image:
            found.setdefault((one.image_id, one.sha256), one.image)
    known = {image_id for image_id, _ in found}
    for entry in report.entries:
        for image_id in entry.run.refused:
            if image_id not in known:
                found.setdefault((image_id, ""), image_id)
    order = {name: number for number, name in enumerate(report.comparison.images)}
    listed = [(image_id, sha256, name) for (image_id, sha256), name in found.items()]
    return sorted(listed, key=lambda item: order.get(item[2], len(order)))


def _on(entry: Entry, image_id: str, sha256: str) -> ImageScores | None:
    return next(
        (o for o in entry.run.per_image if o.image_id == image_id and o.sha256 == sha256), None
    )


def _image_cell(entry: Entry, one: ImageScores | None, image_id: str, best: float | None) -> Html:
    if one is None:
        refused = entry.run.refused.get(image_id)
        return tag("span", REFUSED, "mark", title=refused) if refused else "–"
    value = one.scores.mean_iou
    cell = number(value, f"{entry.run.run_id} {image_id} mean_iou")
    if one.is_leaked:
        cell += tag("span", SEEN, "mark", title="seen while learning")
    if one.is_outdated:
        cell += tag("span", CHANGED, "mark", title="painted anew since it was scored")
    is_best = value is not None and value == best and entry.standing.rank is not None
    return tag("b", cell) if is_best else cell


def pairs_table(pairs: Sequence[Pair]) -> Html:
    """Every pair that is compared, in figures and words, the clearest first."""
    heads = ["First − second", "Difference", "95 % interval", "p (Holm)", "d", "Images"]
    heads.append("Finding")
    rows = []
    compared = sorted((pair for pair in pairs if pair.found is not None), key=_p)
    for pair in compared[:MOST_PAIRS]:
        found = pair.found
        assert found is not None  # the others were left out above
        key = f"{pair.ids[0]} {pair.ids[1]}"
        rows.append(
            [
                f"{words(pair.first)} − {words(pair.second)}",
                number(found.mean, f"{key} mean_difference"),
                _interval(found.interval, f"{key} interval"),
                number(found.p_adjusted, f"{key} p_adjusted"),
                number(found.cohens_d, f"{key} cohens_d", 2),
                number(found.images, f"{key} images", 0),
                words(_FINDINGS.get(found.verdict, "too few images to tell")),
            ]
        )
    rest = len(compared) - len(rows)
    caption = "d: Cohen's effect size for pairs."
    caption += f" {rest} more pairs are in the tables beside this page." if rest else ""
    return table(heads, rows, caption=caption, texts={6}) if rows else ""


def not_compared(pairs: Sequence[Pair]) -> list[str]:
    """Why pairs are not compared, each reason once, with how many pairs it is about."""
    counts: dict[str, int] = {}
    for pair in pairs:
        if pair.found is None:
            counts[pair.reason] = counts.get(pair.reason, 0) + 1
    return [
        f"{count} pair{'' if count == 1 else 's'}: {reason[:1].lower()}{reason[1:]}"
        for reason, count in counts.items()
    ]


def _p(pair: Pair) -> float:
    if pair.found is None:
        return 2.0
    return 1.0 if pair.found.p_adjusted is None else pair.found.p_adjusted
