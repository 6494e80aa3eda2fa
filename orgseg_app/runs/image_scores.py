"""How a run did on each image, made when somebody looks: runs by images may be 40,000 scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from orgseg_app.runs.class_scores import ClassScores
from orgseg_app.runs.kept_scores import KeptScores


@dataclass(frozen=True)
class ImageScores:
    """How a run did on one image.

    Attributes
    ----------
    image, image_id, sha256 : str
        Name as shown, id in the project, fingerprint of the voxels.
    scores : ClassScores
    is_leaked : bool
        The run learnt from this very image, or was selected on it: its score flatters.
    is_outdated : bool
        The image was painted anew after the run was scored, or its objects are others.
    """

    image: str
    image_id: str
    sha256: str
    scores: ClassScores
    is_leaked: bool = False
    is_outdated: bool = False


@dataclass(frozen=True)
class Words:
    """What a run's scores do not say themselves.

    Attributes
    ----------
    image_names : mapping
        Image id and hash, with a space between → how the image is called.
    class_names : mapping
        Class id → how the class is called today.
    group : tuple of str
        Classes that the means of a group are over.
    seen : frozenset of str
        Hashes of images that the run learnt from or was selected on.
    outdated : frozenset of str
        Ids of images that were painted anew.
    """

    image_names: Mapping[str, str]
    class_names: Mapping[int, str]
    group: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset()
    outdated: frozenset[str] = frozenset()


class RunImages(Sequence[ImageScores]):
    """Scores of a run's images, each made when somebody looks at it."""

    def __init__(self, kept: KeptScores, numbers: Sequence[int], words: Words) -> None:
        self._kept, self._numbers, self._words = kept, numbers, words
        self._made: dict[int, ImageScores] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> ImageScores: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[ImageScores, ...]: ...

    def __getitem__(self, place: int | slice) -> ImageScores | tuple[ImageScores, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(len(self))[place])
        place = range(len(self))[place]
        if place not in self._made:
            words, number = self._words, self._numbers[place]
            images = self._kept.images
            image_id, sha256 = images.ids[number], images.hashes[number]
            self._made[place] = ImageScores(
                words.image_names[f"{image_id} {sha256}"],
                image_id,
                sha256,
                self._kept.of_image(number, words.class_names, words.group),
                sha256 in words.seen,
                image_id in words.outdated,
            )
        return self._made[place]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Sequence) else other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def ids(self) -> list[str]:
        """Of the images."""
        ids = self._kept.images.ids
        return [ids[number] for number in self._numbers]

    @property
    def leaked(self) -> tuple[str, ...]:
        """Names of images that the run had seen."""
        seen, hashes = self._words.seen, self._kept.images.hashes
        if seen.isdisjoint(hashes):
            return ()
        return tuple(self._name(number) for number in self._numbers if hashes[number] in seen)

    @property
    def outdated(self) -> tuple[str, ...]:
        """Names of images that were painted anew."""
        outdated, ids = self._words.outdated, self._kept.images.ids
        if not outdated:
            return ()
        return tuple(self._name(number) for number in self._numbers if ids[number] in outdated)

    def _name(self, number: int) -> str:
        images = self._kept.images
        return self._words.image_names[f"{images.ids[number]} {images.hashes[number]}"]

    def has_mean(self, score: str) -> bool:
        """Whether `mean` knows a score: one that every class has."""
        return self._kept.has_score(score)

    def mean(self, score: str, class_name: str) -> float | None:
        """Mean of the images' own scores of a class, or ("") of their means over the classes."""
        class_id = None
        if class_name:
            known = {self._words.class_names[i]: i for i in self._kept.class_ids}
            if class_name not in known:
                return None
            class_id = known[class_name]
        return self._kept.mean(self._numbers, score, class_id)


def leaked_in(images: Sequence[ImageScores]) -> tuple[str, ...]:
    """Names of the images that their run had seen, without making the others' scores."""
    if isinstance(images, RunImages):
        return images.leaked
    return tuple(item.image for item in images if item.is_leaked)


def outdated_in(images: Sequence[ImageScores]) -> tuple[str, ...]:
    """Names of the images that were painted anew since they were scored."""
    if isinstance(images, RunImages):
        return images.outdated
    return tuple(item.image for item in images if item.is_outdated)
