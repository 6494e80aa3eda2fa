"""Test images with the scores of the two runs shown, where they differ most first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from orgseg_app.gui.comparing.disagreements import ImageFacts
from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_model import sort_mark
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import THIN_SPACE, plain_tip
from orgseg_app.runs.comparison import ImageScores

Index = QModelIndex | QPersistentModelIndex
IMAGE, SCORE_A, SCORE_B, DIFFERENCE = range(4)
DIFFERENCE_ROLE = Qt.ItemDataRole.UserRole
ID_ROLE = Qt.ItemDataRole.UserRole + 1

UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
BY_NAME, BY_A, BY_B, BY_SIZE, BY_SIGN, BY_VOXELS = (
    "name",
    "score_a",
    "score_b",
    "difference",
    "a_minus_b",
    "voxels",
)
COLUMNS = {BY_NAME: IMAGE, BY_A: SCORE_A, BY_B: SCORE_B, BY_SIZE: DIFFERENCE, BY_SIGN: DIFFERENCE}
"""The column whose title carries the mark of a sorting; none for voxels."""


class ImageScoresModel(QAbstractTableModel):
    """One row a test image: IoU of run A, of run B, and A − B."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: dict[str, str] = {}
        self._a: ResultRow | None = None
        self._b: ResultRow | None = None
        self._class_name = ""
        self._ids: list[str] = []
        self._pairs: dict[str, tuple[float | None, float | None]] = {}
        self._digits = 2
        self._facts: dict[str, ImageFacts] = {}
        self._sort = (BY_SIZE, DOWN)

    def set_runs(
        self, images: dict[str, str], a: ResultRow | None, b: ResultRow | None, class_name: str
    ) -> None:
        """Show these test images and runs, for one class or ("") the mean over classes."""
        self.beginResetModel()
        self._images, self._a, self._b = dict(images), a, b
        self._class_name = class_name
        self._pairs = {i: (self._score(a, i), self._score(b, i)) for i in images}
        self._digits = 3 if any(map(_look_alike, self._pairs.values())) else 2
        self._arrange()
        self.endResetModel()

    def set_facts(self, facts: Mapping[str, ImageFacts]) -> None:
        """What was found out about images, by id; others stay as they are."""
        self._facts |= {i: found for i, found in facts.items() if i in self._images}
        if self._sort[0] == BY_VOXELS:
            self.sort_by(*self._sort)
        elif self._ids:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._ids) - 1, 0))

    def forget_facts(self) -> None:
        """They were of other runs."""
        self._facts = {}

    def facts_of(self, image_id: str) -> ImageFacts | None:
        """What is known of an image beside its scores."""
        return self._facts.get(image_id)

    @property
    def image_ids(self) -> list[str]:
        """As shown."""
        return list(self._ids)

    def scores_of(self, image_id: str) -> tuple[float | None, float | None]:
        """IoU of A and of B on one image."""
        return self._pairs[image_id]

    def difference_of(self, image_id: str) -> float | None:
        """A − B, or None where one of them is missing."""
        a, b = self.scores_of(image_id)
        return None if a is None or b is None else a - b

    def _score(self, row: ResultRow | None, image_id: str) -> float | None:
        item = self._item(row, image_id)
        return None if item is None else class_value(item.scores, "iou", self._class_name)

    @staticmethod
    def _item(row: ResultRow | None, image_id: str) -> ImageScores | None:
        return None if row is None else row.images.get(image_id)

    def _key(self, image_id: str, by: str) -> Any:
        a, b = self.scores_of(image_id)
        if by == BY_NAME:
            return self._images[image_id].casefold()
        if by == BY_VOXELS:
            facts = self._facts.get(image_id)
            return None if facts is None else facts.voxels
        if by in (BY_SIZE, BY_SIGN):
            difference = self.difference_of(image_id)
            if difference is None and self._b is None and a is not None:
                return 1 - a  # one run only: its worst image first
            return None if difference is None else abs(difference) if by == BY_SIZE else difference
        return a if by == BY_A else b

    def _arrange(self) -> None:
        by, order = self._sort
        keys = {image_id: self._key(image_id, by) for image_id in self._images}
        known = [i for i in self._images if keys[i] is not None]
        known.sort(key=keys.__getitem__, reverse=order == DOWN)
        self._ids = known + [i for i in self._images if keys[i] is None]

    def sort_by(self, by: str, order: Qt.SortOrder) -> None:
        """Sort; what has no value stays below."""
        self._sort = (by, order)
        self.layoutAboutToBeChanged.emit()
        before = [(i, self._ids[i.row()]) for i in self.persistentIndexList()]
        self._arrange()
        for index, image_id in before:
            new = self.index(self._ids.index(image_id), index.column())
            self.changePersistentIndex(index, new)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self.columnCount() - 1)

    def sort(self, column: int, order: Qt.SortOrder = UP) -> None:
        """Sort by a column; differences by their size."""
        self.sort_by((BY_NAME, BY_A, BY_B, BY_SIZE)[column], order)

    @property
    def sorted_by(self) -> tuple[str, Qt.SortOrder]:
        """What by, and order."""
        return self._sort

    @property
    def is_pair(self) -> bool:
        """Whether there is a run B."""
        return self._b is not None

    @property
    def digits(self) -> int:
        """Two decimals, or three where the runs would look alike on some image."""
        return self._digits

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Images."""
        return 0 if parent.isValid() else len(self._ids)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Image, A, and with a second run B and the difference."""
        return 0 if parent.isValid() else 4 if self._b is not None else 2

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        whose = self._class_name or "mean of classes"
        tips = {
            IMAGE: "Test images; Up and Down show them",
            SCORE_A: f"IoU of run A on the image ({whose})",
            SCORE_B: f"IoU of run B on the image ({whose})",
            DIFFERENCE: "IoU of A minus IoU of B",
        }
        if role == Qt.ItemDataRole.DisplayRole:
            title = ("Image", "IoU A", "IoU B", "A − B")[section]
            is_sorted = section == COLUMNS.get(self._sort[0])
            return f"{sort_mark(self._sort[1])} {title}" if is_sorted else title
        if role == Qt.ItemDataRole.ToolTipRole:
            return tips[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells."""
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        image_id, column = self._ids[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(image_id, column)
        if role == ID_ROLE:
            return image_id
        if role == DIFFERENCE_ROLE and column == DIFFERENCE:
            return self.difference_of(image_id)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and column in (SCORE_A, SCORE_B):
            a, b = self.scores_of(image_id)
            mine, other = (a, b) if column == SCORE_A else (b, a)
            better = mine is not None and other is not None and mine > other
            alike = self.text(image_id, SCORE_A) == self.text(image_id, SCORE_B)
            return theme.font(strong=better and not alike)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(image_id))
        return None

    def text(self, image_id: str, column: int) -> str:
        """What a cell says."""
        if column == IMAGE:
            return self._images[image_id]
        a, b = self.scores_of(image_id)
        if column == DIFFERENCE:
            difference = self.difference_of(image_id)
            return "–" if difference is None else f"{difference:+.{self.digits}f}".replace("-", "−")
        value = a if column == SCORE_A else b
        return "–" if value is None else f"{value:.{self.digits}f}"

    def voxel_words(self, image_id: str) -> str:
        """How many voxels are disputed on an image, or "" while that is not known."""
        facts = self._facts.get(image_id)
        if facts is None or facts.voxels is None:
            return ""
        return f"{shortened(facts.voxels)} {'differ' if self._b is not None else 'wrong'}"

    def _tip(self, image_id: str) -> str:
        lines = [self._images[image_id]]
        facts = self._facts.get(image_id)
        if facts is not None and facts.voxels is not None:
            verb = "differ between the runs shown" if self._b is not None else "are wrong"
            count = f"{facts.voxels:,}".replace(",", THIN_SPACE)
            lines.append(f"{count} voxels {verb}, yellow in the picture")
        for row in (self._a, self._b):
            item = self._item(row, image_id)
            if row is None:
                continue
            if item is None:
                refused = row.refused.get(image_id)
                lines.append(
                    f"“{row.name}”: {refused}" if refused else f"“{row.name}” was not scored on it."
                )
                continue
            value = class_value(item.scores, "iou", self._class_name)
            lines.append(f"{row.name}: IoU {value:.4f}" if value is not None else f"{row.name}: –")
            if item.is_leaked:
                lines.append("  had seen this image while learning")
            if item.is_outdated:
                lines.append("  scored before the image was painted anew")
        return "\n".join(lines)

    def as_tsv(self) -> str:
        """All rows as tab-separated text with a heading."""
        titles = ["Test image", f"IoU of {self._name(self._a)}"]
        if self._b is not None:
            titles += [f"IoU of {self._name(self._b)}", "Difference"]
        lines = ["\t".join(titles)]
        for image_id in self._ids:
            numbers: list[float | None] = list(self.scores_of(image_id))
            numbers = [*numbers, self.difference_of(image_id)][: len(titles) - 1]
            cells = ["" if n is None else f"{n:.4f}" for n in numbers]
            lines.append("\t".join([" ".join(self._images[image_id].split()), *cells]))
        return "\n".join(lines) + "\n"

    @staticmethod
    def _name(row: ResultRow | None) -> str:
        return " ".join(row.name.split()) if row is not None else ""


def _look_alike(pair: tuple[float | None, float | None]) -> bool:
    """Whether two decimals do not tell two scores apart."""
    a, b = pair
    return a is not None and b is not None and a != b and f"{a:.2f}" == f"{b:.2f}"


def shortened(count: int) -> str:
    r"""A count in at most five characters or so.

    Examples
    --------
    >>> shortened(987), shortened(23_456), shortened(1_234_567)
    ('987', '23\u2009k', '1.2\u2009M')
    """
    if count < 10_000:
        return f"{count:,}".replace(",", THIN_SPACE)
    if count < 1_000_000:
        return f"{count // 1000}{THIN_SPACE}k"
    return f"{count / 1e6:.1f}{THIN_SPACE}M"
