"""Costs added up layer by layer, for U-Nets and their kin; a test compares each sum with torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice

PatchSize = tuple[int, int]
"""Planes and side of a patch. The side matters where a network looks past the patch's borders, the
planes where it has to fill them up to a multiple."""

USUAL_PATCH: PatchSize = (8, 256)


@dataclass
class Ledger:
    """Sums over layers, for one pixel of the image.

    Attributes
    ----------
    patch
        How large a piece the network is given.
    shrink
        Voxels that become one from a level to the next.
    products, parameters, features
        Multiplications; numbers learnt; numbers of 32 bits kept for the way back.
    """

    patch: PatchSize = USUAL_PATCH
    shrink: int = 4
    products: float = 0.0
    parameters: float = 0.0
    features: float = 0.0

    def conv(
        self,
        level: float,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        planes: int = 1,
        norm: bool = True,
    ) -> None:
        """A convolution at a level, its norm (or bias), a ReLU; the kernel's planes and side.

        A norm keeps what goes in, a ReLU what comes out.
        """
        self._weights(level, inputs, outputs, planes * kernel**2)
        self.parameters += 2 * outputs if norm else outputs
        self.keep(level, (2 if norm else 1) * outputs)

    def double(self, level: int, inputs: int, outputs: int, *, norm: bool = True) -> None:
        """Two of them."""
        self.conv(level, inputs, outputs, norm=norm)
        self.conv(level, outputs, outputs, norm=norm)

    def head(self, level: int, inputs: int, classes: int) -> None:
        """A 1 × 1 convolution, with a bias."""
        self._weights(level, inputs, classes, 1)
        self.parameters += classes

    def grow(self, level: float, inputs: int, outputs: int, taps: int = 0) -> None:
        """A transposed convolution to a level, by its kernel's voxels; each output has one tap."""
        self.products += inputs * outputs / self.shrink**level
        self.parameters += (taps or self.shrink) * inputs * outputs + outputs

    def pool(self, level: float, features: int) -> None:
        """Pooling to a level: the result, and where (64 bits) it was found."""
        self.keep(level, 3 * features)

    def keep(self, level: float, features: float) -> None:
        """Features put together, which the next convolution keeps."""
        self.features += features / self.shrink**level

    def _weights(self, level: float, inputs: int, outputs: int, taps: int) -> None:
        weights = taps * inputs * outputs
        self.products += weights / self.shrink**level
        self.parameters += weights


def _unet(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    widths = [choice.width * 2**level for level in range(choice.depth + 1)]
    ledger.double(0, channels, choice.width)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        ledger.double(level, widths[level - 1], widths[level])
    _expand(ledger, widths)
    ledger.head(0, choice.width, classes)


def _expand(ledger: Ledger, widths: list[int]) -> None:
    """A U-Net's expanding path."""
    for level, width in enumerate(widths[:-1]):
        ledger.grow(level, widths[level + 1], width)
        ledger.keep(level, 2 * width)
        ledger.double(level, 2 * width, width)


def _unet_dropout(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    widths = [choice.width * 2**level for level in range(choice.depth + 1)]
    ledger.double(0, channels, choice.width, norm=False)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        ledger.double(level, widths[level - 1], widths[level], norm=False)
    for level in (choice.depth - 1, choice.depth):
        # What is left, and which (one byte each).
        ledger.keep(level, 1.25 * widths[level])
    for level, width in enumerate(widths[:-1]):
        ledger.keep(level, 2 * width)
        ledger.conv(level, 2 * width, width, 2, norm=False)
        ledger.keep(level, 2 * width)
        ledger.double(level, 2 * width, width, norm=False)
    last = max(2, 2 * (classes - 1))
    ledger.conv(0, choice.width, last, norm=False)
    ledger.head(0, last, classes)


def _unetpp(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    widths = [choice.width * 2**level for level in range(choice.depth + 1)]
    ledger.double(0, channels, choice.width)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        ledger.double(level, widths[level - 1], widths[level])
    for column in range(1, choice.depth + 1):
        for level in range(choice.depth + 1 - column):
            inputs = column * widths[level] + widths[level + 1]
            ledger.keep(level, inputs)
            ledger.double(level, inputs, widths[level])
        ledger.head(0, choice.width, classes)


def _mre(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    widths = [choice.width, *(choice.width * 2**level for level in range(choice.depth))]
    joint = [choice.width, *(2 * width for width in widths[1:])]
    ledger.double(0, channels, choice.width)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        ledger.double(level, widths[level - 1], widths[level])
        ledger.double(level, channels, widths[level])
        ledger.keep(level, joint[level])
        ledger.double(level, joint[level], widths[level])
        ledger.head(level, widths[level], classes)
        ledger.grow(0, widths[level], classes, 4**level)
    _expand(ledger, joint)
    ledger.head(0, choice.width, classes)


def _penet(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    width = choice.width
    for level, first in ((0, channels), (1, 2 * width)):
        if level == 0:
            ledger.double(0, first, width)
            ledger.double(0, width, 2 * width)
        else:
            ledger.conv(1, channels, width)
            ledger.pool(1, width)
            ledger.double(1, first, 2 * width)
        ledger.double(level, 2 * width, 4 * width)
    ledger.grow(0, 4 * width, 4 * width)
    ledger.keep(0, 8 * width)
    for inputs in (8 * width, 4 * width, 2 * width):
        ledger.conv(0, inputs, inputs // 2)
    ledger.conv(1, 4 * width, width)
    ledger.head(0, width, classes)
    ledger.head(1, width, classes)


def _unet_valid(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    """Each layer by its own size: unpadded ones shrink, from a piece that was enlarged for them."""
    widths = [choice.width * 2**level for level in range(choice.depth + 1)]
    grid, side = 2**choice.depth, ledger.patch[1]
    deepest = -(-(side + 4 * (grid - 1)) // grid)
    sides = [deepest + 4]
    for _ in widths[1:]:
        sides.append(2 * sides[-1] + 4)
    sides.reverse()

    def level_of(size: int) -> float:
        # Halvings that would leave as many pixels of the patch.
        return math.log2(side / size)

    def double(size: int, inputs: int, outputs: int) -> None:
        ledger.conv(level_of(size - 2), inputs, outputs, norm=False)
        ledger.conv(level_of(size - 4), outputs, outputs, norm=False)

    double(sides[0], channels, widths[0])
    for level in range(1, choice.depth + 1):
        ledger.pool(level_of(sides[level]), widths[level - 1])
        double(sides[level], widths[level - 1], widths[level])
    size = deepest
    for level in reversed(range(choice.depth)):
        size *= 2
        ledger.grow(level_of(size), widths[level + 1], widths[level], 4)
        ledger.keep(level_of(size), 2 * widths[level])
        double(size, 2 * widths[level], widths[level])
        size -= 4
    ledger.head(0, widths[0], classes)


def _net2d3d(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    widths = [choice.width * 2**level for level in range(choice.depth + 1)]
    count = 0 if choice.name == "net2d3d_plain" else 2
    norm = choice.name == "net2d3d_norm"
    firsts = [w // 2 if level < count else w for level, w in enumerate(widths[:-1])]
    firsts.append(widths[-1])

    def block(level: int, inputs: int) -> None:
        if firsts[level] < widths[level]:
            ledger.conv(level, inputs, firsts[level], planes=3, norm=norm)
            inputs = firsts[level]
        ledger.double(level, inputs, widths[level], norm=norm)

    block(0, channels)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        block(level, widths[level - 1])
    for level, width in enumerate(widths[:-1]):
        ledger.grow(level, widths[level + 1], firsts[level])
        ledger.keep(level, width + firsts[level])
        block(level, width + firsts[level])
    width = choice.width
    ledger.head(0, width, classes)
    ledger.keep(0, width + classes)
    for number in range(3):
        ledger.conv(0, width if number else width + classes, width, planes=3, norm=norm)
    ledger.pool(1, width + classes)
    for number in range(5):
        inputs = 2 * width if number else width + classes
        ledger.conv(1, inputs, 2 * width, planes=3, norm=norm)
    ledger.conv(1, 2 * width, width, 1, norm=norm)
    ledger.grow(0, width, width)
    joined = width if choice.fusion == "origin" else 2 * width
    ledger.keep(0, joined)
    ledger.head(0, joined, classes)


def _unet3d(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    halves = NETWORK_NAMES[choice.name].halves_planes
    ledger.shrink = 8 if halves else 4
    widths = [2 * choice.width * 2**level for level in range(choice.depth + 1)]

    def block(level: int, inputs: int, middle: int) -> None:
        ledger.conv(level, inputs, middle, planes=3 if halves else 1)
        ledger.conv(level, middle, widths[level], planes=3)

    block(0, channels, choice.width)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        block(level, widths[level - 1], widths[level - 1])
    for level, width in enumerate(widths[:-1]):
        ledger.grow(level, widths[level + 1], widths[level + 1])
        ledger.keep(level, 3 * width)
        block(level, 3 * width, width)
    ledger.head(0, widths[0], classes)
    if halves:
        step = 2**choice.depth
        _enlarge(ledger, -(-ledger.patch[0] // step) * step / ledger.patch[0])


def _resunet3d(ledger: Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    published = (28, 36, 48, 64, 80, 96, 112)[: choice.depth + 1]
    widths = [max(1, round(w * choice.width / published[0])) for w in published]

    def module(level: int, inputs: int) -> None:
        for number in range(3):
            before = widths[level] if number else inputs
            ledger.conv(level, before, widths[level], planes=3 if level else 1)

    ledger.conv(0, channels, widths[0], 5)
    module(0, widths[0])
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        module(level, widths[level - 1])
    for level in range(choice.depth):
        ledger.grow(level, widths[level + 1], widths[level])
        ledger.keep(level, widths[level])
        module(level, widths[level])
    ledger.conv(0, widths[0], widths[0], 5)
    ledger.head(0, widths[0], classes)


def _enlarge(ledger: Ledger, factor: float) -> None:
    """Count what is done for voxels that the network adds itself."""
    ledger.products *= factor
    ledger.features *= factor


LEDGERS: Mapping[str, Callable[[Ledger, NetworkChoice, int, int], None]] = {
    "unet": _unet,
    "unet_dropout": _unet_dropout,
    "unetpp": _unetpp,
    "penet": _penet,
    "mre": _mre,
    "unet_valid": _unet_valid,
    "net2d3d": _net2d3d,
    "net2d3d_plain": _net2d3d,
    "net2d3d_norm": _net2d3d,
    "unet3d": _unet3d,
    "unet3d_aniso": _unet3d,
    "resunet3d": _resunet3d,
}
"""Network → what adds its layers up, for channels and classes."""
