"""Predicting planes of an image, by networks of planes, of volumes, or of both kinds together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.grouping import as_map
from orgseg_app.learn.device import is_out_of_memory
from orgseg_app.learn.prediction.keeping import Keeper
from orgseg_app.learn.prediction.predictor import Predictor, Progress, most_probable
from orgseg_app.learn.prediction.scratch import Scratch
from orgseg_app.learn.prediction.slabs import Piece, slab_pieces
from orgseg_app.learn.prediction.source import ArrayPlanes, PlaneSource, PreparedPlanes
from orgseg_app.learn.prediction.three_planes import three_plane_pieces

Values = NDArray[np.float32]


@dataclass(frozen=True)
class PredictedPlane:
    """What models say of one plane.

    Attributes
    ----------
    z
        Which plane.
    mask
        ``(Y, X)`` uint8 class ids; never 0.
    probabilities
        ``(K, Y, X)`` uint8, 255 = certain, in the order of the models' classes; None unless asked
        for.
    maps
        ``(2, Y, X)`` uint8: how likely any structure is, and how deep in an object, or more; see
        `maps_of`. None unless asked for, and of models that know no objects.
    """

    z: int
    mask: NDArray[np.uint8]
    probabilities: NDArray[np.uint8] | None
    maps: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Prediction:
    """What a model makes of one image.

    Attributes
    ----------
    mask
        ``(Z, Y, X)`` uint8 class ids; never 0.
    probabilities
        ``(K, Z, Y, X)`` uint8, 255 = certain; None unless asked for.
    """

    mask: NDArray[np.uint8]
    probabilities: NDArray[np.uint8] | None


def predicted_planes(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    *,
    want_probabilities: bool = False,
    want_maps: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[PredictedPlane]:
    """The most probable class of every voxel of some planes of an image.

    Parameters
    ----------
    predictor
        The model or models, of any kinds.
    source
        The image; neighbours of the planes are read where networks look at them.
    planes
        Which ones, in any order.
    want_probabilities, want_maps
        Also return them.
    progress
        Called with tiles done and tiles in all.
    should_stop
        Asked between tiles.

    Yields
    ------
    PredictedPlane
        By increasing z.

    Raises
    ------
    DataError
        When the number of channels does not fit.
    OutOfMemoryError
        When the smallest tiles do not fit into memory.
    StopRequestedError
        When `should_stop` says so.
    """
    ids = np.asarray(predictor.class_ids, np.uint8)
    classes, wants_maps = len(ids), want_maps and predictor.has_depth

    def made(values: Values) -> NDArray[np.uint8]:
        """The mask, and beneath it probabilities and maps where they are wanted."""
        found = [ids[most_probable(values[:classes])][None]]
        if want_probabilities:
            found.append(np.rint(values[:classes] * 255).astype(np.uint8))
        if wants_maps:
            found.append(maps_of(values, predictor.maps))
        return found[0] if len(found) == 1 else np.concatenate(found)

    count = 1 + want_probabilities * classes + predictor.maps * wants_maps
    found = _whole_planes(
        predictor, source, planes, count, np.uint8, made, progress=progress, should_stop=should_stop
    )
    for z, layers in found:
        yield PredictedPlane(
            z,
            layers[0],
            layers[1 : 1 + classes] if want_probabilities else None,
            layers[-predictor.maps :] if wants_maps else None,
        )


def maps_of(values: Values, count: int) -> NDArray[np.uint8]:
    """What objects are made of, ``(count, …)``: any structure, and depth, of all outputs.

    `Predictor.maps` says how many; with three or more it is heat and ways in place of the depth.
    """
    return as_map(np.concatenate([1 - values[:1], values[1 - count :]]))


def probability_planes(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Values]]:
    """As `predicted_planes`: z and ``(outputs, Y, X)`` float32, as `Band.probabilities`."""
    yield from _whole_planes(
        predictor,
        source,
        planes,
        predictor.outputs,
        np.float32,
        lambda values: values,
        progress=progress,
        should_stop=should_stop,
    )


def pieces(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    *,
    keeper: Keeper,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Piece]:
    """What the models say of some planes, as parts of them are finished.

    Planes come in order, of each few planes all rows from the first on; when memory runs out, the
    same planes come once more. Parameters and errors as `predicted_planes`.

    Parameters
    ----------
    planes
        By increasing z, none twice. Others between them may come as well.
    keeper
        Where to go on, and where to set aside.
    """
    if not planes:
        return iter(())
    way = plane_pieces if predictor.deep is None else slab_pieces
    if predictor.three_planes and source.shape[1] > 1:
        way = three_plane_pieces
    return way(predictor, source, planes, keeper=keeper, progress=progress, should_stop=should_stop)


def plane_pieces(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    *,
    keeper: Keeper,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[Piece]:
    """What networks of planes say of some planes, one by one; as `pieces`."""
    assert predictor.flat is not None
    prepared = PreparedPlanes(predictor, source, predictor.flat.members)
    done = 0 if keeper.start is None else keeper.start["planes"]

    def tell(tiles: int, total: int) -> None:
        if progress is not None:
            progress(number * total + tiles, len(planes) * total)

    for number in range(done, len(planes)):
        stacks = prepared.stacks(planes[number])
        while True:
            try:
                for band in predictor.bands_of_prepared(
                    stacks, progress=tell, should_stop=should_stop
                ):
                    yield Piece(planes[number], band.start, band.probabilities[:, None])
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            predictor.use_less()
        keeper.reached({"planes": number + 1})


def _whole_planes(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    count: int,
    dtype: type[np.generic],
    make: Callable[[Values], NDArray[Any]],
    *,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Planes with their z, ``(count, Y, X)``, made of pieces ``(outputs, planes, rows, X)``."""
    _, _, height, width = source.shape
    wanted = sorted(set(planes))
    keeper = Keeper(getattr(source, "folder", None))
    try:
        parts = pieces(
            predictor, source, wanted, keeper=keeper, progress=progress, should_stop=should_stop
        )
        for piece in parts:
            depth, rows = piece.values.shape[1:3]
            if piece.y0 == 0:
                kept = Scratch(keeper.folder).array("planes", (count, depth, height, width), dtype)
            kept.put_all(piece.y0, make(piece.values))
            if piece.y0 + rows == height:
                for z in range(piece.z0, piece.z0 + depth):
                    if z in wanted:
                        plane = kept.look()[:, z - piece.z0]
                        yield z, plane if depth == 1 else np.array(plane)
                kept.close()
    finally:
        keeper.close()


def predict_image(
    predictor: Predictor,
    pixels_czyx: NDArray[Any],
    *,
    want_probabilities: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Prediction:
    """The most probable class of every voxel of an image in memory.

    Parameters
    ----------
    pixels_czyx
        ``(C, Z, Y, X)`` uint8, uint16 or float32.
    progress
        Called with planes done and planes in all.
    predictor, want_probabilities, should_stop
        As in `predicted_planes`.
    """
    _, depth, height, width = pixels_czyx.shape
    mask = np.empty((depth, height, width), np.uint8)
    shape = (len(predictor.class_ids), depth, height, width)
    probabilities = np.empty(shape, np.uint8) if want_probabilities else None
    source = ArrayPlanes(pixels_czyx, predictor.models[0].pixel_size_um)
    for plane in predicted_planes(
        predictor,
        source,
        range(depth),
        want_probabilities=want_probabilities,
        should_stop=should_stop,
    ):
        mask[plane.z] = plane.mask
        if probabilities is not None and plane.probabilities is not None:
            probabilities[:, plane.z] = plane.probabilities
        if progress is not None:
            progress(plane.z + 1, depth)
    return Prediction(mask, probabilities)
