"""The one style sheet, made from a template and a theme's tokens.

Looks that a widget asks for through properties:

- ``role`` on labels: caption, text, title, display; ``tone``: secondary, success, warning, error,
  on canvas
- ``look`` on push buttons: primary, quiet, danger; ``look`` on tool buttons: tool (32 px)
- ``surface`` on plain widgets: panel, window, canvas, strip

Lengths in ``tx`` are pixels that grow with the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Template

from orgseg_app import paths

TEMPLATE = Template("""
* { font-size: 13tx; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px; }

QWidget[surface="window"] { background: $window; }
QWidget[surface="panel"] { background: $panel; }
QWidget[surface="strip"] { background: $panel; border-top: 1px solid $line; }
QWidget[surface="bar"] { background: $raised; border: 1px solid $line; border-radius: 6px; }
QWidget[surface="canvas"] { background: $canvas; color: $on_canvas; }

QLabel { background: transparent; }
QLabel[role="caption"] { font-size: 11tx; color: $secondary; }
QLabel[role="title"] { font-size: 15tx; font-weight: 600; }
QLabel[role="display"] { font-size: 22tx; font-weight: 600; }
QLabel[tone="secondary"] { color: $secondary; }
QLabel[tone="success"] { color: $success; }
QLabel[tone="warning"] { color: $warning; }
QLabel[tone="error"] { color: $error; }
QLabel[tone="on canvas"] { color: $on_canvas; font-size: 11tx; }
QLabel:disabled { color: $disabled; }
QLabel:focus { background: $selected; color: $accent; border-radius: 4px; }
QLabel[look="explained"]:focus { background: $selected; border-radius: 3px; }

QPushButton { min-height: 22tx; padding: 4px 12px; border: 1px solid $control; border-radius: 6px;
  background: $panel; color: $text; }
QPushButton:hover { background: $hover; }
QPushButton:pressed, QPushButton:checked { background: $pressed; }
QPushButton:focus { border: 2px solid $accent; padding: 3px 11px; }
QPushButton:disabled { color: $disabled; border-color: $line; background: transparent; }
QPushButton[look="primary"] { background: $accent; color: $on_accent; border-color: $accent;
  font-weight: 600; }
QPushButton[look="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[look="primary"]:focus { border: 2px solid $text; }
QPushButton[look="primary"]:disabled { background: $pressed; color: $secondary;
  border-color: $pressed; }
QPushButton[look="quiet"] { border-color: transparent; background: transparent; padding: 4px 8px; }
QPushButton[look="quiet"]:hover { background: $hover; }
QPushButton[look="quiet"]:pressed { background: $pressed; }
QPushButton[look="quiet"]:focus { border: 2px solid $accent; padding: 3px 7px; }
QPushButton[look="segment"] { border-color: transparent; background: transparent;
  color: $secondary; min-height: 20tx; padding: 2px 8px; border-radius: 5px; }
QPushButton[look="segment"]:hover { color: $text; }
QPushButton[look="segment"]:checked { background: $selected; color: $accent; }
QPushButton[look="segment"]:disabled { color: $disabled; background: transparent; }
QPushButton[look="segment"]:focus { border: 2px solid $accent; padding: 1px 7px; }
QPushButton::menu-indicator { width: 0; }

QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 3px;
  background: transparent; color: $text; }
QToolButton:hover { background: $hover; }
QToolButton:pressed { background: $pressed; }
QToolButton:checked { background: $selected; }
QToolButton:focus { border: 2px solid $accent; padding: 2px; }
QToolButton:disabled { color: $disabled; background: transparent; }
QToolButton[look="tool"] { min-width: 22tx; min-height: 22tx; padding: 4px; }
QToolButton[look="tool"]:focus { padding: 3px; }
QToolButton::menu-indicator { image: none; }
QToolBar { border: none; background: $panel; spacing: 4px; padding: 4px; }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox { min-height: 22tx;
  padding: 2px 6px; border: 1px solid $control; border-radius: 6px; background: $panel;
  color: $text; selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit, QPlainTextEdit, QTextEdit { placeholder-text-color: $secondary; }
QLineEdit:hover, QPlainTextEdit:hover, QAbstractSpinBox:hover, QComboBox:hover {
  border-color: $secondary; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus,
QComboBox:on { border: 2px solid $accent; padding: 1px 5px; }
QLineEdit:disabled, QPlainTextEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {
  color: $disabled; border-color: $line; background: transparent; }
QLineEdit[bad="true"], QAbstractSpinBox[bad="true"] { border-color: $error; }
QLineEdit[look="inline"] { min-height: 18tx; padding: 0 3px; border-radius: 4px; }
QLineEdit[look="inline"]:focus { border: 1px solid $accent; padding: 0 3px; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit { border: none; padding: 0; min-height: 0;
  background: transparent; }
QComboBox QLineEdit:focus { border: none; padding: 0; }
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus { border: none; padding: 0 6px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 16px; border: none;
  background: transparent; subcontrol-origin: border; subcontrol-position: top right; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; }
QAbstractSpinBox[bare="true"]::up-button, QAbstractSpinBox[bare="true"]::down-button { width: 0; }
QAbstractSpinBox::up-arrow { image: url($marks/up-$name.svg); width: 12px; height: 12px; }
QAbstractSpinBox::down-arrow { image: url($marks/down-$name.svg); width: 12px; height: 12px; }
QAbstractSpinBox[bare="true"]::up-arrow, QAbstractSpinBox[bare="true"]::down-arrow {
  image: none; width: 0; height: 0; }
QAbstractSpinBox[bare="true"] { border-color: $line; }
QAbstractSpinBox[bare="true"]:hover { border-color: $control; }
QAbstractSpinBox[bare="true"]:focus { border: 2px solid $accent; }
QComboBox::drop-down { width: 20px; border: none; background: transparent; }
QComboBox::down-arrow { image: url($marks/down-$name.svg); width: 16px; height: 16px; }
QComboBox QAbstractItemView { border: 1px solid $line; background: $raised; outline: none;
  padding: 4px; }
QComboBox QAbstractItemView::item { min-height: 24tx; padding: 0 6px; border-radius: 4px; }
QComboBox QAbstractItemView::item:selected { background: $selected; color: $text; }

QCheckBox, QRadioButton { spacing: 8px; min-height: 22tx; background: transparent;
  border: 1px solid transparent; border-radius: 4px; }
QCheckBox:disabled, QRadioButton:disabled { color: $disabled; }
QCheckBox:focus, QRadioButton:focus { border-color: $accent; }
QCheckBox::indicator, QRadioButton::indicator,
QTableView::indicator, QListView::indicator { width: 14tx; height: 14tx;
  border: 1px solid $control; background: $panel; }
QCheckBox::indicator, QTableView::indicator, QListView::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: 8tx; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border-color: $accent; }
QCheckBox::indicator:checked,
QTableView::indicator:checked, QListView::indicator:checked { background: $accent;
  border-color: $accent; image: url($marks/check-$name.svg); }
QCheckBox::indicator:indeterminate { background: $accent; border-color: $accent;
  image: url($marks/dash-$name.svg); }
QRadioButton::indicator:checked { width: 6tx; height: 6tx; border: 5tx solid $accent;
  background: $on_accent; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $line; }
QCheckBox::indicator:checked:disabled { background: $disabled; border-color: $disabled; }

QSlider { min-height: 20tx; background: transparent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $line; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -5px 0; border-radius: 7px;
  border: 1px solid $control; background: $panel; }
QSlider::handle:horizontal:hover { border-color: $accent; }
QSlider::handle:horizontal:focus { border: 2px solid $accent; width: 10px; height: 10px; }
QSlider::sub-page:horizontal:disabled { background: $disabled; }

QProgressBar { border: none; border-radius: 2px; background: $line; min-height: 4px;
  max-height: 4px; color: transparent; }
QProgressBar::chunk { border-radius: 2px; background: $accent; }

QScrollArea, QScrollArea > QWidget > QWidget[surface="clear"] { border: none;
  background: transparent; }
QScrollBar:vertical { width: 12px; margin: 0; background: transparent; }
QScrollBar:horizontal { height: 12px; margin: 0; background: transparent; }
QScrollBar::handle { border-radius: 2px; margin: 4px; background: $control; }
QScrollBar::handle:hover { border-radius: 3px; margin: 3px; background: $secondary; }
QScrollBar::handle:disabled { background: transparent; }
QScrollBar::handle:vertical { min-height: 26px; }
QScrollBar::handle:horizontal { min-width: 26px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; }

QAbstractItemView { border: none; background: $panel; alternate-background-color: $window;
  outline: none; selection-background-color: $selected; selection-color: $text; }
QListView::item { border-radius: 6px; }
QTableView { gridline-color: $line; }
QTableView::item { padding: 0 8px; border-bottom: 1px solid $line; }
QTableView::item:hover, QTreeView::item:hover { background: $hover; }
QTableView::item:selected, QTreeView::item:selected { background: $selected; color: $text; }
QTableView::item:focus, QTreeView::item:focus { border: 1px solid $accent; }
QTableView[look="rows"]::item:focus { border: none; border-bottom: 2px solid $accent; }
QHeaderView { background: $panel; border: none; }
QHeaderView::section { background: $panel; color: $secondary; border: none; font-size: 11tx;
  border-bottom: 1px solid $line; padding: 6px 11px; font-weight: normal; }
QHeaderView::section:hover { color: $text; }
QHeaderView::up-arrow { image: url($marks/up-$name.svg); width: 12px; height: 12px; }
QHeaderView::down-arrow { image: url($marks/down-$name.svg); width: 12px; height: 12px; }

QMenuBar { background: $panel; color: $text; border-bottom: 1px solid $line; padding: 0 4px; }
QMenuBar::item { padding: 5px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $raised; color: $text; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 8px; border-radius: 4px; }
QMenu::item:selected { background: $selected; color: $text; }
QMenu::item:disabled { color: $disabled; background: transparent; }
QMenu::separator { height: 1px; margin: 4px 8px; background: $line; }
QMenu::icon { padding-left: 6px; }

QTabWidget::pane { border: none; border-top: 1px solid $line; }
QTabBar { background: transparent; }
QTabBar::tab { padding: 6px 12px; color: $secondary; background: transparent;
  border: none; border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:focus { color: $accent; }

QSplitter::handle { background: $line; }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QSplitter[surface="canvas"]::handle { background: #34383D; }  /* quiet between pictures */
QSplitter::handle:hover, QSplitter[surface="canvas"]::handle:hover { background: $accent; }
QMainWindow::separator { background: $line; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QStatusBar { background: $panel; color: $secondary; border-top: 1px solid $line; }
QStatusBar::item { border: none; }
QDialog { background: $panel; }
QFrame#header { background: $panel; border: none; border-bottom: 1px solid $line; }
QFrame#toolStrip { background: $panel; border: none; border-right: 1px solid $line; }
QFrame#header QToolButton[role="device"] { font-size: 11tx; color: $secondary; padding: 3px 6px; }
QFrame#header QToolButton[role="device"]:focus { padding: 2px 5px; }
QFrame#header QToolButton[role="device"]:hover { color: $text; }
QFrame#header QToolButton[role="tab"] { padding: 4px 12px; color: $secondary; border: none; }
QFrame#header QToolButton[role="tab"]:hover { color: $text; background: $hover; }
QFrame#header QToolButton[role="tab"]:checked { color: $accent; background: $selected; }
QFrame#header QToolButton[role="tab"]:disabled { color: $disabled; }
QFrame#header QToolButton[role="tab"]:focus { border: 2px solid $accent; padding: 2px 10px; }
QLineEdit#projectName { border-color: transparent; background: transparent; font-weight: 600; }
QLineEdit#projectName:hover { border-color: $control; }
QLineEdit#projectName:focus { border: 2px solid $accent; background: $panel; }
QListView[look="contents"]::item:selected { background: $selected; color: $text; }
QListView[look="contents"]::item:hover:!selected { background: $hover; }
QTextBrowser[look="page"], QTextBrowser[look="page"]:focus { border: none; border-radius: 0;
  padding: 0; background: $panel; }
QTextBrowser[look="page"] { border: 2px solid $panel; }
QTextBrowser[look="page"]:focus { border: 2px solid $accent; }
QFrame[look="line"] { background: $line; border: none; }
""")


def stylesheet(tokens: Mapping[str, str], text_scale: float = 1.0) -> str:
    """The style sheet for a theme's tokens (`Theme.tokens`).

    Parameters
    ----------
    text_scale
        Lengths in ``tx`` are so many times as many pixels.
    """
    marks = (paths.resources_dir() / "icons" / "marks").as_posix()
    sheet = re.sub(
        r"\b(\d+)tx\b",
        lambda found: f"{round(int(found[1]) * text_scale)}px",
        TEMPLATE.template,
    )
    return Template(sheet).substitute(tokens, marks=_quoted(marks))


def _quoted(path: str) -> str:
    """A path as it may stand between the brackets of ``url()``."""
    return path.replace("\\", "/").replace('"', '\\"')
