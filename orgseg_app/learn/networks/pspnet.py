"""PSPNet: a dilated ResNet, and means over windows of four sizes.

Zhao, Shi, Qi, Wang, Jia: "Pyramid Scene Parsing Network", CVPR 2017: ResNet-50 at an eighth of the
size, windows 1, 2, 3 and 6, an auxiliary answer of weight 0.4 from the third stage, as in the
robustness study of Guo et al. One difference: the first convolution is the 7 × 7 of ResNet, not
three of 3 × 3.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from orgseg_app.learn.networks.blocks import conv_block, enlarge, initialise, scaled
from orgseg_app.learn.networks.network import Head, Network
from orgseg_app.learn.networks.pyramid import PyramidPooling
from orgseg_app.learn.networks.resnet import RESNET50_OS8, ResNet
from orgseg_app.learn.networks.unet import pad_to_multiple

_AUXILIARY_WEIGHT = 0.4


class PSPNet(Network):
    """ResNet-50, pyramid pooling, a main and an auxiliary answer.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    width
        Features of the first convolution; 64 as published.
    dropout
        Before both answers; 0.1 as published.
    """

    def __init__(
        self, channels: int, classes: int, *, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder = ResNet(channels, RESNET50_OS8, width=width, stem_stride=2)
        third, last = self.encoder.features[3:]
        self.pyramid = PyramidPooling(last)
        middle, side = scaled(512, width), scaled(256, width)
        self.last = nn.Sequential(*conv_block(self.pyramid.outputs, middle), nn.Dropout2d(dropout))
        self.head = nn.Conv2d(middle, classes, 1)
        self.side = nn.Sequential(*conv_block(third, side), nn.Dropout2d(dropout))
        self.side_head = nn.Conv2d(side, classes, 1)
        self.multiple = 8
        self.radius = None  # one of the windows is the whole image
        initialise(self, self.head, self.side_head)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        return self._answer(self._maps(image), image)

    def heads(self, image: Tensor) -> list[Head]:
        """The main answer, and one from the third stage; both enlarged to full size.

        Enlarged, because labels made smaller would lose most of a thin scribble.
        """
        maps = self._maps(image)
        side = self.side_head(self.side(maps[3]))
        return [
            Head(self._answer(maps, image), 1.0),
            Head(enlarge(side, 8, image), _AUXILIARY_WEIGHT),
        ]

    def _maps(self, image: Tensor) -> list[Tensor]:
        padded = pad_to_multiple(image, self.multiple, at_least=2 * self.multiple)
        return cast("list[Tensor]", self.encoder(padded))

    def _answer(self, maps: list[Tensor], image: Tensor) -> Tensor:
        logits = self.head(self.last(self.pyramid(maps[-1])))
        return enlarge(logits, 8, image)
