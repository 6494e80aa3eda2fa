"""What the formats find in a listing: candidates, of which a plan takes the best for each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orgseg_app.files.annotations.source import AnnotationSource


@dataclass(frozen=True)
class Candidate:
    """One possible annotation of one image.

    Attributes
    ----------
    image
        The image's file.
    source
        Its annotation.
    rank
        The smallest wins.
    set_name
        Folder or pattern the annotation belongs to, for the note about what was not used.
    """

    image: Path
    source: AnnotationSource
    rank: int
    set_name: str


@dataclass
class Found:
    """What one format found.

    Attributes
    ----------
    candidates
        Annotations with their images.
    claimed
        Files that are annotations, whether an image was found for them or not.
    unmatched
        Annotations without an image.
    ambiguous
        Image → sentence about annotations that fit equally well.
    notes
        Sentences about what was found and cannot be used.
    splits
        Image → ``"train"``, ``"validation"`` or ``"test"``, where a list says so.
    """

    candidates: list[Candidate] = field(default_factory=list)
    claimed: set[Path] = field(default_factory=set)
    unmatched: list[Path] = field(default_factory=list)
    ambiguous: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    splits: dict[Path, str] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Take over what another format found."""
        self.candidates += other.candidates
        self.claimed |= other.claimed
        self.unmatched += other.unmatched
        self.notes += other.notes
        self.splits = other.splits | self.splits
        self.ambiguous = other.ambiguous | self.ambiguous
