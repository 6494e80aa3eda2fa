# ruff: noqa: E501  (a table: one quantity a line)
"""What the figures are called, their units, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

LENGTH, SIZE, COUNT, NUMBER, FLAG, TEXT, PLACE = (
    "length", "size", "count", "number", "flag", "text", "place",
)  # fmt: skip
AREA, VOLUME = "area", "volume"


@dataclass(frozen=True)
class Column:
    """One quantity.

    Attributes
    ----------
    key
        As in `measure.Measured`.
    name
        Of the column, without the unit; "size" stands for area or volume.
    kind
        "length", "size", "area", "volume", "count", "number", "flag", "text", or "place", which
        are voxels counted from 0.
    about
        What it is, in a sentence or two, with its source.
    unit
        Of a number that has one of its own; "" otherwise.
    """

    key: str
    name: str
    kind: str
    about: str
    unit: str = ""


_AXES_2D = "of the ellipse with the same second moments"
_AXES_3D = "of the ellipsoid with the same second moments"
_CROFTON = (
    "by Crofton's formula (Legland, Kiêu, Devaux 2007). Edges at the border of the image count."
)

OBJECTS: tuple[Column, ...] = (
    Column("voxels", "voxels", COUNT, "How many voxels the object has"),
    Column("size", "size", SIZE, "Voxels times the size of one"),
    Column(
        "cut",
        "cut_by_border",
        FLAG,
        "1 where the object reaches the border of the image (of a volume, also its first or last "
        "plane): what is seen of it is too small. Leave such objects out of means",
    ),
    *(
        Column(f"centroid_{a}", f"centroid_{a}", LENGTH, f"Mean {a} of its voxels, from the middle of the first voxel")
        for a in "xyz"
    ),
    *(
        Column(f"{a}_{end}", f"{a}_{end}", PLACE, f"{word} voxel of the box around it along {a}, counted from 0")
        for a in "xyz"
        for end, word in (("from", "First"), ("to", "Last"))
    ),
    Column("perimeter", "perimeter", LENGTH, f"Length of the edges, holes included, in 4 directions {_CROFTON}"),
    Column("surface", "surface", AREA, f"Area of the surface, hollows included, in 13 directions {_CROFTON}"),
    Column("equivalent_diameter", "equivalent_diameter", LENGTH, "Diameter of the circle or ball of the same size"),
    Column("major_axis", "major_axis", LENGTH, f"Full length of the long axis {_AXES_2D}; voxels count as boxes"),
    Column("minor_axis", "minor_axis", LENGTH, f"Full length of the short axis {_AXES_2D}; voxels count as boxes"),
    Column("long_axis", "long_axis", LENGTH, f"Full length of the longest axis {_AXES_3D}"),
    Column("middle_axis", "middle_axis", LENGTH, f"Full length of the middle axis {_AXES_3D}"),
    Column("short_axis", "short_axis", LENGTH, f"Full length of the shortest axis {_AXES_3D}"),
    Column("aspect_ratio", "aspect_ratio", NUMBER, "Longest axis over shortest axis; 1 is round"),
    Column("eccentricity", "eccentricity", NUMBER, f"{_AXES_2D.capitalize()}: 0 is a circle, 1 a line"),
    Column("orientation", "orientation", NUMBER, "Angle from the x axis to the long axis, anticlockwise as seen, above -90 up to 90; empty for round objects", "deg"),
    Column("circularity", "circularity", NUMBER, "4 π area / perimeter²: 1 is a circle; at most 1, though the perimeter of a few voxels would give more"),
    Column("convex_size", "convex_area", SIZE, "Voxels whose middle lies in the convex hull, times the size of one"),
    Column("solidity", "solidity", NUMBER, "Area / convex area: 1 has no notches"),
    Column("feret_max", "feret_max", LENGTH, "Largest distance of two points of its convex hull"),
    Column("feret_min", "feret_min", LENGTH, "Smallest distance of two parallel lines around it"),
    Column("sphericity", "sphericity", NUMBER, "Surface of the ball of the same volume / surface (Wadell 1935): 1 is a ball; at most 1"),
    Column("nearest", "nearest", LENGTH, "Distance of its centroid to the nearest one of its class in the image"),
    Column("touching", "touching", COUNT, "How many other objects it touches, by a corner or more"),
    Column("skeleton_length", "skeleton_length", LENGTH, "Length of the skeleton along neighbouring voxels, diagonals as long as they are. In the plane thinned by Guo and Hall 1989, in volumes by Lee, Kashyap, Chu 1994"),
    Column("branches", "branches", COUNT, "Pieces of the skeleton between branching points and ends"),
    Column("branch_points", "branch_points", COUNT, "Places of the skeleton where three or more branches meet"),
    Column("end_points", "end_points", COUNT, "Free ends of the skeleton"),
)  # fmt: skip

CLASSES: tuple[Column, ...] = (
    Column("image_size", "image_size", SIZE, "The whole image"),
    Column("labelled_size", "labelled_size", SIZE, "What is labelled, as background or as anything else. What is not is unknown, and not background"),
    Column("labelled_share", "labelled_share", NUMBER, "Labelled / whole image, 0 to 1"),
    Column("voxels", "voxels", COUNT, "Voxels of the class"),
    Column("size", "size", SIZE, "All voxels of the class"),
    Column("share", "share_of_labelled", NUMBER, "The class / what is labelled, 0 to 1"),
    Column("objects", "objects", COUNT, "How many objects of the class there are"),
    Column("cut", "cut_by_border", COUNT, "How many of them the border cuts"),
    Column("outside_objects", "in_no_object", SIZE, "Voxels of the class that belong to no object"),
    Column("mean_size", "mean_size", SIZE, "Mean over its objects, cut ones included"),
    Column("median_size", "median_size", SIZE, "Median over its objects, cut ones included"),
    Column("density", "objects_per", NUMBER, "Objects per area or volume of what is labelled", "mm"),
    Column("skeleton_length", "skeleton_length", LENGTH, "Sum over its objects"),
    Column("skeleton_density", "skeleton_length_per", NUMBER, "Length of all skeletons per area or volume of what is labelled", "um"),
    Column("branches", "branches", COUNT, "Sum over its objects"),
    Column("branch_points", "branch_points", COUNT, "Sum over its objects"),
    Column("end_points", "end_points", COUNT, "Sum over its objects"),
)  # fmt: skip

BRIGHTNESS: dict[str, str] = {
    "mean": "Mean of the channel over its voxels",
    "sd": "Standard deviation over its voxels",
    "median": "Median over its voxels",
    "min": "Lowest voxel",
    "max": "Highest voxel",
    "sum": "All its voxels added up (integrated intensity)",
    "mean_above": "Mean less the median of the image's background voxels",
    "sum_above": "Sum, each voxel less the median of the image's background voxels",
}


def named(column: Column, *, is_volume: bool, is_physical: bool) -> tuple[str, str]:
    """Name and unit of a column of an image.

    >>> named(OBJECTS[1], is_volume=False, is_physical=True)
    ('area_um2', 'µm²')
    >>> named(OBJECTS[1], is_volume=True, is_physical=False)
    ('volume_voxels', 'voxels')
    """
    name, kind = column.name, column.kind
    if kind == SIZE:
        kind = VOLUME if is_volume else AREA
        name = name.replace("size", kind)
    if kind == LENGTH:
        return (f"{name}_um", "µm") if is_physical else (f"{name}_px", "pixels")
    if kind == AREA:
        return (f"{name}_um2", "µm²") if is_physical else (f"{name}_px", "pixels")
    if kind == VOLUME:
        return (f"{name}_um3", "µm³") if is_physical else (f"{name}_voxels", "voxels")
    if kind == PLACE:
        return f"{name}_px", "pixels"
    power = 3 if is_volume else 2
    if column.unit == "mm":
        return f"{name}_mm{power}", f"1/mm{'³' if is_volume else '²'}"
    if column.unit == "um":
        return f"{name}_um{power}", f"µm/µm{'³' if is_volume else '²'}"
    return (f"{name}_{column.unit}", "°") if column.unit == "deg" else (name, "")
