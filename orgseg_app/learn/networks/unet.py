"""The U-Net, with depth and width as parameters.

Ronneberger, Fischer, Brox: "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015, with batch norm (Ioffe & Szegedy 2015) and padded convolutions, as in Guo, Luo, Li,
Yang 2020. Width 64, depth 4, one channel, one class: 31.04 million parameters.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.network import Join, Network


class UNet(Network):
    """Contracting path, expanding path, a skip connection a level.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Number of down-samplings, 1…6.
    width
        Feature maps of the first level; they double at each down-sampling.
    dropout
        Share of the deepest feature maps dropped while learning, 0…0.9 (at the end of the
        contracting path, as in the paper).

    Attributes
    ----------
    multiple
        Sizes are padded inside to a multiple of this, at the bottom and on the right only, so that
        tiles that start at a multiple see the same grid as the whole image.
    radius
        How far, in pixels, an input pixel can reach in the output, the grid's alignment included.
    """

    def __init__(
        self, channels: int, classes: int, *, depth: int = 4, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        inputs = [channels, *widths[:-1]]
        self.down = nn.ModuleList(self._block(i, o) for i, o in zip(inputs, widths, strict=True))
        self.dropout = nn.Dropout2d(dropout) if dropout else nn.Identity()
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2)
            for level in reversed(range(depth))
        )
        self.join = nn.ModuleList(
            self._block(2 * widths[level], widths[level]) for level in reversed(range(depth))
        )
        self.head = nn.Conv2d(width, classes, 1)
        self.multiple = 2**depth
        self.radius = 6 * 2**depth - 4 + self.multiple - 1
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image.

        Parameters
        ----------
        image
            ``(N, C, Y, X)`` float of any size from 1 × 1 on.

        Returns
        -------
        Tensor
            ``(N, K, Y, X)``: unbounded scores; the softmax belongs to the loss and the predictor.
        """
        height, width = image.shape[-2:]
        features = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            skips.append(features)
        features = self.dropout(skips.pop())
        for up, join in zip(self.up, self.join, strict=True):
            features = join(torch.cat([skips.pop(), up(features)], dim=1))
        return cast(Tensor, self.head(features))[..., :height, :width]

    def joins(self) -> list[Join]:
        """The first convolution of each level of the expanding path, finest first."""
        convs = [cast(nn.Conv2d, cast(nn.Sequential, join)[0]) for join in reversed(self.join)]
        return [Join(conv, slice(conv.in_channels // 2, None)) for conv in convs]

    def _block(self, inputs: int, outputs: int) -> nn.Sequential:
        """What stands at each level, on the way down and up."""
        return double_conv(inputs, outputs)

    def _initialise(self) -> None:
        """He et al. 2015: convolutions before a ReLU keep the variance of what goes in."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.kaiming_normal_(self.head.weight, nonlinearity="linear")


def pad_to_multiple(image: Tensor, multiple: int, *, at_least: int = 1) -> Tensor:
    """An image enlarged at the bottom and on the right by its mirror image (or its edge, if tiny).

    Parameters
    ----------
    image
        ``(N, C, Y, X)``.
    multiple, at_least
        Both sides become a multiple of the first and no smaller than the second, in pixels.
    """
    for axis in (2, 3):
        size = image.shape[axis]
        missing = max(at_least, -(-size // multiple) * multiple) - size
        if missing > 0:
            pads = (0, missing, 0, 0) if axis == 3 else (0, 0, 0, missing)
            image = functional.pad(image, pads, mode="reflect" if missing < size else "replicate")
    return image


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        # No bias: the batch norm that follows subtracts it again.
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
