"""Measurements on disk: XLSX and CSV that spreadsheets and pandas take, and nothing runs."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from orgseg_app.core.measuring.measure import Asked, Measured, ToMeasure, measure
from orgseg_app.core.measuring.tables import Tables, tables_of
from orgseg_app.files import measurements
from orgseg_app.files.errors import ReadError
from orgseg_app.files.export import ExportError
from orgseg_app.files.measured_images import folder_images, guessed_meaning, mask_files
from orgseg_app.files.measurements import measurement_paths, write_measurements

EVIL = "=cmd|' /C calc'!A0"


def found(name: str = "img", class_name: str = "cell") -> Measured:
    mask = np.array([[2, 2, 1, 2], [1, 1, 1, 2]], np.uint8)
    return measure(
        ToMeasure(
            name=name,
            shape_zyx=(1, 2, 4),
            pixel_size_um=(1.0, 0.5, 0.5),
            classes={1: "background", 2: class_name},
            read_classes=lambda z: mask,
        ),
        Asked(frozenset({"shape"})),
    )


@pytest.fixture
def tables() -> Tables:
    return tables_of([found(EVIL, "+ü"), found("plain")])


def sheets(path: Path) -> dict[str, list[list[tuple[str, str]]]]:
    """Kind and text of every cell, by sheet; read as Excel does, from the parts of the file."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        names = [
            sheet.attrib["name"]
            for sheet in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{main}sheet")
        ]
        result = {}
        for number, name in enumerate(names, 1):
            root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(root.iter(f"{main}f"))  # no formula anywhere
            result[name] = [
                [
                    (cell.attrib.get("t", "n"), "".join(cell.itertext()))
                    for cell in row.iter(f"{main}c")
                ]
                for row in root.iter(f"{main}row")
            ]
    return result


def test_a_workbook_holds_figures_as_figures_and_texts_as_texts(
    tables: Tables, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "a.xlsx"
    assert write_measurements(path, tables, [("project", "cells.orgseg")]) == [path]
    book = sheets(path)
    assert list(book) == ["objects", "images", "columns"]
    heads, first, *rest = book["objects"]
    assert len(rest) == 3
    names = [text for _, text in heads]
    assert first[0] == ("inlineStr", EVIL)
    kind, area = first[names.index("area_um2")]
    assert (kind, float(area)) == ("n", 0.5)
    explained = {cells[1][1]: cells for cells in book["columns"] if len(cells) > 1}
    assert explained["project"][-1][1] == "cells.orgseg"
    assert explained["area_um2"][2][1] == "µm²"
    assert set(names) <= set(explained)
    assert list(tmp_path.iterdir()) == [path.parent]
    assert list(path.parent.iterdir()) == [path]  # no draft left


def test_csv_has_three_files_and_no_formula(tables: Tables, tmp_path: Path) -> None:
    paths = write_measurements(tmp_path / "a.csv", tables)
    assert [path.name for path in paths] == ["a.csv", "a_images.csv", "a_columns.csv"]
    assert paths[0].read_bytes().startswith(b"\xef\xbb\xbf")  # ü: Excel needs the mark
    with paths[0].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["image"] == f"'{EVIL}"
    assert rows[0]["class"] == "'+ü"
    assert [float(row["area_um2"]) for row in rows] == [0.5, 0.5, 0.5, 0.5]
    assert [row["cut_by_border"] for row in rows] == ["1"] * 4
    write_measurements(tmp_path / "b.csv", tables_of([found()]))
    (tmp_path / "b.csv").read_bytes().decode("ascii")


@pytest.mark.parametrize("name, taken", [("a.xlsx", "a.xlsx"), ("a.csv", "a_columns.csv")])
def test_nothing_is_overwritten_unasked(
    tables: Tables, tmp_path: Path, name: str, taken: str
) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(ExportError, match="already in"):
        write_measurements(tmp_path / name, tables)
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"
    write_measurements(tmp_path / name, tables, overwrite=True)
    assert (tmp_path / taken).read_bytes() != b"mine"


def test_what_cannot_be_written_is_a_sentence(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExportError, match=r"\.xlsx or \.csv"):
        measurement_paths(tmp_path / "a.ods")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ExportError):
        write_measurements(blocked / "a.xlsx", tables)
    monkeypatch.setattr(measurements, "MOST_ROWS", 3)
    with pytest.raises(ExportError, match="a sheet holds 3"):
        write_measurements(tmp_path / "a.xlsx", tables)
    assert list(tmp_path.iterdir()) == [blocked]


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
def test_given_up_nothing_is_there(tables: Tables, tmp_path: Path, name: str) -> None:
    answers: Iterator[bool] = iter([True, False])
    assert write_measurements(tmp_path / name, tables, goes_on=lambda: next(answers)) == []
    assert list(tmp_path.iterdir()) == []


# -- folders -------------------------------------------------------------------------------------


def write(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, labels)


def test_masks_are_paired_by_name_and_alone_are_still_measured(tmp_path: Path) -> None:
    labels = np.zeros((30, 40), np.uint16)
    labels[2:8, 2:8], labels[10:20, 9:19], labels[25:29, 30:39] = 1, 3, 2
    for name in ("b_mask.tif", "a_mask.tif"):
        own = labels.copy()
        own[0, 39] = 4 * (name[0] == "b")
        write(tmp_path / "masks" / name, own)
    write(tmp_path / "images" / "a.tif", labels * 100)
    pairs, notes = mask_files(tmp_path / "masks", tmp_path / "images")
    assert [(p.mask.name, p.image and p.image.name) for p in pairs] == [
        ("a_mask.tif", "a.tif"),
        ("b_mask.tif", None),
    ]
    assert "b_mask.tif" in notes[0]
    assert guessed_meaning(pairs) == "objects"
    first, second = folder_images(pairs)
    assert isinstance(first, ToMeasure)
    assert isinstance(second, ToMeasure)
    with_picture = measure(first, Asked(frozenset({"intensity"})))
    assert with_picture.numbers.tolist() == [1, 2, 3]
    assert with_picture.objects["size"].tolist() == [36, 36, 100]
    assert with_picture.objects["mean:0"].tolist() == [100, 200, 300]
    assert "mean:0" not in measure(second, Asked()).objects
    as_classes, _ = folder_images(pairs, meaning="classes")
    assert isinstance(as_classes, ToMeasure)
    assert list(as_classes.classes.values()) == ["background", *(f"class {n}" for n in (1, 2, 3))]


def test_a_pair_of_two_sizes_is_told_and_the_rest_measured(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "masks" / f"{name}.tif", np.eye(8, dtype=np.uint8))
        write(tmp_path / "images" / f"{name}.tif", np.ones((8, 8 + (name == "a")), np.uint8))
    pairs, _ = mask_files(tmp_path / "masks", tmp_path / "images")
    first, second = folder_images(pairs)
    assert isinstance(first, ReadError)
    assert "differ in size" in str(first)
    assert isinstance(second, ToMeasure)
    assert measure(second, Asked()).objects["size"].tolist() == [8]  # corners hang together
    apart = Asked(corners=False)
    assert measure(second, apart).objects["size"].tolist() == [1] * 8
    with pytest.raises(ReadError, match="no label image"):
        (tmp_path / "empty").mkdir()
        mask_files(tmp_path / "empty", None)
