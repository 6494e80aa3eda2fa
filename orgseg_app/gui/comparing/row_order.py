"""Which rows the table of runs shows, in which order and in which groups. No Qt."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from orgseg_app.gui.comparing.result_columns import Column
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.row_facts import Value
from orgseg_app.runs.repeats import name_of_repeats

SIGNS: dict[str, Callable[[float, float], bool]] = {
    "≥": operator.ge,
    "≤": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_TYPED = {"=": "=", "==": "=", "!=": "≠", "≠": "≠", ">=": "≥", "<=": "≤", ">": ">", "<": "<"}
_TYPED |= {sign: sign for sign in SIGNS}
_EXPRESSION = re.compile(r"^\s*(.+?)\s*(>=|<=|!=|==|[=≠≥≤<>])\s*(.+?)\s*$")

REPEATS = ("repeats", "")
"""The key to group by for runs that differ in the seed alone."""


@dataclass(frozen=True)
class RowFilter:
    """One condition on a column: ``loss = bce``, ``IoU, pooled ≥ 0.7``.

    Attributes
    ----------
    key : tuple of str
        Of the column.
    title : str
        Of the column, as the chip says it.
    sign : str
        ``"="``, ``"≠"`` or one of `SIGNS`.
    wanted : float or str
        Words are the same in capitals and small letters.
    """

    key: tuple[str, str]
    title: str
    sign: str
    wanted: float | str

    @property
    def text(self) -> str:
        """As the chip says it."""
        wanted = f"{self.wanted:g}" if isinstance(self.wanted, float) else self.wanted
        return f"{self.title} {self.sign} {wanted or 'nothing'}"

    def keeps(self, value: Value) -> bool:
        """Whether a run with this value in the column stays."""
        if self.sign in ("=", "≠"):
            return _is_same(value, self.wanted) == (self.sign == "=")
        if not isinstance(value, float) or not isinstance(self.wanted, float):
            return False
        return SIGNS[self.sign](value, self.wanted)


def filter_from(text: str, columns: Sequence[Column]) -> RowFilter | None:
    """A condition as typed, or None where there is none: ``"iou >= 0.7"``, ``"loss=bce"``.

    The column is the first whose title is, begins with, or has what stands before the sign.
    """
    found = _EXPRESSION.match(text)
    if found is None:
        return None
    name, sign, wanted = found[1].casefold(), _TYPED[found[2]], found[3]
    for fits in (
        lambda title: title == name,
        lambda title: title.startswith(name),
        lambda title: name in title,
    ):
        for column in columns:
            if fits(column.title.casefold()):
                return RowFilter(column.key, column.title, sign, _number(wanted))
    return None


@dataclass(frozen=True)
class GroupRow:
    """The head of a group of runs.

    Attributes
    ----------
    key : str
        What its runs have in common; never changes while they are there.
    title : str
    members : tuple of ResultRow
    is_open : bool
        Whether its runs are shown below it.
    """

    key: str
    title: str
    members: tuple[ResultRow, ...]
    is_open: bool = True

    def value(self, column: Column) -> Value:
        """Mean of a number over the ranked runs (over all, where none is); words only if alike."""
        ranked = [row for row in self.members if row.is_ranked]
        values = [column.value(row) for row in (ranked or self.members)]
        numbers = [value for value in values if isinstance(value, float)]
        if numbers and (not column.setting or len({*numbers}) == 1):  # settings have no mean
            return sum(numbers) / len(numbers)
        words = {value for value in values if isinstance(value, str)}
        return words.pop() if len(words) == 1 and column.field != "name" else None


Shown = ResultRow | GroupRow
Look = Callable[[Column, ResultRow], Value]


@dataclass(frozen=True)
class Arrangement:
    """How the rows are to be shown.

    Attributes
    ----------
    words : str
        Runs whose name, settings, note or reason has all of these words stay.
    filters : tuple of RowFilter
        All of them must keep a run.
    with_hidden : bool
        Show hidden runs, too.
    group : tuple of str or None
        Key of the column to group by, or `REPEATS`.
    closed : frozenset of str
        Keys of groups whose runs are not shown.
    """

    words: str = ""
    filters: tuple[RowFilter, ...] = ()
    with_hidden: bool = False
    group: tuple[str, str] | None = None
    closed: frozenset[str] = frozenset()


def arranged(
    rows: Sequence[ResultRow],
    columns: Mapping[tuple[str, str], Column],
    how: Arrangement,
    sort: tuple[Column | None, bool],
    *,
    look: Look = Column.value,
) -> list[Shown]:
    """Rows as they are shown: pinned ones on top, those that are not ranked below the others.

    Parameters
    ----------
    rows
        All of them.
    columns
        By key, also those that are not shown: a filter may be on any.
    how
        What is shown.
    sort
        The column to sort by, and whether the highest comes first.
    look
        Gives the value of a run in a column.
    """
    kept = [row for row in rows if _stays(row, columns, how, look)]
    pinned = ordered([row for row in kept if row.remarks.is_pinned], *sort, look)
    others = [row for row in kept if not row.remarks.is_pinned]
    if how.group is None:
        return [*pinned, *ordered(others, *sort, look)]
    groups = _groups(others, columns, how)
    shown: list[Shown] = list(pinned)
    for group in _ordered_groups(groups, *sort):
        shown.append(group)
        if group.is_open:
            shown += ordered(group.members, *sort, look)
    return shown


def ordered(
    rows: Collection[ResultRow],
    column: Column | None,
    highest_first: bool,
    look: Look = Column.value,
) -> list[ResultRow]:
    """Sorted; what is not ranked or has no value stays below."""
    found = list(rows)
    if column is not None:
        values = {row.run_id: look(column, row) for row in found}
        with_value = [row for row in found if values[row.run_id] not in (None, "")]
        without = [row for row in found if values[row.run_id] in (None, "")]
        with_value.sort(key=lambda row: _sort_key(values[row.run_id]), reverse=highest_first)
        found = with_value + without
    found.sort(key=lambda row: not row.is_ranked)  # stable
    return found


def _stays(
    row: ResultRow, columns: Mapping[tuple[str, str], Column], how: Arrangement, look: Look
) -> bool:
    if row.remarks.is_hidden and not how.with_hidden:
        return False
    words = how.words.casefold().split()
    if words and not all(word in row.searched for word in words):
        return False
    conditions = ((columns.get(one.key), one) for one in how.filters)
    return all(column is None or one.keeps(look(column, row)) for column, one in conditions)


def _groups(
    rows: Sequence[ResultRow], columns: Mapping[tuple[str, str], Column], how: Arrangement
) -> list[GroupRow]:
    members: dict[str, list[ResultRow]] = {}
    titles: dict[str, str] = {}
    column = columns.get(how.group) if how.group else None
    for row in rows:
        if how.group == REPEATS:
            key = row.facts.training or row.run_id
        elif column is None:
            key = ""
        else:
            key = column.text(row)
        members.setdefault(key, []).append(row)
        titles[key] = key
    if how.group == REPEATS:
        titles = {key: name_of_repeats([row.name for row in own]) for key, own in members.items()}
    elif column is not None:
        titles = {key: f"{column.title}: {key}" for key in members}
    return [
        GroupRow(key, titles[key], tuple(own), key not in how.closed)
        for key, own in members.items()
    ]


def _ordered_groups(
    groups: Sequence[GroupRow], column: Column | None, highest_first: bool
) -> list[GroupRow]:
    if column is None:
        return list(groups)
    values = {group.key: group.value(column) for group in groups}
    words = column.field == "name"

    def key(group: GroupRow) -> tuple[int, float, str]:
        return _sort_key(group.title if words else values[group.key])

    with_value = [group for group in groups if words or values[group.key] is not None]
    without = [group for group in groups if group not in with_value]
    return sorted(with_value, key=key, reverse=highest_first) + without


def _sort_key(value: Value) -> tuple[int, float, str]:
    """Numbers before words, where a column has both."""
    if isinstance(value, str):
        return 1, 0.0, value.casefold()
    return 0, value or 0.0, ""


def _is_same(value: Value, wanted: float | str) -> bool:
    if isinstance(value, float) and isinstance(wanted, float):
        return f"{value:.4g}" == f"{wanted:.4g}"
    return _words(value) == _words(wanted)


def _words(value: Value) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else value.casefold()


def _number(text: str) -> float | str:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text
