"""How objects are written: a list of everyone's formats, and what each of them holds."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from orgseg_app.gui.style.fields import CalmComboBox
from orgseg_app.gui.style.widgets import GAP, Caption


class ObjectWays(QWidget):
    """One of `orgseg_app.files.object_export.ways`.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = CalmComboBox("Format of the objects")
        self.box.setToolTip("As which program's files the objects are written")
        self.box.view().setAccessibleName("Formats")
        self.about = Caption()
        self.about.setAccessibleName("About the format")
        self._abouts: dict[str, str] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(self.box)
        column.addWidget(self.about)
        self.box.currentIndexChanged.connect(self._on_chosen)

    def fill(self) -> None:
        """List the formats; they are loaded only when somebody looks."""
        if self._abouts:
            return
        from orgseg_app.files.object_export import ways

        known = ways()
        self._abouts = {name: way.about for name, way in known.items()}
        for name, way in known.items():
            self.box.addItem(way.title, name)

    def value(self) -> str:
        """A key of `ways`."""
        return str(self.box.currentData() or "")

    def _on_chosen(self) -> None:
        self.about.setText(self._abouts.get(self.value(), ""))
        self.changed.emit()
