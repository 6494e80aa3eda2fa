"""The scores of a study over two of its axes, or over its only one. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orgseg_app.runs.studies.effects import RunResult, Spread, spread_of


@dataclass(frozen=True)
class Cell:
    """One place of the map.

    Attributes
    ----------
    spread : Spread
        Of the scores of its finished runs.
    runs : tuple of str
        Ids of all its runs that there are.
    planned : int
        How many runs it will have; 0 where the combinations were left out.
    """

    spread: Spread
    runs: tuple[str, ...]
    planned: int


@dataclass(frozen=True)
class Grid:
    """What the map shows; of a study with one axis a single row.

    Attributes
    ----------
    row_key, column_key : str
        `row_key` is "" where there is one axis.
    rows, columns : tuple of str
        Names of places.
    cells : tuple of tuple of Cell
    """

    row_key: str = ""
    column_key: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()

    @property
    def reach(self) -> tuple[float, float] | None:
        """Lowest and highest mean; None without any."""
        means = [c.spread.mean for row in self.cells for c in row if c.spread.mean is not None]
        return (min(means), max(means)) if means else None


def grid_of(runs: Sequence[RunResult], row_key: str, column_key: str) -> Grid:
    """The scores of a study over two axes (or one: `row_key` is ""), all others averaged over.

    Raises
    ------
    KeyError
        For a key that is no axis of the study.
    """
    by_place: dict[tuple[str, str], list[RunResult]] = {}
    for run in runs:
        places = dict(run.cell.places)
        row = places[row_key] if row_key else ""
        by_place.setdefault((row, places[column_key]), []).append(run)
    rows = tuple(dict.fromkeys(row for row, _ in by_place))
    columns = tuple(dict.fromkeys(column for _, column in by_place))

    def cell(row: str, column: str) -> Cell:
        found = by_place.get((row, column), [])
        ids = tuple(run.run_id for run in found if run.run_id)
        return Cell(spread_of([run.score for run in found]), ids, len(found))

    return Grid(
        row_key, column_key, rows, columns, tuple(tuple(cell(r, c) for c in columns) for r in rows)
    )
