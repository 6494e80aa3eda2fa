"""A study while it is being made: what is checked, what that comes to, what it takes. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from orgseg_app.files.atomic import reason, replacing
from orgseg_app.gui.runs.estimate import duration
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.studies.axis_offers import (
    Offer,
    axis_fields,
    field_path,
    offer_of,
    offers,
    own_value,
)
from orgseg_app.runs.studies.definition import (
    MOST_AXES,
    Axis,
    AxisChoice,
    Study,
    StudyError,
    check_study,
    settings_text,
    study_to_toml,
    titles,
)

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.studies.estimate import StudyEstimate

SEEDS = (1, 2, 3, 5, 10)
FOLDS = (0, 3, 5, 10)
"""Numbers of seeds and of folds that are offered; a study from a file may have others."""

SCORES = {"mean_iou": "Mean IoU", "mean_dice": "Mean Dice (F1)"}


@dataclass(frozen=True)
class Place:
    """A value of an axis that may be tried, checked or not.

    Attributes
    ----------
    offer : Offer
    is_on : bool
    choice : AxisChoice or None
        Where the value stands for several settings, as studies from files may have it.
    """

    offer: Offer
    is_on: bool = False
    choice: AxisChoice | None = None


@dataclass(frozen=True)
class AxisDraft:
    """An axis with everything that may be tried on it.

    Attributes
    ----------
    key : str
        Path of a field, or what choices are called together.
    title, about : str
        For a person.
    places : tuple of Place
    """

    key: str
    title: str
    about: str = ""
    places: tuple[Place, ...] = ()

    @property
    def chosen(self) -> tuple[Place, ...]:
        """The places that are checked."""
        return tuple(place for place in self.places if place.is_on)

    @property
    def has_choices(self) -> bool:
        """Whether its places are named settings from a file; nothing can be added to them."""
        return any(place.choice is not None for place in self.places)

    def checked(self, number: int, is_on: bool) -> AxisDraft:
        """With one place checked or not."""
        places = list(self.places)
        places[number] = replace(places[number], is_on=is_on)
        return replace(self, places=tuple(places))

    def with_offer(self, offer: Offer) -> AxisDraft:
        """With one more value, checked; where it is there already, it is checked."""
        for number, place in enumerate(self.places):
            if place.choice is None and place.offer.value == offer.value:
                return self.checked(number, True)
        return replace(self, places=(*self.places, Place(offer, True)))

    def to_axis(self) -> Axis:
        """As a study has it."""
        if self.has_choices:
            return Axis(self.key, choices=tuple(p.choice for p in self.chosen if p.choice))
        return Axis(self.key, values=tuple(place.offer.value for place in self.chosen))


def new_axis(path: str, recipe: Recipe) -> AxisDraft:
    """An axis of a field with its offers; the recipe's own value is checked.

    Raises
    ------
    KeyError
        For a field that cannot be an axis.
    """
    info = axis_fields()[path]
    own = own_value(info, recipe)
    places = tuple(Place(offer, offer.value == own) for offer in offers(info, recipe))
    return AxisDraft(path, info.title, info.description, places)


def axis_of(axis: Axis, recipe: Recipe) -> AxisDraft:
    """The draft of an axis from a study: its values are checked, other offers are not."""
    info = axis_fields().get(field_path(axis.key))
    if axis.choices or info is None:
        places = tuple(
            Place(Offer(place.name, place.name, ", ".join(_said(place))), True, place)
            for place in axis.places
        )
        title = info.title if info is not None else axis.key.replace("_", " ").capitalize()
        return AxisDraft(axis.key, title, info.description if info else "", places)
    known = {offer.value: offer for offer in offers(info, recipe)}
    wanted = [known.get(value) or offer_of(info, value) for value in axis.values]
    rest = [offer for value, offer in known.items() if value not in axis.values]
    found = [*(Place(offer, True) for offer in wanted), *(Place(offer) for offer in rest)]
    return AxisDraft(axis.key, info.title, info.description, tuple(found))


def _said(place: AxisChoice) -> list[str]:
    return settings_text(place.settings)


@dataclass(frozen=True)
class StudyDraft:
    """What the dialog holds.

    Attributes
    ----------
    name, question, source : str
    recipe : Recipe
        What all runs share.
    axes : tuple of AxisDraft
    seeds, folds : int
    score : str
        A key of `SCORES`.
    """

    name: str = "Study"
    question: str = ""
    source: str = ""
    recipe: Recipe = field(default_factory=lambda: PRESETS["fast"])
    axes: tuple[AxisDraft, ...] = ()
    seeds: int = 1
    folds: int = 0
    score: str = "mean_iou"

    @classmethod
    def of(cls, study: Study) -> StudyDraft:
        """The draft of a study that is there."""
        return cls(
            study.name,
            study.question,
            study.source,
            study.recipe,
            tuple(axis_of(axis, study.recipe) for axis in study.axes),
            study.seeds,
            study.folds,
            study.score,
        )

    @property
    def free_fields(self) -> list[str]:
        """Paths of fields that are no axis yet; none where there are as many as may be."""
        taken = {field_path(axis.key) for axis in self.axes}
        taken |= {
            path
            for axis in self.axes
            for place in axis.chosen
            if place.choice is not None
            for path in place.choice.settings
        }
        return [] if len(self.axes) >= MOST_AXES else [p for p in axis_fields() if p not in taken]

    @property
    def formula(self) -> str:
        """How the number of runs comes about: ``"3 × 3 × 2, 2 seeds"``."""
        parts = [" × ".join(str(len(axis.chosen)) for axis in self.axes)] if self.axes else []
        parts += [f"{self.seeds} seeds"] if self.seeds > 1 else []
        parts += [f"{self.folds} folds"] if self.folds else []
        return ", ".join(parts)

    def to_study(self) -> Study:
        """The study, checked.

        Raises
        ------
        StudyError
            With a sentence that says what is missing.
        """
        name = " ".join(self.name.split())
        if not name:
            raise StudyError("Give the study a name.")
        if not self.axes and self.seeds < 2 and not self.folds:
            raise StudyError(
                "Add what is to be compared: a ready-made study at the left, or “Add axis”."
            )
        for axis in self.axes:
            if len(axis.chosen) < 2:
                raise StudyError(f"Check at least two values of “{axis.title}”, or remove it.")
        return check_study(
            Study(
                name=name[:60],
                recipe=self.recipe,
                axes=tuple(axis.to_axis() for axis in self.axes),
                question=" ".join(self.question.split())[:500],
                source=self.source[:500],
                seeds=self.seeds,
                folds=self.folds,
                score=self.score,  # type: ignore[arg-type]
            )
        )


@dataclass(frozen=True)
class Review:
    """What a draft comes to, on a project.

    Attributes
    ----------
    problem : str
        Why it cannot be started, or "".
    runs : int
    takes : str
        Time and memory, a line.
    refused : tuple of (str, str)
        Combination and reason.
    warnings : tuple of str
        Sentences to read before it is started.
    """

    problem: str = ""
    runs: int = 0
    takes: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def review(draft: StudyDraft, project_file: ProjectFile | None) -> Review:
    """Spell a draft out and hold it against a project; slow, for the background.

    Parameters
    ----------
    draft : StudyDraft
    project_file : ProjectFile or None
        Without one, it says that a project has to be opened.
    """
    from orgseg_app.runs.studies.cells import spell_out
    from orgseg_app.runs.studies.estimate import earlier_speeds, estimate_study
    from orgseg_app.runs.studies.preparing import check_project

    try:
        study = draft.to_study()
        grid = spell_out(study)
    except RunError as error:
        return Review(str(error))
    refused = tuple((titles(item.places), item.reason) for item in grid.refused)
    if project_file is None:
        return Review("Open a project first.", len(grid.cells), refused=refused)
    project = project_file.project
    found = estimate_study(
        grid.cells,
        earlier_speeds(project_file.path),
        channels=max((image.shape[0] for image in project.images.values()), default=1),
        classes=len(project.classes),
    )
    warnings: list[str] = []
    problem = ""
    try:
        warnings, _, _ = check_project(project_file, study)
    except RunError as error:
        problem = str(error)
    total = float(psutil.virtual_memory().total)
    if found.memory_bytes > 0.9 * total:
        warnings.append(
            f"The largest run wants about {found.memory_bytes / 1e9:.0f} GB of memory, and this "
            f"computer has {total / 1e9:.0f}. It will learn from fewer patches at once, slowly, "
            "or fail; the others go on."
        )
    return Review(problem, len(grid.cells), takes(found), refused, tuple(warnings))


def takes(found: StudyEstimate) -> str:
    """Time and memory in a line."""
    low, high = (duration(seconds) for seconds in found.seconds)
    span = low if low == high else f"{low} to {high.removeprefix('about ')}"
    memory = f"{found.memory_bytes / 1e9:.1f} GB of memory at most"
    if found.basis:
        names = [f"“{name}”" for name in found.basis[:2]]
        return f"{_sentence(span)}, {memory}; going by {' and '.join(names)}"
    return f"{_sentence(span)} without a graphics card, {memory}"


def write_study(path: Path, study: Study) -> None:
    """Write a study as TOML.

    Raises
    ------
    StudyError
        When the disk refuses; a file that was there is then as before.
    """
    try:
        with replacing(path) as draft:
            draft.write_text(study_to_toml(study), encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"The study could not be saved: {reason(error)}. Choose another folder."
        ) from error


def free_name(name: str, taken: Sequence[str]) -> str:
    """The name, or with the lowest number that no study has yet."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name} {number}", number + 1
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
