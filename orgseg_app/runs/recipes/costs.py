"""What a network costs: operations, parameters, memory; without torch, so that the window may ask.

A U-Net and its kin are added up level by level. For the others there is a row of coefficients:
every layer's work is a product of two numbers of features, each of them in proportion to the
width, or the image's channels, or the classes. A test compares all of it with torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orgseg_app.runs.recipes.cost_table import ROWS
from orgseg_app.runs.recipes.schema import NetworkChoice


def flops_per_pixel(choice: NetworkChoice, channels: int = 1, classes: int = 2) -> float:
    """Operations for one pixel, forward through the network and all heads that are judged.

    A multiplication and its addition are two. The way back costs about twice as much again.

    Parameters
    ----------
    choice
        Name, depth, width, fusion.
    channels, classes
        Of the images; background included.

    Raises
    ------
    KeyError
        For a network whose cost is not known beforehand.
    """
    ledger = _ledger(choice, channels, classes)
    if ledger is not None:
        return 2 * ledger.products
    return ROWS[choice.name, choice.fusion].flops(choice.width, channels, classes)


def parameters(choice: NetworkChoice, channels: int = 1, classes: int = 2) -> int:
    """Numbers that the network learns.

    Parameters and errors as in `flops_per_pixel`.
    """
    ledger = _ledger(choice, channels, classes)
    if ledger is not None:
        return round(ledger.parameters)
    return round(ROWS[choice.name, choice.fusion].parameters(choice.width, channels, classes))


def features_per_pixel(choice: NetworkChoice) -> float:
    """Numbers of 32 bits kept for each pixel of a patch until the way back (float32).

    Parameters and errors as in `flops_per_pixel`.
    """
    ledger = _ledger(choice, 1, 2)
    if ledger is not None:
        return ledger.features
    return ROWS[choice.name, choice.fusion].features(choice.width)


@dataclass
class _Ledger:
    """Sums over layers, for one pixel of the image.

    Attributes
    ----------
    products, parameters, features
        Multiplications; numbers learnt; numbers of 32 bits kept for the way back.
    """

    products: float = 0.0
    parameters: float = 0.0
    features: float = 0.0

    def conv(
        self, level: int, inputs: int, outputs: int, kernel: int = 3, *, norm: bool = True
    ) -> None:
        """A convolution at a level, its norm (or bias), a ReLU.

        A norm keeps what goes in, a ReLU what comes out.
        """
        self._weights(level, inputs, outputs, kernel)
        self.parameters += 2 * outputs if norm else outputs
        self.features += (2 if norm else 1) * outputs / 4**level

    def double(self, level: int, inputs: int, outputs: int, *, norm: bool = True) -> None:
        """Two of them."""
        self.conv(level, inputs, outputs, norm=norm)
        self.conv(level, outputs, outputs, norm=norm)

    def head(self, level: int, inputs: int, classes: int) -> None:
        """A 1 × 1 convolution, with a bias."""
        self._weights(level, inputs, classes, 1)
        self.parameters += classes

    def grow(self, level: int, inputs: int, outputs: int, factor: int = 2) -> None:
        """A transposed convolution to a level, by its kernel's side; each output has one tap."""
        self.products += inputs * outputs / 4**level
        self.parameters += factor**2 * inputs * outputs + outputs

    def pool(self, level: int, features: int) -> None:
        """Pooling to a level: the result, and where (64 bits) it was found."""
        self.features += 3 * features / 4**level

    def keep(self, level: int, features: float) -> None:
        """Features put together, which the next convolution keeps."""
        self.features += features / 4**level

    def _weights(self, level: int, inputs: int, outputs: int, kernel: int) -> None:
        weights = kernel**2 * inputs * outputs
        self.products += weights / 4**level
        self.parameters += weights


def _unet(ledger: _Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
    widths = [choice.width * 2**level for level in range(choice.depth + 1)]
    ledger.double(0, channels, choice.width)
    for level in range(1, choice.depth + 1):
        ledger.pool(level, widths[level - 1])
        ledger.double(level, widths[level - 1], widths[level])
    _expand(ledger, widths)
    ledger.head(0, choice.width, classes)


def _expand(ledger: _Ledger, widths: list[int]) -> None:
    """A U-Net's expanding path."""
    for level, width in enumerate(widths[:-1]):
        ledger.grow(level, widths[level + 1], width)
        ledger.keep(level, 2 * width)
        ledger.double(level, 2 * width, width)


def _unet_dropout(ledger: _Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
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


def _unetpp(ledger: _Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
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


def _mre(ledger: _Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
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
        ledger.grow(0, widths[level], classes, 2**level)
    _expand(ledger, joint)
    ledger.head(0, choice.width, classes)


def _penet(ledger: _Ledger, choice: NetworkChoice, channels: int, classes: int) -> None:
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


_LEDGERS: dict[str, Callable[[_Ledger, NetworkChoice, int, int], None]] = {
    "unet": _unet,
    "unet_dropout": _unet_dropout,
    "unetpp": _unetpp,
    "penet": _penet,
    "mre": _mre,
}


def _ledger(choice: NetworkChoice, channels: int, classes: int) -> _Ledger | None:
    if choice.name not in _LEDGERS:
        return None
    ledger = _Ledger()
    _LEDGERS[choice.name](ledger, choice, channels, classes)
    return ledger
