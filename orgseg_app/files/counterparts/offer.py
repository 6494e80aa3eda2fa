"""What was found to lay beside the project's images, before any of it is read.

An offer comes from files of another program (`given_files`) or from another project
(`other_project`). It says what goes with which image, and which classes it knows; what these become
in the project is decided by a person, or by equal names (`suggested`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TEST, VALIDATION
from orgseg_app.files.annotations.source import LoadedAnnotation, default_class_ids
from orgseg_app.files.errors import FileError

CLASSES = "classes"
STRUCTURE = 1
"""The number of the only class of masks that say structure or not, or number objects."""

JUDGED_SPLITS = (VALIDATION, TEST)
"""Only images that models are judged on are looked for."""

_LISTED = 6


class OfferError(FileError):
    """What was given cannot be laid beside the project's images; nothing was changed."""


@dataclass(frozen=True)
class Counterpart:
    """What goes with one image of the project.

    Attributes
    ----------
    image_id, name, split
        Of the image.
    found
        What was found for it, by its file name; "" for nothing.
    problem
        Why that cannot be used, in a sentence; "" when it can, or when there is nothing.
    """

    image_id: str
    name: str
    split: str
    found: str = ""
    problem: str = ""

    @property
    def is_usable(self) -> bool:
        """True if there is something to read."""
        return bool(self.found) and not self.problem


@dataclass(frozen=True)
class OfferedClass:
    """One class as the files or the other project know it: its number, and its name if any."""

    number: int
    name: str = ""

    @property
    def words(self) -> str:
        """For a person: the name, or “value 3”."""
        return self.name or f"value {self.number}"


@dataclass(frozen=True)
class Becomes:
    """What was decided about the numbers of an offer.

    Attributes
    ----------
    meaning
        One of `Offer.meanings`.
    class_ids
        Number of an offered class → class id of the project.
    """

    meaning: str
    class_ids: Mapping[int, int]


class Offer(ABC):
    """Something to lay beside the project's images.

    Attributes
    ----------
    title
        What it is, for a person: ``"label images"``, ``"“anna.orgseg”"``.
    counterparts
        One for every image of the validation and test split, in the order of the project.
    meaning, meanings
        What its numbers are taken to stand for, and what they may be said to.
    notes
        Sentences about what was found and is not used.
    is_project
        True if a person painted it, in another project.
    """

    title: str = ""
    counterparts: tuple[Counterpart, ...] = ()
    meaning: str = CLASSES
    meanings: tuple[str, ...] = (CLASSES,)
    notes: tuple[str, ...] = ()
    is_project = False

    @property
    def usable(self) -> list[Counterpart]:
        """Those with something to read."""
        return [item for item in self.counterparts if item.is_usable]

    @abstractmethod
    def offered(self, meaning: str) -> list[OfferedClass]:
        """The classes it knows when its numbers stand for this, in order; never background's 0."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[object]:
        """`load` within this context."""

    @abstractmethod
    def load(self, image: ProjectImage, opened: OpenedImage, becomes: Becomes) -> LoadedAnnotation:
        """What it says of one image, in the project's class ids; 0 where it says nothing.

        Raises
        ------
        FileError
            One sentence: it cannot be read, has another size, or a class that nothing was said of.
        """

    def suggested(
        self, classes: Sequence[ClassInfo], meaning: str = "", names: Sequence[str] = ()
    ) -> dict[int, int]:
        """What its classes become: by their names, and by numbers where they have none.

        Parameters
        ----------
        classes
            Of the project, background first.
        meaning
            What its numbers stand for; its own guess without.
        names
            Names of classes of the project for its classes, in order; they come first.

        Returns
        -------
        dict
            Number → class id; those that nothing is known of are missing.

        Raises
        ------
        OfferError
            When a name is given that the project does not have, or too many are.
        """
        offered = self.offered(meaning or self.meaning)
        if len(names) > len(offered):
            known = _listed([item.words for item in offered]) or "none"
            raise OfferError(
                f"{len(names)} classes were named, and {self.title} hold {len(offered)}: {known}. "
                "Nothing was added."
            )
        found = dict(_by_themselves(offered, classes))
        for item, name in zip(offered, names, strict=False):
            found[item.number] = class_named(name, classes)
        return found

    def undecided(self, becomes: Becomes) -> list[OfferedClass]:
        """Classes that nothing was said of yet."""
        return [i for i in self.offered(becomes.meaning) if i.number not in becomes.class_ids]


def class_named(name: str, classes: Sequence[ClassInfo]) -> int:
    """The id of a class of the project, by its name.

    Raises
    ------
    OfferError
        When there is none.
    """
    for info in classes:
        if info.name.casefold() == name.strip().casefold():
            return info.class_id
    known = _listed([info.name for info in classes])
    raise OfferError(
        f'The project has no class "{name.strip()}"; it has {known}. Nothing was added.'
    )


def undecided_words(undecided: Sequence[OfferedClass]) -> str:
    """What to say when it is not known what classes become."""
    listed = _listed([item.words for item in undecided])
    verb = "is" if len(undecided) == 1 else "are"
    return (
        f"It is not known which class of the project {listed} {verb}. Say which; nothing was added."
    )


def _by_themselves(
    offered: Sequence[OfferedClass], classes: Sequence[ClassInfo]
) -> Iterator[tuple[int, int]]:
    by_name = {info.name.casefold(): info.class_id for info in classes}
    by_name |= {"background": BACKGROUND}
    own = [info.class_id for info in classes if info.class_id != BACKGROUND]
    unnamed = tuple(item.number for item in offered if not item.name)
    numbers = default_class_ids(unnamed)
    for item in offered:
        if item.name.casefold() in by_name:
            yield item.number, by_name[item.name.casefold()]
        elif len(offered) == len(own) == 1:
            yield item.number, own[0]
        elif not item.name and len(offered) > 1 and numbers[item.number] in own:
            yield item.number, numbers[item.number]


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _LISTED
    shown = ", ".join(f'"{name}"' for name in names[:_LISTED])
    return shown + (f" and {rest} more" if rest > 0 else "")
