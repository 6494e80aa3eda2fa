"""Small parts that the networks for volumes share.

They norm over the batch (Ioffe & Szegedy 2015), not over groups of features (Wu & He 2018) or over
the image (Ulyanov et al. 2016): those two look at all of a patch, and still do so in prediction, so
that a voxel's answer would depend on the tile it lies in. (A small 3-D U-Net after 250 steps of one
patch, on electron micrographs: logits of two tiles differed by 0.5 and by 2.9; the mean IoU was
0.29 to 0.30 with all three norms.) A norm over the batch is a plain factor by then, the same in
every tile. It works with batches of one patch, too, because a patch of a volume has thousands of
voxels, even where it is coarse; Çiçek et al. 2016 train so. With one patch a step its running mean
has to look farther back, which is what `MOMENTUM` is for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.core.planes import mirrored

Size = tuple[int, int, int]
"""Planes, rows, columns."""

CUBE: Size = (3, 3, 3)
FLAT: Size = (1, 3, 3)
"""Kernels: one that sees the neighbouring planes, and one that does not."""

MOMENTUM = 0.03
"""Share of the newest batch in the running mean and spread; torch's 0.1 follows single patches."""


class VolumeConv(nn.Conv3d):
    """A convolution that keeps the size, and whose gradient is right for two planes, too.

    In bfloat16 on a processor, torch 2.13 (oneDNN) reads memory that nobody wrote when it computes
    the weights' gradient of a kernel of three planes from exactly two: in about half of the tries
    it came out as what happened to lie there. One, three and more planes are right, and so are
    float32 and the gradient of what goes in. A third plane of zeros is what the padding would have
    been, so it changes nothing else.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Size, *, bias: bool = True) -> None:
        beside = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(inputs, outputs, kernel, padding=beside, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Features ``(N, C, Z, Y, X)``."""
        planes = input.shape[2]
        is_at_risk = planes == 2 and self.kernel_size[0] == 3 and input.device.type == "cpu"
        if not is_at_risk or not torch.is_grad_enabled():
            return super().forward(input)
        return super().forward(functional.pad(input, (0, 0, 0, 0, 0, 1)))[:, :, :planes]


def conv_block(
    inputs: int, outputs: int, kernel: Size = CUBE, *, relu: bool = True
) -> nn.Sequential:
    """Convolution that keeps the size, batch norm and, if wanted, ReLU.

    As in `blocks.conv_block`, convolution and norm stand side by side in one ``Sequential``, where
    ``prediction.predictor`` folds them into one.

    Parameters
    ----------
    inputs, outputs
        Features.
    kernel
        Odd sides, in voxels.
    relu
        False where something is added before the ReLU.
    """
    layers: list[nn.Module] = [
        # No bias: the norm subtracts it again.
        VolumeConv(inputs, outputs, kernel, bias=False),
        nn.BatchNorm3d(outputs, momentum=MOMENTUM),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def mirror_pad(image: Tensor, axis: int, before: int, after: int) -> Tensor:
    """An image or volume enlarged along one axis by its mirror image, however small it is.

    Parameters
    ----------
    image
        ``(N, C, …)``.
    axis
        Counted from the end, -1 for columns.
    before, after
        Voxels to add.

    Raises
    ------
    ValueError
        When a number is negative.
    """
    if before < 0 or after < 0:
        raise ValueError(f"Nothing can be enlarged by {before} and {after} voxels.")
    if not before and not after:
        return image
    size = image.shape[axis]
    if max(before, after) < size and image.ndim == 4:
        sides = (before, after, 0, 0) if axis == -1 else (0, 0, before, after)
        return functional.pad(image, sides, mode="reflect")
    # Taking slices also works in three dimensions, in half precision, and past the far end.
    places = image.new_tensor([mirrored(i, size) for i in range(-before, size + after)]).int()
    return image.index_select(axis, places)


def pad_volume(volume: Tensor, multiple: int, multiple_z: int = 1, *, at_least: int = 1) -> Tensor:
    """A volume enlarged by its mirror image behind its last plane, row and column.

    Only there, so that tiles that start at a multiple see the same grid as the whole volume.

    Parameters
    ----------
    volume
        ``(N, C, Z, Y, X)``.
    multiple, multiple_z
        Rows and columns, and planes, become multiples of these.
    at_least
        Rows and columns there are at least.
    """
    steps = ((-3, multiple_z, 1), (-2, multiple, at_least), (-1, multiple, at_least))
    for axis, step, least in steps:
        size = volume.shape[axis]
        volume = mirror_pad(volume, axis, 0, max(least, -(-size // step) * step) - size)
    return volume


def crop_volume(features: Tensor, like: Tensor) -> Tensor:
    """The first planes, rows and columns, as many as another volume has: undoes `pad_volume`."""
    depth, height, width = like.shape[-3:]
    return features[..., :depth, :height, :width]
