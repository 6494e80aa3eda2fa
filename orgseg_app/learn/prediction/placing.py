"""A network made ready to predict on a device, and how large a piece it takes comfortably."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from orgseg_app.learn.device import Device
from orgseg_app.learn.layout import lay_out
from orgseg_app.runs.recipes.costs import features_per_pixel
from orgseg_app.runs.recipes.schema import NetworkChoice

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_PIECE_BYTES = 2**30
_LARGEST_SIDE = 1536
_LARGEST_BOX = 2**22


def ready(network: nn.Module, device: Device) -> nn.Module:
    """A copy for prediction: batch norm folded into the convolutions, in the device's precision."""
    network = copy.deepcopy(network).cpu().float().eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                conv, norm = module[i], module[i + 1]
                if (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)) or (
                    isinstance(conv, nn.Conv3d) and isinstance(norm, nn.BatchNorm3d)
                ):
                    module[i], module[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    network = network.requires_grad_(False).to(device.torch_device, _DTYPES[device.precision])
    return lay_out(network)


def comfortable_tile(choice: NetworkChoice) -> int:
    """Tiles as large as about 1 GB of features allows: the larger, the less is computed twice.

    Measured on two cores: with channels-last and bfloat16, tiles of 1536 pixels are no slower a
    pixel than tiles of 256. Of the features that learning keeps, prediction holds about a third at
    a time: what skips the deeper levels, and what is being worked on.
    """
    return max(256, min(_LARGEST_SIDE, int((_PIECE_BYTES / _bytes_per_pixel(choice)) ** 0.5)))


def comfortable_voxels(choice: NetworkChoice) -> int:
    """As `comfortable_tile`, the voxels of a tile of a volume."""
    return max(2**15, min(_LARGEST_BOX, int(_PIECE_BYTES / _bytes_per_pixel(choice))))


def _bytes_per_pixel(choice: NetworkChoice) -> float:
    try:
        return features_per_pixel(choice) * 4 / 3
    except KeyError:
        return 48.0 * choice.width
