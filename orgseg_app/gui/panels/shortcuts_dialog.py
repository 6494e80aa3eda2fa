"""The table of keys: whose habits, what the wheel does, and keys of your own for every action."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QSignalBlocker, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.actions import ACTIONS, BY_ID
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.keys.shortcut_presets import PRESETS
from orgseg_app.gui.keys.shortcuts import LOST, PORTABLE, Shortcuts, native, title_of
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import CalmComboBox, Segments
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    Caption,
    ElidedLabel,
    PrimaryButton,
    SecondaryButton,
    SectionTitle,
    set_tone,
)

MENU, ACTION, KEYS = range(3)
ID_ROLE = Qt.ItemDataRole.UserRole


class KeyRecorder(QKeySequenceEdit):
    """Takes down a key, but leaves the ways out to the keyboard: Tab and Shift+Tab."""

    def event(self, event: QEvent) -> bool:
        """Shift+Tab would be taken down otherwise; Qt lets only Tab go."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Backtab:
            if event.type() == QEvent.Type.KeyPress:
                self.focusPreviousChild()
            return True
        return super().event(event)


class ShortcutEditor(FittingDialog):
    """Every action with its keys; what is changed holds at once, everywhere.

    Attributes
    ----------
    preset, wheel, search, table
        Whose keys, what the wheel does, the filter, the actions.
    recorder
        Takes the next key pressed; `note` says at once whom it belongs to.
    add_button, reset_button, reset_all_button
        Give the chosen action that key; its usual keys; all usual keys.
    """

    def __init__(
        self,
        shortcuts: Shortcuts,
        actions: Mapping[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._shortcuts, self._actions = shortcuts, actions
        self.setWindowTitle("Change keyboard shortcuts")
        set_help(self, "shortcuts")
        self.resize(680, 660)
        self._build()
        self._arrange()
        self._connect()
        self._show()
        self.table.selectRow(0)
        self.search.setFocus()

    def _build(self) -> None:
        self.preset = CalmComboBox("Keys as in")
        for preset in PRESETS.values():
            self.preset.addItem(preset.title, preset.name)
        self.preset_tip = Caption()
        self.preset_tip.setWordWrap(False)  # a form keeps room for lines it does not need
        self.wheel = Segments("Wheel", [("zoom", "Zooms"), ("slice", "Goes through the planes")])
        self.search = QLineEdit(placeholderText="Search an action or a key")
        self.search.setAccessibleName("Search actions and keys")
        self.search.setClearButtonEnabled(True)
        self.table = QTableWidget(len(ACTIONS), 3)
        self.table.setAccessibleName("Actions and their keys")
        self.table.setHorizontalHeaderLabels(["Menu", "Action", "Keys"])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(ACTION, QHeaderView.ResizeMode.Stretch)
        theme.hold_columns(self.table, {MENU: 96, KEYS: 220})
        for place, info in enumerate(ACTIONS):
            for column in range(3):
                item = QTableWidgetItem()
                item.setToolTip(info.tip)
                item.setData(ID_ROLE, info.action_id)
                self.table.setItem(place, column, item)
        self.name = ElidedLabel()
        self.name.setProperty("role", "title")
        self.chips = QHBoxLayout()
        self.chips.setSpacing(GAP)
        self.recorder = KeyRecorder()
        self.recorder.setMaximumSequenceLength(1)
        self.recorder.setClearButtonEnabled(True)
        self.recorder.setAccessibleName("Press the new key")
        self.recorder.setAccessibleDescription("Takes the keys pressed here; Tab leads on")
        field = self.recorder.findChild(QLineEdit)
        if field is not None:
            field.setPlaceholderText("Click here, then press a key")
        self.add_button = PrimaryButton("Add key")
        self.reset_button = SecondaryButton("Usual keys")
        self.note = Caption()
        self.reset_all_button = SecondaryButton("All usual keys")

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(GAP * 2)
        form.addRow("Keys as in", self.preset)
        form.addRow("", self.preset_tip)
        form.addRow("The wheel", self.wheel)
        record = QHBoxLayout()
        record.setSpacing(GAP)
        record.addWidget(self.recorder, 1)
        record.addWidget(self.add_button)
        record.addWidget(self.reset_button)
        chosen = QFrame()
        column = QVBoxLayout(chosen)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self.name, 1)
        line.addLayout(self.chips)
        column.addLayout(line)
        column.addLayout(record)
        column.addWidget(self.note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        bottom = QHBoxLayout()
        bottom.addWidget(self.reset_all_button)
        bottom.addStretch(1)
        bottom.addWidget(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        layout.setSpacing(GAP)
        layout.addWidget(SectionTitle("Keyboard shortcuts"))
        layout.addLayout(form)
        layout.addWidget(self.search)
        layout.addWidget(self.table, 1)
        layout.addWidget(chosen)
        layout.addLayout(bottom)
        for button in [*self.findChildren(SecondaryButton), self.add_button]:
            button.setAutoDefault(False)  # Enter in the search field presses nothing

    def _connect(self) -> None:
        self._shortcuts.changed.connect(self._show)
        self.preset.activated.connect(
            lambda place: self._shortcuts.set_preset(self.preset.itemData(place))
        )
        self.wheel.chosen.connect(self._shortcuts.set_wheel)
        self.search.textChanged.connect(self._filter)
        self.table.itemSelectionChanged.connect(self._show_chosen)
        self.table.itemActivated.connect(lambda _: self.recorder.setFocus())
        self.recorder.keySequenceChanged.connect(lambda _: self._say())
        self.add_button.clicked.connect(self.add_key)
        self.reset_button.clicked.connect(lambda: self._shortcuts.reset(self.chosen))
        self.reset_all_button.clicked.connect(self._shortcuts.reset_all)

    # -- showing ---------------------------------------------------------------------------------

    @property
    def chosen(self) -> str:
        """Id of the action whose keys are changed; "" when the search hides all."""
        items = self.table.selectedItems()
        return str(items[0].data(ID_ROLE)) if items else ""

    def choose(self, action_id: str) -> None:
        """Change the keys of an action."""
        self.table.selectRow([info.action_id for info in ACTIONS].index(action_id))

    def _show(self) -> None:
        shortcuts = self._shortcuts
        with QSignalBlocker(self.preset):
            self.preset.setCurrentIndex(self.preset.findData(shortcuts.preset.name))
        self.preset_tip.setText(shortcuts.preset.tip)
        self.wheel.set_value(shortcuts.wheel)
        changed = False
        for place, info in enumerate(ACTIONS):
            own = shortcuts.is_own(info.action_id)
            changed = changed or own
            cells = (
                info.menu,
                title_of(self._actions[info.action_id]),
                shortcuts.native_keys(info.action_id) + ("  · changed" if own else ""),
            )
            for column, text in enumerate(cells):
                item = self.table.item(place, column)
                assert item is not None
                item.setText(text)
                item.setFont(theme.font(strong=own and column == KEYS))
        self.reset_all_button.setEnabled(changed or shortcuts.wheel != shortcuts.preset.wheel)
        self._filter(self.search.text())
        self._show_chosen()

    def _filter(self, text: str) -> None:
        wanted = text.casefold().split()
        shown = []
        for place in range(self.table.rowCount()):
            items = [self.table.item(place, column) for column in range(3)]
            cells = " ".join(item.text() for item in items if item is not None).casefold()
            fits = all(word in cells for word in wanted)
            self.table.setRowHidden(place, not fits)
            if fits:
                shown.append(place)
        if shown and self.table.currentRow() not in shown:
            self.table.selectRow(shown[0])
        elif not shown:
            self.table.clearSelection()

    def _show_chosen(self) -> None:
        action_id = self.chosen
        for place in reversed(range(self.chips.count())):
            item = self.chips.takeAt(place)
            old = item.widget() if item is not None else None
            if old is not None:
                old.hide()
                old.deleteLater()
        self.name.setText(self._title(action_id) if action_id else "")
        for key in self._shortcuts.keys(action_id) if action_id else ():
            chip = SecondaryButton(f"{native(key)}  ✕")
            chip.setAutoDefault(False)
            chip.setAccessibleName(f"Remove {native(key)}")
            chip.setToolTip(f"{native(key)} does this no longer")
            chip.clicked.connect(lambda _=False, k=key: self.remove_key(k))
            self.chips.addWidget(chip)
        self.reset_button.setEnabled(bool(action_id) and self._shortcuts.is_own(action_id))
        self.reset_button.setToolTip(self._usual_words(action_id) if action_id else "")
        with QSignalBlocker(self.recorder):
            self.recorder.clear()
        self._say()

    def _usual_words(self, action_id: str) -> str:
        keys = ", ".join(native(key) for key in self._shortcuts.usual_keys(action_id))
        return f"As in {self._shortcuts.preset.title}: {keys or 'none'}"

    def _title(self, action_id: str) -> str:
        return f"{BY_ID[action_id].menu} › {title_of(self._actions[action_id])}"

    @property
    def key(self) -> str:
        """The key that was pressed, in Qt's portable form; "" for none."""
        return self.recorder.keySequence().toString(PORTABLE)

    def _say(self) -> None:
        """Whom the key that was pressed belongs to, at once."""
        key, text, tone, verb = self.key, "", "secondary", "Add key"
        owner = self._shortcuts.owner(key) if key else ""
        refusal = self._shortcuts.refusal(key)
        if refusal:
            text, tone = refusal, "error"
        elif owner and owner == self.chosen:
            text = f"{native(key)} does this already."
        elif owner:
            text = f"{native(key)} is “{self._title(owner)}”, which would go without it."
            tone, verb = "warning", "Take key"
        elif key in LOST:
            text, tone = LOST[key], "warning"
        self.note.setText(text)
        set_tone(self.note, tone)
        self.add_button.setText(verb)
        self.add_button.setEnabled(
            bool(key and self.chosen) and not refusal and owner != self.chosen
        )

    # -- changing --------------------------------------------------------------------------------

    def add_key(self) -> None:
        """Give the chosen action the key that was pressed, beside those it has."""
        if self.key and self.chosen and not self._shortcuts.refusal(self.key):
            keys = self._shortcuts.keys(self.chosen)
            self._shortcuts.set_keys(self.chosen, (*keys, self.key))
            self.recorder.setFocus()

    def remove_key(self, key: str) -> None:
        """Take a key away from the chosen action."""
        keys = self._shortcuts.keys(self.chosen)
        self._shortcuts.set_keys(self.chosen, [k for k in keys if k != key])
        self.recorder.setFocus()

    def press(self, key: str) -> None:
        """Fill in a key as if it had been pressed."""
        self.recorder.setKeySequence(QKeySequence(key, PORTABLE))
