"""What ``metrics.json`` says, in a form that is read in a millisecond: ``scores.kept`` beside it.

A job that scored 200 images leaves a megabyte or more of counts, and turning these into scores
takes half a second. Done for 200 runs each time the comparison opens that would be minutes, so it
is done once: by the job when it ends, else by whoever reads the scores first. The file holds the
scores of every image, and for a few sets of images those of all of them counted together.

It is no more than a copy: it is made anew when ``metrics.json`` is another, when OrgSeg is, or when
it is damaged, and may be deleted at any time.
"""

from __future__ import annotations

import functools
import logging
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from orgseg_app import __version__
from orgseg_app.core.classes import BACKGROUND, MAX_CLASS_ID
from orgseg_app.core.metrics.class_groups import GROUP_SCORES, group_scores
from orgseg_app.core.metrics.thresholds import RatedVoxels
from orgseg_app.files.atomic import draft_path
from orgseg_app.runs.class_scores import EVERY_SCORE, ClassScores, class_scores
from orgseg_app.runs.counted import Counted
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.kept_format import (
    FACTS,
    HEAD,
    Arrays,
    Head,
    KeptImages,
    Pooled,
    images_of,
    others_of,
    set_key,
    truths_of,
)
from orgseg_app.runs.process import read_json, write_json
from orgseg_app.runs.truths import Truth
from orgseg_app.runs.withheld import image_facts

KEPT_FILE = "scores.kept"
KEPT_VERSION = f"{__version__}/2"
"""Raise the number when a score is computed in another way."""

MOST_SETS = 4
"""Sets of images whose pooled scores are kept."""

_MAGIC = b"OrgSeg scores 1\n"
_LENGTH = struct.Struct("<QQ")
_log = logging.getLogger(__name__)

T = TypeVar("T")
Floats = NDArray[np.float64]


class Later(Mapping[str, T]):
    """A mapping that is made when somebody looks into it."""

    def __init__(self, make: Callable[[], Mapping[str, T]], keys: Sequence[str] | None = None):
        self._make, self._keys = make, keys

    @functools.cached_property
    def _made(self) -> Mapping[str, T]:
        return self._make()

    def __getitem__(self, key: str) -> T:
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in (self._keys if self._keys is not None else self._made)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys if self._keys is not None else self._made)

    def __len__(self) -> int:
        return len(self._keys if self._keys is not None else self._made)


class _ByClass(Mapping[str, Mapping[str, "float | None"]]):
    """Scores by name, then by class, out of an array."""

    def __init__(
        self, places: Mapping[str, int], names: Sequence[str], values: Floats, known: NDArray[Any]
    ) -> None:
        self._places, self._names, self._values, self._known = places, names, values, known
        self._found: dict[str, dict[str, float | None]] = {}

    def __getitem__(self, score: str) -> Mapping[str, float | None]:
        if score not in self._found:
            place = self._places[score]
            cells = zip(
                self._names, self._values[place].tolist(), self._known[place].tolist(), strict=True
            )
            self._found[score] = {name: _or_none(x) for name, x, is_known in cells if is_known}
        return self._found[score]

    def __contains__(self, score: object) -> bool:
        return score in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class KeptScores:
    """Scores of one run, of each image and of sets of images.

    Attributes
    ----------
    run : RunFolder
        Whose ``metrics.json`` it is.
    class_ids : list of int
    class_names : dict of int to str
        As they were called when the run was scored.
    images : KeptImages
        Those with whole counts.
    metrics : dict
        What else ``metrics.json`` says.
    truths : dict of str to Truth
        What was painted on each image when the run was prepared, by image id.
    """

    def __init__(self, run: RunFolder, head: Head, arrays: Arrays | None = None) -> None:
        self.run, self._head, self._arrays = run, head, arrays
        self.class_ids = head.class_ids
        self.class_names = dict(zip(head.class_ids, head.class_names, strict=True))
        self.images, self.metrics = images_of(bytes(head.images)), head.metrics
        self.truths = truths_of(bytes(head.truths))
        self._score_places = {name: place for place, name in enumerate(head.score_names)}
        self._others = others_of(head.class_ids)

    # -- of one image ------------------------------------------------------------------------------

    def of_image(self, number: int, names: Mapping[int, str], group: Sequence[str]) -> ClassScores:
        """Scores of one of `images`.

        Parameters
        ----------
        number
            Its place in `images`.
        names
            How each class is called today.
        group
            Names of the classes that the means of a group are over; none for all but background.
        """
        arrays = self.arrays
        facts = [_or_none(x) for x in arrays.facts[number].tolist()]
        rated = Later(lambda: self._rated([number], names))
        return self._scores(
            arrays.matrices[number],
            (arrays.values[number], arrays.known[number]),
            (facts, self.images.units[number]),
            rated,
            (names, group),
        )

    def matrix(self, number: int) -> NDArray[np.int64]:
        """``(K, K)`` voxels of one of `images`, rows truth."""
        found: NDArray[np.int64] = self.arrays.matrices[number]
        return found

    # -- of several --------------------------------------------------------------------------------

    def pooled(
        self, numbers: Sequence[int], names: Mapping[int, str], group: Sequence[str]
    ) -> ClassScores:
        """Scores of several of `images` counted together; kept for the next time."""
        kept = self._of_set(numbers)
        shape = len(self._score_places), len(self._others)
        values = np.frombuffer(kept.values, np.float64).reshape(shape)
        known = np.frombuffer(kept.known, np.uint8).reshape(shape)
        size = len(self.class_ids)
        total = np.frombuffer(kept.total, np.int64).reshape(size, size)
        rated = Later(lambda: self._rated(numbers, names))
        facts = (kept.facts, kept.unit)
        return self._scores(total, (values, known), facts, rated, (names, group))

    def has_score(self, score: str) -> bool:
        """Whether it is a score that every class has."""
        return score in self._score_places

    def mean(self, numbers: Sequence[int], score: str, class_id: int | None) -> float | None:
        """Mean of the images' own scores of a class, or (None) of their means over the classes.

        Raises
        ------
        KeyError
            For a score that has no values by class.
        """
        means = np.frombuffer(self._of_set(numbers).means, np.float64)
        row = means.reshape(len(self._score_places), -1)[self._score_places[score]]
        if class_id is None:
            return _or_none(float(row[-1]))
        if class_id not in self._others:
            return None
        return _or_none(float(row[self._others.index(class_id)]))

    def add_set(self, numbers: Sequence[int]) -> None:
        """Count some images together now, so that it is kept."""
        self._of_set(numbers)

    @property
    def arrays(self) -> Arrays:
        """Read when they are needed."""
        if self._arrays is None:
            found = _read(self.run)
            if found is None or found[0].stamp != self._head.stamp:
                built = _built(self.run)
                if built is None or built.images.keys != self.images.keys:
                    raise LookupError(f"the scores of {self.run.path.name} are others now")
                self._arrays = built.arrays
            else:
                self._arrays = Arrays(found[0], len(self.images), found[1])
        return self._arrays

    def _of_set(self, numbers: Sequence[int]) -> Pooled:
        key = set_key(self.images, numbers)
        kept = self._head.sets.get(key)
        if kept is None:
            kept = self._count(numbers)
            others = list(self._head.sets.items())[: MOST_SETS - 1]
            self._head.sets = {key: kept, **dict(others)}
            self.write()
        return kept

    def _count(self, numbers: Sequence[int]) -> Pooled:
        entries = self._entries(numbers)
        total = self.arrays.matrices[list(numbers)].sum(axis=0)
        found = judged_together(total, entries, self.class_ids, _by_id(self.class_ids))
        values, known = _cells(found, self._head.score_names, self._others)
        means = [
            [_mean(self.arrays.values[list(numbers), place, column]) for column in range(len(row))]
            + [self._mean_of_means(numbers, score)]
            for place, (score, row) in enumerate(zip(self._score_places, values, strict=True))
        ]
        return Pooled(
            values.tobytes(),
            known.tobytes(),
            [getattr(found, name) for name in FACTS],
            np.array(means, np.float64).tobytes(),
            found.distance_unit,
            total.tobytes(),
        )

    def _mean_of_means(self, numbers: Sequence[int], score: str) -> float:
        """Over the images, of the mean over the classes; NaN where there is none."""
        if score in ("iou", "dice"):
            return _mean(self.arrays.facts[list(numbers), FACTS.index(f"mean_{score}")])
        values = self.arrays.values[list(numbers), self._score_places[score]]
        return _mean(np.array([_mean(row) for row in values]))

    def _scores(
        self,
        matrix: NDArray[np.int64],
        cells: tuple[Floats, NDArray[Any]],
        facts: tuple[Sequence[float | None], str],
        rated: Later[RatedVoxels],
        words: tuple[Mapping[int, str], Sequence[str]],
    ) -> ClassScores:
        names, group = words
        own = [names[i] for i in self.class_ids]
        others = [names[i] for i in self._others]
        (mean_iou, mean_dice, accuracy, background_iou), unit = facts
        return ClassScores(
            by_class=_ByClass(self._score_places, others, *cells),
            mean_iou=mean_iou,
            mean_dice=mean_dice,
            accuracy=accuracy,
            background_iou=background_iou,
            voxels=int(matrix.sum()),
            over_classes=Later(
                lambda: over_classes(matrix, self.class_ids, names, group), GROUP_SCORES
            ),
            class_names=tuple(own),
            confusion=tuple(map(tuple, matrix.tolist())),
            rated=rated,
            distance_unit=unit,
        )

    def _entries(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        listed = _listed(self.run, self._head.stamp)
        return [listed[self.images.places[number]] for number in numbers]

    def _rated(self, numbers: Sequence[int], names: Mapping[int, str]) -> dict[str, RatedVoxels]:
        images = [Counted(entry) for entry in self._entries(numbers)]
        rated = (images[0] if len(images) == 1 else Counted.together(images)).rated or {}
        return {names[i]: voxels for i, voxels in rated.items() if i in self._others}

    # -- on disk -----------------------------------------------------------------------------------

    def write(self) -> None:
        """Leave it beside ``metrics.json``; where that fails, it is made anew the next time."""
        arrays = self.arrays
        parts = (arrays.matrices, arrays.values, arrays.facts, arrays.known)
        raw = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        target = self.run.path / KEPT_FILE
        draft = draft_path(target)
        try:
            head = msgspec.msgpack.encode(self._head)
            draft.write_bytes(_MAGIC + _LENGTH.pack(len(head), len(raw)) + head + raw)
            os.replace(draft, target)
        except (OSError, OverflowError, TypeError) as error:  # numbers that no file holds, too
            _log.info("scores of “%s” are not kept: %s", self.run.path.name, error)
            draft.unlink(missing_ok=True)


# -- from a job's counts ---------------------------------------------------------------------------


def judged(
    matrix: NDArray[np.int64],
    entry: Mapping[str, Any],
    class_ids: Sequence[int],
    names: Mapping[int, str],
) -> ClassScores:
    """Scores of one image.

    Parameters
    ----------
    matrix
        ``(K, K)`` voxels, rows truth.
    entry
        Of the image, as in ``metrics.json``.
    class_ids
        K ids.
    names
        How each id is called.
    """
    return class_scores(matrix, class_ids, names, counted=Counted(entry))


def judged_together(
    matrix: NDArray[np.int64],
    entries: Sequence[Mapping[str, Any]],
    class_ids: Sequence[int],
    names: Mapping[int, str],
) -> ClassScores:
    """Scores of several images; `matrix` is the sum of theirs, the rest as in `judged`."""
    counted = Counted.together([Counted(entry) for entry in entries])
    return class_scores(matrix, class_ids, names, counted=counted)


def over_classes(
    matrix: NDArray[np.int64],
    class_ids: Sequence[int],
    names: Mapping[int, str],
    group: Sequence[str],
) -> dict[str, float | None]:
    """`group_scores` of a group of names; none for all but background."""
    wanted = {name.casefold() for name in group}
    ids = {i for i in class_ids if names[i].casefold() in wanted}
    found = group_scores(matrix, class_ids, ids)
    if group and not ids:  # a run that knows none of them
        found |= dict.fromkeys(("mean_iou_group", "mean_recall_group"))
    return found


def write_metrics(run: RunFolder, facts: Mapping[str, Any]) -> None:
    """Write ``metrics.json`` at the end of a job, and keep its scores for quick reading.

    Raises
    ------
    OSError
        When the folder is gone or the disk refuses.
    """
    write_json(run.metrics_path, facts)
    keep_scores(run)


def keep_scores(run: RunFolder) -> None:
    """Write the file of kept scores anew; nothing happens where that fails."""
    try:
        kept = _built(run)
        if kept is not None:
            kept.write()
    except (OSError, LookupError) as error:
        _log.info("scores of “%s” are not kept: %s", run.path.name, error)


def kept_scores(run: RunFolder) -> KeptScores | None:
    """The scores of a run; None while there are none, or ``metrics.json`` is damaged."""
    found = _read(run, with_arrays=False)
    if found is not None:
        return KeptScores(run, found[0])
    built = _built(run)
    if built is not None:
        built.write()
    return built


def _read(run: RunFolder, *, with_arrays: bool = True) -> tuple[Head, bytes] | None:
    """The file, where it is whole and of today's ``metrics.json``."""
    try:
        with open(run.path / KEPT_FILE, "rb") as file:
            start = file.read(len(_MAGIC) + _LENGTH.size)
            if not start.startswith(_MAGIC):
                return None
            size, rest = _LENGTH.unpack(start[len(_MAGIC) :])
            whole = os.fstat(file.fileno()).st_size
            if whole != len(start) + size + rest:
                return None
            head = HEAD.decode(file.read(size))
            is_todays = head.version == KEPT_VERSION and head.score_names == list(EVERY_SCORE)
            if not is_todays or head.stamp != _stamp(run):
                return None
            if (
                not images_of(bytes(head.images)).is_whole()
                or truths_of(bytes(head.truths)) is None
            ):
                return None
            return head, file.read() if with_arrays else b""
    except (OSError, struct.error, msgspec.DecodeError, ValueError):
        return None


def _built(run: RunFolder) -> KeptScores | None:
    """All scores, from ``metrics.json``."""
    try:
        stamp = _stamp(run)
    except OSError:
        return None
    metrics = run.metrics()
    if metrics is None:
        return None
    more = {key: value for key, value in metrics.items() if key != "images"}
    noted = {str(entry.get("id")): Truth.noted(entry) for entry in image_facts(run)}
    truths, nothing = msgspec.Raw(msgspec.msgpack.encode(noted)), msgspec.Raw()
    images = KeptImages()
    head = Head(KEPT_VERSION, stamp, [], [], list(EVERY_SCORE), nothing, more, truths, {})
    cells: list[tuple[NDArray[np.int64], ClassScores]] = []
    try:
        names = {int(c["id"]): str(c["name"]) for c in metrics["classes"]}
        if not all(BACKGROUND <= class_id <= MAX_CLASS_ID for class_id in names):
            raise ValueError("impossible classes")
        head.class_ids, head.class_names = list(names), list(names.values())
        for place, entry in enumerate(metrics["images"]):
            matrix = np.asarray(entry["confusion"], np.int64)
            split, size = entry["split"], len(names)
            is_whole = matrix.shape == (size, size) and 0 <= matrix.min() <= matrix.max() < 2**50
            if not is_whole or not isinstance(split, str):
                continue
            _note(images, place, entry, split)
            cells.append((matrix, judged(matrix, entry, head.class_ids, _by_id(head.class_ids))))
    except (KeyError, TypeError, ValueError, OverflowError):
        images = KeptImages()  # a damaged file: as good as no scores
        cells.clear()
    head.images = msgspec.Raw(msgspec.msgpack.encode(images))
    kept = KeptScores(run, head, Arrays(head, len(images), _as_bytes(head, cells)))
    for split in dict.fromkeys(images.splits):
        numbers = [n for n, own in enumerate(images.splits) if own == split]
        head.sets[set_key(kept.images, numbers)] = kept._count(numbers)
    return kept


def _note(images: KeptImages, place: int, entry: Mapping[str, Any], split: str) -> None:
    image_id, sha256 = str(entry["image_id"]), str(entry["sha256"])
    counted = Counted(entry)
    images.places.append(place)
    images.ids.append(image_id)
    images.hashes.append(sha256)
    images.names.append(str(entry.get("image", f"{image_id} {sha256}")))
    images.splits.append(split)
    images.has_objects.append(counted.objects is not None)
    images.units.append(counted.unit)


def _as_bytes(head: Head, cells: Sequence[tuple[NDArray[np.int64], ClassScores]]) -> bytes:
    others = others_of(head.class_ids)
    found = [_cells(scores, head.score_names, others) for _, scores in cells]
    facts = [[getattr(scores, name) for name in FACTS] for _, scores in cells]
    return b"".join(
        (
            *(matrix.tobytes() for matrix, _ in cells),
            *(values.tobytes() for values, _ in found),
            np.array(facts, np.float64).tobytes(),
            *(known.tobytes() for _, known in found),
        )
    )


def _cells(
    scores: ClassScores, score_names: Sequence[str], class_ids: Sequence[int]
) -> tuple[Floats, NDArray[np.uint8]]:
    """Values ``(scores, classes)`` by name and id, NaN for None, and whether there is an entry."""
    rows = [scores.by_class[name] for name in score_names]
    ids = [str(class_id) for class_id in class_ids]
    shape = len(rows), len(ids)
    values = np.array([[row.get(i) for i in ids] for row in rows], np.float64).reshape(shape)
    known = np.array([[i in row for i in ids] for row in rows], np.uint8).reshape(shape)
    return values, known


@functools.lru_cache(maxsize=4)
def _decoded(path: str, stamp: tuple[int, int]) -> list[Any]:
    """The images of a ``metrics.json``; of a few files, as they may be large."""
    found = read_json(Path(path))
    listed = found.get("images") if found is not None else None
    return listed if isinstance(listed, list) else []


def _listed(run: RunFolder, stamp: tuple[int, int]) -> list[Any]:
    listed = _decoded(str(run.metrics_path), stamp)
    if _stamp(run) != stamp:
        raise LookupError(f"the scores of {run.path.name} are others now")
    return listed


def _stamp(run: RunFolder) -> tuple[int, int]:
    """Size and time of ``metrics.json``."""
    found = os.stat(run.metrics_path)
    return found.st_size, found.st_mtime_ns


def _by_id(class_ids: Sequence[int]) -> dict[int, str]:
    """Classes by a name that does not change."""
    return {class_id: str(class_id) for class_id in class_ids}


def _or_none(value: float | None) -> float | None:
    return None if value is None or value != value else value


def _mean(values: Floats) -> float:
    """Of those that are there, added up as `gui.comparing.measures.average` does; NaN of none."""
    found = [value for value in values.tolist() if value == value]
    return sum(found) / len(found) if found else float("nan")
