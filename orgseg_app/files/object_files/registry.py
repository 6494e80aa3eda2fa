"""The formats of object files, by the names the command line uses."""

from __future__ import annotations

from orgseg_app.files.object_files import (
    bbbc041,
    cellpose,
    coco,
    cvat,
    geojson,
    ilastik,
    imagej_roi,
    labelme,
    run_length_csv,
    voc,
    yolo,
)
from orgseg_app.files.object_files.format import ObjectFormat

OBJECT_FORMATS: dict[str, ObjectFormat] = {
    format_.name: format_
    for format_ in (
        # the most telling first
        cellpose.FORMAT,
        imagej_roi.FORMAT,
        geojson.FORMAT,
        ilastik.FORMAT,
        bbbc041.FORMAT,
        labelme.FORMAT,
        coco.FORMAT,
        coco.FORMAT_RUNS,
        cvat.FORMAT,
        voc.FORMAT,
        *run_length_csv.FORMATS,
        yolo.FORMAT,
    )
}
