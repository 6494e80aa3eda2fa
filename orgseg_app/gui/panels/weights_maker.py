"""Setting how weights are made from paint, with the outcome on the canvas at once."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.weighting.settings import (
    PARAMETERS,
    PRODUCT,
    SUM,
    EdgePair,
    WeightSettings,
)
from orgseg_app.gui.canvas.weights_preview import WeightsPreview
from orgseg_app.gui.panels.layer_section import tick
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox, Segments, SliderField
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    IconButton,
    PrimaryButton,
    SecondaryButton,
    label,
    set_tone,
)

NAME_WIDTH = 64
ALL = 0
"""Stands for all structures among sources, and for everything else among targets."""
IMAGE, PAINTED = "image", "painted"
STRENGTH_SHOWN, REACH_SHOWN = 100, 200
"""As far as the sliders go; the numbers beside them go further."""


class PairRow(QWidget):
    """One pair of classes between which edges count.

    Signals
    -------
    changed(), removed()
    """

    changed = Signal()
    removed = Signal()

    def __init__(self, classes: Sequence[ClassInfo], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._class_ids: list[int] = []
        self.source = CalmComboBox("Edges of")
        self.source.setToolTip("Class whose edges are felt")
        self.target = CalmComboBox("Felt by")
        self.target.setToolTip("Class whose voxels count more near these edges")
        for box in (self.source, self.target):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(5)
            box.view().setAccessibleName("Classes")
            box.activated.connect(lambda _: self.changed.emit())
        self.both = SecondaryButton("↔", quiet=True)
        self.both.setCheckable(True)
        self.both.setChecked(True)
        theme.hold(self.both, width=32)
        self.both.setAccessibleName("Both sides of the edge count")
        self.both.toggled.connect(self._on_both)
        self.remove = IconButton("close", "Remove this pair")
        self.remove.clicked.connect(self.removed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.source, 1)
        row.addWidget(self.both)
        row.addWidget(self.target, 1)
        row.addWidget(self.remove)
        self._on_both(True)
        self.set_classes(classes)

    def set_classes(self, classes: Sequence[ClassInfo]) -> None:
        """Offer these; what is chosen stays as long as it is there."""
        self._class_ids = [info.class_id for info in classes]
        for box, all_words, first in (
            (self.source, "Structures", ALL),
            (self.target, "All others", BACKGROUND),
        ):
            kept = box.currentData() if box.count() else first
            with QSignalBlocker(box):
                box.clear()
                box.addItem(all_words, ALL)
                for info in classes:
                    box.addItem(info.name, info.class_id)
                box.setCurrentIndex(max(0, box.findData(kept)))

    def pair(self) -> EdgePair | None:
        """What is chosen; None where a class would have an edge with itself."""
        source, target = int(self.source.currentData()), int(self.target.currentData())
        if source == ALL:
            sources = [i for i in self._class_ids if i not in (BACKGROUND, target)]
        else:
            sources = [source]
        targets = [i for i in self._class_ids if i not in sources] if target == ALL else [target]
        if not sources or not targets or {*sources} & {*targets}:
            return None
        return EdgePair(tuple(sources), tuple(targets), self.both.isChecked())

    def _on_both(self, on: bool) -> None:
        self.both.setText("↔" if on else "→")
        self.both.setToolTip(
            "Voxels on both sides of the edge count more; press for the right side only"
            if on
            else "Only voxels of the right class count more; press for both sides"
        )
        self.changed.emit()


class WeightsMaker(QWidget):
    """The settings, the scope, and a button that makes the weights.

    Parameters
    ----------
    preview
        Gets what is set, and tells what came of it.

    Signals
    -------
    make_requested(WeightSettings, all painted images)
    closed()
    """

    make_requested = Signal(object, bool)
    closed = Signal()

    def __init__(
        self, preview: WeightsPreview, session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._preview, self._session = preview, session
        self.rows: list[PairRow] = []
        self._build()
        self._arrange()
        preview.changed.connect(self.refresh)
        session.classes_changed.connect(self._on_classes)
        session.project_changed.connect(self._on_classes)
        session.working.changed.connect(self.refresh)
        self._on_classes()

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.balance = tick(
            "Rare classes count more",
            "The painted voxels of every class count the same in all; the rarest class counts 1",
        )
        self.edges = tick(
            "Edges count more",
            "Voxels near another class count more, and most in narrow gaps",
        )
        for box in (self.balance, self.edges):
            box.setChecked(True)
            box.toggled.connect(lambda _: self._on_set())
        known = PARAMETERS
        self.strength = SliderField(
            "Strength",
            known["strength"].minimum,
            STRENGTH_SHOWN,
            known["strength"].default,
            decimals=1,
            name_width=NAME_WIDTH,
            tip="What the strongest edge voxel of an image counts on top",
        )
        self.strength.number.setMaximum(known["strength"].maximum)
        self.reach = SliderField(
            "Reach",
            known["reach"].minimum,
            REACH_SHOWN,
            known["reach"].default,
            name_width=NAME_WIDTH,
            tip="How many steps edges spread; more fills wider gaps",
        )
        self.reach.number.setMaximum(known["reach"].maximum)
        self.floor = SliderField(
            "At least",
            known["floor"].minimum,
            known["floor"].maximum,
            known["floor"].default,
            decimals=2,
            name_width=NAME_WIDTH,
            tip="What every painted voxel counts at least",
        )
        for slider in (self.strength, self.reach, self.floor):
            slider.value_changed.connect(lambda _: self._on_set())
        self.combine = Segments("Balance and edges", ((SUM, "Sum"), (PRODUCT, "Product")))
        self.combine.button(SUM).setToolTip("Balance and edges are added")
        self.combine.button(PRODUCT).setToolTip(
            "Balance times edges: only voxels near edges count more than the least"
        )
        self.combine.chosen.connect(lambda _: self._on_set())
        self.add_pair = SecondaryButton("Pair of classes", "plus", quiet=True)
        self.add_pair.setToolTip(
            "Choose between which classes edges count; without any: structures and background"
        )
        self.add_pair.clicked.connect(self._on_add_pair)
        self.usual_pair = Caption("Between all structures and background")
        self.left_out = SecondaryButton("Nothing")
        self.left_out.setAccessibleName("Classes that are left out")
        self.left_out.setToolTip("Classes that do not count at all, as if they were not painted")
        self.left_out_menu = QMenu(self)
        self.left_out.setMenu(self.left_out_menu)
        self.scope = Segments("Make for", ((IMAGE, "This image"), (PAINTED, "All painted")))
        self.scope.button(PAINTED).setToolTip("Every painted image of the project, as one whole")
        self.scope.chosen.connect(lambda _: self._on_set())
        self.said = Caption()
        self.said.setAccessibleName("What the weights are")
        self.make_button = PrimaryButton("Make weights")
        self.make_button.setToolTip("Keep these weights with the image; trainings count by them")
        self.make_button.clicked.connect(self._on_make)
        self.close_button = SecondaryButton("Close")
        self.close_button.setToolTip("Show the weights that are kept again (Esc)")
        self.close_button.clicked.connect(self.closed)

    def _arrange(self) -> None:
        self.pairs = QVBoxLayout()
        self.pairs.setSpacing(4)
        self.edge_parts = QWidget()
        inner = QVBoxLayout(self.edge_parts)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(self.usual_pair)
        inner.addLayout(self.pairs)
        inner.addLayout(_left(self.add_pair))
        for slider in (self.strength, self.reach):
            inner.addWidget(slider)
        self.combine_row = QWidget()
        together = _named("Together", self.combine)
        together.setContentsMargins(0, 0, 0, 0)
        self.combine_row.setLayout(together)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, GAP)
        column.setSpacing(4)
        column.addWidget(self.balance)
        column.addWidget(self.edges)
        column.addWidget(self.edge_parts)
        column.addWidget(self.combine_row)
        column.addWidget(self.floor)
        column.addLayout(_named("Leave out", self.left_out))
        column.addLayout(_named("For", self.scope))
        column.addWidget(self.said)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addWidget(self.make_button)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        column.addLayout(buttons)

    # -- what is set -----------------------------------------------------------------------------

    def value(self) -> WeightSettings | None:
        """What is set; None where it makes no sense."""
        pairs = [row.pair() for row in self.rows]
        if None in pairs:
            return None
        return WeightSettings(
            balance=self.balance.isChecked(),
            edges=self.edges.isChecked(),
            pairs=tuple(pair for pair in pairs if pair is not None),
            strength=self.strength.value(),
            reach=int(self.reach.value()),
            floor=self.floor.value(),
            combine=self.combine.value(),
            left_out=tuple(
                int(action.data()) for action in self.left_out_menu.actions() if action.isChecked()
            ),
        )

    def _on_set(self) -> None:
        wanted = self.value()
        if wanted is not None:
            self._preview.set_wanted(wanted, with_all=self.scope.value() == PAINTED)
        self.refresh()

    def _on_add_pair(self) -> None:
        row = PairRow(self._session.classes, self)
        row.changed.connect(self._on_set)
        row.removed.connect(lambda: self._on_removed(row))
        self.rows.append(row)
        self.pairs.addWidget(row)
        row.source.setFocus()
        self._on_set()

    def _on_removed(self, row: PairRow) -> None:
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self.add_pair.setFocus()
        self._on_set()

    def _on_classes(self) -> None:
        classes = self._session.classes
        for row in self.rows:
            row.set_classes(classes)
        before = {int(a.data()) for a in self.left_out_menu.actions() if a.isChecked()}
        self.left_out_menu.clear()
        for info in classes:
            action = self.left_out_menu.addAction(info.name)
            action.setCheckable(True)
            action.setData(info.class_id)
            action.setChecked(info.class_id in before)
            action.toggled.connect(lambda _: self._on_set())
        self._on_set()

    def _on_make(self) -> None:
        wanted = self.value()
        if wanted is not None:
            self.make_requested.emit(wanted, self.scope.value() == PAINTED)

    # -- showing ---------------------------------------------------------------------------------

    def refresh(self) -> None:
        """What is set, and what came of it."""
        wanted = self.value()
        is_set = wanted is not None
        self.edge_parts.setVisible(self.edges.isChecked())
        self.combine_row.setVisible(self.edges.isChecked() and self.balance.isChecked())
        names = [a.text() for a in self.left_out_menu.actions() if a.isChecked()]
        self.left_out.setText(", ".join(names) or "Nothing")
        self.usual_pair.setVisible(not self.rows)
        text, tone = self._words(wanted)
        self.said.setText(text)
        self.said.setVisible(bool(text))
        set_tone(self.said, tone)
        busy = self._session.working.is_busy
        self.make_button.setEnabled(is_set and self._session.can_edit and not busy)

    def _words(self, wanted: WeightSettings | None) -> tuple[str, str]:
        preview = self._preview
        if wanted is None:
            return "A class has no edge with itself. Choose two different ones.", "warning"
        if preview.problem:
            return preview.problem, "secondary"
        tried = preview.tried
        if tried is None:
            return "", ""
        names = {info.class_id: info.name for info in self._session.classes}
        parts = []
        if wanted.balance and len(tried.balance) > 1:
            listed = [f"{names.get(i, i)} {w:.2g}" for i, w in tried.balance.items()]
            more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
            parts.append(f"Before edges: {', '.join(listed[:4])}{more}.")
        if tried.looked_at < tried.painted:
            parts.append("Looking for stronger edges on other planes…")
        parts.append("The mask is hidden meanwhile.")
        return " ".join(parts), ""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc stops what is under way, and then closes."""
        if event.key() == Qt.Key.Key_Escape:
            if not self._session.working.cancel():
                self.closed.emit()
            return
        super().keyPressEvent(event)


def _left(widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(widget)
    row.addStretch(1)
    return row


def _named(name: str, widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GAP)
    words = label(name)
    theme.hold(words, width=NAME_WIDTH)
    row.addWidget(words)
    row.addWidget(widget, 1)
    return row
