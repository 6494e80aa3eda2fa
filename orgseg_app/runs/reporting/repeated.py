"""Repeats put together: what a training scores, and how much of that is luck of the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.repeats import name_of_repeats, repeats
from orgseg_app.runs.studies.effects import Spread, spread_of

if TYPE_CHECKING:
    from orgseg_app.runs.reporting.report import Entry


@dataclass(frozen=True)
class Repeated:
    """A training, and all ranked runs that repeat it with other seeds.

    Attributes
    ----------
    name : str
    run_ids : tuple of str
        The best first; one where it was not repeated.
    mean_iou, mean_dice : Spread
        Of their pooled scores.
    iou : mapping of str to Spread
        By class.
    mean_of_images : Spread
        Of the means that count every image the same.
    """

    name: str
    run_ids: tuple[str, ...]
    mean_iou: Spread
    mean_dice: Spread
    iou: Mapping[str, Spread]
    mean_of_images: Spread

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "runs": list(self.run_ids),
            "mean_iou": self.mean_iou.to_dict(),
            "mean_dice": self.mean_dice.to_dict(),
            "iou": {name: spread.to_dict() for name, spread in self.iou.items()},
            "mean_of_images": self.mean_of_images.to_dict(),
        }


def repeated_of(
    entries: Sequence[Entry], folders: Sequence[RunFolder], classes: Sequence[str]
) -> tuple[Repeated, ...]:
    """Trainings by the mean of their runs, the best first; none where nothing was repeated.

    Parameters
    ----------
    entries
        Of the report; those that are not ranked do not count.
    folders
        Of their runs; a run without one is by itself nothing that could be told to be repeated.
    classes
        Names.
    """
    ranked = {e.run.run_id: e for e in entries if e.standing.rank is not None}
    groups = repeats([run for run in folders if run.run_id in ranked])
    if all(len(group) < 2 for group in groups):
        return ()
    found = [_repeated([ranked[run.run_id] for run in group], classes) for group in groups]
    return tuple(sorted(found, key=lambda one: -(one.mean_iou.mean or 0.0)))


def _repeated(entries: Sequence[Entry], classes: Sequence[str]) -> Repeated:
    pooled = [entry.run.pooled for entry in entries if entry.run.pooled is not None]

    def iou_of(name: str) -> Spread:
        return spread_of([scores.by_class["iou"].get(name) for scores in pooled])

    return Repeated(
        name=name_of_repeats([entry.run.name for entry in entries]),
        run_ids=tuple(entry.run.run_id for entry in entries),
        mean_iou=spread_of([scores.mean_iou for scores in pooled]),
        mean_dice=spread_of([scores.mean_dice for scores in pooled]),
        iou={name: iou_of(name) for name in classes},
        mean_of_images=spread_of([entry.mean_of_images for entry in entries]),
    )
