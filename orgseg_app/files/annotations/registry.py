"""The annotation formats that are found and read, by the names the command line uses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orgseg_app.files.annotations import (
    class_folders,
    folder_tree,
    halves,
    inside_files,
    label_image,
    list_file,
    mask_folder,
    object_files,
    outlines,
    run_files,
    touching_ids,
)
from orgseg_app.files.annotations.found import Found
from orgseg_app.files.annotations.listing import Listing
from orgseg_app.files.object_files.registry import OBJECT_FORMATS


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
    find_given
        The same, where the user says that it is this format; ``find`` where there is none.
    """

    name: str
    title: str
    about: str
    kind: str
    find: Callable[[Listing, set[Path]], Found]
    find_given: Callable[[Listing, set[Path]], Found] | None = None


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
            list_file.NAME,
            "List of images and masks",
            "A text file with “image mask” in each line, separated by tab, comma or space; "
            "train.txt, val.txt and test.txt also tell the split.",
            "a list of pairs",
            list_file.find_listed,
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
            outlines.NAME,
            "Pictures of outlines",
            "outlines/NAME.png for the image NAME, NAME_outlines.png beside it, or NAME-cells.png; "
            "objects are what the lines and the edges of the image enclose.",
            "outlines",
            outlines.find_outlines,
            outlines.find_given,
        ),
        Format(
            touching_ids.NAME,
            "Numbers in red that tell touching objects apart",
            "masks/NAME.png as in BBBC039: 1, 2 and 3 in the red channel, each piece one object.",
            "pieces of numbers",
            touching_ids.find_touching,
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
        *(
            Format(
                format_.name,
                format_.title,
                format_.about,
                format_.title,
                functools.partial(object_files.find_object_files, format_.name),
            )
            for format_ in OBJECT_FORMATS.values()
        ),
        Format(
            halves.NAME,
            "Image and mask side by side in one picture",
            "Pictures twice as wide as high: one half is the image, the other its mask.",
            "image and mask in one picture",
            halves.find_halves,
        ),
    )
}
"""Formats by name, in the order they are looked for: the most telling first."""
