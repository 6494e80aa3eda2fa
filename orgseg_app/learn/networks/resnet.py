"""Residual networks as encoders.

He, Zhang, Ren, Sun: "Deep Residual Learning for Image Recognition", CVPR 2016 (the stride sits in
the 3 × 3 convolution of a bottleneck, as in every implementation since), with dilation in place of
the last strides as in Chen et al. 2017 (DeepLab). The first convolution takes any number of
channels and can work at full size (Guo et al. 2021, PRCV).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import BatchNorm, conv_block


@dataclass(frozen=True)
class ResNetPlan:
    """Which residual network.

    Attributes
    ----------
    layers
        Residual blocks of each of the four stages.
    bottleneck
        Blocks 1 × 1, 3 × 3, 1 × 1 with four times the features, instead of two 3 × 3.
    strides, dilations
        Of the four stages.
    grid
        What the dilation of each block of the last stage is multiplied with ("multi-grid").
    """

    layers: tuple[int, int, int, int]
    bottleneck: bool = True
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    dilations: tuple[int, int, int, int] = (1, 1, 1, 1)
    grid: tuple[int, ...] = ()


class ResNet(nn.Module):
    """The convolutions of a residual network.

    Parameters
    ----------
    channels
        Image channels.
    plan
        Its stages.
    width
        Features of the first convolution; 64 as published.
    stem_stride
        Stride of the first convolution; 2 as published.

    Attributes
    ----------
    features
        Number of features of the maps that `forward` gives.
    """

    def __init__(self, channels: int, plan: ResNetPlan, *, width: int, stem_stride: int) -> None:
        super().__init__()
        self.stem = conv_block(channels, width, kernel=7, stride=stem_stride)
        self.features = [width]
        stages = []
        for number, layers in enumerate(plan.layers):
            middle = width * 2**number
            inputs, outputs = self.features[-1], middle * (4 if plan.bottleneck else 1)
            stage = nn.Sequential()
            for block in range(layers):
                grid = plan.grid[block] if plan.grid and number == 3 else 1
                stage.append(
                    Residual(
                        outputs if block else inputs,
                        middle,
                        outputs,
                        stride=1 if block else plan.strides[number],
                        dilation=plan.dilations[number] * grid,
                        bottleneck=plan.bottleneck,
                    )
                )
            stages.append(stage)
            self.features.append(outputs)
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps of the first convolution and of the four stages."""
        maps = [cast(Tensor, self.stem(image))]
        features = _pooled(maps[0])
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps

    def begin(self, image: Tensor) -> Tensor:
        """The map of the second stage."""
        return cast(Tensor, self.stages[1](self.stages[0](_pooled(self.stem(image)))))

    def finish(self, features: Tensor) -> Tensor:
        """The map of the last stage, of one of the second."""
        return cast(Tensor, self.stages[3](self.stages[2](features)))


def _pooled(features: Tensor) -> Tensor:
    return functional.max_pool2d(features, 3, stride=2, padding=1)


class Residual(nn.Module):
    """Two or three convolutions whose answer is added to what went in.

    Parameters
    ----------
    inputs, middle, outputs
        Features; `middle` matters to bottlenecks only.
    stride, dilation
        Of the (first) 3 × 3 convolution.
    bottleneck
        1 × 1, 3 × 3, 1 × 1, or two 3 × 3.
    """

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        bottleneck: bool = False,
    ) -> None:
        super().__init__()
        if bottleneck:
            self.body = nn.Sequential(
                *conv_block(inputs, middle, kernel=1),
                *conv_block(middle, middle, stride=stride, dilation=dilation),
                *conv_norm(middle, outputs, kernel=1),
            )
        else:
            self.body = nn.Sequential(
                *conv_block(inputs, outputs, stride=stride, dilation=dilation),
                *conv_norm(outputs, outputs, dilation=dilation),
            )
        # At first each block hands on what it gets (Goyal et al. 2017): otherwise a hundred layers,
        # judged by the batch norms' first guess, would give astronomic numbers.
        nn.init.zeros_(cast(BatchNorm, self.body[-1]).weight)
        same = stride == 1 and inputs == outputs
        self.way: nn.Module = (
            nn.Identity() if same else conv_norm(inputs, outputs, kernel=1, stride=stride)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, outputs, h, w)``."""
        return functional.relu(self.body(features) + self.way(features))


def conv_norm(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution and batch norm, where something is added before the ReLU."""
    return conv_block(inputs, outputs, kernel, stride=stride, dilation=dilation, relu=False)


RESNET101_OS16 = ResNetPlan(
    (3, 4, 23, 3), strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), grid=(1, 2, 4)
)
"""As DeepLabv3+ uses it; a 16th of the size at the end."""
RESNET50_OS16 = ResNetPlan(
    (3, 4, 6, 3), strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), grid=(1, 2, 4)
)
RESNET50_OS8 = ResNetPlan((3, 4, 6, 3), strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
"""As PSPNet and DANet use it; an eighth of the size at the end."""
RESNET18_OS8 = ResNetPlan(
    (2, 2, 2, 2), bottleneck=False, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)
)
