"""The U-Net as it is common in Keras: no batch norm, dropout at the bottom.

Structure of the "EMsegmentation-mito" pipeline, which took it from YunYang1994's TensorFlow
examples (MIT); after Ronneberger, Fischer, Brox 2015. Width 64, depth 4, one channel, one output:
31,031,685 parameters. As published, but for the size (any is taken) and for a leak in the last
ReLU.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import crop, initialise
from orgseg_app.learn.networks.network import Join, Network
from orgseg_app.learn.networks.unet import pad_to_multiple

DROPOUT = 0.5
"""As published."""
_LEAK = 0.01
"""Without it both last features of two classes died in one of a few trainings (discs, Adam 0.001):
the answer was the same everywhere, and no gradient could change that again."""


class DropoutUNet(Network):
    """U-Net with dropout behind its two deepest levels, and up-sampling by repetition.

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
    """

    def __init__(self, channels: int, classes: int, *, depth: int = 4, width: int = 64) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        inputs = [channels, *widths[:-1]]
        self.down = nn.ModuleList(_double_conv(i, o) for i, o in zip(inputs, widths, strict=True))
        self.dropout = nn.Dropout(DROPOUT)
        self.up = nn.ModuleList(
            nn.Conv2d(widths[level + 1], widths[level], 2) for level in reversed(range(depth))
        )
        self.join = nn.ModuleList(
            _double_conv(2 * widths[level], widths[level]) for level in reversed(range(depth))
        )
        # Published for one structure on a background: two features. More classes get more.
        features = max(2, 2 * (classes - 1))
        self.last = nn.Conv2d(width, features, 3, padding=1)
        self.head = nn.Conv2d(features, classes, 1)
        self.multiple = 2**depth
        # Levels' convolutions, then up-sampling: 2 × 2 taps reach one pixel to the right at each
        # level beside the grid's alignment; then the convolution before the head.
        self.radius = 6 * 2**depth - 4 + 2 * (self.multiple - 1) + 1
        initialise(self, self.head)
        # Few features learn slowly when they begin below 0.
        nn.init.constant_(cast(Tensor, self.last.bias), 0.1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of an image; see `Network`."""
        features = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            if level >= len(self.down) - 2:
                features = self.dropout(features)
            skips.append(features)
        features = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            # "Same" padding of an even kernel: one pixel more behind than before.
            larger = functional.interpolate(features, scale_factor=2, mode="nearest")
            larger = functional.relu(up(functional.pad(larger, (0, 1, 0, 1))), inplace=True)
            features = join(torch.cat([skips.pop(), larger], dim=1))
        features = functional.leaky_relu(self.last(features), _LEAK, inplace=True)
        return crop(self.head(features), image)

    def joins(self) -> list[Join]:
        """The first convolution of each level of the expanding path, finest first."""
        convs = [cast(nn.Conv2d, cast(nn.Sequential, join)[0]) for join in reversed(self.join)]
        return [Join(conv, slice(conv.in_channels // 2, None)) for conv in convs]


def _double_conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )
