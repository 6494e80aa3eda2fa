"""One model or several, ready on a device: what they say of a tile, and of a plane row by row.

The image may be larger than what a network can take at once: finished rows leave as soon as no
later tile touches them, so memory follows the width of the image, not its height. Volumes and
several planes go through `orgseg_app.learn.prediction.volumes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from orgseg_app.core.augmentation.turns import ALL_TURNS
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.core.instances.targets import TARGETS, Target
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.device import Device, cpu_device, free_memory, is_out_of_memory
from orgseg_app.learn.errors import DataError, OutOfMemoryError, StopRequestedError
from orgseg_app.learn.layout import channels_last
from orgseg_app.learn.prediction.answers import (
    answers,
    says_depth,
    shared_target,
    turned_ways,
)
from orgseg_app.learn.prediction.group import Group
from orgseg_app.learn.prediction.placing import ready as _ready
from orgseg_app.learn.prediction.stitching import Rows, stitching_of

Progress = Callable[[int, int], None]
"""``(done, total)``."""

T = TypeVar("T")

_TIE = 1e-3


@dataclass(frozen=True)
class Band:
    """Finished rows of a plane.

    Attributes
    ----------
    start
        First row.
    probabilities
        ``(outputs, rows, X)`` float32: of the K classes in the model's order, which sum to 1; then,
        where the models say so, how deep in an object; see `answers.answers`.
    """

    start: int
    probabilities: NDArray[np.float32]


class Predictor:
    """One model, or several whose answers are put together, ready on a device.

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
    stitch
        How tiles become one answer, see `stitching`: ``"blend"``, or ``"deepest"`` with windows
        as large as the recipe's patches.
    turns
        Look at each tile in all eight turns and mirror images of the plane, and take the mean.
    vote
        Of several models each has one vote a voxel in place of its probabilities; between classes
        with as many votes the mean probability decides.
    three_planes
        Look at volumes along all three axes, see `three_planes`.

    Raises
    ------
    DataError
        With a sentence, when the models do not go together.

    Attributes
    ----------
    networks
        Of the models, copies on the device, ready to predict.
    """

    def __init__(
        self,
        models: Sequence[Model],
        device: Device | None = None,
        *,
        tile: int | None = None,
        say: Callable[[str], None] = lambda text: None,
        stitch: str = "blend",
        turns: bool = False,
        vote: bool = False,
        three_planes: bool = False,
    ) -> None:
        first = models[0]
        _check_together(models)
        self.models = list(models)
        self.class_ids = first.class_ids
        self.channels = first.channels
        self.target = shared_target(models)
        self.has_depth = says_depth(self.target)
        self.grouping = first.grouping or GroupingParameters()
        self.device = device or cpu_device()
        self.stitch, self.turns, self.vote = stitch, turns, vote
        self.three_planes = three_planes
        self.say = say
        stitching_of(stitch, None)
        flat = [i for i, model in enumerate(models) if model.network.dimensions == 2]
        deep = [i for i, model in enumerate(models) if model.network.dimensions == 3]
        self.flat = Group(models, flat, stitch=stitch, tile=tile) if flat else None
        self.deep = Group(models, deep, stitch=stitch, tile=tile) if deep else None
        if three_planes and deep:
            raise DataError(
                "Only networks of planes can look along three axes, and "
                f'"{models[deep[0]].name}" looks at volumes already. Leave that out.'
            )
        if not self.has_depth and any(model.target.layers for model in models):
            say(
                "These models were taught different things about single objects, so objects are "
                "what hangs together in the mask."
            )
        self.networks = self._placed()

    @property
    def outputs(self) -> int:
        """Numbers a voxel: one a class, and what objects are made of where the models say so."""
        return len(self.class_ids) + self.extra

    @property
    def extra(self) -> int:
        """The last of the `outputs`: how deep in an object, or heat and ways to centres."""
        if not self.has_depth:
            return 0
        return TARGETS[self.target].maps(self.models[0].network.dimensions)

    @property
    def maps(self) -> int:
        """How many maps objects are made of: how likely any structure is, and `extra`."""
        return 1 + self.extra

    @property
    def groups(self) -> list[Group]:
        """Networks of planes, networks of volumes: those there are."""
        return [group for group in (self.flat, self.deep) if group is not None]

    @property
    def stitching(self) -> Any:
        """How tiles are put together; voxels are as large as where the first model learnt."""
        return stitching_of(self.stitch, self.models[0].pixel_size_um)

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
        self.say(f"The memory of {self.device.name} was too small: predicting on the CPU.")
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
            self.use_less()

    def use_less(self) -> None:
        """Smaller tiles from now on; then tiles that see less; then the processor.

        Raises
        ------
        OutOfMemoryError
            With a sentence, when nothing of that is left.
        """
        free_memory()
        told = [group.use_less() for group in self.groups]
        if any(told):
            self.say(next(text for text in told if text))
        elif self.device.kind != "cpu":
            self._leave_device()
            self.networks = self._placed()
        else:
            raise OutOfMemoryError(
                "This computer's memory is too small for this model. Close other programs, or "
                "use a model with a narrower network."
            )

    def bands_of_prepared(
        self,
        prepared: Sequence[NDArray[np.float32]],
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Band]:
        """What networks of planes say of a plane, rows as they are finished.

        Parameters
        ----------
        prepared
            ``(planes · C, Y, X)`` a model that looks at planes, in their order: preprocessed, with
            as many neighbouring planes as it takes, the lowest first.
        progress
            Called with tiles done and tiles in all.
        should_stop
            Asked between tiles.

        Raises
        ------
        StopRequestedError
            When `should_stop` says so.
        """
        group = _group(self.flat)
        _, height, width = prepared[0].shape
        # Each network gets the padding it would give the whole image; tiles suit the coarsest.
        inputs = [
            group.padded(torch.from_numpy(p)[None], self.models[i].network.multiple)
            for p, i in zip(prepared, group.members, strict=True)
        ]
        rows, columns = group.plan((height, width))
        stitching = self.stitching
        outputs = self.outputs
        pending = Rows(stitching, outputs + stitching.extra, 1, (height, width), rows)
        total, done = len(rows) * len(columns), 0
        for number, row in enumerate(rows):
            pending.begin(number)
            for column in columns:
                if should_stop is not None and should_stop():
                    raise StopRequestedError("Stopped as asked.")
                window = (..., slice(row.start, row.stop), slice(column.start, column.stop))
                answer = self._probabilities([image[window] for image in inputs], group)
                pending.lay(answer[:, None], row, column, slice(None), _ONE)
                done += 1
                if progress is not None:
                    progress(done, total)
            start, values = pending.finish(number)
            if values.shape[2]:
                yield Band(start, values[:outputs, 0])

    @torch.inference_mode()
    def _probabilities(self, tiles: Sequence[Tensor], group: Group) -> NDArray[np.float32]:
        """What a group says of one tile, ``(1, C, [Z,] Y, X)`` a network.

        Returns ``(outputs, [Z,] Y, X)``.
        """
        least = [min(sizes) for sizes in zip(*(tile.shape[2:] for tile in tiles), strict=True)]
        inner: Any = (..., *(slice(0, size) for size in least))
        total, votes = torch.zeros(()), torch.zeros(())
        for member, tile in zip(group.members, tiles, strict=True):
            network = self.networks[member]
            weight = next(network.parameters())
            image = tile.to(weight.device, weight.dtype)
            said = self._of_network(network, image, self.models[member].target)[inner]
            # A sum of one is not made: it takes as long as a hundredth of the network.
            total = said if len(group.members) == 1 else total.to(weight.device) + said
            if self.vote:
                votes = votes.to(weight.device) + _one_hot(said[:, : len(self.class_ids)])
        if len(group.members) > 1:
            total = total / len(group.members)
        if self.vote:
            k = len(self.class_ids)
            decided = votes / len(group.members) * (1 - _TIE) + total[:, :k] * _TIE
            total = torch.cat([decided, total[:, k:]], dim=1)
        return total[0].cpu().numpy()

    def _of_network(self, network: nn.Module, image: Tensor, target: Target) -> Tensor:
        """What one network says, the mean over turns where these were asked for."""

        def said_of(shown: Tensor) -> Tensor:
            logits = network(channels_last(shown)).float()
            return answers(logits, len(self.class_ids), target, want_depth=self.has_depth)

        if not self.turns:
            return said_of(image)
        total = torch.zeros(())
        for turn in ALL_TURNS:
            turned = torch.rot90(image, turn.quarters, (-2, -1))
            turned = turned.flip(-1) if turn.flip else turned
            said = said_of(turned)
            said = said.flip(-1) if turn.flip else said
            said = torch.rot90(said, -turn.quarters, (-2, -1))
            if self.has_depth:
                said = turned_ways(said, turn, target)
            total = total.to(said.device) + said
        return total / len(ALL_TURNS)


_ONE = np.ones(1, np.float32)


def most_probable(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Index of the most probable class of each pixel, the first of equal ones.

    As ``argmax(axis=0)``, several times quicker: numpy looks for maxima along the slow axis one
    pixel at a time, which took as long as a fiftieth of the network.

    Parameters
    ----------
    probabilities
        ``(K, ...)``, K up to 255.
    """
    index = np.zeros(probabilities.shape[1:], np.uint8)
    best = probabilities[0]
    for k, other in enumerate(probabilities[1:], start=1):
        np.copyto(index, k, where=other > best)
        best = np.maximum(best, other)
    return index


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


def _check_together(models: Sequence[Model]) -> None:
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


def _group(group: Group | None) -> Group:
    if group is None:
        raise ValueError("These models look at volumes; see predicted_planes.")
    return group


def _one_hot(probabilities: Tensor) -> Tensor:
    """1 for the most probable class of each voxel, the first of equal ones; 0 for the others."""
    best = probabilities.argmax(dim=1, keepdim=True)
    return torch.zeros_like(probabilities).scatter_(1, best, 1.0)
