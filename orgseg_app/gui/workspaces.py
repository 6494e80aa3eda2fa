"""The four workspaces: the same image list and canvas, with other panels around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.objects_layer import AnnotatedSource, ObjectsSource
from orgseg_app.gui.canvas.objects_preview import ObjectsPreview
from orgseg_app.gui.canvas.prediction_layer import Chosen, DifferenceSource, PredictionSource
from orgseg_app.gui.canvas.weights_layer import WeightsSource
from orgseg_app.gui.comparing import measures
from orgseg_app.gui.comparing.results_view import ResultsView
from orgseg_app.gui.header import HeaderBar, ToolStrip
from orgseg_app.gui.panels.classes_panel import ClassesPanel
from orgseg_app.gui.panels.export_panel import ExportPanel
from orgseg_app.gui.panels.images_panel import ImagesPanel
from orgseg_app.gui.panels.layers_panel import LayersPanel
from orgseg_app.gui.panels.object_table import ObjectTable
from orgseg_app.gui.panels.objects_maker import ObjectsMaker
from orgseg_app.gui.panels.objects_panel import ObjectsPanel, ObjectsSection
from orgseg_app.gui.panels.prediction_section import PredictionSection
from orgseg_app.gui.panels.run_strip import RunStrip
from orgseg_app.gui.panels.runs_panel import RunsPanel
from orgseg_app.gui.panels.tool_panel import ToolPanel
from orgseg_app.gui.panels.training_panel import TrainingPanel
from orgseg_app.gui.panels.weights_section import WeightsSection
from orgseg_app.gui.panels.working_card import WorkingCard
from orgseg_app.gui.runs.device_line import DeviceLine
from orgseg_app.gui.runs.predictions import Predictions
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.runs.training_thread import TrainingThread
from orgseg_app.gui.status_line import StatusLine
from orgseg_app.gui.studies.compare_switch import CompareSwitch
from orgseg_app.gui.studies.studies_model import StudiesModel
from orgseg_app.gui.studies.studies_thread import StudiesThread
from orgseg_app.gui.studies.studies_view import StudiesView
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.focus import tab_in_order
from orgseg_app.gui.style.widgets import (
    GAP,
    PageStack,
    ScrollColumn,
    Section,
    Separator,
    surface,
)
from orgseg_app.gui.viewing.canvas_area import CanvasArea
from orgseg_app.gui.viewing.side_by_side import SideBySide

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

SETTING_ACTIONS = {
    "brush_size": ("brush_smaller", "brush_larger"),
    "footprint": ("brush_square",),
    "protect": ("protect",),
}
"""Settings of the tools that actions change as well."""

LEFT_WIDTH = 188
RIGHT_WIDTH = 276
UPPER_HEIGHT = 200
"""Least height of classes and layers; in a lower window the tool's settings scroll."""

LARGEST = QSize(1200, 560)
"""What panels may ask of the window: it has to be as small as the smallest screen."""


class Workspaces(QWidget):
    """Everything that is seen while a project is open.

    Attributes
    ----------
    canvas, images, classes, training, results, export, run_strip
        The panels, for those who connect them.
    area
        The canvas with its sliders and section views, and what is shown beside it.
    runs
        What is known of the project's runs.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        session = window.session
        self.window_ = window
        self.is_canvas_alone = False
        self.thread_ = TrainingThread(self)
        self.runs = RunsModel(session, self.thread_, self)
        self.thread_.start()
        self.studies_thread = StudiesThread(self)
        self.studies = StudiesModel(session, self.studies_thread, self)
        self.studies_thread.start()
        self.device_line = DeviceLine(self)
        self.device_line.ask()
        self.header = HeaderBar(window.actions_by_id)
        self.canvas = AnnotationCanvas(session, window.tools, window.display)
        self.area = CanvasArea(self.canvas)
        self.tool_strip = ToolStrip(window.actions_by_id)
        self.images = ImagesPanel(session)
        self.classes = ClassesPanel(session)
        self.objects = ObjectsPanel(session)
        self.object_table = ObjectTable(window)
        self.working = WorkingCard(session.working, self.canvas)
        self.tool_panel = ToolPanel(window.tools, window.display, session)
        self.layers = LayersPanel(window.display, session)
        self.training = TrainingPanel(session, self.runs)
        self.runs_panel = RunsPanel(self.runs)
        self.results = ResultsView(session, self.runs)
        self.compare = CompareSwitch(self.results, StudiesView(session, self.studies, self.runs))
        self.export = ExportPanel(session, self.runs)
        self.run_strip = RunStrip()
        self.status = StatusLine(session)
        self._add_layers()
        self._arrange()
        self._connect()
        self.side_by_side = SideBySide(window, self)
        tab_in_order(self)

    def _add_layers(self) -> None:
        """What lies over the image beside the mask, and how the panel shows it."""
        window = self.window_
        self.predictions = Predictions(window.session, self.runs, self)
        self.prediction = Chosen(window.session, window.display, self.predictions, self)
        self.canvas.layers.add(AnnotatedSource(window.session, window.display, self))
        objects = ObjectsSource(window.session, self)
        preview = ObjectsPreview(self.canvas, self.prediction)
        objects.try_out(preview)
        self.canvas.layers.add(objects)
        self.object_maker = ObjectsMaker(window, preview)
        self.canvas.layers.add(PredictionSource(self.prediction, self))
        self.canvas.layers.add(DifferenceSource(self.prediction, self))
        self.layers.add_section(ObjectsSection(window.session, window.display))
        self.prediction_section = PredictionSection(self.prediction)
        self.prediction_section.predict_requested.connect(window.commands.training.predict_to_look)
        self.layers.add_section(self.prediction_section)
        self.weights = WeightsSource(window.session, self)
        window.commands.restoring.ended.connect(self.weights.forget)
        self.canvas.layers.add(self.weights)
        self.weights_section = WeightsSection(self.weights, window.session, window.display)
        self.weights_section.maker.make_requested.connect(window.commands.weights.make_for)
        self.layers.add_section(self.weights_section)

    def _arrange(self) -> None:
        self.annotate = _scrolled(self.classes, self.objects, self.object_maker, self.layers)
        annotate = _Over(self.annotate, self.tool_panel)
        self.side = PageStack()
        self.sides: dict[str, QWidget] = {
            "annotate": annotate,
            "train": self.training,
            "export": self.export,
        }
        for page in self.sides.values():
            self.side.addWidget(page)
        surface(self.side)
        self.canvas_and_runs = QSplitter(Qt.Orientation.Vertical)
        self.canvas_and_runs.setChildrenCollapsible(False)
        self.canvas_and_runs.addWidget(self.area)
        self.canvas_and_runs.addWidget(self.object_table)
        self.canvas_and_runs.addWidget(self.runs_panel)
        for hidden in (self.object_table, self.runs_panel):
            hidden.hide()  # or the window is as wide as these need from the start
        self.canvas_and_runs.setStretchFactor(0, 1)
        self.canvas_and_runs.setSizes([460, 220, 240])
        self.middle = PageStack()
        self.middle.addWidget(self.canvas_and_runs)
        self.middle.addWidget(self.compare)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.addWidget(self.images)
        self.splitter.addWidget(_beside(self.tool_strip, self.middle))
        self.splitter.addWidget(self.side)
        self.splitter.setCollapsible(1, False)
        self.splitter.setStretchFactor(1, 1)
        self.set_usual_widths()
        remembered = self.window_.settings.window_state.get("splitter", "")
        if remembered:
            self.splitter.restoreState(QByteArray.fromBase64(remembered.encode("ascii", "ignore")))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.room = _Room(self.splitter)
        for widget in (self.header, self.room, self.run_strip, self.status):
            column.addWidget(widget)
        column.setStretch(1, 1)
        self.run_strip.hide()

    def _connect(self) -> None:
        window, commands, session = self.window_, self.window_.commands, self.window_.session
        self.canvas.hovered.connect(self.status.on_hovered)
        self.canvas.tool_hint_changed.connect(lambda _: self._follow_keys())
        self.canvas.measured.connect(
            lambda text: self.status.show_hint(text) if text else self._follow_keys()
        )
        window.shortcuts.changed.connect(self._follow_keys)
        self._connect_preview()
        self._follow_keys()
        self._tell_keys()
        self.device_line.found.connect(self.header.show_device)
        for signal in (session.objects.changed, session.objects.review.shown_changed):
            signal.connect(self._show_object_table)
        for button, action_id in (
            (self.objects.table_button, "object_table"),
            (self.objects.make_button, "group_objects"),
        ):
            action = window.actions_by_id[action_id]
            button.clicked.connect(action.trigger)
            window.shortcuts.describe(button, action.statusTip(), action_id)
        self.header.project_renamed.connect(session.rename_project)
        self.images.add_requested.connect(commands.add_images)
        self.images.find_requested.connect(commands.linking.ask_for)
        self.tool_panel.help_button.clicked.connect(commands.helping.about_tool)
        self.training.train_requested.connect(commands.training.train)
        self.results.score_requested.connect(self.runs.score)
        self.results.report_requested.connect(commands.reporting.ask)
        self.results.pages.panes.place_opened.connect(commands.panes.open_place)
        self.results.pages.images.opened.connect(commands.panes.open_image)
        self._remember_columns()
        self.results.train_requested.connect(lambda: window.show_workspace("train"))
        self.results.annotate_requested.connect(lambda: window.show_workspace("annotate"))
        self.runs_panel.recipe_requested.connect(self.training.use_recipe)
        self.runs_panel.further_requested.connect(commands.training.train_further)
        self.runs_panel.retrain_requested.connect(commands.training.retrain)
        self.runs_panel.ensemble_requested.connect(commands.training.make_ensemble)
        self.runs_panel.examination_requested.connect(commands.training.examine)
        self.runs_panel.train_requested.connect(lambda: self.training.button.setFocus())
        self.export.annotate_requested.connect(lambda: window.show_workspace("annotate"))
        self.export.train_requested.connect(lambda: window.show_workspace("train"))
        self.export.export_masks_requested.connect(commands.exporting.export_masks)
        self.export.export_objects_requested.connect(commands.exporting.export_objects)
        self.export.predict_folder_requested.connect(commands.exporting.predict_folder)
        self.runs.run_changed.connect(lambda _: self._show_run())
        self.runs.runs_changed.connect(self._show_run)
        self.runs.run_ended.connect(commands.training.on_run_ended)
        studying = commands.studying
        self.run_strip.pause_requested.connect(studying.pause_run)
        self.run_strip.resume_requested.connect(studying.resume_run)
        self.run_strip.stop_requested.connect(studying.stop_run)
        self.run_strip.details_requested.connect(studying.show_run)
        self.training.study_requested.connect(studying.new_study)
        self.compare.studies.new_requested.connect(studying.new_study)
        self.compare.studies.report_requested.connect(commands.reporting.ask)

    def _connect_preview(self) -> None:
        """The canvas previews the preprocessing of the recipe that is set in Train."""
        form, preview, window = self.training.form, self.canvas.preview, self.window_
        form.preprocess_changed.connect(lambda: preview.set_steps(form.preprocess()))
        preview.set_steps(form.preprocess())
        form.preview.clicked.connect(preview.flip)
        preview.switched.connect(form.preview.setChecked)
        preview.switched.connect(lambda _: window.refresh_actions())

    def _follow_keys(self) -> None:
        """The canvas turns the wheel, and the status line tells the keys, as they are chosen."""
        keys = self.window_.shortcuts
        self.area.set_wheel(keys.wheel)
        has_canvas = self.window_.workspace in ("annotate", "train")
        self.status.show_hint(keys.hint(self.canvas.tool.hint) if has_canvas else "")

    def _tell_keys(self) -> None:
        """Tooltips of what an action does, too, end in its key."""
        describe = self.window_.shortcuts.describe
        describe(self.images.add_button, "", "add_images")
        bar = self.area.bar
        describe(
            bar.planes.slider, "Plane; marks are planes with paint", "previous_plane", "next_plane"
        )
        describe(bar.times.slider, "Time point", "previous_time", "next_time")
        describe(self.tool_panel.help_button, "", "help_tool")
        describe(self.layers.eye, "", "toggle_overlay")
        prediction = self.prediction_section
        describe(prediction.eye, "", "toggle_prediction")
        for box, action_id in (
            (self.layers.outline, "toggle_outline"),
            (self.layers.fill, "toggle_fill"),
            (self.layers.unlabelled, "toggle_unlabelled"),
            (prediction.difference, "toggle_difference"),
        ):
            describe(box, box.toolTip(), action_id)
        for widget in (self.layers.auto, self.layers.levels):
            describe(widget, widget.toolTip(), "auto_contrast")
        for preview in (self.training.form.preview, self.canvas.badge.close_button):
            describe(preview, preview.toolTip(), "preview_preprocessing")
        describe(self.results.save_button, "", "save_comparison")
        describe(self.results.report_button, "", "write_report")
        describe(self.compare.studies.study.report_button, "", "write_report")
        describe(self.results.columns_button, "", "choose_columns")
        self.results.pages.panes.describe_with(describe)
        for button in (self.training.study_button, self.compare.studies.new_button):
            tip = self.window_.actions_by_id["new_study"].statusTip()
            describe(button, tip, "new_study")
        for name, action_ids in SETTING_ACTIONS.items():
            field: QWidget = self.tool_panel.fields[name]
            shown = field.focusProxy() or field
            describe(shown, shown.toolTip(), *action_ids)

    def _remember_columns(self) -> None:
        """The table of runs shows the scores that were chosen last."""
        kept = self.window_.settings.remembered
        self.results.choose_columns(measures.from_text(kept.get("compare_columns")))
        self.results.group = str(kept.get("compare_group", "")).split("\t")
        self.results.columns_chosen.connect(
            lambda chosen: kept.update(compare_columns=measures.as_text(chosen))
        )
        self.results.group_chosen.connect(lambda names: kept.update(compare_group="\t".join(names)))

    def reveal(self, section: Section) -> None:
        """Unfold a section of the Annotate workspace, and scroll to it."""
        section.header.setChecked(True)
        # Once it has been laid out anew.
        QTimer.singleShot(0, self, lambda: self.annotate.ensureWidgetVisible(section, 0, GAP))

    def set_usual_widths(self) -> None:
        """The columns as wide as at the first start."""
        width = max(1280, self.splitter.width())
        self.splitter.setSizes([LEFT_WIDTH, width - LEFT_WIDTH - RIGHT_WIDTH, RIGHT_WIDTH])

    def _show_run(self) -> None:
        self.run_strip.show_run(self.runs.current())

    def show_workspace(self, name: str) -> None:
        """Panels of one workspace; "compare" takes the middle and the right."""
        compare = name == "compare"
        self._follow_keys()
        self.middle.setCurrentWidget(self.compare if compare else self.canvas_and_runs)
        self.runs_panel.setVisible(name == "train")
        self._show_object_table()
        self.tool_strip.setVisible(not compare and not self.is_canvas_alone)
        self.side.setVisible(not compare and not self.is_canvas_alone)
        if not compare:
            self.side.setCurrentWidget(self.sides[name])

    def open_objects_maker(self) -> None:
        """Set how objects are made, with the outcome on the canvas."""
        self.object_maker.open_maker()
        # Once it has been laid out anew.
        show = self.annotate.ensureWidgetVisible
        QTimer.singleShot(0, self, lambda: show(self.object_maker, 0, GAP))

    def _show_object_table(self) -> None:
        objects, is_here = self.window_.session.objects, self.window_.workspace == "annotate"
        shows = objects.is_on and objects.review.is_shown and not self.is_canvas_alone
        self.object_table.setVisible(shows and is_here)

    def show_canvas_alone(self, alone: bool) -> None:
        """Hide everything but the canvas, or bring it back."""
        self.is_canvas_alone = alone
        for widget in (self.header, self.images, self.status, self.tool_strip, self.side):
            widget.setVisible(not alone)
        self.area.bar.set_wanted(not alone)
        self.window_.menuBar().setVisible(not alone)
        self.window_.show_workspace("annotate" if alone else self.window_.workspace)

    def shut_down(self) -> None:
        """Stop following runs; the runs themselves go on."""
        self.device_line.stop()
        self.thread_.stop()
        self.studies_thread.stop()
        self.thread_.wait(5000)


def _scrolled(*panels: QWidget) -> ScrollColumn:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for panel in panels:
        column.addWidget(panel)
    column.addStretch(1)
    return ScrollColumn(content)


class _Room(QScrollArea):
    """The panels; in a window too small for them, as with text of 200 %, they scroll."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._content = content
        self.setWidget(content)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """What is inside, which Qt has watched already, may need more room than it did."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:
        """What is inside."""
        return self._content.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """What is inside, as far as the smallest screen has room for it."""
        return self._content.minimumSizeHint().boundedTo(LARGEST)


class _Over(QWidget):
    """Classes and layers over the tool: what the tool does not need is theirs.

    Nothing of the upper part moves when the tool changes, and the fields of both stay in line: the
    room of their scroll bars is always kept.
    """

    def __init__(self, upper: ScrollColumn, tool: QWidget) -> None:
        super().__init__()
        lower = _AsTallAsNeeded(tool)
        theme.hold(upper, least_height=UPPER_HEIGHT)
        lower.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        for part in (upper, lower):
            part.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
            bar = part.verticalScrollBar()
            bar.rangeChanged.connect(lambda _, most, b=bar: b.setEnabled(most > 0))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(upper, 1)
        column.addWidget(Separator())
        column.addWidget(lower)


class _AsTallAsNeeded(ScrollColumn):
    def sizeHint(self) -> QSize:
        """What is inside, as it is now."""
        return self._content.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """As wide as the widest tool needs; less high than other columns, with less inside."""
        usual = super().minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        width = max(usual.width(), self._content.minimumWidth() + bar)
        return QSize(width, min(usual.height(), self.sizeHint().height()))


def _beside(left: QWidget, right: QWidget) -> QFrame:
    frame = QFrame()
    row = QHBoxLayout(frame)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    row.addWidget(left)
    row.addWidget(right, 1)
    return frame
