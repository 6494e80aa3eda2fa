"""A sheet of augmented patches: what the network will be shown of the image at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.recipe_form import RecipeForm
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.pictures import byte_pixmap
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, SecondaryButton, label
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.schema import Recipe

COLUMNS, ROWS = 4, 3
TILE, SPACE = 132, 8
FILL = 0.4
LATER_MS = 150
MOST_WHOLE, PART = 4_000_000, 1024
"""Of larger planes only a part around the place is prepared, so wide."""


@dataclass(frozen=True)
class _Wish:
    """What is to be drawn: recipe, image, plane, dice and place (seeds), width of a tile."""

    recipe: Recipe
    image_id: str
    z: int
    is_rgb: bool
    dice: int
    place: int
    side: int


@dataclass(frozen=True)
class Example:
    """One patch as it is shown: ``(h, w, 3)`` uint8 without and with the classes over it."""

    plain: NDArray[np.uint8]
    painted: NDArray[np.uint8]


class ExamplesDialog(FittingDialog):
    """Patches of the current plane as the recipe in the form would change them.

    The first is unchanged. A click throws the dice anew; so does any change of the recipe's
    preprocessing, augmentation or patch size. The window goes on beside it.

    Parameters
    ----------
    session : Session
    form : RecipeForm
    """

    def __init__(self, session: Session, form: RecipeForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.form = session, form
        self._dice, self._place = 0, 0
        self._is_drawing, self._is_stale = False, False
        self.setWindowTitle("Examples of augmented patches")
        set_help(self, "recipes#augmentation")
        self.words = label()
        self.sheet = _Sheet()
        self.sheet.clicked_by_hand = self.throw
        self.shows_classes = QCheckBox("Show what is painted")
        self.shows_classes.setChecked(True)
        self.shows_classes.toggled.connect(self.sheet.show_painted)
        self.dice = SecondaryButton("Throw the dice")
        self.dice.setToolTip("Change the same patch in other ways")
        self.dice.clicked.connect(self.throw)
        self.place = SecondaryButton("Another place")
        self.place.clicked.connect(self.move_on)
        self.note = Caption()
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.shows_classes, 1)
        foot.addWidget(self.place)
        foot.addWidget(self.dice)
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, GROUP, GROUP, GROUP)
        column.setSpacing(GAP)
        column.addWidget(self.words)
        column.addWidget(self.sheet)
        column.addWidget(self.note)
        column.addLayout(foot)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(LATER_MS)
        self._timer.timeout.connect(self.refresh)
        form.changed.connect(self._refresh_soon)
        session.image_selected.connect(self._refresh_soon)
        session.plane_selected.connect(self._refresh_soon)
        self.dice.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        """Recipe and image may be others by now."""
        super().showEvent(event)
        self.refresh()

    def _refresh_soon(self, *_: object) -> None:
        if self.isVisible():
            self._timer.start()

    def throw(self) -> None:
        """The same place in other guises."""
        self._dice += 1
        self.refresh()

    def move_on(self) -> None:
        """Another painted place."""
        self._place += 1
        self.refresh()

    def refresh(self) -> None:
        """Draw the sheet anew in the background; the old one stays until then."""
        session, file = self.session, self.session.file
        if file is None or session.image is None:
            self._say("Open an image to see what becomes of it.")
            return
        if self._is_drawing:
            self._is_stale = True
            return
        try:
            recipe = self.form.recipe()
        except RecipeError as error:
            self._say(str(error))
            return
        wish = _Wish(
            recipe,
            session.image_id,
            session.z,
            session.image.is_rgb,
            self._dice,
            self._place,
            round(TILE * self.devicePixelRatio()),
        )
        colours = {item.class_id: item.rgb for item in session.classes if item.class_id > 1}
        mask = session.mask().plane(session.z)  # a copy: it may change under the hand
        name = session.image.name
        self._is_drawing, self._is_stale = True, False

        def on_success(examples: list[Example]) -> None:
            self._is_drawing = False
            self.words.setText(f"{name}: patches of {recipe.patch_size} × {recipe.patch_size}")
            self._say("The first is unchanged." if recipe.augmentation else _NOTHING)
            self.sheet.show_examples(examples)
            if self._is_stale:
                self.refresh()

        def on_failure(error: Exception) -> None:
            self._is_drawing = False
            self._say(str(error))

        session.background.start(
            "Drawing examples",
            lambda task: draw_examples(file, mask, wish, colours),
            on_success,
            on_failure,
        )

    def _say(self, text: str) -> None:
        self.note.setText(text)


_NOTHING = "This recipe changes nothing: every patch is shown as it is."


class _Sheet(QWidget):
    """A grid of patches; a click asks for others."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs: list[tuple[QPixmap, QPixmap]] = []
        self._painted = True
        self.clicked_by_hand: Any = None
        self.setFixedSize(QSize(COLUMNS * (TILE + SPACE) - SPACE, ROWS * (TILE + SPACE) - SPACE))
        self.setAccessibleName("Augmented patches")
        self.setToolTip("Click for other dice")

    @property
    def count(self) -> int:
        """How many patches are shown."""
        return len(self._pairs)

    def show_examples(self, examples: list[Example]) -> None:
        """Show these instead."""
        self._pairs = [(byte_pixmap(e.plain), byte_pixmap(e.painted)) for e in examples]
        self.update()

    def show_painted(self, on: bool) -> None:
        """With the classes over the patches, or without."""
        self._painted = on
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Other dice."""
        if event.button() == Qt.MouseButton.LeftButton and self.clicked_by_hand is not None:
            self.clicked_by_hand()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Rows of patches; empty places are grey until there is something."""
        painter = QPainter(self)
        for number in range(COLUMNS * ROWS):
            row, column = divmod(number, COLUMNS)
            corner = QPoint(column * (TILE + SPACE), row * (TILE + SPACE))
            place = QRect(corner, QSize(TILE, TILE))
            if number < len(self._pairs):
                painter.drawPixmap(place, self._pairs[number][self._painted])
            else:
                painter.fillRect(place, QColor(theme.current().hover))
        painter.end()


def draw_examples(
    file: Any, mask: NDArray[np.uint8], wish: _Wish, colours: Mapping[int, tuple[int, int, int]]
) -> list[Example]:
    """The patches of a sheet, ready to be shown; the first is unchanged.

    Parameters
    ----------
    file : ProjectFile
    mask : ndarray ``(Y, X)`` uint8
        Class ids of the plane.
    wish
    colours
        Red, green, blue of each class id that is drawn.
    """
    from orgseg_app.core.augmentation.sheet import sheet
    from orgseg_app.core.preprocessing.steps import apply_steps

    pixels = file.read_plane(wish.image_id, wish.z, to_look=True)
    centre = _painted_place(mask, wish.place)
    if mask.size > MOST_WHOLE:
        top, left = (
            int(min(max(0, place - PART // 2), max(0, length - PART)))
            for place, length in zip(centre, mask.shape, strict=True)
        )
        part = np.s_[top : top + PART, left : left + PART]
        pixels, mask = pixels[:, *part], mask[part]
        centre = centre[0] - top, centre[1] - left
    # What is learnt of the training images is not known yet; such steps then leave things as is.
    prepared = apply_steps(pixels, wish.recipe.preprocess)
    size, seed = wish.recipe.patch_size, 1 + wish.dice + 1000 * wish.place
    changed = sheet(
        prepared,
        mask,
        wish.recipe.augmentation,
        seed,
        COLUMNS * ROWS - 1,
        size=size,
        centre_yx=centre,
    )
    plain = sheet(prepared, mask, (), seed, 1, size=size, centre_yx=centre)
    low, high = np.percentile(plain[0][0], (0.5, 99.7))
    return [
        _example(patch, target, (float(low), float(high)), wish, colours)
        for patch, target in (*plain, *changed)
    ]


def _painted_place(mask: NDArray[np.uint8], number: int) -> tuple[int, int]:
    """A place where a structure is painted, else anything, else the middle."""
    for least in (2, 1):
        rows, columns = np.nonzero(mask >= least)
        if len(rows):
            place = int(np.random.default_rng(number).integers(len(rows)))
            return int(rows[place]), int(columns[place])
    return mask.shape[0] // 2, mask.shape[1] // 2


def _example(
    patch: NDArray[np.float32],
    target: NDArray[Any],
    levels: tuple[float, float],
    wish: _Wish,
    colours: Mapping[int, tuple[int, int, int]],
) -> Example:
    import cv2

    size = (wish.side, wish.side)
    shrinks = patch.shape[-1] > wish.side
    how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    channels = patch[:3] if wish.is_rgb else patch.mean(axis=0, keepdims=True)
    unit = [
        (cv2.resize(channel, size, interpolation=how) - levels[0])
        / max(levels[1] - levels[0], 1e-9)
        for channel in channels
    ]
    stack = np.stack([unit[i % len(unit)] for i in range(3)], axis=-1)
    plain = (np.clip(stack, 0, 1) * 255).astype(np.uint8)
    painted = plain.copy()
    ids = cv2.resize(target.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    for class_id, colour in colours.items():
        inside = ids == class_id
        mixed = (1 - FILL) * painted[inside] + FILL * np.asarray(colour, np.float32)
        painted[inside] = mixed.astype(np.uint8)
    return Example(plain, painted)
