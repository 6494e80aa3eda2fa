"""ICNet: three resolutions in a cascade, made to be quick.

Zhao, Qi, Shen, Shi, Jia: "ICNet for Real-Time Semantic Segmentation on High-Resolution Images",
ECCV 2018, on ResNet-18 and with loss weights 1, 0.4 and 0.16 as in the robustness study of Guo et
al. Most layers see a quarter of the image's size; three convolutions see all of it.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.learn.networks.blocks import conv_block, enlarge, initialise, resize, scaled
from orgseg_app.learn.networks.network import Head, Network
from orgseg_app.learn.networks.pyramid import pool_grids
from orgseg_app.learn.networks.resnet import RESNET18_OS8, ResNet, conv_norm
from orgseg_app.learn.networks.unet import pad_to_multiple

_WEIGHTS = (1.0, 0.4, 0.16)
_GRIDS = (1, 2, 3, 6)


class ICNet(Network):
    """Half-size image to the second stage, quarter-size to the end, full size beside them.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    width
        Features of the encoder's first convolution; 64 as published.
    """

    def __init__(self, channels: int, classes: int, *, width: int = 64) -> None:
        super().__init__()
        self.encoder = ResNet(channels, RESNET18_OS8, width=width, stem_stride=2)
        half, quarter = self.encoder.features[2], self.encoder.features[-1]
        fine, joined = scaled(32, width), scaled(128, width)
        self.full = nn.Sequential(
            *conv_block(channels, fine, stride=2),
            *conv_block(fine, fine, stride=2),
            *conv_block(fine, 2 * fine, stride=2),
        )
        self.first = _Cascade(quarter, half, joined)
        self.second = _Cascade(joined, 2 * fine, joined)
        self.head = nn.Conv2d(joined, classes, 1)
        self.side_heads = nn.ModuleList(nn.Conv2d(joined, classes, 1) for _ in range(2))
        self.multiple = 32
        self.radius = None  # one of the windows is the whole image
        initialise(self, self.head, *cast("list[nn.Conv2d]", list(self.side_heads)))

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        return self._answer(self._cascade(image)[1], image)

    def heads(self, image: Tensor) -> list[Head]:
        """The main answer, and those of an eighth and a 16th of the size, enlarged.

        Enlarged, because labels made smaller would lose most of a thin scribble.
        """
        coarse, fine = self._cascade(image)
        eighth, sixteenth = self.side_heads
        return [
            Head(self._answer(fine, image), _WEIGHTS[0]),
            Head(enlarge(eighth(fine), 8, image), _WEIGHTS[1]),
            Head(enlarge(sixteenth(coarse), 16, image), _WEIGHTS[2]),
        ]

    def _cascade(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features at a 16th and an eighth of the size."""
        image = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        half = self.encoder.begin(functional.avg_pool2d(image, 2))
        # The quarter-size image would go through the same layers: what they found is halved.
        quarter = self.encoder.finish(functional.avg_pool2d(half, 2))
        for mean in pool_grids(quarter, _GRIDS):
            quarter = quarter + resize(mean, quarter)
        coarse = self.first(quarter, half)
        return coarse, self.second(coarse, self.full(image))

    def _answer(self, features: Tensor, image: Tensor) -> Tensor:
        logits = self.head(functional.interpolate(features, scale_factor=2, mode="bilinear"))
        return enlarge(logits, 4, image)


class _Cascade(nn.Module):
    """Cascade feature fusion: the coarse map, doubled and dilated, plus the fine one."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.coarse = conv_norm(coarse, outputs, dilation=2)
        self.fine = conv_norm(fine, outputs, kernel=1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return functional.relu(self.coarse(resize(coarse, fine)) + self.fine(fine))
