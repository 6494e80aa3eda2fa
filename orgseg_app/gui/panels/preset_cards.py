"""The presets as cards: the one question most people have to answer before training."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QVBoxLayout, QWidget

from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    SecondaryButton,
    focus_ring,
    plain_tip,
)
from orgseg_app.runs.recipes.presets import PRESET_GROUPS, PRESET_TITLES, PRESETS
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.wording import describe

ALWAYS_SHOWN = 3


def preset_title(name: str) -> str:
    """How a preset is called in the window."""
    return PRESET_TITLES.get(name, name)


def preset_order(class_count: int) -> list[str]:
    """Names of the presets, what suits the project first.

    Parameters
    ----------
    class_count : int
        Classes beside background.
    """
    names = list(PRESETS)
    if "instant" in names:  # among those in sight, for a first look at a few strokes
        names.insert(1, names.pop(names.index("instant")))
    if class_count > 1 and "multi-class" in names:
        names.insert(0, names.pop(names.index("multi-class")))
    return names


class PresetCard(QAbstractButton):
    """One preset: title, what it is good for, and the name it has on the command line."""

    def __init__(self, recipe: Recipe, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = recipe.name
        self.title = preset_title(recipe.name)
        self.about = recipe.about
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.title)
        self.setAccessibleDescription(f"{self.about} {describe(recipe)}")
        self.setToolTip(plain_tip(f"{describe(recipe)}\nOn the command line: {recipe.name}"))
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def heightForWidth(self, width: int) -> int:
        """As many lines as title and words need."""
        return 8 + self._title_height(width) + self._about_height(width) + 10

    def hasHeightForWidth(self) -> bool:
        """The words wrap."""
        return True

    def sizeHint(self) -> QSize:
        """At the width it has."""
        width = self.width() if self.testAttribute(Qt.WidgetAttribute.WA_Resized) else 260
        return QSize(200, self.heightForWidth(width))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width wraps the words elsewhere."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def _title_height(self, width: int) -> int:
        metrics = QFontMetrics(theme.font(strong=True))
        room = QRect(0, 0, max(60, width - 44), 1000)
        words = metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, self.title)
        return max(theme.px(18), words.height())

    def _about_height(self, width: int) -> int:
        metrics = QFontMetrics(theme.font(theme.CAPTION_PX))
        room = QRect(0, 0, max(60, width - 24), 1000)
        return metrics.boundingRect(room, Qt.TextFlag.TextWordWrap, self.about).height()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A quiet card; the chosen one has the accent's outline and a tick."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        chosen = self.isChecked()
        ground = now.selected if chosen else now.hover if self.underMouse() else now.panel
        painter.setBrush(QColor(ground))
        painter.setPen(QPen(QColor(now.accent if chosen else now.line), 1))
        painter.drawRoundedRect(box, 6, 6)
        if self.hasFocus():
            focus_ring(painter, QRectF(self.rect()))
        width = self.width() - 24
        if chosen:
            ratio = self.devicePixelRatio()
            painter.drawPixmap(self.width() - 26, 8, icons.pixmap("check", "accent", 16, ratio))
        font = theme.font(strong=True)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        height = self._title_height(self.width())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(QRect(12, 7, width - 20, height), flags, self.title)
        painter.setFont(theme.font(theme.CAPTION_PX))
        painter.setPen(QColor(now.secondary))
        words = QRect(12, 8 + height, width, self.height() - 8 - height)
        painter.drawText(words, Qt.TextFlag.TextWordWrap, self.about)
        painter.end()

    def enterEvent(self, event: QEvent) -> None:  # type: ignore[override]
        """Show that it can be chosen."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer is elsewhere."""
        self.update()


class PresetCards(QWidget):
    """The presets: the three that suit the project best, or all of them in titled groups.

    Arrow keys go through the cards that are shown.

    Signals
    -------
    chosen(name)
        A person chose a preset.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self._shows_all = False
        self.cards = {name: PresetCard(recipe, self) for name, recipe in PRESETS.items()}
        self._titles = {title: Caption(title, self) for title in PRESET_GROUPS}
        self._order = list(self.cards)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        for name, card in self.cards.items():
            self._group.addButton(card)
            card.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
            card.installEventFilter(self)
        for caption in self._titles.values():
            caption.setContentsMargins(0, GAP, 0, 0)
        self.more = SecondaryButton("", quiet=True, parent=self)
        self.more.clicked.connect(self._on_more)
        self.set_order(self._order)

    def set_order(self, names: list[str]) -> None:
        """Put what suits the project first."""
        self._order = [name for name in names if name in self.cards]
        self._arrange()

    def select(self, name: str) -> None:
        """Mark a preset as the chosen one, without telling; "" for none."""
        card = self.cards.get(name)
        if card is not None:
            card.setChecked(True)
        elif (checked := self._group.checkedButton()) is not None:
            self._group.setExclusive(False)
            checked.setChecked(False)
            self._group.setExclusive(True)
        if not self._shows_all:
            self._arrange()

    def selected(self) -> str:
        """Name of the chosen preset, or ""."""
        checked = self._group.checkedButton()
        return checked.name if isinstance(checked, PresetCard) else ""

    def _on_more(self) -> None:
        self._shows_all = not self._shows_all
        self._arrange()

    def _few(self) -> list[str]:
        """What is shown of the presets at first: the first ones, and the chosen one."""
        shown = self._order[:ALWAYS_SHOWN]
        chosen = self.selected()
        return shown if not chosen or chosen in shown else [*shown, chosen]

    def _listed(self) -> list[str]:
        """Names of the cards in sight, from top to bottom."""
        if not self._shows_all:
            return self._few()
        return [name for names in PRESET_GROUPS.values() for name in names]

    def _arrange(self) -> None:
        """Lay out what is shown, all of it anew: groups and order may have changed."""
        while self._column.count():
            self._column.takeAt(0)
        shown = self._listed()
        for caption in self._titles.values():
            caption.setVisible(self._shows_all)
        if self._shows_all:
            for title, names in PRESET_GROUPS.items():
                self._column.addWidget(self._titles[title])
                for name in names:
                    self._column.addWidget(self.cards[name])
        else:
            for name in shown:
                self._column.addWidget(self.cards[name])
        self._column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        for name, card in self.cards.items():
            card.setVisible(name in shown)
        widgets: list[QWidget] = [*(self.cards[name] for name in shown), self.more]
        for before, after in pairwise(widgets):
            QWidget.setTabOrder(before, after)
        hidden = len(self.cards) - len(shown)
        self.more.setVisible(len(self.cards) > ALWAYS_SHOWN)
        self.more.setText("Fewer presets" if self._shows_all else f"{hidden} more presets")
        self.more.setIcon(icons.icon("chevron-down" if not self._shows_all else "minus"))

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Up and Down go through the cards that are shown."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
            if step is not None and isinstance(watched, PresetCard):
                shown = self._listed()
                place = shown.index(watched.name) + step
                if 0 <= place < len(shown):
                    card = self.cards[shown[place]]
                    card.setFocus(Qt.FocusReason.TabFocusReason)
                    card.click()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(
                watched, PresetCard
            ):
                watched.click()
                return True
        return super().eventFilter(watched, event)  # type: ignore[arg-type]
