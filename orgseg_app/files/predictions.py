"""Predictions of one run: one HDF5 file that holds a mask and, if kept, probabilities an image.

Layout (attribute ``format`` = "orgseg-predictions")::

    /predictions/<image_id>
        mask              (Z, Y, X) uint8 class ids, chunks (1, 256, 256), gzip, fletcher32
        probability       (K, Z, Y, X) uint8, 0…255 for 0…1; optional; attribute class_ids: of each
                          of the K, the id of its class
        objects           (Z, Y, X) uint32 object numbers, 0 none; of models that tell objects
                          apart; attribute grouping: how they were made of the maps, as JSON
                          (`core.instances.grouping.GroupingParameters`)
        maps              (M, Z, Y, X) uint8, 0…255 for 0…1: how likely any structure is, and how
                          deep in an object, or heat and ways to centres along two or three axes
                          (`core.instances.centres`); optional

The file is replaced as a whole, as projects are: it is never found half written.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.grouping import GroupingParameters
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

MAPS = (2, 4, 5)
"""How many maps objects may be made of: with depth, or with centres of planes or of volumes."""
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
    objects
        ``(Z, Y, X)`` uint32 object numbers, 0 where there is none; None of models that do not tell
        objects apart.
    maps
        ``(M, Z, Y, X)`` uint8: how likely any structure is, and how deep in an object, or heat and
        ways to centres; None when not kept.
    grouping
        How the objects were made of the maps.
    """

    image_id: str
    mask: NDArray[np.uint8]
    probability: NDArray[np.uint8] | None = None
    class_ids: tuple[int, ...] = ()
    objects: NDArray[np.uint32] | None = None
    maps: NDArray[np.uint8] | None = None
    grouping: GroupingParameters | None = None


@dataclass(frozen=True)
class PredictedImage:
    """What a file holds of one image, without its voxels.

    Attributes
    ----------
    shape
        Depth, height and width.
    class_ids
        Classes whose probabilities were kept; none when only the mask was.
    has_objects, has_maps
        Whether there are objects, and what they can be made anew of.
    grouping
        How the objects were made.
    """

    shape: tuple[int, ...]
    class_ids: tuple[int, ...] = ()
    has_objects: bool = False
    has_maps: bool = False
    grouping: GroupingParameters | None = None


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
            for layer in ("mask", "probability", "maps"):
                if layer in group:
                    _check_layer(group, layer, target.name)
            mask = group["mask"][...]
            found = Prediction(image_id, mask, **_objects_in(group, mask.shape, target.name))
            if "probability" not in group:
                return found
            ids = _class_ids(group["probability"])
            return replace(found, probability=group["probability"][...], class_ids=ids)
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
                found[str(image_id)] = PredictedImage(
                    shape, kept, "objects" in group, "maps" in group, _grouping(group)
                )
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
    with _reading(target, image_id) as group:
        layer = group["mask" if class_id is None else "probability"]
        check_declared(layer, target.name)
        if layer.dtype != np.uint8:
            raise damaged(target.name, f"a prediction is {layer.dtype}")
        place = (z,) if class_id is None else (_class_ids(layer).index(class_id), z)
        plane: NDArray[np.uint8] = layer[place]
        if plane.ndim != 2:
            raise damaged(target.name, "a prediction of another shape")
        return plane


def read_predicted_planes(path: str | Path, image_id: str, z0: int, z1: int) -> NDArray[np.uint8]:
    """Class ids of planes ``z0`` to ``z1 - 1`` of a prediction, ``(Z, Y, X)``; no other is read.

    Raises
    ------
    ProjectError
        When the file cannot be read, or does not hold this.
    """
    target = Path(path)
    with _reading(target, image_id) as group:
        _check_layer(group, "mask", target.name)
        planes: NDArray[np.uint8] = group["mask"][z0:z1]
        if planes.ndim != 3 or len(planes) != z1 - z0:
            raise ProjectError(f"“{target.name}” does not hold this prediction.")
        return planes


def read_predicted_objects(path: str | Path, image_id: str, z: int) -> NDArray[np.uint32]:
    """Object numbers of one plane of a prediction, ``(Y, X)``; no other is read.

    Raises
    ------
    ProjectError
        When the file cannot be read, or does not hold this.
    """
    found: NDArray[np.uint32] = _read_layer(path, image_id, "objects", (z,), 2)
    return found


def read_predicted_maps(path: str | Path, image_id: str, z: int) -> NDArray[np.uint8]:
    """What the objects of one plane are made of, ``(M, Y, X)`` uint8; no other plane is read.

    How likely any structure is, and how deep in an object, or heat and ways to centres: for
    `core.instances.grouping.group`, see `core.instances.centres.parted`.

    Raises
    ------
    ProjectError
        When the file cannot be read, or does not hold this.
    """
    found: NDArray[np.uint8] = _read_layer(path, image_id, "maps", (slice(None), z), 3)
    return found


def _read_layer(
    path: str | Path, image_id: str, layer: str, place: tuple[Any, ...], dimensions: int
) -> NDArray[Any]:
    target = Path(path)
    with _reading(target, image_id) as group:
        _check_layer(group, layer, target.name)
        values: NDArray[Any] = group[layer][place]
        if values.ndim != dimensions or (dimensions == 3 and len(values) not in MAPS):
            raise damaged(target.name, f"{layer} of another shape")
        return values


def _check_layer(group: Any, layer: str, name: str) -> None:
    """Refuse a layer that promises more than can be, or numbers of another kind."""
    check_declared(group[layer], name)
    if group[layer].dtype != (np.uint32 if layer == "objects" else np.uint8):
        raise damaged(name, f"{layer} is {group[layer].dtype}")


def _objects_in(group: Any, shape: tuple[int, ...], name: str) -> dict[str, Any]:
    """Objects and maps of a prediction, those there are."""
    found: dict[str, Any] = {"grouping": _grouping(group)}
    for layer, whole in (("objects", {shape}), ("maps", {(n, *shape) for n in MAPS})):
        if layer in group:
            _check_layer(group, layer, name)
            if group[layer].shape not in whole:
                raise damaged(name, f"{layer} of another shape")
            found[layer] = group[layer][...]
    return found


def _grouping(group: Any) -> GroupingParameters | None:
    """How objects were made; None where nothing is said, or nothing that can be."""
    if "objects" not in group:
        return None
    try:
        kept = json.loads(read_text(group["objects"], "grouping") or "null")
        return GroupingParameters.from_dict(kept) if isinstance(kept, dict) else None
    except (ValueError, RecursionError):
        return None


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


@contextlib.contextmanager
def _reading(path: Path, image_id: str) -> Iterator[Any]:
    """The group of a prediction; what is wrong with it is said in a sentence."""
    with _opened(path) as file:
        try:
            yield file["predictions"][image_id]
        except FileError:
            raise
        except (KeyError, ValueError, IndexError) as error:
            raise ProjectError(f"“{path.name}” does not hold this prediction.") from error
        except DAMAGE as error:
            raise damaged(path.name, "a prediction") from error


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
    if prediction.objects is not None:
        dataset = _store_layer(item, "objects", prediction.objects, np.uint32, shape)
        grouping = prediction.grouping or GroupingParameters()
        write_text(dataset, "grouping", json.dumps(grouping.to_dict()))
    if prediction.maps is not None:
        count = len(prediction.maps)
        if count not in MAPS:
            raise ValueError(f"maps are {MAPS}, not {count}.")
        _store_layer(item, "maps", prediction.maps, np.uint8, (count, *shape))
    if probability is not None:
        dataset = _create_layer(item, "probability", probability.shape, np.uint8)
        ids = prediction.class_ids or tuple(range(1, probability.shape[0] + 1))
        if len(ids) != probability.shape[0]:
            raise ValueError(f"{probability.shape[0]} probabilities cannot be of classes {ids}.")
        dataset.attrs["class_ids"] = np.array(ids, np.int64)
        for k in range(probability.shape[0]):
            for z in range(probability.shape[1]):
                dataset[k, z] = probability[k, z]


def _create_layer(group: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    return group.create_dataset(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(*(1 for _ in shape[:-2]), min(BLOCK, shape[-2]), min(BLOCK, shape[-1])),
        compression="gzip",
        compression_opts=1,
        fletcher32=True,
    )


def _store_layer(
    group: Any, name: str, values: NDArray[Any], dtype: Any, shape: tuple[int, ...]
) -> Any:
    """Write a layer plane by plane.

    Raises
    ------
    ValueError
        When it does not fit the mask.
    """
    if values.shape != shape or values.dtype != dtype:
        raise ValueError(f"{name} are {shape}, not {values.shape} {values.dtype}.")
    dataset = _create_layer(group, name, shape, dtype)
    for place in np.ndindex(shape[:-2]):
        dataset[place] = values[place]
    return dataset
