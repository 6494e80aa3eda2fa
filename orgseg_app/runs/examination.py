"""What an examination found out: scores of a model as it is, and under each of some conditions.

An examination is kept as one JSON object::

    format, version    "orgseg-examination", 1
    run, examined_run  ids of this job, and of the run whose model was examined
    what, split        one of `WHATS`; "validation" or "test"
    classes            [{"id", "name"}], background first: rows and columns of the matrices
    method             how: {"seed"} and, of noise, {"snr_db": […]}
    refused            [{"image", "image_id", "split", "reason"}]: not looked at, and why
    conditions         the intact one first:
        kind           "intact", one of `ABLATIONS` or of `NOISES`
        level, scale   of an ablation: 0 = finest; pixels of the image to one of the level
        snr_db         of noise
        images         [{"image", "image_id", "sha256", "mask_sha256", …}] with what
                       `core.metrics.judging.facts_of_image` counted
    seconds            how long it all took
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.boundaries import BoundaryAgreement
from orgseg_app.core.metrics.pixels import scores
from orgseg_app.core.metrics.skeletons import SkeletonAgreement
from orgseg_app.core.metrics.statistics import Difference, difference
from orgseg_app.core.metrics.sums import average
from orgseg_app.core.split import TEST, VALIDATION

FORMAT = "orgseg-examination"
VERSION = 1

LEVELS, NOISE = "levels", "noise"
WHATS = {LEVELS: "Low-level importance", NOISE: "Noise robustness"}

INTACT = "intact"
ABLATIONS = {
    "coarse": "nothing coarser",
    "fine": "without its detail",
}
"""What is taken away at a level of the decoder; see `learn.examining.levels`."""
NOISES = {"gaussian": "Gaussian noise", "poisson": "Photon noise"}
"""What is added to the images; see `learn.examining.noise`."""

SNR_DB = (30.0, 20.0, 15.0, 10.0, 5.0, 0.0)
SPLITS = (VALIDATION, TEST)

SCORES = {
    "iou": "IoU",
    "dice": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "boundary_f1": "Boundary F1",
    "cl_dice": "clDice",
}
"""Scores that are told, with their titles; higher is better for all of them."""

HARDLY = 0.005
"""A drop of a score below this is not spoken of."""

KEPT = 0.95
"""Share of a score that noise may leave while the model is said to bear it."""


@dataclass(frozen=True)
class ImageFacts:
    """What was counted of one image under one condition.

    Attributes
    ----------
    name, image_id : str
    confusion : ndarray
        ``(K, K)`` int64 voxels, rows truth.
    boundaries, skeletons : mapping
        By class id; empty where not counted.
    """

    name: str
    image_id: str
    confusion: NDArray[np.int64]
    boundaries: Mapping[int, BoundaryAgreement]
    skeletons: Mapping[int, SkeletonAgreement]


@dataclass(frozen=True)
class Condition:
    """The scores of a model under one condition.

    Attributes
    ----------
    kind : str
        `INTACT`, one of `ABLATIONS` or of `NOISES`.
    level, scale : int or None
        Of an ablation; see the module.
    snr_db : float or None
        Of noise.
    images : tuple of ImageFacts
    class_ids, class_names : tuple
        Of the matrices, background first.
    """

    kind: str
    level: int | None
    scale: int | None
    snr_db: float | None
    images: tuple[ImageFacts, ...]
    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]

    @property
    def words(self) -> str:
        """What was done, in a few words."""
        if self.kind in ABLATIONS:
            return f"level {self.level} ({scale_text(self.scale)}), {ABLATIONS[self.kind]}"
        if self.kind in NOISES:
            return f"{NOISES[self.kind]}, {self.snr_db:g} dB"
        return "as it is"

    def score(self, name: str, class_name: str = "") -> float | None:
        """A score of `SCORES`, pooled over the images.

        Parameters
        ----------
        name
        class_name
            "" for the mean over the classes other than background that have it.
        """
        return self._of(self.images, name, class_name)

    def by_image(self, name: str, class_name: str = "") -> list[float | None]:
        """The same of each image."""
        return [self._of([image], name, class_name) for image in self.images]

    def _of(self, images: Sequence[ImageFacts], name: str, class_name: str) -> float | None:
        ids = [
            class_id
            for class_id, called in list(zip(self.class_ids, self.class_names, strict=True))[1:]
            if class_name in ("", called)
        ]
        return average(self._of_class(images, name, class_id) for class_id in ids)

    def _of_class(self, images: Sequence[ImageFacts], name: str, class_id: int) -> float | None:
        if name == "boundary_f1":
            edges = [image.boundaries[class_id] for image in images if class_id in image.boundaries]
            return sum(edges, BoundaryAgreement()).scores()[name] if edges else None
        if name == "cl_dice":
            lines = [image.skeletons[class_id] for image in images if class_id in image.skeletons]
            return sum(lines, SkeletonAgreement()).scores()[name] if lines else None
        matrix = np.sum([image.confusion for image in images], axis=0)
        value = scores(matrix, list(self.class_ids))[name][class_id]
        return None if value is None else float(value)


@dataclass(frozen=True)
class Examination:
    """What an examination found out.

    Attributes
    ----------
    run_id, examined_run : str
        Of the job, and of the run whose model it was.
    what, split : str
        One of `WHATS`, of `SPLITS`.
    intact : Condition
    conditions : tuple of Condition
        The others, as the job went through them.
    refused : tuple of str
        Why images were left out, a sentence each.
    created : float
        Seconds since 1970, UTC.
    """

    run_id: str
    examined_run: str
    what: str
    split: str
    intact: Condition
    conditions: tuple[Condition, ...]
    refused: tuple[str, ...]
    created: float

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes with scores, background left out."""
        return self.intact.class_names[1:]

    def drop(self, condition: Condition, score: str, class_name: str = "") -> float | None:
        """How much lower a score is than that of the model as it is; pooled over the images."""
        before, after = (c.score(score, class_name) for c in (self.intact, condition))
        return None if before is None or after is None else before - after

    def compared(self, condition: Condition, score: str, class_name: str = "") -> Difference:
        """The model as it is against the condition, image by image."""
        before, after = (c.by_image(score, class_name) for c in (self.intact, condition))
        return difference(_numbers(before), _numbers(after))

    def of_kind(self, kind: str) -> list[Condition]:
        """Conditions of a kind: levels from the finest on, noise from the weakest on."""
        found = [c for c in self.conditions if c.kind == kind]
        return sorted(found, key=lambda c: (c.level or 0, -(c.snr_db or 0.0)))

    def sentences(self, score: str = "iou", class_name: str = "") -> list[str]:
        """What there is to say, most important first."""
        told = _level_sentences if self.what == LEVELS else _noise_sentences
        return told(self, score, class_name)

    def to_dict(self) -> dict[str, Any]:
        """For ``--json`` and reports: figures by condition."""
        return {
            "run": self.run_id,
            "examined_run": self.examined_run,
            "what": self.what,
            "split": self.split,
            "images": [image.name for image in self.intact.images],
            "intact": self._figures(self.intact),
            "conditions": [
                {
                    "kind": c.kind,
                    "level": c.level,
                    "scale": c.scale,
                    "snr_db": c.snr_db,
                    **self._figures(c),
                    "drop": {name: self.drop(c, name) for name in SCORES},
                }
                for c in self.conditions
            ],
            "sentences": self.sentences(),
            "refused": list(self.refused),
        }

    def _figures(self, condition: Condition) -> dict[str, Any]:
        return {
            "mean": {name: condition.score(name) for name in SCORES},
            "by_class": {
                name: {called: condition.score(name, called) for called in self.class_names}
                for name in SCORES
            },
            "per_image": {name: condition.by_image(name) for name in SCORES},
        }


def scale_text(scale: int | None) -> str:
    """How large the maps of a level are.

    Examples
    --------
    >>> scale_text(1), scale_text(4), scale_text(None)
    ('full size', '1/4 size', 'size not known')
    """
    if scale is None:
        return "size not known"
    return "full size" if scale == 1 else f"1/{scale} size"


def _level_sentences(found: Examination, score: str, class_name: str) -> list[str]:
    title, said = SCORES[score], []
    before = found.intact.score(score, class_name)
    coarse = found.of_kind("coarse")
    alone = coarse[0].score(score, class_name) if coarse else None
    if before and alone is not None:
        place = f"level {coarse[0].level} ({scale_text(coarse[0].scale)})"
        said.append(
            f"With the detail of {place} alone, and nothing coarser, the {title} is {alone:.3f}; "
            f"as it is, {before:.3f}."
        )
    fine = [(found.drop(c, score, class_name), c) for c in found.of_kind("fine")]
    known = [(drop, c) for drop, c in fine if drop is not None]
    if known:
        drop, most = max(known, key=lambda pair: pair[0])
        place = f"level {most.level} ({scale_text(most.scale)})"
        said.append(
            f"Without the detail of {place}, which counts most, the {title} falls by {drop:.3f}."
            if drop >= HARDLY
            else f"Without the detail of any one level the {title} falls by less than {HARDLY}."
        )
    return said


def _noise_sentences(found: Examination, score: str, class_name: str) -> list[str]:
    title, said = SCORES[score], []
    before = found.intact.score(score, class_name)
    for kind, name in NOISES.items():
        curve = [(c.snr_db, c.score(score, class_name)) for c in found.of_kind(kind)]
        known = [(snr, value) for snr, value in curve if snr is not None and value is not None]
        if not known or not before:
            continue
        kept: float | None = None
        for snr, value in known:  # from the weakest noise on
            if value < KEPT * before:
                break
            kept = snr
        last_snr, last = known[-1]
        bears = (
            f"it keeps {100 * KEPT:.0f} % of that down to {kept:g} dB"
            if kept is not None
            else f"it falls below {100 * KEPT:.0f} % of that at {known[0][0]:g} dB already"
        )
        said.append(
            f"{name}: {title} {before:.3f} as it is; {bears}, and has {last:.3f} "
            f"({100 * last / before:.0f} %) at {last_snr:g} dB."
        )
    return said


def examination_from(kept: Mapping[str, Any] | None, created: float = 0.0) -> Examination | None:
    """An examination that a job wrote; None where that is damaged, or of another version.

    Parameters
    ----------
    kept : mapping or None
        As the module says.
    created : float
        When it was asked for, seconds since 1970 (UTC).
    """
    if kept is None or kept.get("format") != FORMAT or kept.get("version") != VERSION:
        return None
    try:
        ids = tuple(int(entry["id"]) for entry in kept["classes"])
        names = tuple(str(entry["name"]) for entry in kept["classes"])
        conditions = [_condition(entry, ids, names) for entry in kept["conditions"]]
        refused = tuple(str(entry["reason"]) for entry in kept.get("refused") or ())
        what, split = str(kept["what"]), str(kept["split"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
    is_whole = len(conditions) > 1 and conditions[0].kind == INTACT
    if not is_whole or what not in WHATS or split not in SPLITS:
        return None
    return Examination(
        str(kept.get("run", "")),
        str(kept.get("examined_run", "")),
        what,
        split,
        conditions[0],
        tuple(conditions[1:]),
        refused,
        created,
    )


def _condition(entry: Mapping[str, Any], ids: tuple[int, ...], names: tuple[str, ...]) -> Condition:
    kind = str(entry["kind"])
    if kind not in (INTACT, *ABLATIONS, *NOISES):
        raise ValueError(kind)
    scale = entry.get("scale")
    return Condition(
        kind,
        int(entry["level"]) if kind in ABLATIONS else None,
        None if scale is None else int(scale),
        float(entry["snr_db"]) if kind in NOISES else None,
        tuple(_image(one, len(ids)) for one in entry["images"]),
        ids,
        names,
    )


def _image(entry: Mapping[str, Any], classes: int) -> ImageFacts:
    confusion = np.asarray(entry["confusion"], np.int64)
    if confusion.shape != (classes, classes) or confusion.min() < 0:
        raise ValueError("A confusion matrix has a row and a column for each class.")
    edges, lines = entry.get("boundaries") or {}, entry.get("skeletons") or {}
    return ImageFacts(
        str(entry["image"]),
        str(entry["image_id"]),
        confusion,
        {int(i): BoundaryAgreement.from_dict(one) for i, one in edges.items()},
        {int(i): SkeletonAgreement.from_dict(one) for i, one in lines.items()},
    )


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
