"""Which columns the table of runs has: scores that were chosen, named, and explained. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orgseg_app.gui.comparing.measures import (
    COUNTED_APART,
    EACH_CLASS,
    MEASURES,
    OF_GROUP,
    Measure,
    is_usual,
    score_page,
)
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.row_facts import RUN_FACTS, descriptions, differing, titles

_NUMBERS = frozenset(info.key for info in RUN_FACTS if info.is_number)


@dataclass(frozen=True)
class Column:
    """One column: a score, a setting, a fact of the run, or words.

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
    setting : str
        Path of a recipe's field.
    fact : str
        Key of one of `row_facts.RUN_FACTS`.
    usual : float or str
        What most runs have in a setting.
    """

    title: str
    tip: str = ""
    measure: Measure | None = None
    class_name: str = ""
    field: str = ""
    setting: str = ""
    fact: str = ""
    usual: float | str = ""

    @property
    def is_score(self) -> bool:
        """How good a run is."""
        return self.measure is not None

    @property
    def is_on_the_right(self) -> bool:
        """Scores, and facts that are numbers."""
        return self.is_score or self.fact in _NUMBERS

    @property
    def is_lower_better(self) -> bool:
        """The best run has the lowest."""
        return self.measure is not None and self.measure.is_lower_better

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when another class is chosen."""
        if self.setting or self.fact:
            return f"setting:{self.setting}" if self.setting else f"fact:{self.fact}", ""
        if self.measure is None:
            return self.field, ""
        return self.measure.key, self.class_name if self.measure.key == EACH_CLASS else ""

    @property
    def help_page(self) -> str:
        """The place of the help that says what it means."""
        if self.measure is not None:
            return score_page(self.measure.score)
        if self.setting:
            return f"recipes#{self.setting}"
        return "scores#cost" if self.fact and self.fact != "kind" else "comparing#table"

    def value(self, row: ResultRow) -> float | str | None:
        """Of one run."""
        if self.measure is not None:
            return row.value(self.measure.score, self.class_name, mean=self.measure.is_mean)
        if self.setting:
            return row.facts.settings.get(self.setting)
        if self.fact:
            return row.facts.value(self.fact)
        value: float | str | None = getattr(row, self.field)
        return value

    def text(self, row: ResultRow) -> str:
        """Of one run, in words; of scores, two decimals."""
        if self.fact:
            return row.facts.text(self.fact)
        value = self.value(row)
        if value is None:
            return "–"
        if isinstance(value, float):
            return f"{value:.2f}" if self.is_score else f"{value:g}"
        return value

    def stands_out(self, row: ResultRow) -> bool:
        """Whether a run's setting is not that of most."""
        return bool(self.setting) and self.value(row) not in (None, self.usual)


def setting_columns(rows: Sequence[ResultRow]) -> list[Column]:
    """A column for every setting; those in which the runs differ come first."""
    settings = [row.facts.settings for row in rows]
    own = differing(settings)
    paths = [*own, *(path for path in titles() if path not in own)]
    first: Mapping[str, float | str] = next((one for one in settings if one), {})
    return [
        Column(
            titles()[path],
            _setting_tip(path, path in own),
            setting=path,
            usual=own.get(path, first.get(path, "")),
        )
        for path in paths
        if first
    ]


def _setting_tip(path: str, differs: bool) -> str:
    alike = "" if differs else "\nAlike in all runs."
    words = descriptions()[path].rstrip(".")
    return f"{titles()[path]}, a setting of the recipe: {words}.{alike}"


def fact_columns() -> list[Column]:
    """What kind of run it is, and what its model costs."""
    return [Column(info.title, info.tip, fact=info.key) for info in RUN_FACTS]


NOTE_COLUMN = Column("Note", "What you noted about the run; F2 changes it", field="note")


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
            title = item.title if item.section in COUNTED_APART else f"Mean {_lower(item.title)}"
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
