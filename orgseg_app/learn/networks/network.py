"""What every network is: an image in, logits out; perhaps more than one answer while it learns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


class Head(NamedTuple):
    """One answer of a network while it learns.

    Attributes
    ----------
    logits
        ``(N, K, h, w)`` or ``(N, K, d, h, w)``; smaller than the image where the answer is
        coarser.
    weight
        How much its loss counts.
    """

    logits: Tensor
    weight: float


class Join(NamedTuple):
    """Where a decoder's features meet those of the encoder.

    Attributes
    ----------
    conv
        The first convolution that sees both.
    upsampled
        Which of its input features come from the decoder; the others come from the encoder.
    """

    conv: nn.Conv2d | nn.ConvTranspose2d | nn.Conv3d
    upsampled: slice


class Network(nn.Module):
    """Base of all networks.

    ``forward`` takes an image ``(N, C, Y, X)`` of any size from 1 × 1 on and gives logits
    ``(N, K, Y, X)``: unbounded scores; the softmax belongs to the loss and the predictor. Networks
    of three dimensions take ``(N, C, Z, Y, X)`` and give ``(N, K, Z, Y, X)``. A plane network that
    looks at several planes takes them as channels, ``(N, planes · C, Y, X)``, all channels of the
    first plane first, and answers for the middle one.

    Attributes
    ----------
    dimensions
        2 or 3.
    planes
        Neighbouring planes that a network of two dimensions takes; odd.
    multiple, multiple_z
        Tiles start at multiples of this many pixels, and of this many planes.
    radius, radius_z
        Pixels and planes of context that decide an output voxel; None when the whole image does.
    """

    dimensions: int = 2
    planes: int = 1
    multiple: int = 1
    multiple_z: int = 1
    radius: int | None = None
    radius_z: int | None = 0

    def heads(self, image: Tensor) -> list[Head]:
        """All answers that the training judges; the one of ``forward`` alone by default."""
        return [Head(self(image), 1.0)]

    def joins(self) -> list[Join]:
        """Where fine detail of the encoder is joined to the decoder, finest first, if it is."""
        return []


class PaintedPlane(NamedTuple):
    """One plane that a `FittedNetwork` learns from.

    Attributes
    ----------
    pixels
        ``(C, Y, X)`` float32, preprocessed.
    target
        ``(Y, X)`` uint8 class indices.
    weights
        ``(Y, X)`` float32; 0 = unlabelled, whatever the target says.
    """

    pixels: NDArray[np.float32]
    target: NDArray[np.uint8]
    weights: NDArray[np.float32]


class FittedNetwork(Network):
    """A network that learns in one go, not step by step; it has no gradients."""

    @abstractmethod
    def fit(self, planes: Sequence[PaintedPlane], *, seed: int) -> int:
        """Learn from all painted pixels at once.

        Parameters
        ----------
        planes
            All that there is to learn from.
        seed
            The same seed and planes give the same network.

        Returns
        -------
        int
            Pixels that were looked at.

        Raises
        ------
        ValueError
            With a sentence, when nothing is painted.
        """
