"""U-Net++: a U-Net whose skip connections are filled with further convolutions.

Zhou, Siddiquee, Tajbakhsh, Liang: "UNet++: A Nested U-Net Architecture for Medical Image
Segmentation", DLMIA 2018; as used by Guo, Luo, Li, Yang 2020: widths 32 to 512, bilinear
up-sampling, four supervised heads whose losses are summed, the last of which predicts. Width 32,
depth 4, one channel, one output: 9.16 million parameters.

One difference: there the up-sampling keeps the corners of the picture in place, which makes every
answer depend on the size of the tile it was computed in; here it keeps the centres of pixels.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import crop, initialise, resize
from orgseg_app.learn.networks.network import Head, Join, Network
from orgseg_app.learn.networks.reach import Reach
from orgseg_app.learn.networks.unet import double_conv, pad_to_multiple


class NestedUNet(Network):
    """Nodes X(level, column): each sees all nodes left of it and the one below.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    depth
        Number of down-samplings, 1…6; also the number of heads.
    width
        Feature maps of the first level; they double at each down-sampling.
    """

    def __init__(self, channels: int, classes: int, *, depth: int = 4, width: int = 32) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.first = nn.ModuleList(
            double_conv(i, o) for i, o in zip([channels, *widths[:-1]], widths, strict=True)
        )
        # Column 1 of all levels, column 2 of all but the deepest, and so on.
        self.columns = nn.ModuleList(
            nn.ModuleList(
                double_conv(column * widths[level] + widths[level + 1], widths[level])
                for level in range(depth + 1 - column)
            )
            for column in range(1, depth + 1)
        )
        self.answers = nn.ModuleList(nn.Conv2d(width, classes, 1) for _ in range(depth))
        self.multiple = 2**depth
        self.radius = _radius(depth)
        initialise(self, *self.answers)

    def _top(self, image: Tensor) -> list[Tensor]:
        """Nodes X(0, 1…depth)."""
        features = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        rows: list[list[Tensor]] = []
        for level, block in enumerate(self.first):
            features = block(features if level == 0 else functional.max_pool2d(features, 2))
            rows.append([features])
        for column in self.columns:
            for level, block in enumerate(cast(nn.ModuleList, column)):
                below = resize(rows[level + 1][-1], rows[level][0])
                rows[level].append(block(torch.cat([*rows[level], below], dim=1)))
            # The deepest row has been used up.
            rows.pop()
        return rows[0][1:]

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the last head; see `Network`."""
        return crop(self.answers[-1](self._top(image)[-1]), image)

    def heads(self, image: Tensor) -> list[Head]:
        """All heads, the last and best first; their losses are summed."""
        pairs = zip(reversed(self.answers), reversed(self._top(image)), strict=True)
        return [Head(crop(answer(node), image), 1.0) for answer, node in pairs]

    def joins(self) -> list[Join]:
        """The first convolution of the last node of each level, finest first."""
        found = []
        for level, column in enumerate(reversed(self.columns)):
            conv = cast(nn.Conv2d, cast(nn.Sequential, cast(nn.ModuleList, column)[level])[0])
            below = 2 * conv.out_channels
            found.append(Join(conv, slice(conv.in_channels - below, None)))
        return found


def _radius(depth: int) -> int:
    """The farthest of all ways through the nodes, in pixels."""
    nodes = [Reach().conv(times=2)]
    for _ in range(depth):
        nodes.append(nodes[-1].pool().conv(times=2))
    for column in range(1, depth + 1):
        for level in range(depth + 1 - column):
            nodes[level] = nodes[level].join(nodes[level + 1].bilinear(2)).conv(times=2)
    return nodes[0].radius
