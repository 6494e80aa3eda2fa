"""XML of strangers: read within limits, and never with a document type.

A document type is where entities are declared, by which a kilobyte unfolds to gigabytes, or reads
other files; annotations have none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from orgseg_app.files.object_files.limited_json import (
    MalformedError,
    read_limited,
    reading_as,
)

MAX_BYTES = 256 << 20
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 64


@dataclass(slots=True)
class Element:
    """An element: its name, attributes, the text in it, and the elements in it."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in it, without blanks around it."""
        return "".join(self.pieces).strip()

    def all(self, name: str) -> list[Element]:
        """Elements directly in it, of that name."""
        return [child for child in self.children if child.name == name]

    def find(self, name: str) -> Element | None:
        """The first element directly in it, of that name."""
        return next((child for child in self.children if child.name == name), None)

    def text_of(self, name: str, *, longest: int = 1000) -> str:
        """Text of the first element of that name in it; “” where there is none."""
        child = self.find(name)
        found = child.text if child else ""
        if len(found) > longest:
            raise MalformedError(f"“{name}” has {len(found):,} characters")
        return found

    def attribute(self, name: str, *, longest: int = 1000) -> str:
        """An attribute; “” where there is none."""
        found = self.attributes.get(name, "")
        if len(found) > longest:
            raise MalformedError(f"“{name}” has {len(found):,} characters")
        return found


def read_xml(path: Path, kind: str) -> Element:
    """The outermost element of an XML file.

    Raises
    ------
    ReadError
        One sentence: it cannot be opened, is too large, too deep, cut short, no XML, or declares
        entities.
    """
    data = read_limited(path, kind, most_bytes=MAX_BYTES)
    with reading_as(path, kind):
        return _Reading().read(data)


class _Reading:
    """Elements while they are open."""

    def __init__(self) -> None:
        self._open: list[Element] = []
        self._first: Element | None = None
        self._count = 0

    def read(self, data: bytes) -> Element:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise MalformedError("it is not complete and correct as XML") from error
        assert self._first is not None
        return self._first

    def _refuse(self, *_: Any) -> None:
        raise MalformedError(
            "it declares a document type, as no annotation does; that is also how an XML file "
            "unfolds to gigabytes"
        )

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise MalformedError("it holds more elements, or deeper ones, than any annotation")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._first = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, piece: str) -> None:
        self._open[-1].pieces.append(piece)
