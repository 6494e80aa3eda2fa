"""``import-predictions``: another program's masks, or a second person's, as a row to compare."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import (
    CommandError,
    Progress,
    confirm,
    is_interactive,
    note,
    out,
    out_json,
    plural,
    score,
    tell_notices,
    warn,
)
from orgseg_app.commands.project import existing_project

if TYPE_CHECKING:
    from orgseg_app.core.classes import ClassInfo
    from orgseg_app.files.counterparts.offer import Becomes, Offer
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.folder import RunFolder

_SHOWN = 30


def run(asked: Namespace) -> int:
    """Look what goes with which image, ask, and add it as a row of the comparison."""
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    with ProjectFile.open(path, read_only=True) as project_file:
        tell_notices(project_file.notices)
        offer = _offer(project_file, asked)
        becomes = _becomes(offer, project_file.project.classes, asked)
        _show(offer, becomes, project_file.project.classes)
        if not asked.yes and is_interactive() and not confirm("Add these to the comparison?"):
            note("Nothing was added.")
            return 0
        made = _add(project_file, offer, becomes, asked)
    _tell(made, asked)
    return 0


def _offer(project_file: ProjectFile, asked: Namespace) -> Offer:
    from orgseg_app.files.counterparts.looking import offer_in

    try:
        return offer_in(asked.paths, project_file, asked.format)
    except ValueError as error:
        raise CommandError(f"{error} Nothing was added.") from error


def _becomes(offer: Offer, classes: tuple[ClassInfo, ...], asked: Namespace) -> Becomes:
    """What the offered classes are in the project, as far as names and --class say it."""
    from orgseg_app.files.counterparts.offer import Becomes, class_named, undecided_words

    meaning = offer.meaning if asked.meaning == "auto" else asked.meaning
    if meaning not in offer.meanings:
        raise CommandError(
            f"{offer.title} cannot be read as {meaning}; leave --meaning out. Nothing was added."
        )
    pieces = [piece.strip() for piece in asked.class_names.split(",") if piece.strip()]
    named = [piece.partition("=") for piece in pieces if "=" in piece]
    in_order = [piece for piece in pieces if "=" not in piece]
    found = offer.suggested(classes, meaning, in_order)
    for theirs, _, ours in named:
        known = theirs.strip().casefold()
        fits = [
            item
            for item in offer.offered(meaning)
            if known in (str(item.number), item.name.casefold())
        ]
        if len(fits) != 1:
            listed = ", ".join(f'"{item.words}"' for item in offer.offered(meaning))
            raise CommandError(
                f'{offer.title} have no class "{theirs.strip()}"; they have {listed}. '
                "Nothing was added."
            )
        found[fits[0].number] = class_named(ours, classes)
    becomes = Becomes(meaning, found)
    if undecided := offer.undecided(becomes):
        text = undecided_words(undecided).replace("Say which;", "Say which with --class;")
        raise CommandError(text)
    return becomes


def _show(offer: Offer, becomes: Becomes, classes: tuple[ClassInfo, ...]) -> None:
    missing = [item for item in offer.counterparts if not item.found and not item.problem]
    for item in offer.usable[:_SHOWN]:
        note(f"  {item.name}  ←  {item.found}  ({item.split})")
    if len(offer.usable) > _SHOWN:
        note(f"  … and {len(offer.usable) - _SHOWN} more")
    names = {info.class_id: info.name for info in classes}
    meant = ", ".join(
        f"{item.words} is {names.get(becomes.class_ids[item.number], '?')}"
        if item.name or len(offer.offered(becomes.meaning)) > 1
        else names.get(becomes.class_ids[item.number], "?")
        for item in offer.offered(becomes.meaning)
    )
    rest = (
        "Where they are unlabelled nothing is judged."
        if offer.is_project
        else "Where they are 0 is background."
    )
    note(f"Masks from {offer.title}: {meant}. {rest}")
    for item in offer.counterparts:
        if item.problem:
            warn(item.problem)
    if missing:
        listed = ", ".join(item.name for item in missing[:4]) + (" …" if len(missing) > 4 else "")
        warn(f"Nothing was given for {listed}: not scored there.")
    for text in offer.notes:
        warn(text)


def _add(project_file: ProjectFile, offer: Offer, becomes: Becomes, asked: Namespace) -> RunFolder:
    from orgseg_app.runs.adding_predictions import add_predictions

    progress = Progress("Scoring", quiet=asked.json)

    def on_progress(done: int, total: int, text: str) -> bool:
        progress.show(done, total, text)
        return True

    made = add_predictions(
        project_file,
        offer,
        becomes,
        name=asked.name or asked.paths[0].absolute().stem,
        by_person=asked.by_person,
        progress=on_progress,
    )
    progress.clear()
    return made


def _tell(made: RunFolder, asked: Namespace) -> None:
    from orgseg_app.commands.training import named_scores
    from orgseg_app.runs.made_elsewhere import caution_of, held_images
    from orgseg_app.runs.withheld import refused_in

    refused = refused_in(made.metrics(), "test") | refused_in(made.metrics(), "validation")
    for text in (*made.warnings, *refused.values(), caution_of(made)):
        warn(text)
    test = named_scores(made, "test")
    if asked.json:
        facts: dict[str, Any] = {
            "id": made.run_id,
            "name": made.name,
            "path": str(made.path),
            "kind": made.kind,
        }
        facts |= {"held": sorted(held_images(made)), "refused": list(refused.values())}
        out_json(facts | {"test": test, "validation": named_scores(made, "validation")})
        return
    held = plural(len(held_images(made)), "image")
    out(f"{made.run_id}  {made.name}: masks of {held}; test IoU {score(test.get('mean_iou'))}.")
