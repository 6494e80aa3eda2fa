"""U-Net with a multi-resolution encoder and the hierarchical fusing loss.

Guo et al.: "Accurate segmentation of intracellular organelle networks using low-level features and
topological self-similarity", Bioinformatics 40(10) btae559, 2024. A second encoder looks at the
image itself at every resolution (double convolutions of 64, 64, 128, 256, 512 features), because
low-level features decide on organelle networks; every level of the decoder answers twice, at its
own resolution and at full size, because these networks look alike at every scale.

Two differences, both for the sake of any image size: the coarser inputs are the image made smaller,
as in a pyramid, where the authors also cut pieces at random; and the contracting path has the
widths of the encoder beside it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import crop, initialise
from orgseg_app.learn.networks.network import Head, Join, Network
from orgseg_app.learn.networks.unet import double_conv, pad_to_multiple


class MultiResolutionUNet(Network):
    """Contracting path and image pyramid side by side, one expanding path.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Number of down-samplings, 1…6.
    width
        Feature maps of the first two levels; they double from there on.
    """

    def __init__(self, channels: int, classes: int, *, depth: int = 4, width: int = 64) -> None:
        super().__init__()
        widths = [width, *(width * 2**level for level in range(depth))]
        # What the decoder gets of each level: both encoders' features, but for the first.
        joint = [width, *(2 * w for w in widths[1:])]
        self.down = nn.ModuleList(
            double_conv(i, o) for i, o in zip([channels, *widths[:-1]], widths, strict=True)
        )
        self.pyramid = nn.ModuleList(double_conv(channels, w) for w in widths[1:])
        upwards = list(reversed(range(depth)))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(joint[level + 1], joint[level], 2, stride=2) for level in upwards
        )
        self.join = nn.ModuleList(double_conv(2 * joint[level], joint[level]) for level in upwards)
        self.head = nn.Conv2d(width, classes, 1)
        coarse = list(reversed(range(1, depth + 1)))
        self.coarse = nn.ModuleList(double_conv(joint[i], joint[i] // 2) for i in coarse)
        self.native = nn.ModuleList(nn.Conv2d(joint[i] // 2, classes, 1) for i in coarse)
        self.enlarged = nn.ModuleList(
            nn.ConvTranspose2d(joint[i] // 2, classes, 2**i, stride=2**i) for i in coarse
        )
        self.multiple = 2**depth
        self.radius = 6 * 2**depth - 4 + self.multiple - 1
        initialise(self, self.head, *self.native, *self.enlarged)

    def _decoder(self, image: Tensor) -> list[Tensor]:
        """Features of all levels, the coarsest first."""
        image = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        features = self.down[0](image)
        skips = [features]
        for level, block in enumerate(self.down[1:], start=1):
            features = block(functional.max_pool2d(features, 2))
            seen = self.pyramid[level - 1](functional.avg_pool2d(image, 2**level))
            skips.append(torch.cat([features, seen], dim=1))
        found = [skips.pop()]
        for up, join in zip(self.up, self.join, strict=True):
            found.append(join(torch.cat([skips.pop(), up(found[-1])], dim=1)))
        return found

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the full-size head; see `Network`."""
        return crop(self.head(self._decoder(image)[-1]), image)

    def heads(self, image: Tensor) -> list[Head]:
        """Hierarchical fusing loss: half the weight on the last answer, half on all coarser ones.

        With four down-samplings that is ½ · main + 1/16 · (four native + four enlarged heads).
        """
        height, width = image.shape[-2:]
        *coarse, finest = self._decoder(image)
        answers = [Head(crop(self.head(finest), image), 0.5)]
        share = 0.25 / len(coarse)
        for number, features in enumerate(coarse):
            factor = 2 ** (len(coarse) - number)
            features = self.coarse[number](features)
            enlarged = crop(self.enlarged[number](features), image)
            native = self.native[number](features)
            native = native[..., : -(-height // factor), : -(-width // factor)]
            answers += [Head(enlarged, share), Head(native, share)]
        return answers

    def joins(self) -> list[Join]:
        """The first convolution of each level of the expanding path, finest first."""
        convs = [cast(nn.Conv2d, cast(nn.Sequential, join)[0]) for join in reversed(self.join)]
        return [Join(conv, slice(conv.in_channels // 2, None)) for conv in convs]
