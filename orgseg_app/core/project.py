"""The facts of a project, without its voxels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orgseg_app.core.classes import ClassInfo


@dataclass(frozen=True)
class Link:
    """The file that a linked image is read from: what is in it, never where it lies.

    Attributes
    ----------
    name
        What the file was called, to say which one is missed.
    size
        Its size in bytes.
    sha256
        Fingerprint of the file, ``"sha256:…"``.
    series
        Which of the images in the file, from 0 (time points and positions are images each).
    """

    name: str
    size: int
    sha256: str
    series: int = 0


@dataclass(frozen=True)
class ProjectImage:
    """What is known of one image of the project.

    Attributes
    ----------
    image_id
        Stable id, unique in the project.
    name
        As shown; the user may change it.
    shape
        ``(C, Z, Y, X)`` in voxels.
    dtype
        ``"uint8"``, ``"uint16"`` or ``"float32"``.
    pixel_size_um
        ``(z, y, x)`` in micrometres, or None where unknown.
    sha256
        Fingerprint of the voxels (`core.image.content_hash`).
    split
        ``"train"``, ``"validation"`` or ``"test"``.
    source
        File name it came from, for display only.
    link
        The file its voxels are in, or None when they are in the project.
    time_series
        Shared by the time points of one recording; "" for an image on its own.
    time
        Which time point of its recording this is, from 0.
    """

    image_id: str
    name: str
    shape: tuple[int, int, int, int]
    dtype: str
    is_rgb: bool
    channel_names: tuple[str, ...]
    pixel_size_um: tuple[float, float, float] | None
    sha256: str
    split: str
    note: str = ""
    source: str = ""
    link: Link | None = None
    time_series: str = ""
    time: int = 0

    @property
    def mask_shape(self) -> tuple[int, int, int]:
        """``(Z, Y, X)`` of its mask."""
        return self.shape[1:]

    @property
    def axes(self) -> str:
        """Letters of the axes that are longer than 1, in the order ``CZYX``."""
        return "".join(
            letter
            for letter, size in zip("CZYX", self.shape, strict=True)
            if letter in "YX" or size > 1
        )

    @property
    def short_shape(self) -> tuple[int, ...]:
        """Sizes of the axes named by `axes`."""
        return tuple(
            size
            for letter, size in zip("CZYX", self.shape, strict=True)
            if letter in "YX" or size > 1
        )

    def changed(self, **fields: object) -> ProjectImage:
        """A copy with some fields changed."""
        return replace(self, **fields)  # type: ignore[arg-type]


@dataclass
class Project:
    """Classes and images of a project, in the order they are shown.

    Attributes
    ----------
    removed_classes
        Deleted ones that undo may still bring back; their numbers stay their own.
    """

    uuid: str
    name: str
    classes: tuple[ClassInfo, ...]
    images: dict[str, ProjectImage] = field(default_factory=dict)
    removed_classes: tuple[ClassInfo, ...] = ()

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Ids of all classes, background first."""
        return tuple(c.class_id for c in self.classes)

    def class_of(self, class_id: int) -> ClassInfo | None:
        """The class with this id, or None."""
        return next((c for c in self.classes if c.class_id == class_id), None)

    def time_points(self, image: ProjectImage) -> list[ProjectImage]:
        """The images of its recording with its channels and sizes, by time; else it alone."""
        if not image.time_series:
            return [image]
        wanted = image.time_series, image.shape, image.channel_names
        same = [
            other
            for other in self.images.values()
            if (other.time_series, other.shape, other.channel_names) == wanted
        ]
        return sorted(same, key=lambda other: other.time)

    def in_split(self, split: str) -> list[ProjectImage]:
        """Images of one split, in order."""
        return [image for image in self.images.values() if image.split == split]
