"""A model card for each run: what it was made of, what it is good for, and what not.

The order of the sections follows Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.runs.comparison import RunScores
from orgseg_app.runs.ensembles import KIND, facts_of
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.model_facts import fact_rows, facts_of_model
from orgseg_app.runs.process import read_json
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.wording import augmentation_text, loss_text, steps_text
from orgseg_app.runs.remarks import remarks_of
from orgseg_app.runs.reporting.standing import Standing
from orgseg_app.runs.withheld import image_facts, is_banded

_SPLITS = (TRAIN, VALIDATION, TEST)


@dataclass(frozen=True)
class CardImage:
    """An image that a run was given.

    Attributes
    ----------
    name, split : str
    shape : str
        Its size in voxels, as text; "" where not noted.
    image_sha256, mask_sha256 : str
        Fingerprints of voxels and mask; "" where not noted.
    """

    name: str
    split: str
    shape: str
    image_sha256: str
    mask_sha256: str

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {
            "name": self.name,
            "split": self.split,
            "shape": self.shape,
            "image_sha256": self.image_sha256,
            "mask_sha256": self.mask_sha256,
        }


@dataclass(frozen=True)
class ModelCard:
    """What there is to know of a run before its model is used.

    Attributes
    ----------
    run_id, name : str
    made : tuple of (str, str)
        How, when, where, by which program: word and text.
    settings : tuple of (str, str)
        Every field of the recipe: title and value.
    facts : tuple of (str, str)
        What the model takes: parameters, size, time, memory.
    images : tuple of CardImage
    scores : tuple of (str, float or None)
        Title and value, on the images of the comparison.
    uses, limits : tuple of str
        Sentences.
    """

    run_id: str
    name: str
    made: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    images: tuple[CardImage, ...]
    scores: tuple[tuple[str, float | None], ...]
    uses: tuple[str, ...]
    limits: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.run_id,
            "name": self.name,
            "made": dict(self.made),
            "settings": dict(self.settings),
            "model_facts": dict(self.facts),
            "images": [image.to_dict() for image in self.images],
            "scores": dict(self.scores),
            "intended_use": list(self.uses),
            "limits": list(self.limits),
        }


def model_card(
    run: RunFolder, scores: RunScores | None, standing: Standing | None, *, split: str = TEST
) -> ModelCard:
    """The card of one run.

    Parameters
    ----------
    run
        A training, an ensemble, or something else with scores.
    scores, standing
        Of the comparison; None outside of one.
    split
        Of the images that the scores are over.
    """
    classes = class_names(run)
    images = tuple(_images(run))
    measured = facts_of_model(run)
    facts = [(title, text) for title, text, _ in fact_rows(measured)] if measured else []
    return ModelCard(
        run_id=run.run_id,
        name=run.name,
        made=tuple(_made(run, scores)),
        settings=tuple(settings_of(run.recipe)) if run.recipe is not None else (),
        facts=tuple(facts),
        images=images,
        scores=tuple(_scores(scores)),
        uses=tuple(_uses(run, classes)),
        limits=tuple(_limits(run, classes, images, scores, standing, split)),
    )


def class_names(run: RunFolder) -> list[str]:
    """Of the classes it was given, without the background."""
    listed = run.request.get("classes")
    if not isinstance(listed, list):
        metrics = run.metrics()
        listed = metrics.get("classes") if metrics else None
    found = [c for c in listed or () if isinstance(c, dict)] if isinstance(listed, list) else []
    return [str(c.get("name")) for c in found if c.get("id") != 1]


def started_of(run: RunFolder) -> dict[str, Any]:
    """The last event in which its job said what it begins, and where; empty where it said none."""
    events, _ = run.events()
    return next((e for e in reversed(events) if e.get("event") == "started"), {})


def device_of(run: RunFolder, started: Mapping[str, Any]) -> str:
    """Where it was trained, as its job said; "" where it said nothing."""
    said = started.get("device")
    return (
        said
        if isinstance(said, str)
        else str((read_json(run.process_path) or {}).get("device") or "")
    )


def versions_of(started: Mapping[str, Any]) -> list[str]:
    """Programs that trained, with their versions: ``["Python 3.12.1", …]``."""
    found = started.get("versions")
    listed = found.items() if isinstance(found, dict) else ()
    return [f"{name} {version}" for name, version in listed if name != "OrgSeg"]


def _made(run: RunFolder, scores: RunScores | None) -> list[tuple[str, str]]:
    made = [("Run", run.run_id), ("State", run.state)]
    if run.kind == KIND:
        made.append(("Ensemble", facts_of(run).words))
    elif run.recipe is not None:
        made.append(("Recipe", run.recipe.name))
        made.append(("Seed", str(run.recipe.seed)))
    if run.created:
        when = datetime.fromtimestamp(run.created, UTC)
        made.append(("Begun", f"{when:%Y-%m-%d %H:%M} UTC"))
    if scores is not None and scores.seconds is not None:
        made.append(("Time to train", duration(scores.seconds)))
    started = started_of(run)
    if device := device_of(run, started):
        made.append(("Device", device))
    parameters = started.get("parameters")
    if isinstance(parameters, int) and parameters > 0 and facts_of_model(run) is None:
        made.append(("Parameters", f"{parameters:,}"))
    made.append(("Made by", f"OrgSeg {run.request.get('app_version') or '(version not noted)'}"))
    if versions := versions_of(started):
        made.append(("Versions", ", ".join(versions)))
    if note := remarks_of(run).note:
        made.append(("Note", note))
    return made


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(52), duration(400), duration(9000)
    ('52 s', '6.7 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def settings_of(recipe: Recipe) -> list[tuple[str, str]]:
    """Every field of a recipe: its title, and its value as ``--set`` takes it."""
    texts = {
        "loss": loss_text(recipe),
        "preprocess": steps_text(recipe),
        "augmentation": augmentation_text(recipe),
    }
    found = []
    for info in recipe_fields():
        if info.path in ("name", "about"):
            continue
        value: Any = recipe
        for part in info.path.split("."):
            value = getattr(value, part)
        found.append((info.title, texts.get(info.path, _plain(value))))
    listed = {path: text for path, text in texts.items() if path not in _paths()}
    titles = {"loss": "Loss", "preprocess": "Preprocessing", "augmentation": "Augmentation"}
    return [(titles[path], text) for path, text in listed.items()] + found


def _paths() -> set[str]:
    return {info.path for info in recipe_fields()}


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(_plain(each) for each in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items()) or "none"
    return str(value) or "none"


def _images(run: RunFolder) -> list[CardImage]:
    found = []
    for fact in image_facts(run):
        shape = fact.get("shape")
        sides = shape[1:] if isinstance(shape, list) and len(shape) == 4 else ()
        words = " × ".join(str(side) for side in (sides[1:] if sides and sides[0] == 1 else sides))
        found.append(
            CardImage(
                name=str(fact.get("name") or fact.get("id") or ""),
                split=str(fact.get("split") or ""),
                shape=words,
                image_sha256=_fingerprint(fact.get("sha256")),
                mask_sha256=_fingerprint(fact.get("mask_sha256")),
            )
        )
    order = {split: number for number, split in enumerate(_SPLITS)}
    return sorted(found, key=lambda image: order.get(image.split, len(order)))


def _fingerprint(value: object) -> str:
    return str(value).removeprefix("sha256:") if value else ""


def _scores(scores: RunScores | None) -> list[tuple[str, float | None]]:
    if scores is None or scores.pooled is None:
        return []
    pooled = scores.pooled
    found = [("Mean IoU", pooled.mean_iou), ("Mean Dice", pooled.mean_dice)]
    for name in pooled.by_class["iou"]:
        found += [
            (f"{score.capitalize() if score != 'iou' else 'IoU'} of {name}", values.get(name))
            for score, values in pooled.by_class.items()
            if score in ("iou", "precision", "recall")
        ]
    return found


def _uses(run: RunFolder, classes: Sequence[str]) -> list[str]:
    what = ", ".join(classes) or "the classes of its project"
    return [
        f"Marks {what} in images that were taken and look like those it learned from: the same "
        "stain or contrast, magnification and pixel size.",
        "A person should look at its masks before figures that are made from them are published.",
        "It is not meant for diagnosis.",
    ]


def _limits(
    run: RunFolder,
    classes: Sequence[str],
    images: Sequence[CardImage],
    scores: RunScores | None,
    standing: Standing | None,
    split: str,
) -> list[str]:
    """Sentences about what it must not be trusted with."""
    learnt = [image for image in images if image.split == TRAIN]
    limits = []
    if classes:
        limits.append(
            f"It knows {_count(len(classes), 'class', 'classes')} ({', '.join(classes)}) and "
            "background; whatever else is in an image becomes one of these."
        )
    if learnt:
        limits.append(
            f"It learned from {_count(len(learnt), 'image', 'images')}; how it does under other "
            "microscopes, stains, cells or pixel sizes was not measured."
        )
    if scores is not None and scores.per_image:
        count = len(scores.per_image)
        few = " Too few to say much about other images." if count < 6 else ""
        judged = _count(count, f"{split} image", f"{split} images")
        limits.append(f"It was judged on {judged}.{few}")
        values = [one.scores.mean_iou for one in scores.per_image]
        there = [value for value in values if value is not None]
        if len(there) > 1:
            limits.append(
                f"Mean IoU was {min(there):.3f} on its worst image and {max(there):.3f} on its "
                "best."
            )
    if standing is not None and standing.reasons:
        text = standing.sentence
        limits.append(f"Its scores are not ranked with others': {text}.")
    if scores is not None:
        limits += list(dict.fromkeys(scores.refused.values()))
    if is_banded(run):
        limits.append("It learned and was judged on bands of the same image, with gaps between.")
    return limits + run.warnings


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


# -- Markdown ------------------------------------------------------------------------------------

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~])")


def to_markdown(card: ModelCard) -> str:
    """The card as a Markdown file; nothing that a person wrote is read as a sign."""
    lines = [f"# {_quiet(card.name)}", ""]

    def table(title: str, rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
        if rows:
            lines.extend([f"## {title}", "", "| " + " | ".join(heads) + " |"])
            lines.append("|" + " --- |" * len(heads))
            lines.extend("| " + " | ".join(_quiet(cell) for cell in row) + " |" for row in rows)
            lines.append("")

    def sentences(title: str, texts: Sequence[str]) -> None:
        if texts:
            lines.extend([f"## {title}", "", *(f"- {_quiet(text)}" for text in texts), ""])

    table("How it was made", card.made, ("what", ""))
    sentences("Intended use", card.uses)
    sentences("Known limits", card.limits)
    scores = [(title, "–" if x is None else f"{x:.4f}") for title, x in card.scores]
    table("Scores", scores, ("score", "value"))
    table("The model", card.facts, ("what", ""))
    table("Settings", card.settings, ("field", "value"))
    rows = [(i.name, i.split, i.shape, i.image_sha256, i.mask_sha256) for i in card.images]
    table("Images", rows, ("image", "split", "voxels", "SHA-256 of image", "SHA-256 of mask"))
    return "\n".join(lines).rstrip() + "\n"


def _quiet(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())) or "–"
