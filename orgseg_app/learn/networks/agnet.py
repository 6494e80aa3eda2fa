"""AG-Net: skip connections through a guided filter with attention.

Zhang et al.: "Attention Guided Network for Retinal Image Segmentation", MICCAI 2019,
arXiv:1907.12930; the guided filter is He, Sun, Tang, TPAMI 2013. Width 32, one channel, two
classes: 9.33 million parameters.

Two differences. The weights of the filter's fit are those of the paper's least-squares problem;
the authors' code divides them by a sum over the whole batch, so that one image's answer would
depend on the others'. And the smaller images are means of pixels, not samples, lest fine lines
flicker.
"""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import crop, initialise, resize
from orgseg_app.learn.networks.network import Head, Network
from orgseg_app.learn.networks.unet import pad_to_multiple

RADIUS, EPSILON = 2, 1e-2
"""Of the guided filter, as published: pixels of the coarser picture; squared feature values."""


class AGNet(Network):
    """Encoder that sees the image at four sizes, guided decoder, four answers and their mean.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.
    width
        Feature maps of the first level; they double at each of four down-samplings.

    Attributes
    ----------
    radius
        None: its group norms take the mean over the whole image.
    """

    multiple = 16

    def __init__(self, channels: int, classes: int, *, width: int = 32) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        # Level 1, 2, 3 also get what a convolution makes of the image at that size.
        self.injected = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, w, 3, padding=1), nn.ReLU(inplace=True))
            for w in widths[1:]
        )
        inputs = [channels, *(widths[i] + widths[i - 1] for i in (1, 2, 3))]
        self.down = nn.ModuleList(
            nn.Sequential(*_conv_norm(i, w), *_conv_norm(w, w))
            for i, w in zip(inputs, widths, strict=True)
        )
        self.centre = nn.Sequential(
            nn.Conv2d(8 * width, 16 * width, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(16 * width, 16 * width, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
        )
        upwards = list(reversed(widths))
        self.attention = nn.ModuleList(_Attention(2 * w) for w in upwards)
        self.up = nn.ModuleList(
            nn.Sequential(*_conv_norm(2 * w, w), *_conv_norm(w, w), *_conv_norm(w, w))
            for w in upwards
        )
        self.answers = nn.ModuleList(nn.Conv2d(w, classes, 1) for w in upwards)
        initialise(self, *self.answers)

    def _answers(self, image: Tensor) -> list[Tensor]:
        """Logits of the four levels, each at full size; the coarsest first."""
        padded = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        features = self.down[0](padded)
        guides = [torch.cat([features, features], dim=1)]
        for level in (1, 2, 3):
            seen = self.injected[level - 1](functional.avg_pool2d(padded, 2**level))
            inside = torch.cat([seen, functional.max_pool2d(features, 2)], dim=1)
            features = self.down[level](inside)
            guides.append(torch.cat([seen, features], dim=1))
        features = self.centre(functional.max_pool2d(features, 2))
        found = []
        for number, up in enumerate(self.up):
            guide = guides.pop()
            small = functional.avg_pool2d(guide, 2)
            trust = self.attention[number](small, features)
            features = up(guided_filter(small, features, guide, trust))
            # A 1 × 1 convolution and an enlargement may change places: this is the cheaper order.
            found.append(crop(resize(self.answers[number](features), padded), image))
        return found

    def forward(self, image: Tensor) -> Tensor:
        """Mean of the four answers; see `Network`."""
        return torch.stack(self._answers(image)).mean(0)

    def heads(self, image: Tensor) -> list[Head]:
        """The mean of the four answers, and each of them; their losses are summed."""
        answers = self._answers(image)
        return [Head(torch.stack(answers).mean(0), 1.0), *(Head(a, 1.0) for a in answers)]


class _Attention(nn.Module):
    """How much each pixel is to be trusted, from the guide and the features (both ``C`` maps)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.guide = nn.Conv2d(features, features, 1)
        self.features = nn.Conv2d(features, features, 1)
        self.decide = nn.Conv2d(features, 1, 1)

    def forward(self, guide: Tensor, features: Tensor) -> Tensor:
        """``(N, 1, h, w)``, 0…1."""
        both = functional.relu(self.guide(guide) + self.features(features), inplace=True)
        return torch.sigmoid(self.decide(both))


def guided_filter(small: Tensor, features: Tensor, guide: Tensor, trust: Tensor) -> Tensor:
    """Features enlarged ×2 along the edges of a guide.

    In every window of the coarser picture, ``features ≈ a · small + b`` is fitted by least squares,
    each pixel weighted with its squared trust and ``a²`` held small; the windows' mean ``a`` and
    ``b``, enlarged, are applied to the finer guide.

    Parameters
    ----------
    small, features
        ``(N, C, h, w)``: the guide at the coarser size, and what is to be enlarged.
    guide
        ``(N, C, 2h, 2w)``.
    trust
        ``(N, 1, h, w)``, 0…1.

    Returns
    -------
    Tensor
        ``(N, C, 2h, 2w)``, in the number format of `features`.
    """
    kind = features.dtype
    # Differences of squares: not with eight bits of precision. Autocast leaves these operations in
    # the format of what goes in.
    x, y, fine = small.float(), features.float(), guide.float()
    # Nowhere 0, or a window without trust would divide by it.
    weight = trust.float().square() + 1e-6
    total, wx = _window_mean(weight), weight * x
    mean_x, mean_y = _window_mean(wx) / total, _window_mean(weight * y) / total
    covariance = _window_mean(wx * y) - total * mean_x * mean_y
    variance = (_window_mean(wx * x) - total * mean_x.square()).clamp_min(0)
    a = covariance / (variance + EPSILON)
    b = mean_y - a * mean_x
    a, b = resize(_window_mean(a), fine), resize(_window_mean(b), fine)
    return torch.addcmul(b, a, fine).to(kind)


def _window_mean(values: Tensor) -> Tensor:
    return functional.avg_pool2d(
        values, 2 * RADIUS + 1, stride=1, padding=RADIUS, count_include_pad=False
    )


class _GroupNorm(nn.GroupNorm):
    """Group norm (Wu & He 2018) that learns fast on the processor."""

    def forward(self, input: Tensor) -> Tensor:
        # The way back through channels-last features is written for other shapes: with bfloat16,
        # 16 features of 128 x 128 pixels took 42 ms, and 4 ms with both changes of order counted.
        last = torch.channels_last
        if input.is_cpu and input.requires_grad and input.is_contiguous(memory_format=last):
            return super().forward(input.contiguous()).contiguous(memory_format=last)
        return super().forward(input)


def _conv_norm(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    # 32 groups as published; fewer where the features do not divide so.
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        _GroupNorm(gcd(32, outputs), outputs, eps=1e-4),
        nn.ReLU(inplace=True),
    )
