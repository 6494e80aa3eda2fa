"""The convolutions of VGG-16.

Simonyan and Zisserman: "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
2015 (configuration D), without the fully connected layers; the first convolution takes any number
of channels.
"""

from __future__ import annotations

from torch import nn

from orgseg_app.learn.networks.blocks import conv_block, scaled
from orgseg_app.learn.networks.reach import Reach

VGG_LAYERS = (2, 2, 3, 3, 3)
"""Convolutions of each level; a 2 × 2 pooling follows each level."""

_WIDTHS = (64, 128, 256, 512, 512)


def vgg_widths(width: int) -> list[int]:
    """Features of each level; 64 as published."""
    return [scaled(features, width) for features in _WIDTHS]


def vgg_levels(channels: int, width: int, *, batch_norm: bool) -> nn.ModuleList:
    """The five levels, without the poolings between them.

    Parameters
    ----------
    channels
        Image channels.
    width
        Features of the first level; 64 as published.
    batch_norm
        As in the later version of the network that is known as VGG-16-BN.
    """
    levels = nn.ModuleList()
    inputs = channels
    for outputs, layers in zip(vgg_widths(width), VGG_LAYERS, strict=True):
        level = nn.Sequential()
        for _ in range(layers):
            if batch_norm:
                level.extend(conv_block(inputs, outputs))
            else:
                level.append(nn.Conv2d(inputs, outputs, 3, padding=1))
                level.append(nn.ReLU(inplace=True))
            inputs = outputs
        levels.append(level)
    return levels


def vgg_reaches() -> list[Reach]:
    """Sight of each level, before its pooling."""
    reaches, reach = [], Reach()
    for layers in VGG_LAYERS:
        reaches.append(reach.conv(times=layers))
        reach = reaches[-1].pool()
    return reaches
