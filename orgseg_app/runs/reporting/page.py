"""A comparison as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence

from orgseg_app import __version__
from orgseg_app.runs.reporting.examples import MISSED, OTHER, RIGHT, TOO_MUCH, Example
from orgseg_app.runs.reporting.figures import Figure, figures_of
from orgseg_app.runs.reporting.markup import (
    Html,
    figure,
    heading,
    listing,
    number,
    page,
    paragraph,
    picture,
    table,
    tag,
    words,
)
from orgseg_app.runs.reporting.methods import Methods
from orgseg_app.runs.reporting.model_card import CardImage, ModelCard
from orgseg_app.runs.reporting.page_style import STYLE
from orgseg_app.runs.reporting.report import Report
from orgseg_app.runs.reporting.score_tables import (
    class_tables,
    image_tables,
    not_compared,
    pairs_table,
    ranking_table,
    repeats_key,
    repeats_table,
    span,
)

MOST_CARDS = 40

_HOW_TO_READ = (
    "Pooled over the common images. Bold: the best of the ranked runs. ↓ lower is better, →0 "
    "nearer to 0 is better. * not ranked, see above. Further thresholds for objects are in the "
    "tables beside this page."
)


def report_page(report: Report) -> str:
    """The whole report as HTML."""
    drawings = {one.name: one for one in figures_of(report)}
    counted = Numbered()
    parts = [
        _head(report),
        *_in_short(report),
        ranking_table(report),
        repeats_table(report),
        counted.show(drawings.pop("scores")),
    ]
    if report.pairs:
        parts.append(heading("Is it luck?"))
        if "pairs" in drawings:
            parts.append(counted.show(drawings.pop("pairs")))
        parts += [pairs_table(report.pairs), listing(not_compared(report.pairs), kind="small")]
    parts.append(heading("Each image"))
    parts += image_tables(report)
    if report.examples:
        parts += [heading("Best and worst images"), *example_strips(report.examples)]
    parts.append(heading("All scores"))
    parts.append(paragraph(_HOW_TO_READ, "small"))
    by_class = {
        name: drawings.pop(key)
        for name in report.comparison.classes
        for key in list(drawings)
        if key.startswith(f"class_{report.comparison.classes.index(name) + 1}_")
    }
    for name, tables in class_tables(report):
        parts.append(heading(name, 3))
        if name in by_class:
            parts.append(counted.show(by_class[name]))
        parts += tables
    if drawings:
        parts.append(heading("Curves"))
        parts += [counted.show(one) for one in drawings.values()]
    parts += methods_part(report.methods)
    parts += cards_part(report.cards)
    parts.append(foot())
    return page(report.title, STYLE, "\n".join(parts))


class Numbered:
    """Figures, numbered as they come."""

    def __init__(self) -> None:
        self.count = 0

    def show(self, drawn: Figure) -> Html:
        """The next figure."""
        self.count += 1
        return figure(drawn.svg, drawn.caption, self.count)


def _head(report: Report) -> Html:
    comparison = report.comparison
    images = len(comparison.common_images)
    facts = [
        report.project,
        f"{images} {comparison.split} image{'' if images == 1 else 's'}",
        f"{', '.join(comparison.classes)}",
        f"{report.made:%Y-%m-%d %H:%M}",
    ]
    line = " · ".join(fact for fact in facts if fact)
    return tag("header", tag("h1", words(report.title)) + paragraph(line, "meta"))


def _in_short(report: Report) -> list[Html]:
    """The finding in a sentence or two, then what to know before believing it."""
    parts = []
    ranked = report.ranked
    if not ranked:
        parts.append(
            paragraph("No run can be ranked: none has honest scores on the images.", "verdict")
        )
    else:
        first = ranked[0]
        pooled = first.run.pooled
        key = f"{first.run.run_id} pooled mean_iou"
        score = number(None if pooled is None else pooled.mean_iou, key)
        equals = [entry for entry in ranked if entry.standing.rank == 1]
        also = f" (as have {len(equals) - 1} others)" if len(equals) > 1 else ""
        parts.append(
            tag(
                "p",
                f"{tag('b', words(first.run.name))} has the highest mean IoU of "
                f"{len(ranked)} ranked run{'' if len(ranked) == 1 else 's'}: {score}{also}.",
                "verdict",
            )
        )
        parts += _over_its_seeds(report)
        if len(ranked) > 1:
            parts.append(paragraph(_beside_the_next(report)))
    if report.comparison.notes:
        notes = heading("Before you believe it", 3) + listing(report.comparison.notes)
        parts.append(tag("section", notes, "notes"))
    return parts


def _over_its_seeds(report: Report) -> list[Html]:
    """What the training of the best run scores with other seeds, where it was repeated."""
    first = report.ranked[0].run.run_id
    for one in report.repeated:
        if first in one.run_ids and len(one.run_ids) > 1:
            of = f"{repeats_key(one)} mean_iou"
            mean = number(one.mean_iou.mean, f"{of} mean")
            said = f"Its training was repeated with {len(one.run_ids)} seeds: mean IoU {mean} on "
            return [tag("p", f"{said}average, {span(one.mean_iou, of)}.")]
    return []


def _beside_the_next(report: Report) -> str:
    """What is known of the best beside the second."""
    first, second = report.ranked[0].run, report.ranked[1].run
    for pair in report.pairs:
        if set(pair.ids) == {first.run_id, second.run_id}:
            said = pair.sentence
            return f"Beside the next: {said[:1].lower()}{said[1:]}"
    return "There are too many runs to test each pair for chance; choose fewer."


def example_strips(examples: Sequence[Example]) -> list[Html]:
    """Pictures of the best and worst image of each run, and a key to their colours."""

    def key(colour: tuple[int, int, int], text: str) -> Html:
        shown = "background:#{:02x}{:02x}{:02x}".format(*colour)
        return tag("span", "", "key", style=shown) + words(text)

    keys = [(RIGHT, "right"), (TOO_MUCH, "too much"), (MISSED, "missed")]
    classes = {name: rgb for one in examples for name, rgb in one.classes}
    keys += [(OTHER, "other class")] if len(classes) > 1 else []
    keys.append(((236, 238, 242), "not painted, not judged"))
    named = "".join(key(rgb, name) for name, rgb in classes.items())
    shown = "".join(key(*each) for each in keys)
    parts = [tag("p", f"Truth and prediction:{named}", "small")]
    parts.append(tag("p", f"Difference:{shown}", "small"))
    for one in examples:
        plane = f", plane {one.plane} of {one.planes}" if one.planes > 1 else ""
        pictures = "".join(
            tag("div", picture(png, f"{title} of {one.image}") + words(title))
            for title, png in one.pictures
        )
        of = f"{one.run_id} {one.image_id} mean_iou"
        caption = (
            f"{tag('b', words(one.run))}, {one.which} image: {words(one.image + plane)}, mean IoU "
            f"{number(one.mean_iou, of)}"
        )
        parts.append(tag("figure", tag("div", pictures, "strip") + tag("figcaption", caption)))
    return parts


def methods_part(methods: Methods) -> list[Html]:
    """Sentences for a paper, and who described what was used."""
    parts = [heading("Methods")]
    parts += [
        tag("p", f"{tag('b', words(title) + '.')} {words(text)}")
        for title, text in methods.paragraphs
    ]
    return [*parts, heading("Sources", 3), listing(methods.sources, ordered=True, kind="sources")]


def cards_part(cards: Sequence[ModelCard]) -> list[Html]:
    """The model cards."""
    if not cards:
        return []
    parts = [heading("Model cards")]
    if len(cards) > MOST_CARDS:
        parts.append(
            paragraph(f"The first {MOST_CARDS} of {len(cards)}; all are in the JSON file.", "small")
        )
    first: dict[tuple[CardImage, ...], str] = {}
    for card in cards[:MOST_CARDS]:
        parts.append(_card(card, first.get(card.images, "")))
        first.setdefault(card.images, card.name)
    return parts


def _card(card: ModelCard, same_data: str) -> Html:
    """One card; `same_data` is the run above that was given the very same images, or ""."""
    parts = [heading(card.name, 3), _facts(card.made, "two")]
    parts += [heading("Intended use", 4), listing(card.uses)]
    if card.limits:
        parts += [heading("Known limits", 4), listing(card.limits)]
    if card.scores:
        scores = "".join(
            tag("dt", words(title)) + tag("dd", number(value, f"{card.run_id} card {title}"))
            for title, value in card.scores
        )
        parts += [heading("Scores", 4), tag("dl", scores, "two")]
    if card.facts:
        parts += [heading("The model, as measured", 4), _facts(card.facts)]
    if card.settings:
        parts += [heading("Settings", 4), _facts(card.settings, "two")]
    if card.images and same_data:
        said = f"The same {len(card.images)} images and masks as “{same_data}”, see there."
        parts += [heading("Data", 4), paragraph(said)]
    elif card.images:
        rows = [
            [
                words(image.name),
                words(image.split),
                words(image.shape),
                tag("code", words(image.image_sha256[:16])),
                tag("code", words(image.mask_sha256[:16])),
            ]
            for image in card.images
        ]
        heads = ("Image", "Split", "Voxels", "SHA-256 of image", "SHA-256 of mask")
        note = "The first 16 of 64 digits; all are in the JSON file."
        data = table(heads, rows, kind="texts", caption=note, texts=range(5))
        parts += [heading("Data", 4), data]
    return tag("section", "".join(parts), "card")


def _facts(facts: Sequence[tuple[str, str]], kind: str = "") -> Html:
    return tag("dl", "".join(tag("dt", words(a)) + tag("dd", words(b)) for a, b in facts), kind)


def foot() -> Html:
    """Who wrote the page."""
    return tag("footer", paragraph(f"Written by OrgSeg {__version__}.", "small"))
