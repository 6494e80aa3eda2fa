"""Reports read back: figures of a page, a table, a workbook and a JSON file, by one key each."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

Figures = dict[str, float | None]
"""``"RUN IMAGE score CLASS"`` → the figure."""

_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What an HTML page holds: figures, texts, tags and attributes; unclosed tags are an error."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.figures: dict[str, list[tuple[float | None, str]]] = {}
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self._figure: tuple[str, float | None] | None = None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "data":
            known = dict(attrs)
            value = known["value"]
            self._figure = (str(known["data-of"]), float(value) if value else None)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._figure is not None and self._open[-1] == "data":
            of, value = self._figure
            self.figures.setdefault(of, []).append((value, data))
            self._figure = None


def of_json(path: Path) -> Figures:
    """All figures by run, image and class, and those of pairs and ranking."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    found: Figures = {}
    for run in kept["runs"]:
        for one in run["per_image"]:
            found |= _of_scores(f"{run['id']} {one['image_id']}", one)
        found |= _of_scores(f"{run['id']} pooled", run["pooled"])
    for pair in kept["pairs"]:
        if pair["verdict"] == "not compared":
            continue
        key = f"{pair['a']['id']} {pair['b']['id']}"
        for name in ("mean_difference", "p_adjusted", "cohens_d", "images"):
            found[f"{key} {name}"] = pair[name]
        if pair["interval"] is not None:
            found |= dict(
                zip((f"{key} interval low", f"{key} interval high"), pair["interval"], strict=True)
            )
    for entry in kept["ranking"]:
        found[f"{entry['id']} ranking mean_of_images"] = entry["mean_of_images"]
        low, high = entry["interval"] or (None, None)
        found[f"{entry['id']} ranking interval low"] = low
        found[f"{entry['id']} ranking interval high"] = high
    for one in kept["repeats"]:
        spreads = {f"iou {name}": spread for name, spread in one["iou"].items()}
        for name in ("mean_iou", "mean_dice", "mean_of_images"):
            spreads[name] = one[name]
        for name, spread in spreads.items():
            found |= {f"{one['runs'][0]} repeats {name} {kind}": x for kind, x in spread.items()}
    return found


def _of_scores(key: str, scores: Mapping[str, Any]) -> Figures:
    found: Figures = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            found |= {f"{key} {name} {each}": x for each, x in value.items()}
        elif isinstance(value, (int, float)) or value is None:
            found[f"{key} {name}"] = value
    return found


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a table."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rows_of_sheet(path: Path, name: str) -> list[dict[str, str]]:
    """The lines of a sheet of a workbook, numbers as text."""
    with zipfile.ZipFile(path) as packed:
        strings = [
            "".join(part.text or "" for part in item.iter(f"{_SHEET}t"))
            for item in ElementTree.fromstring(packed.read("xl/sharedStrings.xml"))
        ]
        book = ElementTree.fromstring(packed.read("xl/workbook.xml"))
        names = [sheet.get("name") for sheet in book.iter(f"{_SHEET}sheet")]
        number = names.index(name) + 1
        sheet = ElementTree.fromstring(packed.read(f"xl/worksheets/sheet{number}.xml"))
    lines = [dict(_cells(row, strings)) for row in sheet.iter(f"{_SHEET}row")]
    heads = lines[0]
    return [{heads[column]: text for column, text in line.items()} for line in lines[1:]]


def _cells(row: ElementTree.Element, strings: list[str]) -> Iterator[tuple[str, str]]:
    for cell in row.iter(f"{_SHEET}c"):
        value = cell.find(f"{_SHEET}v")
        if value is not None and value.text is not None:
            column = re.sub(r"\d", "", str(cell.get("r")))
            text = strings[int(value.text)] if cell.get("t") == "s" else value.text
            yield column, text


def of_rows(rows: list[dict[str, str]], names: set[str]) -> Figures:
    """Figures of lines by run, image and class, of the scores named; empty cells are none."""
    found: Figures = {}
    for row in rows:
        if row.get("class"):
            where = row["image_id"] if row.get("image_id") else "pooled"
            for name in names & row.keys():
                text = row[name]
                of_class = f" {row['class']}" if name in _BY_CLASS else ""
                found[f"{row['id']} {where} {name}{of_class}"] = float(text) if text else None
    return found


def by_class(names: tuple[str, ...]) -> None:
    """Which scores every class has by itself."""
    _BY_CLASS.update(names)


_BY_CLASS: set[str] = set()
