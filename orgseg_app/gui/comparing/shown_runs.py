"""What the pages below the table of runs are about. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field

from orgseg_app.gui.comparing.results_data import ResultRow, Results


@dataclass(frozen=True)
class ShownRuns:
    """What the pages are about.

    Attributes
    ----------
    results : Results
    order : tuple of ResultRow
        All rows, as the table has sorted them.
    a, b : ResultRow or None
        The run looked at and the one beside it.
    others : tuple of ResultRow
        Further runs selected, as the table has sorted them.
    class_name : str
        "" for all classes.
    """

    results: Results = field(default_factory=Results)
    order: tuple[ResultRow, ...] = ()
    a: ResultRow | None = None
    b: ResultRow | None = None
    others: tuple[ResultRow, ...] = ()
    class_name: str = ""

    @property
    def chosen(self) -> tuple[ResultRow, ...]:
        """A, B where there is one, and the others."""
        return tuple(row for row in (self.a, self.b, *self.others) if row is not None)

    def note(self, row: ResultRow) -> str:
        """What a legend says after the name of a run: A or B, and whether it is no equal."""
        letters = [name for name, one in (("A", self.a), ("B", self.b)) if one is row]
        return " · ".join(letters if row.is_ranked else [*letters, "not ranked"])
