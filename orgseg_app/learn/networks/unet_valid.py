"""The U-Net as it was first published: convolutions that do not pad.

Ronneberger, Fischer, Brox: "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015; the baseline of Guay et al. 2021. An unpadded convolution loses the outermost pixels,
and of 572 × 572 pixels 388 × 388 get an answer. So that the image as a whole gets one, it is
enlarged by its mirror image first, as in the paper: no feature ever depends on added zeros. Width
64, depth 4, one channel, seven classes: 31,030,983 parameters.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import initialise
from orgseg_app.learn.networks.unet import UNet
from orgseg_app.learn.networks.volume_blocks import mirror_pad


class ValidUNet(UNet):
    """A U-Net without padding inside; outside it takes and gives images of any size.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Number of down-samplings, 1…6; 4 as published.
    width
        Features of the first level; they double at each down-sampling.
    dropout
        Share of the deepest features dropped while learning, 0…0.9 (at the end of the contracting
        path, as in the paper).

    Attributes
    ----------
    margin
        Pixels lost on each side.
    """

    def __init__(
        self, channels: int, classes: int, *, depth: int = 4, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__(channels, classes, depth=depth, width=width, dropout=dropout)
        self.margin = 6 * self.multiple - 4
        # Beside the margin, what shares a pixel of the deepest level with it.
        self.radius = self.margin + self.multiple - 1

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image; see `Network`."""
        features = image
        for axis in (-2, -1):
            size = image.shape[axis]
            missing = _answered(size, self.multiple) - size
            features = mirror_pad(features, axis, self.margin, self.margin + missing)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            skips.append(features)
        features = self.dropout(skips.pop())
        for up, join in zip(self.up, self.join, strict=True):
            larger = up(features)
            features = join(torch.cat([_middle(skips.pop(), larger), larger], dim=1))
        height, width = image.shape[-2:]
        return cast(Tensor, self.head(features))[..., :height, :width]

    def _block(self, inputs: int, outputs: int) -> nn.Sequential:
        """Two 3 × 3 convolutions without padding, each with ReLU and no norm, as published."""
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3),
            nn.ReLU(inplace=True),
        )

    def _initialise(self) -> None:
        initialise(self, self.head)


def _answered(size: int, multiple: int) -> int:
    """The next number of pixels that such a network can answer for.

    From `b` pixels at the end of the deepest level, ``multiple · b - 4 · (multiple - 1)`` are left
    after the expanding path, which halves what it loses at each level.

    Examples
    --------
    >>> _answered(300, 16), _answered(388, 16), _answered(1, 16)
    (308, 388, 4)
    """
    lost = 4 * (multiple - 1)
    return -(-(size + lost) // multiple) * multiple - lost


def _middle(features: Tensor, like: Tensor) -> Tensor:
    """The middle of a level's features, as large as what comes from below."""
    top, left = ((features.shape[axis] - like.shape[axis]) // 2 for axis in (-2, -1))
    return features[..., top : top + like.shape[-2], left : left + like.shape[-1]]
