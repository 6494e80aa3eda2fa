"""Looking at features on several scales at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import conv_block, resize


class PyramidPooling(nn.Module):
    """Means over a grid of windows, beside the features themselves.

    Zhao et al.: "Pyramid Scene Parsing Network", CVPR 2017.

    Parameters
    ----------
    features
        Features that go in; twice as many come out, rounded.
    grids
        Windows along each side.
    """

    def __init__(self, features: int, grids: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.grids = tuple(grids)
        each = max(1, features // len(self.grids))
        self.levels = nn.ModuleList(conv_block(features, each, kernel=1) for _ in self.grids)
        self.outputs = features + each * len(self.grids)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, outputs, h, w)``."""
        pooled = pool_grids(features, self.grids)
        levels = [resize(level(p), features) for level, p in zip(self.levels, pooled, strict=True)]
        return torch.cat([features, *levels], dim=1)


class SpatialPyramid(nn.Module):
    """Convolutions of several dilations and the mean of everything, side by side ("ASPP").

    Chen et al.: "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017.

    Parameters
    ----------
    inputs, outputs
        Features.
    dilations
        Of the 3 × 3 convolutions.
    dropout
        Share of the features dropped at the end while learning.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        dilations: Sequence[int] = (6, 12, 18),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.near = conv_block(inputs, outputs, kernel=1)
        self.wide = nn.ModuleList(conv_block(inputs, outputs, dilation=d) for d in dilations)
        self.mean = conv_block(inputs, outputs, kernel=1)
        self.project = conv_block((2 + len(dilations)) * outputs, outputs, kernel=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, outputs, h, w)``."""
        mean = self.mean(functional.adaptive_avg_pool2d(features, 1))
        branches = [self.near(features), *(wide(features) for wide in self.wide)]
        joined = torch.cat([*branches, mean.expand_as(branches[0])], dim=1)
        return cast(Tensor, self.dropout(self.project(joined)))


def pool_grids(features: Tensor, grids: Sequence[int]) -> list[Tensor]:
    """Means over windows: ``(N, C, g, g)`` for each number of windows along a side."""
    return [functional.adaptive_avg_pool2d(features, grid) for grid in grids]
