"""What TIFF files say about themselves: pixel size, channel names, OME-XML dimensions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from orgseg_app.files.readers.names import clean_name

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

PixelSize = tuple[float, float, float]
"""Micrometres per voxel, ``(z, y, x)``."""

PLAUSIBLE_UM = (0.0001, 20.0)
"""A resolution tag in inches or centimetres is believed between these; 300 dpi is a page size."""

_MICROMETRES: dict[str, float] = {
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometers": 1.0,
    "micrometre": 1.0,
    "micrometres": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "å": 1e-4,
    "angstrom": 1e-4,
    "pm": 1e-6,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "inch": 25400.0,
    "in": 25400.0,
}

_SLICE_LABEL = re.compile(r"^(?:[czt]:\d+/\d+\s*)+-?\s*")

_RESOLUTION_UNITS_UM = {2: 25400.0, 3: 10000.0}


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` of an OME-XML description.

    Attributes
    ----------
    name
        As a person called it, or "".
    order
        Axes from slowest to fastest without Y and X, such as ``"TCZ"``.
    sizes
        Length of each axis of ``order``.
    samples
        Colours in one plane: 3 for RGB.
    pixel_size_um
        ``(z, y, x)`` or None.
    channel_names
        Names in order; "" where a channel has none.
    """

    name: str
    order: str
    sizes: tuple[int, ...]
    samples: int
    pixel_size_um: PixelSize | None
    channel_names: tuple[str, ...]


def pixel_size(tif: TiffFile, page: TiffPage) -> PixelSize | None:
    """Pixel size of a plain or ImageJ TIFF, in micrometres, or None where it is not said.

    ImageJ's unit is believed when it is a length; resolution tags in inches or centimetres only
    when they give a plausible size for a microscope (`PLAUSIBLE_UM`): 72, 96 or 300 dpi say how
    large to print, not how large a pixel is. A stack without spacing gets the size in y.
    """
    x, y = _resolution(page, "XResolution"), _resolution(page, "YResolution")
    if x is None:
        return None
    y = x if y is None else y
    metadata: dict[str, Any] = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    unit_um = _unit_um(metadata.get("unit"))
    if unit_um is not None and not _is_print_unit(metadata.get("unit")):
        spacing = _number(metadata.get("spacing"))
        z = spacing * unit_um if spacing else unit_um / y
        return _checked((z, unit_um / y, unit_um / x))
    if metadata.get("unit") and unit_um is None:
        return None  # pixels, or a unit that is not a length
    unit_um = _RESOLUTION_UNITS_UM.get(int(page.resolutionunit or 1))
    if unit_um is None:
        return None
    low, high = PLAUSIBLE_UM
    size_y, size_x = unit_um / y, unit_um / x
    if not (low <= size_y <= high and low <= size_x <= high):
        return None
    return size_y, size_y, size_x


def imagej_channel_names(tif: TiffFile) -> tuple[str, ...]:
    """What the channels of an ImageJ hyperstack are called; empty where it does not say.

    ImageJ labels slices, not channels, channels fastest: the labels of the first slice are names
    when they differ without what ImageJ writes in front (“c:1/2 z:3/7 - ”).
    """
    metadata: dict[str, Any] = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    labels, channels = metadata.get("Labels"), metadata.get("channels", 1)
    if not isinstance(labels, list) or not isinstance(channels, int):
        return ()
    if not 1 < channels <= len(labels):
        return ()
    names = [_SLICE_LABEL.sub("", str(label)).strip() for label in labels[:channels]]
    return tuple(names) if len(set(names)) == channels and all(names) else ()


def read_ome(xml: str) -> list[OmeImage]:
    """The images of an OME-XML description; empty if it cannot be understood.

    The text comes from a stranger: the caller refuses document types and entities
    (`has_entities`) before this is called.
    """
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 (no entities: see has_entities)
    except (ElementTree.ParseError, ValueError):
        return []
    images = []
    for element in root.iter():
        if _local(element.tag) != "Image":
            continue
        for pixels in element:
            if _local(pixels.tag) == "Pixels":
                image = _ome_image(element.get("Name") or "", pixels)
                if image is not None:
                    images.append(image)
                break
    return images


def has_entities(xml: str) -> bool:
    """True if a description defines XML entities or a document type, as no microscope writes."""
    return "<!DOCTYPE" in xml or "<!ENTITY" in xml


def _ome_image(name: str, pixels: ElementTree.Element) -> OmeImage | None:
    order = (pixels.get("DimensionOrder") or "XYCZT").upper()[:1:-1]
    try:
        sizes = tuple(int(pixels.get(f"Size{axis}") or 1) for axis in order)
    except ValueError:
        return None
    if sorted(order) != ["C", "T", "Z"] or min(sizes) < 1:
        return None
    channels = [child for child in pixels if _local(child.tag) == "Channel"]
    samples = int(_number(channels[0].get("SamplesPerPixel")) or 1) if channels else 1
    return OmeImage(
        name=name,
        order=order,
        sizes=sizes,
        samples=max(1, samples),
        pixel_size_um=_ome_pixel_size(pixels),
        channel_names=tuple(clean_name(c.get("Name") or "", fallback="") for c in channels),
    )


def _ome_pixel_size(pixels: ElementTree.Element) -> PixelSize | None:
    sizes: dict[str, float] = {}
    for axis in "XYZ":
        value = _number(pixels.get(f"PhysicalSize{axis}"))
        unit_um = _unit_um(pixels.get(f"PhysicalSize{axis}Unit") or "µm")
        if value and unit_um is not None:
            sizes[axis] = value * unit_um
    if "X" not in sizes and "Y" not in sizes:
        return None
    x = sizes.get("X", sizes.get("Y", 0.0))
    y = sizes.get("Y", x)
    return _checked((sizes.get("Z", y), y, x))


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _resolution(page: TiffPage, tag_name: str) -> float | None:
    """Pixels per unit of a resolution tag, None when absent, zero or infinite."""
    tag = page.tags.get(tag_name)
    try:
        numerator, denominator = tag.value  # type: ignore[union-attr]
        value = float(numerator) / float(denominator)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _unit_um(unit: object) -> float | None:
    """Micrometres in one ``unit`` of length, or None if it is not one."""
    if not isinstance(unit, str):
        return None
    text = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ").strip()
    return _MICROMETRES.get(text) or _MICROMETRES.get(text.lower())


def _is_print_unit(unit: object) -> bool:
    return str(unit).strip().lower() in ("inch", "in")


def _number(value: object) -> float | None:
    """``value`` as a positive finite number, or None."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _checked(size: PixelSize) -> PixelSize | None:
    """The size if every number of it is positive and finite."""
    return size if all(math.isfinite(s) and s > 0 for s in size) else None
