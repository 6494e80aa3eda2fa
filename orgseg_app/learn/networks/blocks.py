"""Small parts that the networks made for photographs share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.BatchNorm2d):
    """Batch norm (Ioffe & Szegedy 2015) that also learns from a single value.

    Global pooling of one patch leaves one number a feature. It has no spread, and torch refuses to
    learn from it; here it is judged by what was seen so far, as in prediction.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Features ``(N, C, h, w)`` of mean 0 and spread 1, then scaled and shifted."""
        if self.training and input.numel() == input.shape[1]:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


def scaled(published: int, width: int, base: int = 64) -> int:
    """A published number of features for a network of another width, 1 at the least.

    Examples
    --------
    >>> scaled(48, 64), scaled(48, 8), scaled(256, 4)
    (48, 6, 16)
    """
    return max(1, round(published * width / base))


class StridedPointwise(nn.Conv2d):
    """A 1 × 1 convolution with a stride: pixels are left out first, as many as the stride says.

    The same numbers. Where processors have AVX2 and no more, the library below torch 2.13 (oneDNN)
    writes beyond its memory in the backward pass of such a convolution of fewer than eight
    features in channels-last order, and the process ends.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows, columns = self.stride
        return functional.conv2d(input[..., ::rows, ::columns], weight, bias)


def conv_block(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution (size kept but for the stride), batch norm and, if wanted, ReLU.

    Convolution and norm stand side by side in one ``Sequential``: that is where
    ``prediction.predictor`` looks for pairs to fold into one.

    Parameters
    ----------
    inputs, outputs
        Features.
    kernel, stride, dilation
        In pixels of the features.
    relu
        False where something is added before the ReLU.
    """
    convolution = StridedPointwise if kernel == 1 and stride > 1 else nn.Conv2d
    layers: list[nn.Module] = [
        convolution(
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            bias=False,  # the batch norm that follows subtracts it again
        ),
        BatchNorm(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def double_block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(*conv_block(inputs, outputs), *conv_block(outputs, outputs))


def resize(features: Tensor, like: Tensor) -> Tensor:
    """Features at the size of others, bilinear.

    Pixel centres stay where they are (``align_corners=False``): with corners aligned, what a pixel
    sees would depend on the size of the tile it lies in.
    """
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)


def crop(features: Tensor, like: Tensor) -> Tensor:
    """The top left part that is as large as another tensor: takes padding away again."""
    return features[..., : like.shape[-2], : like.shape[-1]]


def enlarge(logits: Tensor, factor: int, image: Tensor) -> Tensor:
    """Coarse answers for a padded image at the full size of the image itself, bilinear."""
    if factor > 1:
        logits = functional.interpolate(
            logits, scale_factor=factor, mode="bilinear", align_corners=False
        )
    return crop(logits, image)


def initialise(network: nn.Module, *heads: nn.Module) -> None:
    """He et al. 2015: convolutions before a ReLU keep the variance of what goes in.

    Parameters
    ----------
    network
        All of its convolutions are drawn anew, their biases set to 0.
    heads
        Those that no ReLU follows.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Conv3d | nn.ConvTranspose3d):
            transposed = isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d)
            nn.init.kaiming_normal_(
                module.weight,
                mode="fan_out" if transposed else "fan_in",  # torch swaps the two for these
                nonlinearity="linear" if module in heads else "relu",
            )
            if transposed:  # of stride s: each pixel sees only 1/s² of the kernel
                with torch.no_grad():
                    module.weight.mul_(math.sqrt(math.prod(module.stride)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
