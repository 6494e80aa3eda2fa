"""The annotation formats that are found and read, by the names the command line uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orgseg_app.files.annotations import (
    class_folders,
    folder_tree,
    inside_files,
    label_image,
    mask_folder,
    run_files,
)
from orgseg_app.files.annotations.found import Found
from orgseg_app.files.annotations.listing import Listing


@dataclass(frozen=True)
class Format:
    """One way annotations lie on disk.

    Attributes
    ----------
    name
        As typed: ``--format NAME``.
    title
        As shown.
    about
        What is found, with an example of the names.
    kind
        What a plan made of it is called.
    find
        Looks through a listing, leaving out files other formats have claimed.
    """

    name: str
    title: str
    about: str
    kind: str
    find: Callable[[Listing, set[Path]], Found]


FORMATS: dict[str, Format] = {
    format_.name: format_
    for format_ in (
        Format(
            inside_files.NAME,
            "Labels in the file of their image",
            "raw and label in one HDF5 file, volumes/raw with volumes/labels/…, OME-Zarr images "
            "with their labels/ folder.",
            "labels in the same file",
            inside_files.find_inside,
        ),
        Format(
            run_files.NAME,
            "Run-length labels in a JSON file",
            'train-labels.json beside train-images.tif: {".info": {"shape", "dtype"}, "1": '
            '"start length …"}, counted from 1 over the whole volume.',
            "run-length labels beside",
            run_files.find_runs,
        ),
        Format(
            label_image.NAME,
            "Label image beside its image",
            "cell.tif with cell_mask.png, cell_labels.tif, cell_seg.png or cell_cp_masks.png in "
            "the same folder; also 001_img.png with 001_masks.png.",
            "label images beside",
            label_image.find_beside,
        ),
        Format(
            mask_folder.NAME,
            "One mask for each object",
            "ID/images/ID.png with ID/masks/*.png as in the 2018 Data Science Bowl, or a folder of "
            "masks that is called like its image.",
            "one mask per object",
            mask_folder.find_objects,
        ),
        Format(
            class_folders.NAME,
            "One folder of masks for each class",
            "masks/CLASS/NAME.png for the image NAME; where masks overlap the smaller structure "
            "wins.",
            "one folder per class",
            class_folders.find_classes,
        ),
        Format(
            folder_tree.NAME,
            "Folders of images and label images",
            "images/ with labels/, masks/, annotations/ or gt/, with or without train/, valid/ and "
            "test/ above or below; paired by file name.",
            "folder pairs",
            folder_tree.find_pairs,
        ),
    )
}
"""Formats by name, in the order they are looked for: the most telling first."""
