"""DANet: every place looks at all others, and every feature at all others.

Fu et al.: "Dual Attention Network for Scene Segmentation", CVPR 2019, on ResNet-50 at an eighth of
the size, with an answer of each attention beside that of their sum.

Memory. Position attention compares each place with every other: a square of the number of places,
67 MB for an image of 512 × 512 pixels but 17 GB for one of 2048 × 2048. Here no more than 4096 keys
are looked at: larger maps are averaged down to that before they are compared (an image of up to
512 × 512 pixels gives what was published), and in prediction 4096 places look at a time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import conv_block, enlarge, initialise
from orgseg_app.learn.networks.network import Head, Network
from orgseg_app.learn.networks.resnet import RESNET50_OS8, ResNet
from orgseg_app.learn.networks.unet import pad_to_multiple

MOST_PLACES = 4096
"""Keys that are looked at, and places that look at once in prediction."""


class DANet(Network):
    """ResNet-50, two attentions side by side, three answers while it learns.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    width
        Features of the first convolution; 64 as published.
    dropout
        Before each answer; 0.1 as published.
    """

    def __init__(
        self, channels: int, classes: int, *, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder = ResNet(channels, RESNET50_OS8, width=width, stem_stride=2)
        last = self.encoder.features[-1]
        middle = last // 4
        self.place_in, self.feature_in = conv_block(last, middle), conv_block(last, middle)
        self.place, self.feature = PositionAttention(middle), ChannelAttention()
        self.place_out = conv_block(middle, middle)
        self.feature_out = conv_block(middle, middle)
        self.dropout = nn.Dropout2d(dropout)
        self.head, self.place_head, self.feature_head = (
            nn.Conv2d(middle, classes, 1) for _ in range(3)
        )
        self.multiple = 8
        self.radius = None  # attention reaches everywhere
        initialise(self, self.head, self.place_head, self.feature_head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        place, feature = self._attended(image)
        return enlarge(self.head(self.dropout(place + feature)), 8, image)

    def heads(self, image: Tensor) -> list[Head]:
        """The answer of the sum and of each attention, enlarged; their losses are summed.

        Enlarged, because labels made smaller would lose most of a thin scribble.
        """
        place, feature = self._attended(image)
        pairs = (
            (self.head, place + feature),
            (self.place_head, place),
            (self.feature_head, feature),
        )
        return [Head(enlarge(head(self.dropout(m)), 8, image), 1.0) for head, m in pairs]

    def _attended(self, image: Tensor) -> tuple[Tensor, Tensor]:
        padded = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        features = self.encoder(padded)[-1]
        place = self.place_out(self.place(self.place_in(features)))
        return place, self.feature_out(self.feature(self.feature_in(features)))


class PositionAttention(nn.Module):
    """Each place gets a mean over all places, those like it counting most.

    Parameters
    ----------
    features
        That go in and come out; an eighth of them is compared.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        compared = max(1, features // 8)
        self.query = nn.Conv2d(features, compared, 1)
        self.key = nn.Conv2d(features, compared, 1)
        self.value = nn.Conv2d(features, features, 1)
        self.share = nn.Parameter(torch.zeros(1))  # begins as if it were not there, as published

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, C, h, w)``."""
        query = self.query(features).flatten(2).transpose(1, 2)
        seen = features
        height, width = features.shape[-2:]
        if height * width > MOST_PLACES:
            shrink = math.sqrt(MOST_PLACES / (height * width))
            size = (max(1, int(height * shrink)), max(1, int(width * shrink)))
            seen = functional.adaptive_avg_pool2d(features, size)
        key, value = self.key(seen).flatten(2), self.value(seen).flatten(2).transpose(1, 2)
        found = [
            # In float32: sums of products over many features overflow half precision.
            torch.softmax((part @ key).float(), dim=-1).to(value.dtype) @ value
            for part in ([query] if self.training else query.split(MOST_PLACES, dim=1))
        ]
        mean = torch.cat(found, dim=1).transpose(1, 2).unflatten(2, (height, width))
        return features + self.share * mean


class ChannelAttention(nn.Module):
    """Each feature gets a mean over all features, those unlike it counting most, as published."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, C, h, w)``."""
        flat = features.flatten(2)
        with torch.autocast(features.device.type, enabled=False):
            # Sums over all places of the image would overflow half precision.
            alike = flat.float() @ flat.float().transpose(1, 2)
        unlike = alike.amax(dim=-1, keepdim=True) - alike
        mean = torch.softmax(unlike, dim=-1).to(flat.dtype) @ flat
        return features + self.share * mean.view_as(features)
