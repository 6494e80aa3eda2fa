"""Which columns the table of runs has: scores that were chosen, named, and explained. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orgseg_app.gui.comparing.measures import (
    EACH_CLASS,
    MEASURES,
    OF_GROUP,
    OF_OBJECTS,
    Measure,
    is_usual,
)
from orgseg_app.gui.comparing.results_data import ResultRow


@dataclass(frozen=True)
class Column:
    """One column: a score, or words.

    Attributes
    ----------
    title : str
        Whole, as copied: ``"IoU, pooled"``.
    tip : str
    measure : Measure or None
        None for words.
    class_name : str
        "" for the mean over classes, or for all of them together.
    field : str
        Attribute of the row, for words.
    """

    title: str
    tip: str = ""
    measure: Measure | None = None
    class_name: str = ""
    field: str = ""

    @property
    def is_score(self) -> bool:
        """A number."""
        return self.measure is not None

    @property
    def is_lower_better(self) -> bool:
        """The best run has the lowest."""
        return self.measure is not None and self.measure.is_lower_better

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when another class is chosen."""
        if self.measure is None:
            return self.field, ""
        return self.measure.key, self.class_name if self.measure.key == EACH_CLASS else ""

    def value(self, row: ResultRow) -> float | str | None:
        """Of one run."""
        if self.measure is not None:
            return row.value(self.measure.score, self.class_name, mean=self.measure.is_mean)
        value: float | str | None = getattr(row, self.field)
        return value


def score_columns(
    class_names: Sequence[str],
    class_name: str,
    chosen: Mapping[str, bool] | None = None,
    group: Sequence[str] = (),
) -> list[Column]:
    """The scores to show: of one class, or ("") means over classes and each class's IoU.

    Parameters
    ----------
    class_names
        Other than background.
    class_name
        The class that the table is about, or "".
    chosen
        Measures, by key, that a person showed (True) or hid; the others are as usual.
    group
        Classes that the means of a group are over; none for all.
    """
    is_mean = not class_name and len(class_names) > 1
    only = class_name or (class_names[0] if len(class_names) == 1 else "")
    columns: list[Column] = []
    for item in offered(class_names, class_name):
        if not (chosen or {}).get(item.key, is_usual(item.key, of_means=is_mean)):
            continue
        whose = "" if not item.is_of_class else "mean of classes" if is_mean else only
        tip = f"{item.title}{f' ({whose})' if whose else ''}\n{item.words}\n{item.where}"
        if item.key in OF_GROUP:
            tip += f"\nThe group: {', '.join(group or class_names)}."
        if item.is_lower_better:
            tip += "\nLower is better."
        if item.key == EACH_CLASS:
            columns += [
                Column(f"{name} IoU, pooled", f"{name}: {item.words}", item, name)
                for name in class_names
            ]
        elif item.is_of_class and is_mean:
            title = item.title if item.section in OF_OBJECTS else f"Mean {_lower(item.title)}"
            columns.append(Column(title, tip, item))
        else:
            columns.append(Column(item.title, tip, item, only if item.is_of_class else ""))
    return columns


def offered(class_names: Sequence[str], class_name: str) -> list[Measure]:
    """Measures that make sense for one class, or ("") for all of them."""
    is_mean = not class_name and len(class_names) > 1
    return [item for item in MEASURES if item.key != EACH_CLASS or is_mean]


def _lower(title: str) -> str:
    """Inside a title: words begin small, abbreviations and names stay."""
    word = title.partition(",")[0].partition(" ")[0]
    return title if word in ("IoU", "Dice") else title[:1].lower() + title[1:]
