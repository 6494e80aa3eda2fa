"""Walking through a window by its keys alone, and what a screen reader is told on the way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollArea,
    QScrollBar,
    QSplitterHandle,
    QTableView,
    QTextEdit,
    QToolButton,
    QWidget,
)

INTERACTIVE = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)
MOST_STEPS = 400
MOST_LINKS = 60
"""A page of text has the keyboard from link to link; a dialog's only button has it for ever."""

ROLES = {
    QAbstractButton: {
        QAccessible.Role.Button,
        QAccessible.Role.CheckBox,
        QAccessible.Role.RadioButton,
        QAccessible.Role.ButtonMenu,
        QAccessible.Role.ButtonDropDown,
    },
    QAbstractSlider: {QAccessible.Role.Slider, QAccessible.Role.ScrollBar},
    QAbstractSpinBox: {QAccessible.Role.SpinBox},
    QComboBox: {QAccessible.Role.ComboBox},
    QLineEdit: {QAccessible.Role.EditableText},
    QPlainTextEdit: {QAccessible.Role.EditableText, QAccessible.Role.Client},
    QTextEdit: {QAccessible.Role.EditableText, QAccessible.Role.StaticText},
    QAbstractItemView: {QAccessible.Role.List, QAccessible.Role.Table, QAccessible.Role.Tree},
}


def controls(root: QWidget) -> Iterator[QWidget]:
    """What one can act on in sight: no inner parts of Qt's own, no scroll bars."""
    for child in (root, *root.findChildren(QWidget)):
        parent = child.parentWidget()
        inner = QAbstractSpinBox | QComboBox | QLineEdit | QHeaderView | QKeySequenceEdit
        is_inner = isinstance(parent, inner) or (
            isinstance(parent, QAbstractScrollArea) and parent.viewport() is child
        )
        if isinstance(child, QScrollBar | QHeaderView | QSplitterHandle) or is_inner:
            continue
        if isinstance(parent, QAbstractItemView):  # the corner of a table
            continue
        acts = isinstance(child, INTERACTIVE) or child.focusPolicy() & Qt.FocusPolicy.TabFocus
        is_area = type(child) is not QWidget and isinstance(child, QAbstractScrollArea)
        if is_area and not isinstance(child, INTERACTIVE) and not child.focusPolicy():
            continue
        if acts and child.isVisible() and child.isEnabled() and child.window() is root.window():
            yield child


def walk(root: QWidget) -> list[QWidget]:
    """What gets the keyboard by pressing Tab until something has it again."""
    window = root.window()
    window.activateWindow()
    known = set(controls(root))
    first = next((w for w in _chain(window) if w in known and _takes_tab(w)), None)
    if first is None:
        return []
    first.setFocus(Qt.FocusReason.TabFocusReason)
    QApplication.processEvents()
    reached: list[QWidget] = []
    still = 0
    for _ in range(MOST_STEPS):
        now = QApplication.focusWidget()
        if now is None or now in reached[:-1] or still > MOST_LINKS:
            return reached
        still = still + 1 if reached and now is reached[-1] else 0
        if not still:
            reached.append(now)
        QTest.keyClick(now, Qt.Key.Key_Tab)
    raise AssertionError(f"no end of Tab: {[described(w) for w in reached[-5:]]}")


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def _chain(window: QWidget) -> Iterator[QWidget]:
    """Everything in the window's order of Tab."""
    now = window.nextInFocusChain()
    while now is not None and now is not window:
        yield now
        now = now.nextInFocusChain()


def walk_back(reached: list[QWidget]) -> list[QWidget]:
    """What gets the keyboard by Shift+Tab from the last of them, as many steps."""
    now = reached[-1]
    now.setFocus(Qt.FocusReason.BacktabFocusReason)
    found = []
    for _ in range(len(reached) + MOST_LINKS):
        here = QApplication.focusWidget()
        if here is None:
            break
        found.append(here)
        QTest.keyClick(here, Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier)
    return found


def unreached(root: QWidget, reached: list[QWidget]) -> list[str]:
    """Controls that the keys do not lead to.

    Three kinds are reached otherwise: buttons of a group whose other button is reached (arrows go
    from one to the next), controls that only repeat an action of the menus, and what hands the
    keyboard on to a part of itself that is reached.
    """
    known = set(reached)
    return [
        described(control)
        for control in controls(root)
        if control not in known
        and not _hands_on(control, known)
        and not _is_grouped(control, known)
        and not _is_in_menus(control)
    ]


def _hands_on(control: QWidget, reached: set[QWidget]) -> bool:
    proxy = control.focusProxy()
    return (proxy is not None and proxy in reached) or any(
        control.isAncestorOf(other) for other in reached
    )


def _is_grouped(control: QWidget, reached: set[QWidget]) -> bool:
    if not isinstance(control, QAbstractButton):
        return False
    group = control.group()
    beside = group.buttons() if group is not None else []  # type: ignore[redundant-expr]
    return any(other in reached for other in beside)


def _is_in_menus(control: QWidget) -> bool:
    action = control.defaultAction() if isinstance(control, QToolButton) else None
    return action is not None and any(
        isinstance(owner, QMenu) for owner in action.associatedObjects()
    )


def nameless(root: QWidget) -> list[str]:
    """Controls a screen reader has no name for, or a role that does not fit."""
    found = []
    for control in controls(root):
        interface = QAccessible.queryAccessibleInterface(control)
        name = interface.text(QAccessible.Text.Name).strip()
        if not any(letter.isalpha() for letter in name) and not name.isdigit():
            found.append(f"{described(control)}: called {name!r}")
        fits = next((roles for kind, roles in ROLES.items() if isinstance(control, kind)), None)
        if fits is not None and interface.role() not in fits:
            found.append(f"{described(control)}: is a {interface.role().name}")
        if isinstance(control, QAbstractItemView):
            found += _untitled(control)
    return found


def _untitled(view: QAbstractItemView) -> list[str]:
    """Columns without a title in sight or told."""
    if not isinstance(view, QTableView):
        return []
    header, model = view.horizontalHeader(), view.model()
    if header.isHidden() or model.rowCount() == 0:
        return []
    across = Qt.Orientation.Horizontal
    roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
    return [
        f"{described(view)}: column {section} has no title"
        for section in range(model.columnCount())
        if not header.isSectionHidden(section)
        and not any(model.headerData(section, across, role) for role in roles)
    ]


def silent_pictures(root: QWidget) -> list[str]:
    """Painted widgets that take the keyboard and say nothing about themselves."""
    found = []
    for control in controls(root):
        if isinstance(control, INTERACTIVE):
            continue
        interface = QAccessible.queryAccessibleInterface(control)
        texts = QAccessible.Text
        told = [interface.text(kind) for kind in (texts.Name, texts.Description)]
        if not told[0].strip():
            found.append(f"{described(control)} has no name")
        elif not told[1].strip() and not control.toolTip():
            found.append(f"{described(control)} has no description")
    return found


def backward(reached: list[QWidget], panels: tuple[type, ...]) -> list[str]:
    """Steps of Tab that lead up within one column of one panel."""
    found = []
    for before, after in pairwise(reached):
        panel = _panel_of(before, panels)
        if panel is None or panel is not _panel_of(after, panels):
            continue
        if _panel_of(before, (QScrollArea,)) is not _panel_of(after, (QScrollArea,)):
            continue  # one of them may have been scrolled away
        a, b = _place(before), _place(after)
        is_above = b.bottom() <= a.top()
        share_column = min(a.right(), b.right()) - max(a.left(), b.left()) > 4
        if is_above and share_column:
            found.append(f"{described(before)} → {described(after)}")
    return found


def _panel_of(widget: QWidget, panels: tuple[type, ...]) -> QWidget | None:
    now: QWidget | None = widget
    while now is not None and not isinstance(now, panels):
        now = now.parentWidget()
    return now


def _place(widget: QWidget) -> QRect:
    return QRect(widget.mapTo(widget.window(), QPoint(0, 0)), widget.size())


def unseen(reached: list[QWidget]) -> list[str]:
    """Widgets that look the same with the keyboard and without."""
    found = []
    for widget in reached:
        if isinstance(widget, QAbstractItemView) and not widget.model().rowCount():
            continue  # nothing to be on
        _scroll_to(widget)
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        # Tab itself leaves this mark; without a window system it does not last.
        widget.window().setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
        with_focus = _around(widget)
        widget.clearFocus()
        QApplication.processEvents()
        if not _differ(with_focus, _around(widget)):
            found.append(described(widget))
    return found


def _scroll_to(widget: QWidget) -> None:
    """As Tab does."""
    now = widget.parentWidget()
    while now is not None:
        if isinstance(now, QScrollArea):
            now.ensureWidgetVisible(widget)
        now = now.parentWidget()


def _around(widget: QWidget) -> np.ndarray:
    place = _place(widget).adjusted(-3, -3, 3, 3).intersected(widget.window().rect())
    image = widget.window().grab(place).toImage().convertToFormat(QImage.Format.Format_RGB32)
    assert not image.isNull(), f"{described(widget)} is out of sight"
    flat = np.frombuffer(image.constBits(), np.uint8)
    return flat.reshape(image.height(), image.bytesPerLine())[:, : 4 * image.width()].copy()


def _differ(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a line's worth of pixels is clearly another colour."""
    if a.shape != b.shape:
        return True
    return int((np.abs(a.astype(int) - b.astype(int)) > 40).sum()) >= 24


def described(widget: QWidget) -> str:
    """A widget for the report of a test."""
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    owners: list[str] = []
    now = widget.parentWidget()
    while now is not None and len(owners) < 3:
        owners.append(type(now).__name__)
        now = None if isinstance(now, QDialog) else now.parentWidget()
    said = widget.accessibleName() or text or widget.objectName()
    return f"{'/'.join(reversed(owners))}/{type(widget).__name__} {said!r}"
