"""Predictions of one run: one HDF5 file that holds a mask and, if kept, probabilities an image.

Layout (attribute ``format`` = "orgseg-predictions")::

    /predictions/<image_id>
        mask              (Z, Y, X) uint8 class ids, chunks (1, 256, 256), gzip, fletcher32
        probability       (K, Z, Y, X) uint8, 0…255 for 0…1; optional; attribute class_ids: of each
                          of the K, the id of its class

The file is replaced as a whole, as projects are: it is never found half written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK, Mask
from orgseg_app.files import schema
from orgseg_app.files.attributes import read_text, read_value, write_text
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import layers
from orgseg_app.files.safety.audit import (
    DAMAGE,
    check_declared,
    check_objects,
    damaged,
    open_hdf5,
)
from orgseg_app.files.store.draft import drafting

FORMAT = "orgseg-predictions"

PROBABILITIES_BYTES = 256 << 20
"""Larger probabilities are not kept: they take as much memory, and about as much room."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes
    ----------
    image_id
        Of the image in its project.
    mask
        ``(Z, Y, X)`` uint8 class ids.
    probability
        ``(K, Z, Y, X)`` uint8, 0…255 for 0…1; None when not kept.
    class_ids
        Of each of the K, the id of its class; 1…K when empty.
    """

    image_id: str
    mask: NDArray[np.uint8]
    probability: NDArray[np.uint8] | None = None
    class_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class PredictedImage:
    """What a file holds of one image, without its voxels.

    Attributes
    ----------
    shape
        Depth, height and width.
    class_ids
        Classes whose probabilities were kept; none when only the mask was.
    """

    shape: tuple[int, ...]
    class_ids: tuple[int, ...] = ()


def keeps_probabilities(shape: tuple[int, ...], classes: int) -> bool:
    """Whether probabilities of an image with so many voxels are to be kept."""
    return classes * math.prod(shape) <= PROBABILITIES_BYTES


def write_prediction(
    path: str | Path,
    image_id: str,
    mask: NDArray[np.uint8],
    probability: NDArray[np.uint8] | None = None,
) -> None:
    """Add one prediction to the file at ``path``, made when missing; a former one is replaced.

    Several at a time are faster with `write_predictions`.

    Raises
    ------
    ProjectError
        When it cannot be written; the file is as before.
    ValueError
        When the shapes do not fit each other.
    """
    write_predictions(path, [Prediction(image_id, mask, probability)])


def write_predictions(path: str | Path, predictions: Iterable[Prediction]) -> None:
    """Add predictions to the file at ``path`` in one go; all are there afterwards, or none.

    Raises
    ------
    ProjectError
        When they cannot be written, or the file there is no predictions file.
    ValueError
        When the shapes of a mask and its probabilities do not fit.
    """
    target = Path(os.path.realpath(path))
    source: int | None = None
    if os.path.lexists(target):
        with _opened(target):
            pass
        source = os.open(target, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        with drafting(target, source=source) as draft:
            if source is None:
                write_text(draft.file, "format", FORMAT)
                draft.file.create_group("predictions")
            for prediction in predictions:
                _store(draft.file["predictions"], prediction)
                draft.check()
    finally:
        if source is not None:
            os.close(source)


def read_prediction(path: str | Path, image_id: str) -> Prediction:
    """One prediction.

    Raises
    ------
    ProjectError
        When the file cannot be read, or holds no prediction of this image.
    """
    target = Path(path)
    with _opened(target) as file:
        try:
            if image_id not in file["predictions"]:
                raise ProjectError(f"“{target.name}” holds no prediction of this image.")
            group = file["predictions"][image_id]
            for layer in ("mask", "probability"):
                if layer in group:
                    check_declared(group[layer], target.name)
                    if group[layer].dtype != np.uint8:
                        raise damaged(target.name, f"{layer} is {group[layer].dtype}")
            if "probability" not in group:
                return Prediction(image_id, group["mask"][...])
            ids = _class_ids(group["probability"])
            return Prediction(image_id, group["mask"][...], group["probability"][...], ids)
        except FileError:
            raise
        except DAMAGE as error:
            raise damaged(target.name, "a prediction") from error


def predicted_images(path: str | Path) -> list[str]:
    """Ids of the images the file holds predictions of; none where there is no file.

    Raises
    ------
    ProjectError
        When the file cannot be read.
    """
    target = Path(path)
    if not os.path.lexists(target):
        return []
    with _opened(target) as file:
        return [str(image_id) for image_id in file["predictions"]]


def predictions_in(path: str | Path) -> dict[str, PredictedImage]:
    """What the file holds, by image id; nothing where there is no file.

    Raises
    ------
    ProjectError
        When the file cannot be read.
    """
    target = Path(path)
    if not os.path.lexists(target):
        return {}
    found = {}
    with _opened(target) as file:
        try:
            for image_id, group in file["predictions"].items():
                shape = tuple(int(n) for n in group["mask"].shape)
                kept = _class_ids(group["probability"]) if "probability" in group else ()
                found[str(image_id)] = PredictedImage(shape, kept)
        except DAMAGE as error:
            raise damaged(target.name, "a prediction") from error
    return found


def read_predicted_plane(
    path: str | Path, image_id: str, z: int, class_id: int | None = None
) -> NDArray[np.uint8]:
    """One plane of a prediction; no other is read.

    Parameters
    ----------
    class_id
        For the probability of this class in place of the class ids.

    Returns
    -------
    ``(Y, X)`` uint8
        Class ids, or 0…255 for 0…1.

    Raises
    ------
    ProjectError
        When the file cannot be read, or does not hold this.
    """
    target = Path(path)
    with _opened(target) as file:
        try:
            group = file["predictions"][image_id]
            layer = group["mask" if class_id is None else "probability"]
            check_declared(layer, target.name)
            if layer.dtype != np.uint8:
                raise damaged(target.name, f"a prediction is {layer.dtype}")
            place = (z,) if class_id is None else (_class_ids(layer).index(class_id), z)
            plane: NDArray[np.uint8] = layer[place]
            if plane.ndim != 2:
                raise damaged(target.name, "a prediction of another shape")
            return plane
        except FileError:
            raise
        except (KeyError, ValueError, IndexError) as error:
            raise ProjectError(f"“{target.name}” does not hold this prediction.") from error
        except DAMAGE as error:
            raise damaged(target.name, "a prediction") from error


def _class_ids(probability: Any) -> tuple[int, ...]:
    """Ids of the classes of probabilities ``(K, Z, Y, X)``."""
    count = int(probability.shape[0])
    known = np.asarray(read_value(probability, "class_ids"))
    if known.dtype.kind in "iu" and known.shape == (count,):
        return tuple(int(class_id) for class_id in known)
    return tuple(range(1, count + 1))


def _opened(path: Path) -> Any:
    """The checked h5py.File, to be used in a ``with`` statement."""
    file = open_hdf5(path)
    try:
        if read_text(file, "format") != FORMAT or "predictions" not in file:
            raise ProjectError(f"“{path.name}” holds no predictions. It was left as it is.")
        check_objects(file, path.name)
    except FileError:
        file.close()
        raise
    except DAMAGE as error:
        file.close()
        raise damaged(path.name, type(error).__name__) from error
    return file


def _store(group: Any, prediction: Prediction) -> None:
    mask, probability = prediction.mask, prediction.probability
    if mask.ndim != 3 or mask.dtype != np.uint8:
        raise ValueError(f"A predicted mask is (Z, Y, X) uint8, not {mask.shape} {mask.dtype}.")
    if probability is not None and (
        probability.ndim != 4
        or probability.shape[1:] != mask.shape
        or probability.dtype != np.uint8
    ):
        raise ValueError(
            f"Probabilities are (K, Z, Y, X) uint8 over {mask.shape}, "
            f"not {probability.shape} {probability.dtype}."
        )
    if not schema.is_image_id(prediction.image_id):
        raise ValueError(f"{prediction.image_id!r} is no image id.")
    if prediction.image_id in group:
        del group[prediction.image_id]
    item = group.create_group(prediction.image_id)
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    dataset = layers.create_mask(item, shape)
    layers.store_mask(dataset, layers.MaskChange.whole(Mask.from_array(mask)))
    if probability is not None:
        _, _, height, width = probability.shape
        dataset = item.create_dataset(
            "probability",
            shape=probability.shape,
            dtype=np.uint8,
            chunks=(1, 1, min(BLOCK, height), min(BLOCK, width)),
            compression="gzip",
            compression_opts=1,
            fletcher32=True,
        )
        ids = prediction.class_ids or tuple(range(1, probability.shape[0] + 1))
        if len(ids) != probability.shape[0]:
            raise ValueError(f"{probability.shape[0]} probabilities cannot be of classes {ids}.")
        dataset.attrs["class_ids"] = np.array(ids, np.int64)
        for k in range(probability.shape[0]):
            for z in range(probability.shape[1]):
                dataset[k, z] = probability[k, z]
