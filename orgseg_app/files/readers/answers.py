"""What the reading child says about a file, taken apart with care.

A file may have taken the child over. So every fact is looked at: numbers in their bounds, texts
cleaned and cut, number types that are known. Whatever makes no sense raises a ``KeyError``,
``TypeError`` or ``ValueError``, which `orgseg_app.files.readers.apart` turns into a sentence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import SUPPORTED_DTYPES, OpenedImage, Pixels
from orgseg_app.files.names import clean_text
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.tiff_planes import RawPlane

MAX_SENTENCE = 1000
_MAX_NOTES = 20
_MAX_NAME = 200  # a name that was cut to 120, and the number of a time point behind it
_MAX_WORD = 40
_MAX_PLANES = 10**9
_MAX_SIDE = 2**31
_LABEL_KINDS = "ui"
_CONTENT_KINDS = ("image", "labels", "weights")

Answer = dict[str, Any]


def header_in(answer: Answer) -> ImageHeader:
    """A header."""
    facts = answer["header"]
    kinds = {"str": str, "int": int, "bool": bool}
    names = [(field.name, kinds[str(field.type)]) for field in dataclasses.fields(ImageHeader)]
    if any(type(facts[name]) is not kind for name, kind in names):
        raise TypeError(facts)
    header = ImageHeader(**{name: facts[name] for name, _ in names})
    _check_count(header.planes, _MAX_PLANES)
    for count in (header.height, header.width, header.channels):
        _check_count(count, _MAX_SIDE)
    return dataclasses.replace(
        header,
        family=clean_text(header.family, _MAX_WORD),
        dtype=clean_text(header.dtype, _MAX_WORD),
    )


def planes_in(answer: Answer) -> int:
    """How many planes there are."""
    count = int(answer["planes"])
    _check_count(count, _MAX_PLANES)
    return count


def contents_in(answer: Answer) -> list[tuple[str, str]]:
    """Where the arrays of a file lie in it, and what they are."""
    found = []
    for inner, kind in answer["contents"]:
        if type(inner) is not str or len(inner) > MAX_SENTENCE or kind not in _CONTENT_KINDS:
            raise ValueError(answer)
        if ".." in inner.split("/") or "\0" in inner:
            raise ValueError(answer)
        found.append((inner, str(kind)))
    if not 1 <= len(found) <= MAX_SENTENCE:
        raise ValueError(answer)
    return found


def sentence_in(answer: Answer) -> str | None:
    """Why a file cannot be read, when that is the answer."""
    if "error" not in answer:
        return None
    if not isinstance(answer["error"], str):
        raise TypeError(answer)
    return clean_text(answer["error"], MAX_SENTENCE)


def opened_images(answer: Answer) -> list[OpenedImage]:
    """The images of a file, at least one, without a way to read their planes yet."""
    images = [_opened(facts) for facts in answer["images"]]
    if not images:
        raise ValueError("no image")
    return images


def notes_in(answer: Answer) -> tuple[str, ...]:
    """Sentences about an image."""
    return tuple(clean_text(str(text), MAX_SENTENCE) for text in answer["notes"][:_MAX_NOTES])


def raw_plane(answer: Answer) -> RawPlane:
    """Where a plane lies."""
    facts = answer["raw"]
    channels, height, width = (int(n) for n in facts["part_shape"])
    dtype = np.dtype(str(facts["dtype"]))
    offsets = tuple(int(at) for at in facts["offsets"])
    if min(channels, height, width) < 1 or dtype.name not in SUPPORTED_DTYPES or not offsets:
        raise ValueError(facts)
    return RawPlane(offsets, dtype.str, (channels, height, width))


def empty_labels(answer: Answer) -> NDArray[np.integer]:
    """An array ``(Y, X)`` for the labels that follow an answer."""
    dtype, (height, width) = np.dtype(str(answer["dtype"])), answer["shape"]
    if dtype.kind not in _LABEL_KINDS or min(int(height), int(width)) < 1:
        raise ValueError(answer)
    labels: NDArray[np.integer] = np.empty((int(height), int(width)), dtype)
    return labels


def _opened(facts: Answer) -> OpenedImage:
    c, z, y, x = (int(n) for n in facts["shape"])
    sizes = facts["pixel_size_um"]
    time, times = int(facts["time"]), int(facts["times"])
    if not 0 <= time < times <= _MAX_PLANES:
        raise ValueError(facts)
    if min(c, z, y, x) < 1 or facts["dtype"] not in SUPPORTED_DTYPES:
        raise ValueError(facts)
    names = tuple(clean_text(str(name)) for name in facts["channel_names"])
    if len(names) != c:
        raise ValueError(facts)
    return OpenedImage(
        name=clean_text(str(facts["name"]), _MAX_NAME) or "image",
        source=clean_text(str(facts["source"])),
        shape=(c, z, y, x),
        dtype=np.dtype(facts["dtype"]),
        is_rgb=facts["is_rgb"] is True and c == 3,
        channel_names=names,
        pixel_size_um=None if sizes is None else _three(sizes),
        read_plane=_not_yet,
        notes=notes_in(facts),
        time=time,
        times=times,
    )


def _check_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ValueError(count)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    if not all(math.isfinite(value) and value > 0 for value in (z, y, x)):
        raise ValueError(values)
    return z, y, x


def _not_yet(z: int) -> Pixels:
    raise AssertionError(f"plane {z} was asked for before its image was complete")
