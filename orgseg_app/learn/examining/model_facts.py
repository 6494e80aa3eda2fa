"""What a model costs, measured where it has just predicted: for ``metrics.json``.

Time and memory are those of a prediction that was done anyway. Operations are counted by letting
one tile through the networks: the one that was used, or a smaller one where that would take longer
than a moment. Most networks do as much for a voxel whatever the tile's size; those that
pad each tile by what they see do more for smaller ones.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from orgseg_app.learn.device import Device, processor_name
from orgseg_app.learn.networks.network import FittedNetwork, Network
from orgseg_app.learn.prediction.group import Group
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training.telling import card_bytes, resident_bytes
from orgseg_app.runs.model_facts import ModelFacts

_CONVOLUTIONS = {"conv1d", "conv2d", "conv3d"}
_TRANSPOSED = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}
_PRODUCTS = {"matmul", "__matmul__", "bmm", "mm"}

_LOOK_S = 0.01
_FIRST_SIDE = 32
_MOST_MULTIPLY_ADDS = 4e9
"""Let through to count operations: a tenth of a second on two idle cores of a 2024 server."""


class PredictionWatch:
    """How much memory a prediction takes, while the ``with`` block runs.

    The process's resident set is looked at a hundred times a second (what systems keep as its peak
    cannot be reset, and a training before would be all that is seen); torch counts the card's.

    Parameters
    ----------
    device
        Where is predicted.

    Attributes
    ----------
    memory_bytes
        The most that the process held.
    card_memory_bytes
        The most on the graphics card; None without one.
    seconds
        How long the block took.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
        self.memory_bytes = 0
        self.card_memory_bytes: int | None = None
        self.seconds = 0.0

    def __enter__(self) -> Self:
        if self._device.kind == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.memory_bytes = resident_bytes()
        self._start = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._start
        self._is_over.set()
        self._thread.join()
        self._note()
        self.card_memory_bytes = card_bytes(self._device)

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            self._note()

    def _note(self) -> None:
        self.memory_bytes = max(self.memory_bytes, resident_bytes())


def measured_facts(
    predictor: Predictor,
    watch: PredictionWatch,
    *,
    path: Path,
    sizes_zyx: Sequence[tuple[int, int, int]],
    seconds: float,
    voxels: float,
) -> ModelFacts:
    """The facts of a model, or of several that decide together, that has just predicted.

    Parameters
    ----------
    predictor
        Which predicted.
    watch
        Over that prediction.
    path
        The model's file.
    sizes_zyx
        Sizes of the images predicted; none: one patch is predicted for the time.
    seconds, voxels
        How long the prediction of how many voxels took.
    """
    networks = [model.network for model in predictor.models]
    patch = _patch_zyx(predictor)
    if not voxels:
        seconds, voxels = _timed_patch(predictor, patch)
    tile = max((_largest_tile(predictor, size) for size in sizes_zyx or [patch]), key=math.prod)
    try:
        bytes_on_disk: int | None = path.stat().st_size
    except OSError:
        bytes_on_disk = None
    return ModelFacts(
        parameters=sum(learnt_numbers(network) for network in networks),
        multiply_adds_per_megavoxel=_summed_multiply_adds(predictor, tile),
        seconds_per_megavoxel=seconds / voxels * 1e6 if voxels else None,
        voxels_timed=round(voxels),
        memory_bytes=watch.memory_bytes or None,
        card_memory_bytes=watch.card_memory_bytes,
        checkpoint_bytes=bytes_on_disk,
        device=str(predictor.device),
        processor=processor_name(),
        tile_zyx=tile,
        members=len(networks),
    )


def learnt_numbers(network: Network) -> int:
    """How many numbers a network has learnt: its parameters, or the tables of a fitted one."""
    is_fitted = isinstance(network, FittedNetwork)
    tensors = network.state_dict().values() if is_fitted else network.parameters()
    return sum(tensor.numel() for tensor in tensors)


def multiply_adds_per_voxel(
    network: nn.Module, *, channels: int, tile_zyx: tuple[int, int, int], planes: int = 1
) -> float | None:
    """Multiplications, each with its addition, in convolutions and matrix products, for a voxel.

    Counted from the shapes of what goes in and comes out while a tile of zeros goes through the
    network. What adds and compares alone (norms, pooling, resizing) is not counted, as in the
    tables of papers.

    Parameters
    ----------
    network
        On its device, in evaluation mode.
    channels
        Of the image.
    tile_zyx
        Of the tile; smaller ones where it would take long. One plane for networks of planes.
    planes
        Neighbouring planes that a network of planes takes.

    Returns
    -------
    float or None
        None of networks that do not multiply matrices, such as forests.

    Examples
    --------
    A 3 × 3 convolution from 2 features to 5 multiplies 2 · 3 · 3 · 5 = 90 times for each pixel:

    >>> conv = nn.Conv2d(2, 5, 3, padding=1)
    >>> multiply_adds_per_voxel(conv, channels=2, tile_zyx=(1, 64, 64))
    90.0
    """
    is_flat = getattr(network, "dimensions", 2) == 2
    multiple = int(getattr(network, "multiple", 1))
    depth, height, width = (1, *tile_zyx[1:]) if is_flat else tile_zyx
    side = min(-(-_FIRST_SIDE // multiple) * multiple, height, width)
    first = _counted(network, channels * planes, (depth, side, side), is_flat=is_flat)
    if not first:
        return None
    voxels = _MOST_MULTIPLY_ADDS / first
    if depth * height * width <= voxels:
        return _counted(network, channels * planes, (depth, height, width), is_flat=is_flat)
    side = max(side, int(math.sqrt(voxels / depth)) // multiple * multiple)
    if side <= _FIRST_SIDE:
        return first
    return _counted(network, channels * planes, (depth, side, side), is_flat=is_flat)


def _counted(
    network: nn.Module, features: int, size_zyx: tuple[int, int, int], *, is_flat: bool
) -> float:
    """Multiply-adds for a voxel of a tile of zeros."""
    weight = next(network.parameters(), torch.zeros(()))
    shape = (1, features, *(size_zyx[1:] if is_flat else size_zyx))
    tile: Tensor = torch.zeros(shape, device=weight.device, dtype=weight.dtype)
    with torch.inference_mode(), _Counter() as counter:
        network(tile)
    return counter.multiply_adds / math.prod(size_zyx)


class _Counter(TorchFunctionMode):
    """Counts multiply-adds of the torch functions that are called.

    Torch's own flop counter gives the same numbers (they were compared for every network), but
    imports torch's compiler for it, which takes four seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.multiply_adds = 0.0

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in _CONVOLUTIONS or name == "linear":
            self.multiply_adds += found.numel() * _of(args, kwargs, 1, "weight")[0].numel()
        elif name in _TRANSPOSED:
            weight = _of(args, kwargs, 1, "weight")
            self.multiply_adds += _of(args, kwargs, 0, "input").numel() * weight[0].numel()
        elif name in _PRODUCTS:
            self.multiply_adds += found.numel() * args[0].shape[-1]
        elif name == "scaled_dot_product_attention":
            keys = _of(args, kwargs, 1, "key").shape[-2]
            queries, values = _of(args, kwargs, 0, "query"), _of(args, kwargs, 2, "value")
            per_query = queries.shape[-1] + values.shape[-1]
            self.multiply_adds += queries.numel() / queries.shape[-1] * keys * per_query
        return found


def _of(args: Any, kwargs: dict[str, Any] | None, place: int, name: str) -> Tensor:
    """An argument, by place or by name."""
    found: Tensor = args[place] if len(args) > place else (kwargs or {})[name]
    return found


def _summed_multiply_adds(predictor: Predictor, tile: tuple[int, int, int]) -> float | None:
    total = 0.0
    for model, network in zip(predictor.models, predictor.networks, strict=True):
        if isinstance(model.network, FittedNetwork):
            return None
        flat = model.network.dimensions == 2
        size = (1, *tile[1:]) if flat else (max(tile[0], model.network.multiple_z), *tile[1:])
        found = multiply_adds_per_voxel(
            network, channels=model.channels, tile_zyx=size, planes=model.network.planes
        )
        if found is None:
            return None
        total += found
    return total * 1e6


def _largest_tile(predictor: Predictor, size_zyx: tuple[int, int, int]) -> tuple[int, int, int]:
    """The largest tile by which an image of a size was predicted."""
    return max((_tile_of(group, size_zyx) for group in predictor.groups), key=math.prod)


def _tile_of(group: Group, size_zyx: tuple[int, int, int]) -> tuple[int, int, int]:
    if group.dimensions == 2:
        rows, columns = group.plan(size_zyx[1:])
        axes = [rows, columns]
    else:
        axes = list(group.plan_volume(size_zyx))
    sides = [max(tile.stop - tile.start for tile in tiles) for tiles in axes]
    return (sides[0], sides[1], sides[2]) if len(sides) == 3 else (1, sides[0], sides[1])


def _patch_zyx(predictor: Predictor) -> tuple[int, int, int]:
    """As large as the patches that the first model learnt from."""
    recipe, network = predictor.models[0].recipe, predictor.models[0].network
    depth = recipe.patch_depth if network.dimensions == 3 else 1
    return (depth, recipe.patch_size, recipe.patch_size)


def _timed_patch(predictor: Predictor, patch_zyx: tuple[int, int, int]) -> tuple[float, float]:
    """Seconds to predict one patch of zeros, and its voxels; a small one goes before to warm up."""
    from orgseg_app.learn.prediction.volumes import predict_image

    def predict(size_zyx: tuple[int, int, int]) -> float:
        start = time.perf_counter()
        predict_image(predictor, np.zeros((predictor.channels, *size_zyx), np.float32))
        return time.perf_counter() - start

    with contextlib.suppress(RuntimeError, MemoryError):
        predict((patch_zyx[0], _FIRST_SIDE, _FIRST_SIDE))
        return predict(patch_zyx), float(math.prod(patch_zyx))
    return 0.0, 0.0
