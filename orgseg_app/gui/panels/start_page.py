"""The first page: drop images, open a project, or try a sample.

Nothing is read when it is built. Pictures come once the page is on screen; those of projects are
read in a thread of their own.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHideEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QScrollArea, QVBoxLayout, QWidget

from orgseg_app import paths
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.drops import DropFrame
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.card_grid import BETWEEN, CardGrid
from orgseg_app.gui.style.cards import Card
from orgseg_app.gui.style.pictures import byte_pixmap
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    IconPicture,
    PrimaryButton,
    SecondaryButton,
    SectionTitle,
    label,
    plain_tip,
    surface,
)
from orgseg_app.settings import Settings

CARDS_A_ROW, CARDS_IN_NARROW = 4, 2
PICTURE_SIZE = (216, 101)
PAGE_WIDTH = CARDS_A_ROW * (PICTURE_SIZE[0] + 2) + (CARDS_A_ROW - 1) * BETWEEN
PICTURES_AFTER_MS = 20

# Titles of the samples: the page is there without importing the simulation. Their pictures, in
# resources/samples, are images of `core.samples.catalogue`; a test holds them to it.
SAMPLE_TITLES = (
    ("er", "ER network", "Tubules and sheets of live cells"),
    ("mitochondria", "Mitochondria", "Threads, nets and fragments"),
    ("nuclei", "Nuclei", "Bright, dim, touching and dividing"),
    ("em_volume", "EM volume", "Membranes and mitochondria"),
)


class StartPage(QWidget):
    """What is seen while no project is open.

    Signals
    -------
    paths_dropped(list of Path)
    open_images_requested(), open_project_requested()
    project_chosen(Path)
    sample_chosen(kind)
    tour_requested()
        Somebody wants to be shown around.
    """

    paths_dropped = Signal(object)
    open_images_requested = Signal()
    open_project_requested = Signal()
    project_chosen = Signal(object)
    sample_chosen = Signal(str)
    tour_requested = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._background: Background | None = None
        self._tasks: list[Task] = []
        self.recent_cards: list[Card] = []
        self.sample_cards: dict[str, Card] = {}
        surface(self, "window")
        self.setAccessibleName("Start")
        set_help(self, "start")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # Tab goes to what is on it
        self._page = page = QWidget()
        theme.hold(page, width=PAGE_WIDTH)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, EDGE, 0, EDGE)
        column.setSpacing(0)
        self.drop_area = DropArea()
        column.addWidget(self.drop_area)
        column.addSpacing(28)
        self._recent = QWidget()
        self.more_button = SecondaryButton("More", "clock", quiet=True)
        self.more_button.setToolTip("Other projects opened lately")
        self.more_button.setMenu(QMenu(self.more_button))
        self._recent_grid = _card_block(
            self._recent, _heading("Recent projects", "", self.more_button), 28
        )
        column.addWidget(self._recent)
        samples = QWidget()
        self.tour_button = SecondaryButton("Show me around", "help", quiet=True)
        self.tour_button.setToolTip("Five short steps on the sample “ER network”")
        hint = "simulated, with known masks"
        self._sample_grid = _card_block(samples, _heading("Samples", hint, self.tour_button), 0)
        for kind, title, text in SAMPLE_TITLES:
            card = Card(title, text, picture_size=PICTURE_SIZE, icon_name="image", tall=True)
            card.setToolTip(f"Open a project with simulated images: {title}")
            card.clicked.connect(lambda _=False, k=kind: self.sample_chosen.emit(k))
            self.sample_cards[kind] = card
        self._sample_grid.set_cards(list(self.sample_cards.values()))
        column.addWidget(samples)
        scroll = _page_scroll(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.drop_area.paths_dropped.connect(self.paths_dropped)
        self.drop_area.images_button.clicked.connect(lambda: self.open_images_requested.emit())
        self.drop_area.project_button.clicked.connect(lambda: self.open_project_requested.emit())
        self.tour_button.clicked.connect(lambda: self.tour_requested.emit())
        theme.watcher.changed.connect(self._fit)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PICTURES_AFTER_MS)
        self._timer.timeout.connect(self._load_pictures)
        self.refresh()

    def refresh(self) -> None:
        """Show the recent projects as the settings now have them."""
        self.recent_cards = []
        recent = [Path(text) for text in self._settings.recent_projects]
        for path in recent[:CARDS_A_ROW]:
            card = Card(
                path.stem,
                _short(path.parent),
                picture_size=PICTURE_SIZE,
                icon_name="file",
                tall=True,
            )
            card.elide_middle()
            card.setToolTip(plain_tip(str(path)))
            card.clicked.connect(lambda _=False, p=path: self.project_chosen.emit(p))
            self.recent_cards.append(card)
        self._recent_grid.set_cards(self.recent_cards)
        self._recent.setVisible(bool(recent))
        self.more_button.setVisible(len(recent) > CARDS_A_ROW)
        menu = self.more_button.menu()
        menu.clear()
        for path in recent[CARDS_A_ROW:]:
            words = f"{path.stem}  –  {_short(path.parent)}".replace("&", "&&")
            menu.addAction(words, lambda p=path: self.project_chosen.emit(p))
        if self.isVisible():
            self._timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fewer cards a row where four do not fit."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        has_room = self.width() >= theme.px(PAGE_WIDTH) + 2 * EDGE
        columns = CARDS_A_ROW if has_room else CARDS_IN_NARROW
        spare = (CARDS_A_ROW - columns) * (PICTURE_SIZE[0] + 2 + BETWEEN)
        theme.hold(self._page, width=PAGE_WIDTH - spare)
        for grid in (self._recent_grid, self._sample_grid):
            grid.set_columns(columns)

    # -- pictures --------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Make the pictures once the page is on screen."""
        super().showEvent(event)
        self.setFocus()  # no button shouts for the keyboard; Tab goes to the first
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """A project is open: its work comes first."""
        super().hideEvent(event)
        self._timer.stop()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._background is not None:
            self._background.wait()

    def _load_pictures(self) -> None:
        for kind, card in self.sample_cards.items():
            if not card.has_picture():
                card.set_picture(QPixmap(str(sample_picture_path(kind))))
        if self._background is None:
            self._background = Background(self)
        for card, path in zip(self.recent_cards, self._settings.recent_projects, strict=False):
            if not card.has_picture():
                self._start(card, Path(path))

    def _start(self, card: Card, path: Path) -> None:
        assert self._background is not None

        def run(task: Task) -> np.ndarray | None:
            return None if task.is_cancelled else project_picture(path)

        def on_success(pixels: np.ndarray | None) -> None:
            if pixels is not None and card in self.recent_cards:
                card.set_picture(byte_pixmap(pixels))

        def on_failure(error: Exception) -> None:
            if card in self.recent_cards and isinstance(error, FileNotFoundError):
                card.set_words(f"Not found in {_short(path.parent)}")

        self._tasks.append(self._background.start("Picture", run, on_success, on_failure))


class DropArea(DropFrame):
    """Where images are dropped, and the two ways to open without dropping.

    Signals
    -------
    paths_dropped(list of Path)
    """

    paths_dropped = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme.hold(self, height=228)
        self.setAccessibleName("Drop images or a folder here")
        self._icon = IconPicture("image", 40, "accent")
        title = label("Drop images or a folder here", "display")
        hint = label(
            "TIFF, PNG, JPEG, HDF5, MRC, OME-Zarr, CZI, ND2, LIF, OIR; masks beside them are found",
            tone="secondary",
            wrap=True,
        )
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.images_button = PrimaryButton("Choose images…", "image")
        self.project_button = SecondaryButton("Open project…", "folder")
        self.images_button.setToolTip("Choose image files to start a project with")
        self.project_button.setToolTip("Open a project file")
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.images_button)
        buttons.addWidget(self.project_button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(0)
        column.addStretch(1)
        column.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(12)
        column.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(4)
        column.addWidget(hint)
        column.addSpacing(20)
        column.addLayout(buttons)
        column.addStretch(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A dashed outline, in the accent while something hovers over it."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(now.accent if self.is_over else now.control), 2 if self.is_over else 1)
        pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.setBrush(QColor(now.selected if self.is_over else now.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)

    def on_dropped(self, paths: list[Path]) -> None:
        """Tell what was dropped."""
        self.paths_dropped.emit(paths)


def sample_picture_path(kind: str) -> Path:
    """Where the picture of a sample lies."""
    return paths.resources_dir() / "samples" / f"{kind}.jpg"


def project_picture(path: Path) -> np.ndarray | None:
    """The thumbnail of a project's first image, uint8; None without one.

    Raises
    ------
    FileNotFoundError, FileError
        When the project is gone, or cannot be read.
    """
    from orgseg_app.files.project_file import ProjectFile

    if not path.is_file():
        raise FileNotFoundError(path)
    with ProjectFile.open(path, read_only=True) as file:
        first = next(iter(file.project.images), None)
        return None if first is None else file.thumbnail(first)


def _heading(title: str, hint: str, *extras: QWidget) -> QWidget:
    heading = QWidget()
    theme.hold(heading, height=30)
    row = QHBoxLayout(heading)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GAP)
    row.addWidget(SectionTitle(title))
    row.addWidget(label(hint, tone="secondary"), 1)
    for widget in extras:
        row.addWidget(widget)
    return heading


def _card_block(block: QWidget, heading: QWidget, below: int) -> CardGrid:
    column = QVBoxLayout(block)
    column.setContentsMargins(0, 0, 0, below)
    column.setSpacing(GAP + 2)
    column.addWidget(heading)
    grid = CardGrid(CARDS_A_ROW)
    column.addWidget(grid)
    return grid


def _page_scroll(page: QWidget) -> QScrollArea:
    centred = QWidget()
    surface(centred, "window")
    row = QHBoxLayout(centred)
    row.setContentsMargins(EDGE, 0, EDGE, 0)
    row.addStretch(1)
    row.addWidget(page, 0, Qt.AlignmentFlag.AlignVCenter)
    row.addStretch(1)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    scroll.setWidget(centred)
    return scroll


def _short(folder: Path) -> str:
    """A folder as people read it: ``~`` for their own."""
    text, home = str(folder), os.path.expanduser("~")
    return "~" + text[len(home) :] if home != "~" and text.startswith(home) else text
