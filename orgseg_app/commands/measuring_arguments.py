"""What ``measure`` takes; apart, as every start of a command reads it and NumPy takes its time."""

from __future__ import annotations

import argparse
from pathlib import Path

PAINTED = "painted"
GROUP_NAMES = ("shape", "intensity", "neighbours", "network")
"""As `core.measuring.measure.GROUPS`."""

MEANINGS = ("auto", "objects", "classes")
"""As `files.measured_images.MEANINGS`."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """What ``measure`` takes."""
    verb.add_argument("project", nargs="?", type=Path, metavar="PROJECT", help="an .orgseg file")
    verb.add_argument(
        "--of", default=PAINTED, metavar="painted|RUN", help="paint, or what a run predicted"
    )
    verb.add_argument(
        "--only", default="", metavar="NAME,...", help="images of the project; all without"
    )
    verb.add_argument("--masks", type=Path, metavar="FOLDER", help="label images, not a project")
    verb.add_argument("--images", type=Path, metavar="FOLDER", help="pictures of the same names")
    verb.add_argument(
        "--meaning",
        default="auto",
        choices=MEANINGS,
        help="with --masks: each number an object, or each a class",
    )
    verb.add_argument(
        "--what",
        default="all",
        metavar="NAME,...",
        help=f"beside size and place: {', '.join(GROUP_NAMES)}; all, or none",
    )
    verb.add_argument(
        "--above-background",
        action="store_true",
        help="also brightness above the median of background voxels",
    )
    verb.add_argument(
        "--sides",
        action="store_true",
        help="regions without numbers that only share a corner are two",
    )
    verb.add_argument(
        "--out",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.(xlsx|csv)",
        help="a workbook, or three CSV files; may be given twice",
    )
    verb.add_argument("--overwrite", action="store_true", help="replace files that exist")
    verb.add_argument("--json", action="store_true", help="print one JSON object a line")
