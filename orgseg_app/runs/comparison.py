"""Comparing runs on the same held-out images: each image by itself, and all pooled.

Scores are computed here from the confusion matrices that jobs wrote, so that every run is judged by
the same code. Pooled scores use only the images that all runs were scored on; what is missing, what
a run had seen while learning, and what was painted anew since, is said beside the figures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, MAX_CLASS_ID
from orgseg_app.core.metrics.class_groups import GROUP_SCORES
from orgseg_app.core.split import TEST
from orgseg_app.files.errors import FileError
from orgseg_app.runs.class_scores import (
    PER_CLASS,
    PER_OBJECT,
    ClassScores,
    Objects,
    class_scores,
    objects_of,
    pooled_objects,
)
from orgseg_app.runs.ensembles import KIND, facts_of
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.pairs import pairs_of
from orgseg_app.runs.process import write_json
from orgseg_app.runs.recipes.wording import describe
from orgseg_app.runs.withheld import image_facts, is_banded, refused_in, seen_by

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

_COLUMNS = (
    *("run", "id", "split", "image", "class"),
    *(*PER_CLASS, *PER_OBJECT, *GROUP_SCORES, "leaked"),
)


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
class RunScores:
    """How a run did on all images compared.

    Attributes
    ----------
    run_id, name, state, recipe : str
        ``recipe`` in one line; of an ensemble, its members.
    per_image : tuple of ImageScores
        In the order of `Comparison.images`, missing ones left out.
    pooled : ClassScores or None
        Over `Comparison.common_images`; None when the run has no scores.
    missing : tuple of str
        Images the run was not scored on.
    refused : mapping of str to str
        Image id → why its score would not be honest; such images are missing, too.
    is_banded : bool
        Judged on a band of an image that it learned from in another band, not on whole images.
    seconds, seconds_per_megapixel : float or None
        Time to train; time to predict.
    """

    run_id: str
    name: str
    state: str
    recipe: str
    per_image: tuple[ImageScores, ...]
    pooled: ClassScores | None
    missing: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    is_banded: bool = False
    seconds: float | None = None
    seconds_per_megapixel: float | None = None

    @property
    def leaked(self) -> tuple[str, ...]:
        """Images the run had seen while learning."""
        return tuple(item.image for item in self.per_image if item.is_leaked)

    def to_dict(self) -> dict[str, Any]:
        """As in ``compare.json``."""
        return {
            "id": self.run_id,
            "name": self.name,
            "state": self.state,
            "recipe": self.recipe,
            "per_image": [
                {
                    "image": item.image,
                    "image_id": item.image_id,
                    "sha256": item.sha256,
                    **item.scores.to_dict(),
                    "leaked": item.is_leaked,
                    "outdated": item.is_outdated,
                }
                for item in self.per_image
            ],
            "pooled": self.pooled.to_dict() if self.pooled else {score: {} for score in PER_CLASS},
            "leaked": list(self.leaked),
            "missing": list(self.missing),
            "refused": [{"image_id": i, "reason": text} for i, text in self.refused.items()],
            "seconds": self.seconds,
            "seconds_per_megapixel": self.seconds_per_megapixel,
        }


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    split : str
    images : tuple of str
        All images compared, as shown.
    common_images : tuple of str
        Those that every run with scores was scored on; pooled scores are over these.
    classes : tuple of str
        Names of all classes but background.
    runs : tuple of RunScores
    notes : tuple of str
        Sentences to read before trusting the figures.
    group : tuple of str
        Classes that the means of a group are over; none for all but background.
    """

    split: str
    images: tuple[str, ...]
    common_images: tuple[str, ...]
    classes: tuple[str, ...]
    runs: tuple[RunScores, ...]
    notes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``compare.json``, which scripts rely on."""
        return {
            "split": self.split,
            "images": list(self.images),
            "common_images": list(self.common_images),
            "classes": list(self.classes),
            "group": list(self.group) or list(self.classes),
            "runs": [run.to_dict() for run in self.runs],
            "pairs": [pair.to_dict() for pair in pairs_of(self)],
            "notes": list(self.notes),
        }


class _Truth(NamedTuple):
    """Fingerprints of what was painted on an image.

    Attributes
    ----------
    mask : str
    objects : str or None
        None where nobody noted it, as older versions did not.
    """

    mask: str
    objects: str | None = None

    @classmethod
    def noted(cls, entry: Mapping[str, Any]) -> _Truth:
        """What a run's request says of an image."""
        objects = entry.get("objects_sha256")
        return cls(str(entry.get("mask_sha256")), objects if isinstance(objects, str) else None)

    def has_changed(self, since: _Truth | None, *, has_objects: bool) -> bool:
        """Whether scores, perhaps of objects, were computed from another truth than this."""
        if since is None or since.mask != self.mask:
            return True
        is_noted = self.objects is not None and since.objects is not None
        return has_objects and is_noted and self.objects != since.objects


@dataclass
class _Scored:
    """What one run has to offer: matrices by image, and the classes they count."""

    run: RunFolder
    metrics: dict[str, Any]
    class_ids: list[int] = field(default_factory=list)
    class_names: dict[int, str] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    refused: dict[str, str] = field(default_factory=dict)
    truths: dict[str, _Truth] = field(default_factory=dict)

    def matrix(self, key: str) -> NDArray[np.int64]:
        return np.asarray(self.entries[key]["confusion"], np.int64)


def scored_by(run: RunFolder, scorings: Sequence[RunFolder] = ()) -> RunFolder:
    """Whose scores count for a run: its newest finished scoring job, else the run itself.

    Parameters
    ----------
    run : RunFolder
    scorings : sequence of RunFolder
        Runs of kind ``"score"`` to look among.
    """
    for scoring in sorted(scorings, key=lambda item: item.created, reverse=True):
        is_mine = scoring.request.get("scored_run") == run.run_id
        if is_mine and scoring.state == "finished" and scoring.metrics() is not None:
            return scoring
    return run


def _gather(run: RunFolder, source: RunFolder, split: str) -> _Scored:
    metrics = source.metrics()
    scored = _Scored(run, metrics or {})
    scored.seen = seen_by(run, source, split)
    scored.truths = {str(e.get("id")): _Truth.noted(e) for e in image_facts(source)}
    if metrics is None:
        return scored
    try:
        scored.class_names = {int(c["id"]): str(c["name"]) for c in metrics["classes"]}
        scored.class_ids = list(scored.class_names)
        size = len(scored.class_ids)
        for entry in metrics["images"]:
            matrix = np.asarray(entry["confusion"], np.int64)
            is_whole = matrix.shape == (size, size) and 0 <= matrix.min() <= matrix.max() < 2**50
            if entry["split"] == split and is_whole:
                scored.entries[f"{entry['image_id']} {entry['sha256']}"] = entry
        if not all(BACKGROUND <= class_id <= MAX_CLASS_ID for class_id in scored.class_ids):
            scored.entries.clear()
    except (KeyError, TypeError, ValueError, OverflowError):
        scored.entries.clear()  # a damaged file: as good as no scores
    # What a run refused when it had its training images before it, no later scoring brings back.
    scored.refused = refused_in(metrics, split) | refused_in(run.metrics(), split)
    scored.entries = {
        key: entry
        for key, entry in scored.entries.items()
        if str(entry["image_id"]) not in scored.refused
    }
    return scored


def compare(
    project_file: ProjectFile | None,
    runs: Sequence[RunFolder],
    split: str = TEST,
    image_ids: Collection[str] | None = None,
    *,
    group: Collection[str] = (),
) -> Comparison:
    """Line runs up on the images of one split.

    Parameters
    ----------
    project_file : ProjectFile or None
        Names of images and classes are taken from it, and what was painted anew is noticed; None:
        the runs' own words count.
    runs : sequence of RunFolder
        In the order of the table.
    split : str
        ``"test"``, ``"validation"`` or ``"train"``.
    image_ids : collection of str, optional
        Only these images count; by default all that any run was scored on.
    group : collection of str, optional
        Names of the classes that the means of a group are over; by default all but background.

    Returns
    -------
    Comparison
        Runs without scores are kept, with everything missing.
    """
    scorings: list[RunFolder] = []
    if project_file is not None:
        scorings = [run for run in list_runs(project_file.path) if run.kind == "score"]
    gathered = [_gather(run, scored_by(run, scorings), split) for run in runs]
    if image_ids is not None:
        for item in gathered:
            item.entries = {
                key: entry
                for key, entry in item.entries.items()
                if str(entry["image_id"]) in image_ids
            }
            item.refused = {i: text for i, text in item.refused.items() if i in image_ids}
    with_scores = [item for item in gathered if item.entries]
    keys = list(dict.fromkeys(key for item in with_scores for key in item.entries))
    names = _image_names(project_file, with_scores, keys)
    truths = _todays_truths(project_file, with_scores)
    common = [key for key in keys if all(key in item.entries for item in with_scores)]
    class_names: dict[int, str] = {}
    for item in with_scores:
        class_names |= item.class_names
    if project_file is not None:
        class_names |= {c.class_id: c.name for c in project_file.project.classes}
    shown = tuple(
        _run_scores(item, keys, common, names, truths, class_names, group) for item in gathered
    )
    used = {class_id for item in with_scores for class_id in item.class_ids} - {BACKGROUND}
    return Comparison(
        split=split,
        images=tuple(names[key] for key in keys),
        common_images=tuple(names[key] for key in common),
        classes=tuple(class_names[class_id] for class_id in sorted(used)),
        runs=shown,
        group=tuple(group),
        notes=tuple(_notes(shown, split, len(common), len(keys))),
    )


def _image_names(
    project_file: ProjectFile | None, gathered: Sequence[_Scored], keys: Sequence[str]
) -> dict[str, str]:
    """How each image is called today, or was when it was scored."""
    names: dict[str, str] = {}
    for key in keys:
        entry = next(item.entries[key] for item in gathered if key in item.entries)
        known = project_file.project.images if project_file is not None else {}
        image = known.get(str(entry["image_id"]))
        names[key] = image.name if image is not None else str(entry.get("image", key))
    return names


def _todays_truths(
    project_file: ProjectFile | None, gathered: Sequence[_Scored]
) -> dict[str, _Truth]:
    """What is painted on each image, by its id; the newest run's word if there is no file."""
    truths: dict[str, _Truth] = {}
    for item in sorted(gathered, key=lambda item: item.run.created):
        truths |= item.truths
    if project_file is not None:
        wanted = {str(entry["image_id"]) for item in gathered for entry in item.entries.values()}
        for image_id in wanted & set(project_file.project.images):
            noted = [item.truths.get(image_id) for item in gathered]
            asks = any(truth is not None and truth.objects is not None for truth in noted)
            objects = project_file.objects_sha256(image_id) if asks else None
            truths[image_id] = _Truth(project_file.mask_sha256(image_id), objects)
    return truths


def _run_scores(
    item: _Scored,
    keys: Sequence[str],
    common: Sequence[str],
    names: Mapping[str, str],
    truths: Mapping[str, _Truth],
    class_names: Mapping[int, str],
    group: Collection[str],
) -> RunScores:
    def judged(matrix: NDArray[np.int64], objects: Objects | None) -> ClassScores:
        return class_scores(matrix, item.class_ids, class_names, objects=objects, group=group)

    objects = {key: objects_of(entry) for key, entry in item.entries.items()}
    per_image = tuple(
        ImageScores(
            image=names[key],
            image_id=str(entry["image_id"]),
            sha256=str(entry["sha256"]),
            scores=judged(item.matrix(key), objects[key]),
            is_leaked=str(entry["sha256"]) in item.seen,
            is_outdated=_is_outdated(item, truths, str(entry["image_id"]), objects[key]),
        )
        for key in keys
        if (entry := item.entries.get(key)) is not None
    )
    pooled = None
    if item.entries and common:
        total = np.sum([item.matrix(key) for key in common], axis=0)
        pooled = judged(total, pooled_objects([objects[key] for key in common]))
    return RunScores(
        run_id=item.run.run_id,
        name=item.run.name,
        state=item.run.state,
        recipe=made_of(item.run),
        per_image=per_image,
        pooled=pooled,
        missing=tuple(names[key] for key in keys if key not in item.entries),
        refused=item.refused,
        is_banded=bool(item.entries) and is_banded(item.run),
        seconds=_number(item.metrics.get("seconds")),
        seconds_per_megapixel=_number(item.metrics.get("seconds_per_megapixel")),
    )


def _is_outdated(
    item: _Scored, truths: Mapping[str, _Truth], image_id: str, objects: Objects | None
) -> bool:
    today, then = truths.get(image_id), item.truths.get(image_id)
    if today is None:
        return then is not None
    return today.has_changed(then, has_objects=objects is not None)


def made_of(run: RunFolder) -> str:
    """A run's recipe, or the members of an ensemble, in one line; "" where it has neither."""
    if run.kind == KIND:
        return facts_of(run).words
    recipe = run.recipe
    return describe(recipe) if recipe else ""


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float)) else None
    except OverflowError:
        return None


def _notes(runs: Sequence[RunScores], split: str, common: int, total: int) -> list[str]:
    notes = _refusals(runs)
    if not total and not notes:
        return [
            f"No run has scores on the {split} split yet. Paint an image of that split, train (or "
            "wait for the runs to finish), then compare."
        ]
    if common < total:
        notes.append(f"Pooled scores are over the {common} of {total} images all runs have.")
    for run in runs:
        if not run.per_image and not run.refused:
            notes.append(f'"{run.name}" has no scores on the {split} split ({run.state}).')
        elif len(run.missing) > len(run.refused):
            notes.append(f'"{run.name}" was not scored on {len(run.missing)} of {total} images.')
        if run.is_banded and len(runs) > 1:
            notes.append(
                f'"{run.name}" was judged on a band of the image only; those of other runs may lie '
                "elsewhere."
            )
        if run.leaked:
            notes.append(
                f'"{run.name}" had seen {", ".join(run.leaked)} while learning; its scores there '
                "flatter it."
            )
        if outdated := [item.image for item in run.per_image if item.is_outdated]:
            notes.append(
                f'{", ".join(outdated)} changed after "{run.name}" was scored; score it again.'
            )
    return notes


def _refusals(runs: Sequence[RunScores]) -> list[str]:
    """Why scores are left out, each sentence once, with the runs that it is about."""
    about: dict[str, list[str]] = {}
    for run in runs:
        for reason in run.refused.values():
            about.setdefault(reason, []).append(f'"{run.name}"')
    return [f"{', '.join(names)}: {reason}" for reason, names in about.items()]


def comparison_rows(comparison: Comparison) -> list[dict[str, object]]:
    """The table, one row a run, image and class; pooled rows have the image ``(pooled)``."""
    rows: list[dict[str, object]] = []
    for run in comparison.runs:
        parts = [(item.image, item.scores, item.is_leaked) for item in run.per_image]
        if run.pooled is not None:
            parts.append(("(pooled)", run.pooled, bool(run.leaked)))
        for image, values, leaked in parts:
            for name in values.by_class["iou"]:
                row: dict[str, object] = {"run": run.name, "id": run.run_id}
                row |= {"split": comparison.split, "image": image, "class": name}
                scores = (*PER_CLASS, *PER_OBJECT)
                row |= {score: values.by_class[score].get(name) for score in scores}
                row |= values.over_classes
                rows.append(row | {"leaked": "yes" if leaked else "no"})
    return rows


def write_comparison(
    path: Path, comparison: Comparison, more: Mapping[str, Any] | None = None
) -> None:
    """Write a comparison; the suffix of the file chooses the format.

    Parameters
    ----------
    path : Path
        ``.json`` or ``.csv``; replaced in one go when it exists.
    comparison : Comparison
    more : mapping, optional
        Further keys for the JSON file.

    Raises
    ------
    RunError
        For another suffix, or when the file cannot be written.
    """
    if path.suffix.lower() == ".json":
        write = _write_json
    elif path.suffix.lower() == ".csv":
        write = _write_csv
    else:
        raise RunError(
            f'A comparison is written as .json or .csv; "{path.name}" is neither. '
            "Give the file one of these endings."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, comparison, more or {})
    except (OSError, FileError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise RunError(
            f'The comparison could not be written to "{path}": {reason}. The scores are '
            "safe in the runs; choose another place."
        ) from error


def _write_json(path: Path, comparison: Comparison, more: Mapping[str, Any]) -> None:
    write_json(path, comparison.to_dict() | dict(more))


def _write_csv(path: Path, comparison: Comparison, more: Mapping[str, Any]) -> None:
    from orgseg_app.files.export import write_table

    write_table(path, comparison_rows(comparison), _COLUMNS, overwrite=True)
