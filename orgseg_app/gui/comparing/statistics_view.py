"""The page of statistics: which models differ, by how much, and whether it may be luck."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.metrics.statistics import FEWEST_IMAGES as FEWEST_TO_TELL
from orgseg_app.gui.background import Task
from orgseg_app.gui.comparing import forest_painting as forest
from orgseg_app.gui.comparing.forest_table import FOREST, PAIR, WORDS, ForestTable
from orgseg_app.gui.comparing.looking_page import LookingPage
from orgseg_app.gui.comparing.measure_chooser import MeasureChooser
from orgseg_app.gui.comparing.rank_diagram import (
    WIDTH,
    RankDiagram,
    height_of,
    in_words,
    paint_ranks,
)
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.comparing.statistics_data import (
    FEWEST_IMAGES,
    FEWEST_MODELS,
    MOST_MODELS,
    Statistics,
    statistics_of,
)
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    EmptyState,
    label,
    surface,
    text_rect,
)
from orgseg_app.runs.repeats import repeats

CHOSEN, RANKED = "chosen", "ranked"
NO_PAIR = (
    "Choose two ranked runs or more in the table to compare them: ranked are those that were "
    "scored on all test images and had seen none of them."
)
ONE_MODEL = (
    "The runs chosen are seeds of one training: repeats of one model, no models to compare. Choose "
    "another run besides, or take seeds one by one."
)
MORE = (
    f"With {FEWEST_MODELS} models or more, mean ranks are shown beside them: Ctrl+click adds a run "
    "in the table."
)


class StatisticsView(LookingPage):
    """Forest plot of pairs, critical-difference diagram.

    Signals
    -------
    pair_chosen(a, b)
        Ids of runs, to be shown as A and B.
    """

    pair_chosen = Signal(str, str)
    found: Statistics | None
    title = "Statistics"
    noun = "statistics"
    looking_for = "Comparing models"

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(runs.session, parent)
        self.runs = runs
        self._key: Any = None
        surface(self)
        self._build()
        theme.watcher.changed.connect(self._on_theme_changed)

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.table = ForestTable(self)
        self.table.pair_chosen.connect(self.pair_chosen)
        self.caption = Caption()
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(GAP)
        left.addWidget(self.table, 1)
        left.addWidget(self.caption)
        self.diagram = RankDiagram(self)
        self.ranks_caption = Caption()
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, GAP, 0)
        column.setSpacing(GAP)
        column.addWidget(self.diagram)
        column.addWidget(self.ranks_caption)
        column.addStretch(1)
        self.side = side = QScrollArea()
        side.setWidgetResizable(True)
        side.setWidget(inside)
        inside.setProperty("surface", "clear")
        side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.hold(side, width=WIDTH)
        page = QWidget()
        across = QHBoxLayout(page)
        across.setContentsMargins(GAP, 0, GAP, GAP)
        across.setSpacing(GROUP)
        across.addLayout(left, 1)
        across.addWidget(side)
        self.empty = EmptyState(NO_PAIR, icon_name="chart")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._build_head())
        column.addLayout(self._stack, 1)

    def _build_head(self) -> QHBoxLayout:
        self.which = Segments("Runs", [(CHOSEN, "Chosen runs"), (RANKED, "All ranked runs")])
        self.which.chosen.connect(lambda _: self._renew())
        self.measure = MeasureChooser("Score that is compared on each test image")
        self.measure.currentIndexChanged.connect(lambda _: self._renew())
        self.together = QCheckBox("Seeds are repeats")
        self.together.setToolTip(
            "Seeds of one training are repeats of one model: their scores are averaged on each "
            "image. Otherwise each is a model of its own."
        )
        self.together.setChecked(True)
        self.together.toggled.connect(lambda _: self._renew())
        head = QHBoxLayout()
        head.setContentsMargins(GROUP, 6, GROUP, 2)
        head.setSpacing(GAP)
        head.addWidget(self.which)
        head.addWidget(label("Score", tone="secondary"))
        head.addWidget(self.measure)
        head.addWidget(self.together)
        head.addStretch(1)
        return head

    # -- what is shown -----------------------------------------------------------------------------

    def show_runs(self, shown: ShownRuns) -> None:
        """Other runs, another class, or newer scores."""
        if shown.results is not self.shown.results:
            self.measure.offer(shown.results.ranked)
        self.shown = shown
        pair = (row.run_id for row in (shown.a, shown.b) if row is not None)
        self.table.forest.set_chosen(frozenset(pair))
        self._renew()

    def _rows(self) -> list[ResultRow]:
        results = self.shown.results
        if self.which.value() == RANKED:
            chosen = {row.run_id for row in self.shown.chosen}
            return sorted(results.ranked, key=lambda row: row.run_id not in chosen)
        return [row for row in self.shown.chosen if row.is_ranked]

    @property
    def score(self) -> str:
        """Name of the score chosen."""
        return self.measure.score or "iou"

    def _renew(self) -> None:
        """Compute again what is in sight, unless it is about the same."""
        ids = frozenset(row.run_id for row in self._rows())
        options = (self.score, self.shown.class_name, self.together.isChecked())
        key = (id(self.shown.results), ids, *options)
        if key == self._key:
            self.redraw_in_sight()
        else:
            self._key = key
            self.ask_anew()

    def look(self) -> None:
        """Compare each pair of models, repeats put together."""
        rows = self._rows()
        if len(rows) < 2:
            self._show_empty(NO_PAIR)
            return
        images = list(self.shown.results.images)
        score, class_name = self.score, self.shown.class_name
        folders = [entry.run for row in rows if (entry := self.runs.get(row.run_id))]
        are_repeats = self.together.isChecked()

        def work(task: Task) -> tuple[Statistics, bool]:
            groups = [[run.run_id for run in group] for group in repeats(folders)]
            found = statistics_of(
                rows,
                images,
                groups if are_repeats else [],
                score=score,
                class_name=class_name,
                should_stop=lambda: task.is_cancelled,
            )
            return found, any(len(group) > 1 for group in groups)

        self.begin(work)

    def take(self, answer: tuple[Statistics, bool]) -> None:
        """Seeds can be put together only where there are some."""
        self.found, has_repeats = answer
        self.together.setVisible(has_repeats)

    # -- drawing -----------------------------------------------------------------------------------

    def _show_empty(self, text: str) -> None:
        self.empty.set_text(text)
        self._stack.setCurrentIndex(0)

    def draw(self) -> None:
        """Pairs and ranks, or why there are none."""
        found = self.found
        if found is None:
            return
        if len(found.models) < 2:
            self._show_empty(ONE_MODEL)
            return
        if self.table.forest.shown is not found:
            self.table.forest.set_statistics(found)
            self.caption.setText(self._explained(found))
            self.side.setVisible(found.ranks is not None)
            if found.ranks is not None:
                self.diagram.set_statistics(found)
                self.ranks_caption.setText(in_words(found))
        self._stack.setCurrentIndex(1)
        said = " ".join(pair.sentence for pair in found.pairs[:MOST_MODELS])
        self.setAccessibleDescription(said)

    def _explained(self, found: Statistics) -> str:
        """What the plot shows, and what is left out of it."""
        title = self.measure.currentText() or "IoU"
        of = f"of {found.class_name}" if found.class_name else "mean of the classes"
        count = len(found.pairs)
        words = [f"{title} ({of}), first less second on each test image: mean, and 95 % interval."]
        if found.images < FEWEST_TO_TELL:
            words.append(f"With fewer than {FEWEST_TO_TELL} test images nothing can be told.")
        else:
            pairs = "this pair" if count == 1 else f"{count} pairs (Holm)"
            words.append(f"Filled: one is better, by Wilcoxon's test too, p corrected for {pairs}.")
        if len(found.models) > MOST_MODELS:
            words.append(f"Of more than {MOST_MODELS} models, the best is compared with each.")
        skipped = [row.name for row in self.shown.chosen if not row.is_ranked]
        if skipped and self.which.value() == CHOSEN:
            names = ", ".join(f"“{name}”" for name in skipped[:3])
            more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
            words.append(f"Left out, as not ranked: {names}{more}.")
        if found.ranks is None and found.images >= FEWEST_IMAGES:
            words.append(MORE)
        return " ".join(words)

    def _on_theme_changed(self) -> None:
        self.table.viewport().update()
        self.table.horizontalHeader().viewport().update()
        self.diagram.update()

    # -- the picture -------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether no pair is shown."""
        return self._stack.currentIndex() == 0

    def picture_size(self) -> QSize:
        """All pairs, whether they are in sight or not, and the diagram beside them."""
        found = self.found
        if found is None:
            return self.size()
        rows = theme.px(forest.HEAD + forest.ROW * len(found.pairs))
        words = self._words_height(self.caption, self.table.width())
        side = 0
        if found.ranks is not None:
            side = height_of(found) + self._words_height(self.ranks_caption, theme.px(WIDTH))
        return QSize(self.table.width() + self._side_width(found), max(rows + words, side) + GROUP)

    @staticmethod
    def _side_width(found: Statistics) -> int:
        return theme.px(WIDTH) + GROUP if found.ranks is not None else 0

    @staticmethod
    def _words_height(caption: Caption, width: int) -> int:
        return text_rect(caption.fontMetrics(), caption.text(), width).height() + GAP

    def paint_to(self, painter: QPainter) -> None:
        """Axis, pairs, what they mean, diagram."""
        found = self.found
        if found is None:
            return
        with theme.magnified(painter) as scale:
            self._paint(painter, found, scale)

    def _paint(self, painter: QPainter, found: Statistics, scale: float) -> None:
        columns = (PAIR, FOREST, WORDS)
        widths = [round(self.table.columnWidth(column) / scale) for column in columns]
        span = self.table.forest.ends
        axis = QRectF(widths[0], 0, widths[1], forest.HEAD)
        forest.paint_axis(painter, axis, span, is_lower_better=found.is_lower_better)
        top = float(forest.HEAD)
        for pair in found.pairs:
            first, line, words = self._parts(widths, top)
            forest.paint_names(painter, first.adjusted(12, 0, -8, 0), pair)
            forest.paint_interval(painter, line, pair, span)
            forest.paint_words(painter, words.adjusted(10, 0, -8, 0), pair)
            top += forest.ROW
        self._paint_caption(painter, self.caption, QRectF(12, top + GAP, sum(widths) - 24, 80))
        if found.ranks is not None:
            left, high = sum(widths) + GROUP, float(height_of(found))
            paint_ranks(painter, QRectF(left, 0, WIDTH - GAP, high), found)
            self._paint_caption(painter, self.ranks_caption, QRectF(left, high, WIDTH - GAP, 120))

    @staticmethod
    def _parts(widths: list[int], top: float) -> list[QRectF]:
        lefts = (0, widths[0], widths[0] + widths[1])
        return [
            QRectF(left, top, width, forest.ROW) for left, width in zip(lefts, widths, strict=True)
        ]

    @staticmethod
    def _paint_caption(painter: QPainter, caption: Caption, rect: QRectF) -> None:
        painter.setFont(theme.font(theme.CAPTION_PX))
        painter.setPen(QColor(theme.current().secondary))
        painter.drawText(rect, Qt.TextFlag.TextWordWrap, caption.text())
