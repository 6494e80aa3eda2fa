"""How a recipe keeps objects that touch apart, in words."""

from __future__ import annotations

from collections.abc import Mapping

from orgseg_app.runs.recipes.choice import Choice, table

OBJECT_NAMES: Mapping[str, Choice] = table(
    Choice(
        "components",
        "What hangs together",
        "Every connected piece of the mask is one object. Objects that touch become one; enough "
        "for networks such as the ER, and where objects lie apart.",
        "",
    ),
    Choice(
        "boundary",
        "Boundary",
        "The network also learns where objects end, and an edge counts ten times as much as the "
        "rest. For round objects that touch, such as nuclei.",
        "Caicedo et al. 2019, Cytometry A 95",
    ),
    Choice(
        "distance",
        "Distance",
        "The network also learns how deep inside its object a pixel lies; objects grow from their "
        "deepest places. For objects whose common edge cannot be seen.",
        "Naylor et al. 2019, IEEE TMI 38",
    ),
    Choice(
        "boundary_distance",
        "Boundary and distance",
        "Both: an object begins where the network sees an inside, and sees it deep. For cells of "
        "uneven shape.",
        "Caicedo et al. 2019; Naylor et al. 2019",
    ),
    Choice(
        "centre",
        "Centre and the way there",
        "The network also learns where the middle of an object is, and from every pixel of it the "
        "way there; pixels that lead to one middle are one object. For crowded objects whose "
        "edges cannot be trusted; learns more slowly than the others.",
        "Cheng et al. 2020, CVPR, Panoptic-DeepLab; Neven et al. 2019, CVPR",
    ),
)
"""What a recipe may say of single objects; keys of `core.instances.targets.TARGETS`."""
