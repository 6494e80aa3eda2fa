"""Tables of several images: one line an object, and one line an image and class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.measuring.columns import (
    BRIGHTNESS,
    CLASSES,
    COUNT,
    FLAG,
    NUMBER,
    OBJECTS,
    PLACE,
    TEXT,
    Column,
    named,
)
from orgseg_app.core.measuring.measure import Measured

Cell = str | int | float | None
_WHOLE = (COUNT, FLAG, PLACE)


@dataclass(frozen=True)
class Heading:
    """A column of a table: its name with the unit, and what it means."""

    name: str
    unit: str
    about: str
    kind: str


@dataclass
class Table:
    """Columns of figures and texts.

    Attributes
    ----------
    headings
        In order.
    values
        By name: a list of texts, or float64 with NaN where there is nothing.
    """

    headings: list[Heading] = field(default_factory=list)
    values: dict[str, list[str] | NDArray[np.floating[Any]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values[self.headings[0].name]) if self.headings else 0

    def cell(self, row: int, column: int) -> Cell:
        """One cell: text, a whole number or another, or None where there is nothing."""
        heading = self.headings[column]
        value = self.values[heading.name][row]
        if isinstance(value, str):
            return value
        if not np.isfinite(value):
            return None
        return int(value) if heading.kind in _WHOLE else float(value)

    def rows(self) -> Iterator[list[Cell]]:
        """All lines."""
        for row in range(len(self)):
            yield [self.cell(row, column) for column in range(len(self.headings))]


@dataclass(frozen=True)
class Tables:
    """What measuring gives.

    Attributes
    ----------
    objects, images
        One line an object; one line an image and class.
    places
        ``(n, 4)`` of each line of `objects`: number of the image, then (z, y, x) in voxels.
    notes
        Sentences about what was left out.
    """

    objects: Table
    images: Table
    places: NDArray[np.floating[Any]]
    notes: tuple[str, ...] = ()


def tables_of(measured: Sequence[Measured]) -> Tables:
    """Put the figures of images together; columns without any figure are left out."""
    objects, images = _Gathering(), _Gathering()
    for one in measured:
        names = one.image.classes
        count, rows = len(one.numbers), one.class_rows
        about = "As in the project, or its file's name"
        objects.text("image", about, [one.image.name] * count)
        objects.numbers(Heading("object", "", "Its number in the image", COUNT), one.numbers)
        images.text("image", about, [one.image.name] * len(rows))
        ids = one.class_ids.tolist()
        objects.text("class", "Of most of its voxels", [_class_name(names, i) for i in ids])
        images.text("class", "One line each", [_class_name(names, i) for i in rows])
        for name, value in one.image.facts.items():
            objects.text(name, "Of the image", [value] * count)
            images.text(name, "Of the image", [value] * len(rows))
        _take(objects, one, OBJECTS, one.objects)
        _take(images, one, CLASSES, one.classes)
        objects.end(count)
        images.end(len(rows))
    places = [
        np.column_stack((np.full(len(one.numbers), number), one.places_zyx))
        for number, one in enumerate(measured)
    ]
    return Tables(
        objects.table(),
        images.table(),
        np.concatenate([np.zeros((0, 4)), *places]),
        tuple(note for one in measured for note in one.notes),
    )


def _class_name(names: Mapping[int, str], class_id: int) -> str:
    return names.get(class_id, f"class {class_id}" if class_id else "")


def _take(
    into: _Gathering,
    one: Measured,
    columns: Iterable[Column],
    values: Mapping[str, NDArray[np.floating[Any]]],
) -> None:
    for column in columns:
        if column.key in values:
            name, unit = named(column, is_volume=one.is_volume, is_physical=one.is_physical)
            is_flat = column.name[-1:] == "z" or column.name.startswith("z_")
            if is_flat and not one.is_volume:
                continue
            heading = Heading(name, unit, column.about, column.kind)
            into.numbers(heading, values[column.key])
    for number, channel in enumerate(one.image.channel_names):
        for key, about in BRIGHTNESS.items():
            found = values.get(f"{key}:{number}")
            if found is not None:
                word = key.replace("_above", "_above_background")
                heading = Heading(
                    f"{word}_{channel_word(channel)}", "", f"{about}: {channel}", NUMBER
                )
                into.numbers(heading, found)


def channel_word(channel: str) -> str:
    """A channel's name within the name of a column.

    >>> channel_word("channel 1"), channel_word("DAPI (405 nm)")
    ('channel_1', 'DAPI_405_nm')
    """
    return re.sub(r"\W+", "_", channel).strip("_") or "channel"


class _Gathering:
    """Columns of images one below the other; where an image lacks one there is nothing."""

    def __init__(self) -> None:
        self._headings: dict[str, Heading] = {}
        self._parts: dict[str, list[list[str] | NDArray[np.floating[Any]]]] = {}
        self._lengths: list[int] = []

    def text(self, name: str, about: str, values: list[str]) -> None:
        self._put(Heading(name, "", about, TEXT), values)

    def numbers(self, heading: Heading, values: NDArray[np.generic]) -> None:
        self._put(heading, values.astype(np.float64))

    def end(self, length: int) -> None:
        """An image is done."""
        self._lengths.append(length)
        for name, heading in self._headings.items():
            parts = self._parts[name]
            if len(parts) < len(self._lengths):
                parts.append(_nothing(heading, length))

    def table(self) -> Table:
        table = Table()
        for name, heading in self._headings.items():
            parts = self._parts[name]
            if heading.kind == TEXT:
                table.values[name] = [text for part in parts for text in part]
            else:
                values = np.concatenate(parts)
                if len(values) and np.isnan(values).all():
                    continue
                table.values[name] = values
            table.headings.append(heading)
        return table

    def _put(self, heading: Heading, values: list[str] | NDArray[np.floating[Any]]) -> None:
        if heading.name not in self._headings:
            self._headings[heading.name] = heading
            self._parts[heading.name] = [_nothing(heading, length) for length in self._lengths]
        parts = self._parts[heading.name]
        if len(parts) == len(self._lengths):  # two channels of one name: the first counts
            parts.append(values)


def _nothing(heading: Heading, length: int) -> list[str] | NDArray[np.floating[Any]]:
    return [""] * length if heading.kind == TEXT else np.full(length, np.nan)
