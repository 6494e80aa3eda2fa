"""Prediction: tiles, blended, written row by row.

The image may be larger than what a network can take at once: finished rows leave as soon as no
later tile touches them, so memory follows the width of the image, not its height.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.device import Device, cpu_device, free_memory, is_out_of_memory
from orgseg_app.learn.errors import DataError, OutOfMemoryError, StopRequestedError
from orgseg_app.learn.networks.unet import pad_to_multiple
from orgseg_app.learn.prediction.tiles import Tile, plan_axis, tile_size
from orgseg_app.runs.recipes.costs import features_per_pixel
from orgseg_app.runs.recipes.schema import NetworkChoice

Progress = Callable[[int, int], None]
"""``(done, total)``."""

T = TypeVar("T")

_MOST_STRETCH = 2
"""How many times longer than comfortable a tile may be so that the result is exact."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Band:
    """Finished rows of a plane.

    Attributes
    ----------
    start
        First row.
    probabilities
        ``(K, rows, X)`` float32, in the order of the model's classes; they sum to 1.
    """

    start: int
    probabilities: NDArray[np.float32]


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


class Predictor:
    """One model, or several whose probabilities are averaged, ready on a device.

    Parameters
    ----------
    models
        At least one; all with the same class ids and channels.
    device
        Where; the processor when not given.
    tile
        Longest side of a tile in pixels; chosen by size of network and device when not given.
    say
        Gets a sentence when something had to change, such as smaller tiles.

    Raises
    ------
    DataError
        With a sentence, when the models do not go together.
    """

    def __init__(
        self,
        models: Sequence[Model],
        device: Device | None = None,
        *,
        tile: int | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        first = models[0]
        for other in models[1:]:
            if [c.name for c in other.classes] != [c.name for c in first.classes]:
                raise DataError(
                    f'The models "{first.name}" and "{other.name}" know different classes and '
                    "cannot be averaged."
                )
            if other.channels != first.channels:
                raise DataError(
                    f'The models "{first.name}" and "{other.name}" take images with different '
                    "numbers of channels and cannot be averaged."
                )
        self.models = list(models)
        self.class_ids = first.class_ids
        self.channels = first.channels
        self.device = device or cpu_device()
        networks = [cast(Any, m.network) for m in models]
        self._multiple = max(n.multiple for n in networks)
        sights = [n.radius for n in networks]
        self._radius = None if None in sights else max(sights)
        self._say = say
        comfortable = min(_comfortable_tile(m.recipe.network) for m in models)
        self._set_tile(tile or comfortable)
        if tile is None and self._tile > _MOST_STRETCH * comfortable:
            # Sight is far wider than memory: what lies farthest away hardly matters.
            self._radius = None
            self._set_tile(comfortable)
        self._networks = self._placed()

    def _set_tile(self, wanted: int) -> None:
        self._tile = tile_size(radius=self._radius, multiple=self._multiple, wanted=wanted)

    def _placed(self) -> list[nn.Module]:
        """The networks on the device, or on the processor where that has too little memory."""
        try:
            return [_ready(m.network, self.device) for m in self.models]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or self.device.kind == "cpu":
                raise
        self._leave_device()
        return [_ready(m.network, self.device) for m in self.models]

    def _leave_device(self) -> None:
        self._say(f"The memory of {self.device.name} was too small: predicting on the CPU.")
        self.device = cpu_device(probe=True)
        free_memory()

    def surviving(self, work: Callable[[], T]) -> T:
        """Do some work with this predictor; start it again with less at once when memory runs out.

        Raises
        ------
        OutOfMemoryError
            With a sentence, when the smallest tiles on the processor do not fit either.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._use_less()

    def _use_less(self) -> None:
        free_memory()
        before = self._tile
        self._set_tile(before // 2)
        if self._tile < before:
            self._say(f"Memory was short: predicting in pieces of {self._tile} pixels.")
        elif self._radius is not None:
            self._radius = None
            self._set_tile(before // 2)
            self._say(
                f"Memory was short: predicting in pieces of {self._tile} pixels, smaller than what "
                "the network sees; near their edges the answer may differ a little."
            )
        elif self.device.kind != "cpu":
            self._leave_device()
            self._networks = self._placed()
        else:
            raise OutOfMemoryError(
                "This computer's memory is too small for this model. Close other programs, or "
                "use a model with a narrower network."
            )

    def bands(
        self,
        plane_cyx: NDArray[Any],
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Band]:
        """Probabilities of one plane, rows as they are finished.

        Parameters
        ----------
        plane_cyx
            ``(C, Y, X)`` as the camera gave it; prepared here as each model's recipe says.
        progress
            Called with tiles done and tiles in all.
        should_stop
            Asked between tiles.

        Raises
        ------
        DataError
            When the number of channels does not fit.
        StopRequestedError
            When `should_stop` says so.
        """
        plane_cyx = fit_channels(plane_cyx, self.channels)
        prepared = [apply_steps(plane_cyx, m.recipe.preprocess) for m in self.models]
        yield from self.bands_of_prepared(prepared, progress=progress, should_stop=should_stop)

    def bands_of_prepared(
        self,
        prepared: Sequence[NDArray[np.float32]],
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Band]:
        """As `bands`, from one preprocessed plane ``(C, Y, X)`` a model."""
        _, height, width = prepared[0].shape
        # Each network gets the padding it would give the whole image; tiles suit the coarsest.
        inputs = [
            pad_to_multiple(torch.from_numpy(p)[None], cast(Any, n).multiple)
            for p, n in zip(prepared, self._networks, strict=True)
        ]
        rows, columns = (
            plan_axis(
                -(-length // self._multiple) * self._multiple,
                tile=self._tile,
                multiple=self._multiple,
                radius=self._radius,
            )
            for length in (height, width)
        )
        total, done, base = len(rows) * len(columns), 0, 0
        pending = np.zeros((len(self.class_ids), 0, width), np.float32)
        for number, row in enumerate(rows):
            missing = min(row.kept_stop, height) - base - pending.shape[1]
            if missing > 0:
                pending = np.pad(pending, ((0, 0), (0, missing), (0, 0)))
            for column in columns:
                if should_stop is not None and should_stop():
                    raise StopRequestedError("Stopped as asked.")
                self._add(pending, base, inputs, row, column)
                done += 1
                if progress is not None:
                    progress(done, total)
            last = number + 1 == len(rows)
            end = height if last else min(rows[number + 1].kept_start, height)
            if end > base:
                yield Band(base, pending[:, : end - base])
                pending = pending[:, end - base :].copy()
                base = end

    def _add(
        self,
        pending: NDArray[np.float32],
        base: int,
        inputs: Sequence[Tensor],
        row: Tile,
        column: Tile,
    ) -> None:
        """Compute one tile and add its share to rows `base`… in `pending`."""
        window = (slice(None), slice(None), slice(row.start, row.stop))
        tiles = [image[(*window, slice(column.start, column.stop))] for image in inputs]
        answer = self._probabilities(tiles)
        height, width = pending.shape[1] + base, pending.shape[2]
        y1, x1 = min(row.kept_stop, height), min(column.kept_stop, width)
        y0, x0 = row.kept_start, column.kept_start
        if y1 <= y0 or x1 <= x0:
            return
        part = answer[:, y0 - row.start : y1 - row.start, x0 - column.start : x1 - column.start]
        share = row.weights[: y1 - y0, None] * column.weights[None, : x1 - x0]
        pending[:, y0 - base : y1 - base, x0:x1] += part * share

    @torch.inference_mode()
    def _probabilities(self, tiles: Sequence[Tensor]) -> NDArray[np.float32]:
        """Mean of the models' probabilities for one tile ``(1, C, T, T)`` each; ``(K, T, T)``."""
        height, width = (min(tile.shape[axis] for tile in tiles) for axis in (2, 3))
        total = torch.zeros(())
        for network, tile in zip(self._networks, tiles, strict=True):
            weight = next(network.parameters())
            image = tile.to(weight.device, weight.dtype, memory_format=torch.channels_last)
            logits = network(image)[..., :height, :width]
            total = total.to(weight.device) + functional.softmax(logits.float(), dim=1)
        return (total / len(self._networks))[0].cpu().numpy()


def predict_plane(
    predictor: Predictor,
    plane_cyx: NDArray[Any],
    *,
    want_probabilities: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The most probable class of every pixel.

    Parameters
    ----------
    predictor
        The model or models.
    plane_cyx
        ``(C, Y, X)`` uint8, uint16 or float32.
    want_probabilities
        Also return them.
    progress, should_stop
        As in `Predictor.bands`, which also names the errors.

    Returns
    -------
    mask, probabilities
        ``(Y, X)`` uint8 class ids; ``(K, Y, X)`` uint8 (255 = certain) or None.
    """
    _, height, width = plane_cyx.shape
    ids = np.asarray(predictor.class_ids, np.uint8)
    mask = np.empty((height, width), np.uint8)
    shape = (len(ids), height, width)
    probabilities = np.empty(shape, np.uint8) if want_probabilities else None

    def work() -> None:
        for band in predictor.bands(plane_cyx, progress=progress, should_stop=should_stop):
            rows = slice(band.start, band.start + band.probabilities.shape[1])
            mask[rows] = ids[most_probable(band.probabilities)]
            if probabilities is not None:
                np.rint(band.probabilities * 255, out=probabilities[:, rows], casting="unsafe")

    predictor.surviving(work)
    return mask, probabilities


def most_probable(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Index of the most probable class of each pixel, the first of equal ones.

    As ``argmax(axis=0)``, several times quicker: numpy looks for maxima along the slow axis one
    pixel at a time, which took as long as a fiftieth of the network.

    Parameters
    ----------
    probabilities
        ``(K, Y, X)``, K up to 255.
    """
    index = np.zeros(probabilities.shape[1:], np.uint8)
    best = probabilities[0]
    for k, other in enumerate(probabilities[1:], start=1):
        np.copyto(index, k, where=other > best)
        best = np.maximum(best, other)
    return index


def predict_image(
    predictor: Predictor,
    pixels_czyx: NDArray[Any],
    *,
    want_probabilities: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Prediction:
    """The most probable class of every voxel, plane by plane.

    Parameters
    ----------
    pixels_czyx
        ``(C, Z, Y, X)`` uint8, uint16 or float32.
    progress
        Called with planes done and planes in all.
    predictor, want_probabilities, should_stop
        As in `predict_plane`.
    """
    _, depth, height, width = pixels_czyx.shape
    mask = np.empty((depth, height, width), np.uint8)
    shape = (len(predictor.class_ids), depth, height, width)
    probabilities = np.empty(shape, np.uint8) if want_probabilities else None
    for z in range(depth):
        mask[z], plane = predict_plane(
            predictor,
            pixels_czyx[:, z],
            want_probabilities=want_probabilities,
            should_stop=should_stop,
        )
        if probabilities is not None and plane is not None:
            probabilities[:, z] = plane
        if progress is not None:
            progress(z + 1, depth)
    return Prediction(mask, probabilities)


def fit_channels(plane_cyx: NDArray[Any], channels: int) -> NDArray[Any]:
    """A plane with the channels a model takes; grey counts as colour with equal channels.

    Raises
    ------
    DataError
        With a sentence, when the number of channels does not fit.
    """
    found = plane_cyx.shape[0]
    if found == channels:
        return plane_cyx
    if found == 1 and channels == 3:
        return np.broadcast_to(plane_cyx, (3, *plane_cyx.shape[1:]))
    raise DataError(
        f"The image has {found} channel{'s' * (found != 1)}, but the model was trained on images "
        f"with {channels}."
    )


def _ready(network: nn.Module, device: Device) -> nn.Module:
    """A copy for prediction: batch norm folded into the convolutions, in the device's precision."""
    network = copy.deepcopy(network).cpu().float().eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                conv, norm = module[i], module[i + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[i], module[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    network = network.requires_grad_(False).to(device.torch_device, _DTYPES[device.precision])
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _comfortable_tile(choice: NetworkChoice) -> int:
    """Tiles as large as about 1 GB of features allows: the larger, the less is computed twice.

    Measured on two cores: with channels-last and bfloat16, tiles of 1536 pixels are no slower a
    pixel than tiles of 256. Of the features that learning keeps, prediction holds about a third at
    a time: what skips the deeper levels, and what is being worked on.
    """
    try:
        bytes_per_pixel = features_per_pixel(choice) * 4 / 3
    except KeyError:
        bytes_per_pixel = 48.0 * choice.width
    return max(256, min(1536, int((2**30 / bytes_per_pixel) ** 0.5)))
