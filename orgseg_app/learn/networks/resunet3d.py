"""The residual symmetric U-Net, for volumes with thick planes.

Lee, Zung, Li, Jain, Seung: "Superhuman Accuracy on the SNEMI3D Connectomics Challenge", 2017,
arXiv:1706.00120: residual modules of three convolutions, skip connections that add instead of
putting side by side, pooling by 1 × 2 × 2 only, kernels of 1 × 3 × 3 at the finest level and
3 × 3 × 3 below, 1 × 5 × 5 where the image comes in and the answer goes out, and features that
grow slowly: 28, 36, 48, 64, 80.

Here the classes are judged voxel by voxel (there: affinities of neighbours), and ReLU stands for
ELU, because batch norm and convolution can be folded into one before it either way.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import initialise, scaled
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.reach import Sight
from orgseg_app.learn.networks.volume_blocks import (
    CUBE,
    FLAT,
    Size,
    conv_block,
    crop_volume,
    pad_volume,
)

PUBLISHED_WIDTHS = (28, 36, 48, 64, 80, 96, 112)
"""Features level by level; the last two go on as the others do."""
_EMBEDDING: Size = (1, 5, 5)
_POOL: Size = (1, 2, 2)


class ResidualUNet3D(Network):
    """Contracting and expanding path of residual modules; planes are never pooled away.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Number of down-samplings, 1…6; 4 as published.
    width
        Features of the finest level; 28 as published, and the others in proportion.
    """

    dimensions = 3

    def __init__(self, channels: int, classes: int, *, depth: int = 4, width: int = 28) -> None:
        super().__init__()
        widths = [
            scaled(published, width, PUBLISHED_WIDTHS[0])
            for published in PUBLISHED_WIDTHS[: depth + 1]
        ]
        self.first = conv_block(channels, widths[0], _EMBEDDING)
        self.down = nn.ModuleList(
            _Residual(inputs, outputs, FLAT if level == 0 else CUBE)
            for level, (inputs, outputs) in enumerate(
                zip([widths[0], *widths[:-1]], widths, strict=True)
            )
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(widths[level + 1], widths[level], _POOL, stride=_POOL)
            for level in reversed(range(depth))
        )
        self.join = nn.ModuleList(
            _Residual(widths[level], widths[level], FLAT if level == 0 else CUBE)
            for level in reversed(range(depth))
        )
        self.last = conv_block(widths[0], widths[0], _EMBEDDING)
        self.head = nn.Conv3d(widths[0], classes, 1)
        self.multiple = 2**depth
        # A module is three convolutions; the embeddings are one each.
        image = Sight.of_image(self.multiple)
        self.radius = image.conv(5).down_and_up([3] * (depth + 1)).conv(5).radius
        # Three planes a module: all but the finest, on the way down and, but the deepest, up.
        self.radius_z = 3 * (2 * depth - 1)
        initialise(self, self.head, *self.up)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Z, Y, X)`` of a volume ``(N, C, Z, Y, X)``; see `Network`."""
        # Four voxels at the deepest level: batch norm wants more than one.
        features = self.first(pad_volume(image, self.multiple, at_least=2 * self.multiple))
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool3d(features, _POOL))
            skips.append(features)
        features = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            features = join(skips.pop() + up(features))
        return crop_volume(self.head(self.last(features)), image)


class _Residual(nn.Module):
    """A convolution, and two more whose result is added to its own (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, kernel: Size) -> None:
        super().__init__()
        self.first = conv_block(inputs, outputs, kernel)
        self.rest = nn.Sequential(
            conv_block(outputs, outputs, kernel),
            conv_block(outputs, outputs, kernel, relu=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same size."""
        first = self.first(features)
        return functional.relu(cast(Tensor, first + self.rest(first)), inplace=True)
