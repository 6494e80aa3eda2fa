"""How one image of a Leica file lies in its block of bytes, from its XML description.

Every axis and channel has a stride in bytes, so that planes, interleaved colours and wavelengths
are read alike.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from orgseg_app.files.readers.maker_files import pixel_size_um
from orgseg_app.files.readers.volumes import MAX_CHANNELS, PixelSize

_METRE_UM = 1e6
_MAX_SIDE = 2**31
_AXES = {1: "x", 2: "y", 3: "z", 4: "t", 5: "e", 6: "a", 7: "n", 8: "q", 9: "v", 10: "m", 11: "l"}
"""DimID → axis; e and v are the wavelengths of emission and excitation."""
_VIEWS = {"m": "position", "l": "loop", "a": "rotation", "n": "slice", "q": "slice"}
_RED, _GREEN, _BLUE = 1, 2, 3
_DIMENSIONS = "./Data/Image/ImageDescription/Dimensions/DimensionDescription"
_CHANNELS = "./Data/Image/ImageDescription/Channels/ChannelDescription"


@dataclass(frozen=True)
class Axis:
    """One axis: letter, length, bytes from one step to the next, and micrometres or nanometres."""

    letter: str
    count: int
    stride: int
    step: float
    origin: float


@dataclass(frozen=True)
class Channel:
    """One channel: where it begins in bytes, its number type, its name, its colour as numbered."""

    start: int
    dtype: np.dtype[np.generic]
    name: str
    tag: int


@dataclass(frozen=True)
class Layout:
    """Where each plane of an image lies in its block.

    Attributes
    ----------
    shape
        ``(T, C, Z, Y, X)``.
    views
        For each image that this makes: a name, ``""`` for one alone, and where it begins in bytes.
    starts
        For each channel, where it begins in bytes.
    stored
        For each channel, its number type.
    strides
        Bytes from one time point, plane, row and pixel to the next.
    size_bytes
        From the first byte to the last.
    channel_names
        As the file has them; may be empty.
    is_rgb
        True for red, green and blue.
    pixel_size_um
        ``(z, y, x)``, or None.
    """

    shape: tuple[int, int, int, int, int]
    views: tuple[tuple[str, int], ...]
    starts: tuple[int, ...]
    stored: tuple[np.dtype[np.generic], ...]
    strides: tuple[int, int, int, int]
    size_bytes: int
    channel_names: tuple[str, ...]
    is_rgb: bool
    pixel_size_um: PixelSize | None

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """A type that holds the values of all channels."""
        return np.result_type(*self.stored)


def layout_of(element: ElementTree.Element) -> Layout:
    """The layout of an image from its XML element.

    Raises
    ------
    KeyError, ValueError
        If the description makes no sense.
    """
    axes = {axis.letter: axis for axis in map(_axis, element.iterfind(_DIMENSIONS))}
    channels = [_channel(found) for found in element.iterfind(_CHANNELS)]
    if not axes or not channels or "x" not in axes:
        raise ValueError("no axes or no channels")
    x = axes.pop("x")
    rows = next((letter for letter in "yzt" if letter in axes), None)
    y = axes.pop(rows) if rows else Axis("y", 1, 0, 0.0, 0.0)
    one = Axis("", 1, 0, 0.0, 0.0)
    t, z = axes.pop("t", one), axes.pop("z", one)
    is_rgb = sorted(channel.tag for channel in channels) == [_RED, _GREEN, _BLUE]
    is_rgb = is_rgb and len({channel.dtype for channel in channels}) == 1
    if is_rgb:
        channels.sort(key=lambda channel: channel.tag)
    channels, z = _with_wavelengths(channels, z, axes)
    total = [x, y, z, t, *axes.values()]
    size = sum((axis.count - 1) * axis.stride for axis in total)
    return Layout(
        shape=(t.count, len(channels), z.count, y.count, x.count),
        views=_views([axis for axis in axes.values() if axis.letter in _VIEWS]),
        starts=tuple(channel.start for channel in channels),
        stored=tuple(channel.dtype for channel in channels),
        strides=(t.stride, z.stride, y.stride, x.stride),
        size_bytes=size + max(c.start + c.dtype.itemsize for c in channels),
        channel_names=() if is_rgb else tuple(channel.name for channel in channels),
        is_rgb=is_rgb and len(channels) == 3,
        pixel_size_um=pixel_size_um(
            _micrometres(z), _micrometres(y) if rows != "t" else None, _micrometres(x)
        ),
    )


def _axis(found: ElementTree.Element) -> Axis:
    letter = _AXES.get(int(found.attrib["DimID"]))
    count, stride = int(found.attrib["NumberOfElements"]), int(found.attrib["BytesInc"])
    if letter is None or not 1 <= count < _MAX_SIDE or not 0 <= stride < 2**62:
        raise ValueError(found.attrib)
    length, origin = float(found.get("Length", "0")), float(found.get("Origin", "0"))
    step = length / (count - 1) if count > 1 else 0.0
    return Axis(letter, count, stride, step, origin)


def _channel(found: ElementTree.Element) -> Channel:
    bits, kind = int(found.attrib["Resolution"]), int(found.attrib["DataType"])
    if not 0 < bits <= 64 or kind not in (0, 1):
        raise ValueError(found.attrib)
    item = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    name = found.get("LUTName", "")
    for entry in found.iterfind("./ChannelProperty"):
        if entry.findtext("Key") == "DyeName" and entry.findtext("Value"):
            name = entry.findtext("Value") or name
    start = int(found.attrib["BytesInc"])
    if not 0 <= start < 2**62:
        raise ValueError(start)
    dtype = np.dtype(f"<{'f' if kind else 'u'}{item}")
    return Channel(start, dtype, name, int(found.get("ChannelTag", "0")))


def _with_wavelengths(
    channels: list[Channel], z: Axis, axes: dict[str, Axis]
) -> tuple[list[Channel], Axis]:
    """Wavelengths as channels; as depth where there are more than channels can be."""
    for letter in ("e", "v"):
        axis = axes.get(letter)
        if axis is None:
            continue
        if len(channels) * axis.count <= MAX_CHANNELS:
            del axes[letter]
            channels = [
                Channel(
                    channel.start + step * axis.stride, channel.dtype, _wavelength(axis, step), 0
                )
                for step, channel in itertools.product(range(axis.count), channels)
            ]
        elif z.count == 1:
            z = axes.pop(letter)
        else:
            raise ValueError("more wavelengths than channels can be")
    return channels, z


def _wavelength(axis: Axis, step: int) -> str:
    at = (axis.origin + step * axis.step) * 1e9
    return f"{at:.0f} nm" if math.isfinite(at) and 100 <= at <= 5000 else ""


def _views(axes: list[Axis]) -> tuple[tuple[str, int], ...]:
    if math.prod(axis.count for axis in axes) > 100_000:
        raise ValueError("too many positions")
    axes = [axis for axis in axes if axis.count > 1]
    found = []
    for indices in itertools.product(*(range(axis.count) for axis in axes)):
        pairs = list(zip(axes, indices, strict=True))
        words = " ".join(f"{_VIEWS[axis.letter]} {index + 1}" for axis, index in pairs)
        found.append((words, sum(axis.stride * index for axis, index in pairs)))
    return tuple(found)


def _micrometres(axis: Axis) -> float | None:
    size = abs(axis.step) * _METRE_UM
    return size if size > 0 and math.isfinite(size) else None
