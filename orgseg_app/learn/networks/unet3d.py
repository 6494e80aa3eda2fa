"""U-Nets for volumes: one for voxels that are cubes, one for thick planes.

Çiçek, Abdulkadir, Lienkamp, Brox, Ronneberger: "3D U-Net: Learning Dense Volumetric Segmentation
from Sparse Annotation", MICCAI 2016: 3 × 3 × 3 convolutions, pooling by 2 × 2 × 2, features that
double before each pooling. Width 32, depth 3, three channels, three classes: 19.07 million
parameters. Here its convolutions are padded, so that the answer is as large as the volume.

The anisotropic one takes from Lee, Zung, Li, Jain, Seung 2017 (arXiv:1706.00120) that planes are
never pooled away, and that each level looks at planes first (1 × 3 × 3) and across them then
(3 × 3 × 3); Isensee et al. 2021 (Nature Methods 18, nnU-Net) choose kernels by the same thought.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import initialise
from orgseg_app.learn.networks.network import Join, Network
from orgseg_app.learn.networks.reach import Sight
from orgseg_app.learn.networks.volume_blocks import (
    CUBE,
    FLAT,
    Size,
    conv_block,
    crop_volume,
    pad_volume,
)


class UNet3D(Network):
    """Contracting path, expanding path, a skip connection a level, all of volumes.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Number of down-samplings, 1…6; 3 as published.
    width
        Features of the first convolution; the second has twice as many, and both double at each
        down-sampling.
    has_thick_planes
        Whether planes are farther apart than pixels: then pooling keeps all planes, and the first
        convolution of each level does not look across them.
    """

    dimensions = 3

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        depth: int = 3,
        width: int = 32,
        has_thick_planes: bool = False,
    ) -> None:
        super().__init__()
        kernels = (FLAT if has_thick_planes else CUBE, CUBE)
        self.pool: Size = (1 if has_thick_planes else 2, 2, 2)
        widths = [2 * width * 2**level for level in range(depth + 1)]
        inputs = [channels, *widths[:-1]]
        self.down = nn.ModuleList(
            _block(i, o // 2, o, kernels) for i, o in zip(inputs, widths, strict=True)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(o, o, self.pool, stride=self.pool) for o in reversed(widths[1:])
        )
        self.join = nn.ModuleList(_block(3 * o, o, o, kernels) for o in reversed(widths[:-1]))
        self.head = nn.Conv3d(widths[0], classes, 1)
        self.multiple = 2**depth
        self.multiple_z = self.pool[0] ** depth
        self.radius = Sight.of_image(self.multiple).down_and_up([2] * (depth + 1)).radius
        # Without pooling, every level sees one plane more, once on the way down and once up.
        self.radius_z = 2 * depth + 1 if has_thick_planes else self.radius
        initialise(self, self.head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Z, Y, X)`` of a volume ``(N, C, Z, Y, X)``; see `Network`."""
        # Four voxels at the deepest level: batch norm wants more than one.
        features = pad_volume(image, self.multiple, self.multiple_z, at_least=2 * self.multiple)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool3d(features, self.pool))
            skips.append(features)
        features = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            features = join(torch.cat([skips.pop(), up(features)], dim=1))
        return crop_volume(self.head(features), image)

    def joins(self) -> list[Join]:
        """The first convolution of each level of the expanding path, finest first."""
        convs = [cast(nn.Conv3d, cast(nn.Sequential, join)[0]) for join in reversed(self.join)]
        return [Join(conv, slice(conv.out_channels, None)) for conv in convs]


def _block(inputs: int, middle: int, outputs: int, kernels: tuple[Size, Size]) -> nn.Sequential:
    """Two convolutions, each with batch norm and ReLU."""
    first, second = kernels
    return nn.Sequential(*conv_block(inputs, middle, first), *conv_block(middle, outputs, second))
