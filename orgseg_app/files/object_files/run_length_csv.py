"""Run lengths in tables: 2018 Data Science Bowl, Sartorius, and the one of “Cells Segger”.

Kaggle's “2018 Data Science Bowl” counts pixels from 1 down the columns, its “Sartorius - Cell
Instance Segmentation” (2021) from 1 along the rows, and both want objects without overlaps back.
The table that “Cells Segger” (``duanjingqi/cells-instance-segmentation``) makes of all its data
sets counts from 0 along the rows.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from orgseg_app.core.shapes.run_lengths import (
    DSB2018,
    SARTORIUS,
    UNIFIED,
    Coding,
    Runs,
    runs_by_object,
    text_of,
)
from orgseg_app.files.atomic import replacing
from orgseg_app.files.object_files.format import ObjectFormat, ObjectImage, Write
from orgseg_app.files.object_files.planar import plane_to_write
from orgseg_app.files.object_files.run_length_table import (
    Columns,
    contents_of,
    looks_like,
    read_from,
)
from orgseg_app.files.readers.names import stem_of

_SUFFIXES = (".csv", ".tsv")

_DSB2018_COLUMNS = ("ImageId", "EncodedPixels")
_SARTORIUS_COLUMNS = (
    "id",
    "annotation",
    "width",
    "height",
    "cell_type",
    "plate_time",
    "sample_date",
    "sample_id",
    "elapsed_timedelta",
)
_SUBMISSION_COLUMNS = ("id", "predicted")
_UNIFIED_COLUMNS = (
    "name",
    "label",
    "width",
    "height",
    "cell_type",
    "image_path",
    "bit_depth",
    "image_format",
    "channels",
)

_IMAGE = ("imageid", "image_id", "image", "image_name", "filename", "file_name", "file", "id",
          "name")  # fmt: skip
_RUNS = ("encodedpixels", "encoded_pixels", "rle", "rle_mask", "mask_rle", "runs")
_KIND = ("classid", "class_id", "class_name", "class", "category", "cell_type")


def _format(
    name: str,
    title: str,
    about: str,
    columns: Columns,
    coding: Coding,
    write: Write,
) -> ObjectFormat:
    return ObjectFormat(
        name,
        title,
        about,
        _SUFFIXES,
        functools.partial(looks_like, columns=columns),
        functools.partial(contents_of, columns=columns, coding=coding),
        functools.partial(read_from, columns=columns, coding=coding),
        write,
        "file",
    )


def _write_dsb2018(
    target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]
) -> list[Path]:
    """``ImageId,EncodedPixels``, as Kaggle wants it handed in: no overlaps, a row at least."""
    rows = _bare_rows(images, DSB2018, "the table of the Data Science Bowl")
    return _written(target, _DSB2018_COLUMNS, rows)


def _write_sartorius(
    target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]
) -> list[Path]:
    """The columns of ``train.csv``; what OrgSeg does not know of plates and dates stays empty."""

    def rows() -> Iterable[Sequence[object]]:
        for image in images:
            height, width = image.objects.shape[1:]
            for number, runs in _runs(image, SARTORIUS, "the table of Sartorius").items():
                own = (image.classes.get(number, ""), "", "", "", "")
                yield stem_of(Path(image.name)), text_of(runs), width, height, *own

    return _written(target, _SARTORIUS_COLUMNS, rows())


def _write_submission(
    target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]
) -> list[Path]:
    """``id,predicted``; objects are numbers of pixels and so never overlap."""
    return _written(target, _SUBMISSION_COLUMNS, _bare_rows(images, SARTORIUS, "a submission"))


def _write_unified(
    target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]
) -> list[Path]:
    """One row an object with the facts of its image.

    The path is the file's name alone; bit depth and channels are not known here and stay empty.
    """

    def rows() -> Iterable[Sequence[object]]:
        for image in images:
            height, width = image.objects.shape[1:]
            name = Path(image.name)
            for number, runs in _runs(image, UNIFIED, "this table").items():
                kind = image.classes.get(number, "")
                label = "[" + ", ".join(map(str, runs.ravel().tolist())) + "]"
                form = name.suffix.lstrip(".").lower()
                yield stem_of(name), label, width, height, kind, image.name, "", form, ""

    return _written(target, _UNIFIED_COLUMNS, rows())


def _bare_rows(
    images: Sequence[ObjectImage], coding: Coding, title: str
) -> Iterator[tuple[str, str]]:
    """Name and pixels of each object; a row without pixels of an image that has none."""
    for image in images:
        name = stem_of(Path(image.name))
        found = _runs(image, coding, title)
        yield from ((name, text_of(runs)) for runs in found.values())
        if not found:
            yield name, ""


def _runs(image: ObjectImage, coding: Coding, title: str) -> dict[int, Runs]:
    return runs_by_object(plane_to_write(image, title), coding)


def _written(target: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[Path]:
    with (
        replacing(target) as draft,
        draft.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    return [target]


SARTORIUS_FORMAT = _format(
    "sartorius_csv",
    "Sartorius run lengths (CSV)",
    "id, annotation, width, height, cell_type: one object a row, pixels counted from 1 along the "
    "rows.",
    Columns(("id",), ("annotation",), ("width", "height"), ("cell_type",)),
    SARTORIUS,
    _write_sartorius,
)
SUBMISSION_FORMAT = _format(
    "sartorius_submission",
    "Sartorius submission (CSV)",
    "id, predicted: one object a row, pixels counted from 1 along the rows, no overlaps.",
    Columns(("id",), ("predicted",)),
    SARTORIUS,
    _write_submission,
)
UNIFIED_FORMAT = _format(
    "cells_csv",
    "Table of objects with run lengths (CSV)",
    "name, label, width, height, cell_type, image_path, …: one object a row, pixels counted from 0 "
    "along the rows.",
    Columns(("name",), ("label",), ("width", "height"), ("cell_type",), path="image_path"),
    UNIFIED,
    _write_unified,
)
DSB2018_FORMAT = _format(
    "dsb2018_csv",
    "Data Science Bowl run lengths (CSV)",
    "ImageId, EncodedPixels: one object a row, pixels counted from 1 down the columns; also other "
    "tables with an image and its run lengths.",
    Columns(_IMAGE, _RUNS, (), _KIND),
    DSB2018,
    _write_dsb2018,
)
FORMATS = (SARTORIUS_FORMAT, SUBMISSION_FORMAT, UNIFIED_FORMAT, DSB2018_FORMAT)
"""In the order they are told apart by their headers."""
