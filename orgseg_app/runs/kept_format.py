"""How kept scores lie in their file: a head, then arrays of all images; see `runs.kept_scores`."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.runs.truths import Truth

FACTS = ("mean_iou", "mean_dice", "accuracy", "background_iou")
"""What a `ClassScores` says beside its scores by class."""


class KeptImages(msgspec.Struct, array_like=True, dict=True):
    """Images that a run was scored on, a list of each fact: they are gone through for every run.

    Attributes
    ----------
    places : list of int
        In the list of ``metrics.json``.
    ids, hashes, names, splits : list of str
        Of the images; `hashes` of the voxels that they had.
    has_objects : list of bool
        Whether the job looked at objects.
    units : list of str
        Of distances; "" where there are none.
    """

    places: list[int] = []
    ids: list[str] = []
    hashes: list[str] = []
    names: list[str] = []
    splits: list[str] = []
    has_objects: list[bool] = []
    units: list[str] = []

    def __len__(self) -> int:
        return len(self.places)

    @functools.cached_property
    def keys(self) -> list[str]:
        """Of each image, with the voxels that it had."""
        pairs = zip(self.ids, self.hashes, strict=True)
        return [f"{image_id} {sha256}" for image_id, sha256 in pairs]

    @functools.cached_property
    def whole_key(self) -> str:
        """Of the set of all of them."""
        return _hashed(self.keys)

    def is_whole(self) -> bool:
        """Whether all lists are of the same images."""
        return len({len(getattr(self, name)) for name in self.__struct_fields__}) == 1


class Pooled(msgspec.Struct, frozen=True, array_like=True):
    """Several images: counted together, and the means of their own scores.

    Attributes
    ----------
    values : bytes
        ``(scores, classes)`` float64; NaN where there is none.
    known : bytes
        ``(scores, classes)`` uint8; whether the score has an entry for the class.
    facts : list
        `FACTS`.
    means : bytes
        ``(scores, classes + 1)`` float64; the last column is of the mean over the classes.
    unit : str
        Of distances; "" where there are none, or images have them in several units.
    total : bytes
        ``(K, K)`` int64 voxels, rows truth.
    """

    values: bytes
    known: bytes
    facts: list[float | None]
    means: bytes
    unit: str
    total: bytes


class Head(msgspec.Struct):
    """The beginning of the file; arrays of all images follow."""

    version: str
    stamp: tuple[int, int]
    class_ids: list[int]
    class_names: list[str]
    score_names: list[str]
    images: msgspec.Raw
    metrics: dict[str, Any]
    truths: msgspec.Raw
    sets: dict[str, Pooled]


HEAD = msgspec.msgpack.Decoder(Head)
_IMAGES = msgspec.msgpack.Decoder(KeptImages)
_TRUTHS = msgspec.msgpack.Decoder(dict[str, Truth])


class Arrays:
    """Of all images: ``matrices`` (N, K, K) int64, ``values`` (N, S, C), ``known``, ``facts``."""

    def __init__(self, head: Head, count: int, raw: bytes) -> None:
        n, k, s = count, len(head.class_ids), len(head.score_names)
        c = len(others_of(head.class_ids))
        sizes = (8 * n * k * k, 8 * n * s * c, 8 * n * len(FACTS), n * s * c)
        if len(raw) != sum(sizes):
            raise ValueError("a part of the kept scores is missing")
        ends = np.cumsum(sizes).tolist()
        view = memoryview(raw)
        self.matrices = np.frombuffer(view[: ends[0]], np.int64).reshape(n, k, k)
        self.values = np.frombuffer(view[ends[0] : ends[1]], np.float64).reshape(n, s, c)
        self.facts = np.frombuffer(view[ends[1] : ends[2]], np.float64).reshape(n, len(FACTS))
        self.known = np.frombuffer(view[ends[2] : ends[3]], np.uint8).reshape(n, s, c)


@functools.lru_cache(maxsize=32)
def images_of(raw: bytes) -> KeptImages:
    """Most runs were scored on the same images, and share these."""
    return _IMAGES.decode(raw)


@functools.lru_cache(maxsize=32)
def truths_of(raw: bytes) -> dict[str, Truth]:
    """Likewise."""
    return _TRUTHS.decode(raw)


def set_key(images: KeptImages, numbers: Sequence[int]) -> str:
    """What a set of images is kept under."""
    if len(numbers) == len(images):
        return images.whole_key
    return _hashed(images.keys[number] for number in numbers)


def _hashed(keys: Iterable[str]) -> str:
    wanted = sorted(keys)
    return hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:32]


def others_of(class_ids: Sequence[int]) -> list[int]:
    """All classes but background."""
    return [class_id for class_id in class_ids if class_id != BACKGROUND]
