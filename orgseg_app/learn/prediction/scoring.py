"""Scoring a model on the annotated images of a snapshot: ``metrics.json`` and predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.metrics.judging import RatedCounter, facts_of_image
from orgseg_app.core.metrics.pixels import scores
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TEST
from orgseg_app.core.stopping import StoppedError
from orgseg_app.files.predictions import Prediction, keeps_probabilities, write_predictions
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.data.dataset import painted_planes
from orgseg_app.learn.data.leakage import leaks
from orgseg_app.learn.data.splitting import SplitPlan, plan_split
from orgseg_app.learn.errors import DataError, StopRequestedError
from orgseg_app.learn.prediction.instances import Found, objects_of
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.source import ProjectPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes


@dataclass
class Scores:
    """What was found out about a model.

    Attributes
    ----------
    classes
        Of the snapshot, background first; rows and columns of the matrices.
    images
        One entry an image, as in ``metrics.json``.
    refused
        Test images without a score, with the reason: see `learn.data.leakage`.
    megapixels, seconds
        Predicted in all, and how long that took.
    """

    classes: tuple[ClassInfo, ...]
    images: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    megapixels: float = 0.0
    seconds: float = 0.0

    def pooled(self, split: str) -> dict[str, Any] | None:
        """Scores over all images of a split together; None when there is none."""
        matrices = [np.asarray(e["confusion"]) for e in self.images if e["split"] == split]
        if not matrices:
            return None
        return scores(np.sum(matrices, axis=0), [c.class_id for c in self.classes])

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return {
            "classes": [{"id": c.class_id, "name": c.name} for c in self.classes],
            "images": self.images,
            "refused": self.refused,
            "validation": self.pooled("validation"),
            "test": self.pooled("test"),
            "seconds_per_megapixel": self.seconds / self.megapixels if self.megapixels else None,
        }


def score(
    model: Model,
    predictor: Predictor,
    snapshot: ProjectFile,
    *,
    splits: Sequence[str],
    predictions_path: Path,
    progress: Callable[[int, int, str], object],
    plan: SplitPlan | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Scores:
    """Predict the painted planes of a snapshot's images, keep the masks, count agreement.

    Planes without paint stay 0 (not predicted) in the kept masks. Test images that the model may
    know already are predicted, but not scored.

    Parameters
    ----------
    model, predictor
        The model and itself on a device.
    snapshot
        Opened for reading.
    splits
        ``"validation"``, ``"test"``.
    predictions_path
        HDF5 file for the masks.
    progress
        Called with images done, images in all and the name.
    plan
        What each split may use of the images; by the recipe of the model when not given.
    should_stop
        Asked between tiles.

    Raises
    ------
    DataError
        When the model does not know a class of the snapshot, or an image's channels do not fit.
    OutOfMemoryError
        When the smallest tiles do not fit into memory.
    StopRequestedError
        When `should_stop` says so.
    """
    plan = plan_split(snapshot, model.recipe) if plan is None else plan
    classes = snapshot.project.classes
    table, ids = class_table(model.classes, classes), [c.class_id for c in classes]
    found = Scores(classes)
    known = leaks(snapshot, plan, model.training_images) if TEST in splits else {}
    wanted = _by_image(snapshot, plan, splits)

    def goes_on() -> bool:
        return should_stop is None or not should_stop()

    def predictions() -> Iterator[Prediction]:
        for number, (image, truth) in enumerate(wanted):
            progress(number, len(wanted), image.name)
            start = time.perf_counter()
            both = np.maximum.reduce(list(truth.values()))
            rating = _Rating(truth, ids[1:], [int(table[i]) for i in predictor.class_ids])
            seen, instances = _predicted(predictor, snapshot, image, both, rating, should_stop)
            mask = table[seen]
            found.seconds += time.perf_counter() - start - rating.seconds
            found.megapixels += len(painted_planes(both)) * both.shape[1] * both.shape[2] / 1e6
            for split, part in truth.items():
                name = {"image": image.name, "image_id": image.image_id}
                if split == TEST and image.image_id in known:
                    reason = known[image.image_id]
                    found.refused.append({**name, "split": split, "reason": reason})
                    continue
                facts = facts_of_image(
                    part,
                    mask,
                    ids,
                    pixel_size_um=image.pixel_size_um,
                    true_objects=snapshot.objects(image.image_id),
                    predicted_objects=instances.objects if instances is not None else None,
                    rated=rating.counters[split].rated(),
                    goes_on=goes_on,
                )
                hashes = {
                    "mask_sha256": snapshot.mask_sha256(image.image_id),
                    "sha256": image.sha256,
                }
                found.images.append({**name, **hashes, "split": split, **facts})
            yield _with_objects(Prediction(image.image_id, mask), instances)

    if wanted:
        try:
            write_predictions(predictions_path, predictions())
        except StoppedError:
            raise StopRequestedError("Stopped as asked.") from None
    progress(len(wanted), len(wanted), "")
    return found


class _Rating:
    """Counts voxels by probability while planes are predicted, for each split by itself.

    Attributes
    ----------
    counters
        Of each split.
    seconds
        What it took; predicting alone would not need it.
    """

    def __init__(
        self,
        truths: Mapping[str, NDArray[np.uint8]],
        class_ids: Sequence[int],
        of_classes: Sequence[int],
    ) -> None:
        self._truths, self._of_classes = truths, of_classes
        self.counters = {split: RatedCounter(class_ids) for split in truths}
        self.seconds = 0.0

    def add(self, z: int, probabilities: NDArray[np.uint8]) -> None:
        """Count a plane; ``(K, Y, X)``."""
        start = time.perf_counter()
        for split, counter in self.counters.items():
            counter.add(self._truths[split][z], probabilities, self._of_classes)
        self.seconds += time.perf_counter() - start


def _by_image(
    snapshot: ProjectFile, plan: SplitPlan, splits: Sequence[str]
) -> list[tuple[ProjectImage, dict[str, NDArray[np.uint8]]]]:
    """Each image once, with its ground truth in each of the splits that has some."""
    found: dict[str, tuple[ProjectImage, dict[str, NDArray[np.uint8]]]] = {}
    for split in splits:
        for image, truth in plan.truths(snapshot, split):
            found.setdefault(image.image_id, (image, {}))[1][split] = truth
    return list(found.values())


def predict_snapshot(
    model: Model,
    predictor: Predictor,
    snapshot: ProjectFile,
    *,
    predictions_path: Path,
    progress: Callable[[int, int, str], object],
    should_stop: Callable[[], bool] | None = None,
) -> int:
    """Predict every plane of every image of a snapshot, painted or not; how many images.

    Masks are kept, and the probabilities of images up to `PROBABILITIES_BYTES`. Parameters and
    errors as in `score`.
    """
    table = class_table(model.classes, snapshot.project.classes)
    ids = tuple(int(table[class_id]) for class_id in predictor.class_ids)
    images = list(snapshot.project.images.values())

    def predictions() -> Iterator[Prediction]:
        for number, image in enumerate(images):
            progress(number, len(images), image.name)
            mask = np.zeros(image.mask_shape, np.uint8)
            kept = maps = None
            if keeps_probabilities(mask.shape, len(ids)):
                kept = np.zeros((len(ids), *mask.shape), np.uint8)
            if predictor.has_depth:
                maps = np.zeros((predictor.maps, *mask.shape), np.uint8)
            for plane in predicted_planes(
                predictor,
                ProjectPlanes(snapshot, image),
                range(image.shape[1]),
                want_probabilities=kept is not None,
                want_maps=maps is not None,
                should_stop=should_stop,
            ):
                mask[plane.z] = plane.mask
                if kept is not None and plane.probabilities is not None:
                    kept[:, plane.z] = plane.probabilities
                if maps is not None and plane.maps is not None:
                    maps[:, plane.z] = plane.maps
            made = Prediction(image.image_id, table[mask], kept, ids if kept is not None else ())
            if maps is None:
                yield made
                continue
            size = image.pixel_size_um
            instances = objects_of(predictor, maps, pixel_size_um=size, say=predictor.say)
            yield _with_objects(made, instances)

    write_predictions(predictions_path, predictions())
    progress(len(images), len(images), "")
    return len(images)


def _predicted(
    predictor: Predictor,
    snapshot: ProjectFile,
    image: ProjectImage,
    truth: NDArray[np.uint8],
    rating: _Rating,
    should_stop: Callable[[], bool] | None,
) -> tuple[NDArray[np.uint8], Found | None]:
    """The model's class ids ``(Z, Y, X)`` on the painted planes, 0 on the others.

    And its objects there, of models that tell objects apart. Probabilities are counted plane by
    plane, and not kept.
    """
    mask = np.zeros(truth.shape, np.uint8)
    maps = np.zeros((predictor.maps, *truth.shape), np.uint8) if predictor.has_depth else None
    source, painted = ProjectPlanes(snapshot, image), painted_planes(truth)
    try:
        for plane in predicted_planes(
            predictor,
            source,
            painted,
            want_probabilities=True,
            want_maps=maps is not None,
            should_stop=should_stop,
        ):
            mask[plane.z] = plane.mask
            if plane.probabilities is not None:
                rating.add(plane.z, plane.probabilities)
            if maps is not None and plane.maps is not None:
                maps[:, plane.z] = plane.maps
    except DataError as error:
        raise DataError(f'"{image.name}" cannot be scored. {error}') from None
    if maps is None:
        return mask, None
    size = image.pixel_size_um
    return mask, objects_of(predictor, maps, painted, pixel_size_um=size, say=predictor.say)


def _with_objects(prediction: Prediction, found: Found | None) -> Prediction:
    """The prediction with its objects, and what they are made of where that is not too large."""
    if found is None:
        return prediction
    maps = found.maps if keeps_probabilities(found.objects.shape, len(found.maps)) else None
    return replace(prediction, objects=found.objects, maps=maps, grouping=found.grouping)


def class_table(model: Sequence[ClassInfo], project: Sequence[ClassInfo]) -> NDArray[np.uint8]:
    """Table ``(256,)`` from the class ids of a model to those of a project, by name.

    Raises
    ------
    DataError
        With a sentence, when the project lacks a class that the model predicts.
    """
    known = {c.name.casefold(): c.class_id for c in project}
    known |= {"background": project[0].class_id}
    table = np.zeros(256, np.uint8)
    for info in model:
        name = "background" if info is model[0] else info.name.casefold()
        if name not in known:
            raise DataError(
                f'The model predicts the class "{info.name}", which the project does not have. '
                "Add a class of that name, or choose another model."
            )
        table[info.class_id] = known[name]
    return table
