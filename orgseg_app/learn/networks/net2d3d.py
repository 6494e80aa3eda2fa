"""2D-3D networks: an encoder and decoder that works plane by plane, then a pyramid of volumes.

Guay, Emam, Anderson, Aronova, Pokrovskaya, Storrie, Leapman: "Dense cellular segmentation for EM
using 2D-3D neural network ensembles", Scientific Reports 11, 2021, and its code (leapmanlab,
TensorFlow). With one channel, seven classes and width 64 the published network with 3 × 3 × 3
starters, "2D-3D+3x3x3", has 10.28 million parameters, 7.88 of them in the 2-D part.

Where that code does otherwise than the paper intends, this is what the paper intends:

- The published classifiers end in a ReLU. Scores below 0 are cut to 0 then: a class that is
  nowhere favoured gets no gradient any more, and no class can be made less probable than an
  undecided one. Here all scores are plain logits, also those that the 2-D part hands on.
- The coarse path of the pyramid is pooled by 1 × 2 × 2, but enlarged by 2 × 2 × 2 and cut down
  again. Here it is enlarged by 1 × 2 × 2 (16 thousand parameters fewer).
- Settings given for the pyramid are overwritten by the usual ones; here depth, width and the way
  in which its paths are joined are heeded.

So many layers without a norm learn slowly. For a computer without a graphics card `Net2D3D` can
have batch norms, which the paper does not speak of.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.network import Head, Join, Network
from orgseg_app.learn.networks.reach import Sight
from orgseg_app.learn.networks.volume_blocks import (
    CUBE,
    FLAT,
    Size,
    VolumeConv,
    conv_block,
    crop_volume,
    pad_volume,
)

PLANE_LOSS = 0.33
"""Weight of the 2-D part's own answer, as published."""
STARTED_LEVELS = 2
"""Levels of the 2-D part, from the finest, whose blocks begin with a 3 × 3 × 3 convolution."""
FINE_CONVS, COARSE_CONVS = 3, 5
"""Convolutions of the pyramid's path at full size, and of its path at half size."""
_POOL: Size = (1, 2, 2)

Merge = Literal["add", "concat"]


class Net2D3D(Network):
    """A 2-D U-Net whose finest levels glance at the neighbouring planes, and a 3-D pyramid.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Down-samplings of the 2-D part, 1…6; 3 as published.
    width
        Features of its first level; they double at each down-sampling. Everything else follows:
        starters have half of their block's, the pyramid's paths once and twice as many.
    starters
        Whether the blocks of the two finest levels begin with a 3 × 3 × 3 convolution. Without
        them the 2-D part sees single planes.
    merge
        Whether the pyramid's paths are added up, as published, or put side by side.
    norm
        Whether a batch norm comes before every ReLU; see `volume_blocks`.
    """

    dimensions = 3

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        depth: int = 3,
        width: int = 64,
        starters: bool = True,
        merge: Merge = "add",
        norm: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        started = [starters and level < STARTED_LEVELS for level in range(depth)] + [False]
        self.down = nn.ModuleList(
            _block(inputs, outputs, starter, norm)
            for inputs, outputs, starter in zip(
                [channels, *widths[:-1]], widths, started, strict=True
            )
        )
        self.up = nn.ModuleList()
        self.join = nn.ModuleList()
        for level in reversed(range(depth)):
            # As wide as the convolution that comes next.
            first = widths[level] // 2 if started[level] else widths[level]
            self.up.append(nn.ConvTranspose3d(widths[level + 1], first, _POOL, stride=_POOL))
            self.join.append(_block(widths[level] + first, widths[level], started[level], norm))
        self.plane_head = nn.Conv3d(width, classes, 1)
        self.pyramid = _Pyramid(classes + width, width, merge, norm)
        self.head = nn.Conv3d(self.pyramid.outputs, classes, 1)
        self.multiple = 2**depth
        # Batch norm wants more than one voxel at the deepest level.
        self._at_least = 2 * self.multiple if norm else 1
        self.radius = _radius(started)
        self.radius_z = _radius_z(started)
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Z, Y, X)`` of a volume ``(N, C, Z, Y, X)``; see `Network`."""
        return crop_volume(self._answers(image)[0], image)

    def heads(self, image: Tensor) -> list[Head]:
        """The answer of the whole network, and with a third of its weight that of the 2-D part.

        The 2-D part's loss reaches that part and its classifier alone: the pyramid comes after
        them. The loss of the whole reaches everything, the 2-D classifier too, since its logits
        are handed on to the pyramid.
        """
        whole, planes = self._answers(image)
        return [Head(crop_volume(whole, image), 1.0), Head(crop_volume(planes, image), PLANE_LOSS)]

    def joins(self) -> list[Join]:
        """The first convolution of each level of the 2-D decoder, finest first."""
        found = []
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            conv = cast(nn.Conv3d, cast(nn.Sequential, join)[0])
            skipped = conv.in_channels - cast(nn.ConvTranspose3d, up).out_channels
            found.append(Join(conv, slice(skipped, None)))
        return found

    def _answers(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the whole network and of its 2-D part, as large as the padded volume."""
        features = pad_volume(image, self.multiple, at_least=self._at_least)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool3d(features, _POOL))
            skips.append(features)
        features = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            features = join(torch.cat([skips.pop(), up(features)], dim=1))
        planes = self.plane_head(features)
        return self.head(self.pyramid(torch.cat([planes, features], dim=1))), planes


class _Pyramid(nn.Module):
    """Convolutions of volumes at full size and at half, joined at full size.

    Parameters
    ----------
    inputs
        Logits and features of the 2-D part.
    width
        Features at full size; twice as many at half.
    merge, norm
        As in `Net2D3D`.
    """

    def __init__(self, inputs: int, width: int, merge: Merge, norm: bool) -> None:
        super().__init__()
        self.fine = _convs([inputs, *[width] * FINE_CONVS], [CUBE] * FINE_CONVS, norm)
        coarse = [inputs, *[2 * width] * COARSE_CONVS, width]
        self.coarse = _convs(coarse, [*[CUBE] * COARSE_CONVS, (1, 1, 1)], norm)
        self.up = nn.ConvTranspose3d(width, width, _POOL, stride=_POOL)
        self.merge = merge
        self.outputs = width if merge == "add" else 2 * width

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same size."""
        fine = self.fine(features)
        coarse = self.up(self.coarse(functional.max_pool3d(features, _POOL)))
        return fine + coarse if self.merge == "add" else torch.cat([fine, coarse], dim=1)


def _block(inputs: int, outputs: int, starter: bool, norm: bool) -> nn.Sequential:
    """Two convolutions of planes, perhaps after one of volumes with half the features."""
    if starter:
        return _convs([inputs, outputs // 2, outputs, outputs], [CUBE, FLAT, FLAT], norm)
    return _convs([inputs, outputs, outputs], [FLAT, FLAT], norm)


def _convs(features: list[int], kernels: list[Size], norm: bool) -> nn.Sequential:
    """Convolutions from one number of features to the next, each with a ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs, kernel in zip(features[:-1], features[1:], kernels, strict=True):
        if norm:
            layers += conv_block(inputs, outputs, kernel)
        else:
            layers += [VolumeConv(inputs, outputs, kernel), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _radius(started: list[bool]) -> int:
    """Sight in the plane; a starter is a third convolution of its block."""
    image = Sight.of_image(2 ** (len(started) - 1))
    sight = image.down_and_up([2 + starter for starter in started])
    coarse = sight.pool().conv(times=COARSE_CONVS).unpool()
    return sight.conv(times=FINE_CONVS).join(coarse).radius


def _radius_z(started: list[bool]) -> int:
    """Sight across planes: the starters of encoder and decoder, and the pyramid's longer path."""
    return 2 * sum(started) + COARSE_CONVS


def _initialise(network: Net2D3D) -> None:
    """Glorot and Bengio 2010, as published."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
