"""Rows of a list of runs or of studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex

from orgseg_app.gui.runs.jobs_model import Item, JobsModel

Index = QModelIndex | QPersistentModelIndex


class JobsListModel(QAbstractListModel, Generic[Item]):
    """The items of a model in some order; whoever inherits says in which, and what is shown.

    Parameters
    ----------
    jobs : JobsModel
        All of them.
    """

    def __init__(self, jobs: JobsModel[Item], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._ids: list[str] = []

    def show_ids(self, ids: Sequence[str]) -> bool:
        """Show these; False where they were shown already."""
        if list(ids) == self._ids:
            return False
        self.beginResetModel()
        self._ids = list(ids)
        self.endResetModel()
        return True

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Items shown."""
        return 0 if parent.isValid() else len(self._ids)

    def entry(self, index: Index) -> Item | None:
        """What a row shows."""
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        return self._jobs.get(self._ids[index.row()])

    def row_of(self, item_id: str) -> int:
        """Row of an item, or -1."""
        return self._ids.index(item_id) if item_id in self._ids else -1

    def tell_changed(self, item_id: str) -> None:
        """Draw a row anew, where there is one."""
        row = self.row_of(item_id)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))
