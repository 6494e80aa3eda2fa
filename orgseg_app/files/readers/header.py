"""What a file says about itself without a pixel being decoded."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30
MAX_DECLARED_BYTES = 4 * GIB
"""A file may declare more than this only if it is large itself."""
MAX_RATIO = 1000
"""Declared bytes for each stored byte, above which a large declaration is a trap."""

MAX_EMPTY_BYTES = 128 << 20
MAX_IMAGE_RATIO = 500
"""The same for images, which unlike masks are never nearly empty: light is noisy, and compresses
3 : 1 without loss, 30 : 1 with. A larger claim of an image is not worth the memory."""


@dataclass(frozen=True)
class ImageHeader:
    """Size and kind of one image file.

    Attributes
    ----------
    family
        ``"tiff"``, ``"png"``, ``"jpeg"`` or ``"bmp"``.
    planes
        Sections in the file: depth × time points × positions.
    height, width
        Pixels of one section.
    channels
        Stains or colours, alpha not counted.
    dtype
        NumPy name of the stored values: ``"bool"``, ``"uint8"``, ``"uint16"``, ``"float32"``, …
    is_colour
        True if the file declares red, green and blue.
    is_palette
        True if the stored values are indices into a colour table.
    """

    family: str
    planes: int
    height: int
    width: int
    channels: int
    dtype: str
    is_colour: bool = False
    is_palette: bool = False

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all planes once decoded."""
        itemsize = {"bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2}.get(self.dtype, 4)
        return self.planes * self.height * self.width * self.channels * itemsize


def is_oversized(declared_bytes: int, stored_bytes: int) -> bool:
    """True for a file that declares far more than it can hold: over 4 GiB and over 1000-fold.

    The rule is the one Keras uses for its weight files: honest compression stays below it.
    """
    return declared_bytes > MAX_DECLARED_BYTES and declared_bytes > MAX_RATIO * max(stored_bytes, 1)


def is_empty_image(declared_bytes: int, stored_bytes: int) -> bool:
    """True for a file that declares over 128 MiB and over 500 times what it stores."""
    return declared_bytes > MAX_EMPTY_BYTES and declared_bytes > MAX_IMAGE_RATIO * max(
        stored_bytes, 1
    )


def trap_sentence(shown_name: str, declared_bytes: int, stored_bytes: int) -> str:
    """What is said of a file that declares far more than it can hold."""
    return (
        f"{shown_name} declares {readable_bytes(declared_bytes)} of image data but is only "
        f"{readable_bytes(stored_bytes)} large; it is damaged or a trap, and was not opened."
    )


def readable_bytes(count: int) -> str:
    """A size in words, such as “3.6 TiB”."""
    value, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 10 else f"{value:.1f} {unit}"
