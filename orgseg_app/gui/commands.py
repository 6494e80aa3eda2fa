"""What each action of the menu table does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog

from orgseg_app.core.classes import BACKGROUND, default_classes
from orgseg_app.core.edits.whole import ClearMask, InvertPlane, PaintRest
from orgseg_app.files.readers.sniff import FILE_PATTERNS
from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.comparing.pane_commands import PaneCommands
from orgseg_app.gui.comparing.reporting import Reporting
from orgseg_app.gui.editing.going_back import GoingBack
from orgseg_app.gui.editing.object_acts import ObjectActs
from orgseg_app.gui.editing.slices import Slices
from orgseg_app.gui.editing.weights import Weights
from orgseg_app.gui.gpu.graphics_card import GraphicsCard
from orgseg_app.gui.help.helping import Helping
from orgseg_app.gui.panels.question import ask
from orgseg_app.gui.panels.start_page import SAMPLE_TITLES
from orgseg_app.gui.project.adding_predictions import AddingPredictions
from orgseg_app.gui.project.compacting import Compacting
from orgseg_app.gui.project.exporting import Exporting
from orgseg_app.gui.project.importing import Importing
from orgseg_app.gui.project.linking import Linking
from orgseg_app.gui.project.measuring import Measuring
from orgseg_app.gui.project.opening import Opening
from orgseg_app.gui.project.packing import Packing
from orgseg_app.gui.project.restoring import Restoring
from orgseg_app.gui.runs.training import Training
from orgseg_app.gui.studies.studying import Studying
from orgseg_app.gui.tour.touring import Touring
from orgseg_app.gui.viewing.volume_views import VolumeViews
from orgseg_app.settings import TEXT_SIZES

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.main_window import MainWindow

LOG = logging.getLogger(__name__)

PROJECT_FILTER = "OrgSeg projects (*.orgseg)"


class Commands(QObject):
    """The handlers, by action id; longer stories have modules of their own.

    Attributes
    ----------
    opening, importing, linking, training, exporting, adding, packing, restoring, compacting
        Dropping files, finding moved ones, running networks, writing masks, others' predictions,
        one file to mail, backups, room on the disk.
    going_back
        Many steps of the history at once.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.opening = Opening(window)
        self.importing = Importing(window)
        self.linking = Linking(window)
        self.training = Training(window)
        self.studying = Studying(window)
        self.exporting = Exporting(window)
        self.reporting = Reporting(window)
        self.adding = AddingPredictions(window)
        self.measuring = Measuring(window)
        self.packing = Packing(window)
        self.restoring = Restoring(window)
        self.compacting = Compacting(window)
        self.going_back = GoingBack(window)
        self.slices = Slices(window)
        self.object_acts = ObjectActs(window)
        self.weights = Weights(window)
        self.helping = Helping(window)
        self.volume_views = VolumeViews(window)
        self.graphics_card = GraphicsCard(window)
        self.panes = PaneCommands(window)
        self.touring = Touring(window)

    def handlers(self) -> dict[str, Callable[[], object]]:
        """One for every action of the table."""
        session, display, tools = self.session, self.window.display, self.window.tools
        found: dict[str, Callable[[], object]] = {
            "save": session.save,
            "open_to_paint": self.opening.open_to_paint,
            "find_links": self.linking.ask,
            "measure_objects": self.measuring.show,
            "pack": self.packing.show,
            "compact": self.compacting.ask,
            "quit": self.window.close,
            "go_to_notice": self.window.go_to_notice,
            "back_to_checkpoint": self.going_back.to_checkpoint,
            "undo_history": self.going_back.show_history,
            "undo": session.undo,
            "redo": session.redo,
            "zoom_in": lambda: self.panes.looked_at().zoom_by(1.5),
            "zoom_out": lambda: self.panes.looked_at().zoom_by(1 / 1.5),
            "zoom_fit": lambda: self.panes.looked_at().fit(),
            "zoom_full": lambda: self.panes.looked_at().set_zoom(1.0),
            "toggle_overlay": lambda: display.flip_together(session.objects.painted_layers),
            "toggle_outline": lambda: display.flip("mask", "outline"),
            "toggle_fill": lambda: display.flip("mask", "fill"),
            "toggle_prediction": lambda: self.training.show_prediction("prediction"),
            "toggle_difference": lambda: self.training.show_prediction("difference"),
            "toggle_unlabelled": lambda: display.update(
                show_unlabelled=not display.show_unlabelled
            ),
            "auto_contrast": display.reset_levels,
            "toggle_side_by_side": lambda: display.set_pane(side_by_side=not display.side_by_side),
            "preview_preprocessing": lambda: self._canvas().preview.flip(),
            "previous_image": lambda: session.select_neighbour(-1),
            "next_image": lambda: session.select_neighbour(1),
            "previous_plane": lambda: session.select_plane(session.z - 1),
            "next_plane": lambda: session.select_plane(session.z + 1),
            "toggle_sections": self.volume_views.flip_sections,
            "crosshair_here": self.volume_views.crosshair_here,
            "previous_time": lambda: self.volume_views.step_time(-1),
            "next_time": lambda: self.volume_views.step_time(1),
            "previous_class": lambda: self._step_class(-1),
            "next_class": lambda: self._step_class(1),
            "brush_smaller": lambda: tools.grow_brush(-1),
            "brush_larger": lambda: tools.grow_brush(1),
            "brush_square": lambda: tools.set_square(not tools.square),
            "protect": lambda: tools.set_protect(not tools.protect),
            "copy_to_next": lambda: self.slices.copy(1, only_class=False),
            "copy_to_previous": lambda: self.slices.copy(-1, only_class=False),
            "copy_class_to_next": lambda: self.slices.copy(1, only_class=True),
            "copy_class_to_previous": lambda: self.slices.copy(-1, only_class=True),
            "copy_replaces": lambda: tools.set_value(
                "copy_replaces", not tools.value("copy_replaces")
            ),
            "objects_mode": session.objects.flip,
            "new_object": session.objects.new,
            "object_each_stroke": session.objects.flip_each_stroke,
            "separate_object": lambda: session.objects.separate(
                *self._canvas().pointer, in_3d=bool(tools.value("in_3d"))
            ),
            "make_objects_plane": lambda: session.objects.make(in_3d=False),
            "make_objects": lambda: session.objects.make(in_3d=True),
            "toggle_objects": lambda: display.flip("objects", "visible"),
            "make_weights": self.weights.make,
            "load_weights": self.weights.load,
            "remove_weights": self.weights.remove,
            "interpolate_gaps": self.slices.interpolate_gaps,
            "interpolate_here": self.slices.interpolate_here,
            "train": self.training.train_now,
            "open_recipe": self.training.open_recipe,
            "save_recipe": self.training.save_recipe,
            "augmented_examples": self.training.show_examples,
            "train_further": self.training.train_further,
            "retrain": self.training.retrain,
            "make_ensemble": self.training.make_ensemble,
            "examine_levels": lambda: self.training.examine("levels"),
            "examine_noise": lambda: self.training.examine("noise"),
            "pause_run": self.training.pause_or_resume,
            "stop_run": self.training.stop,
            "predict_image": self.training.predict_image,
            "graphics_card": self.graphics_card.show,
            "score_runs": self.training.score_all,
            "add_predictions": self.adding.show,
            "choose_columns": self.exporting.choose_columns,
            "show_confusion": lambda: self.exporting.show_results("confusion"),
            "show_thresholds": lambda: self.exporting.show_results("thresholds"),
            "show_scores": lambda: self.exporting.show_results("scores"),
            "show_statistics": lambda: self.exporting.show_results("statistics"),
            "save_comparison": self.exporting.save_comparison,
            "write_report": self.reporting.ask,
            "export_masks": lambda: self.exporting.show("masks"),
            "export_training_set": self.exporting.ask_for_training_set,
            "export_objects": lambda: self.exporting.show("objects"),
            "predict_folder": lambda: self.exporting.show("images"),
            "help_tool": self.helping.about_tool,
            "help_contents": self.helping.show_contents,
            "shortcuts": self.helping.show_keys,
            "edit_shortcuts": self.helping.change_keys,
            "about": self.helping.show_about,
            "guided_tour": self.touring.start,
            "save_diagnostics": self.helping.show_diagnostics,
            "check_updates": self.helping.check_updates,
            **self.object_acts.handlers(),
            **self.panes.handlers(),
            **self.studying.handlers(),
        }
        for tool in TOOLS:
            found[f"tool_{tool}"] = lambda t=tool: tools.set_tool(t)
        for kind, *_ in SAMPLE_TITLES:
            found[f"sample_{kind}"] = lambda k=kind: self.open_sample(k)
        for operation in ("grow", "shrink", "smooth"):
            found[f"{operation}_region"] = lambda o=operation: self._reshape(o)
        for name in ("annotate", "train", "compare", "export"):
            found[f"workspace_{name}"] = lambda n=name: self.window.show_workspace(n)
        for name in ("system", "light", "dark"):
            found[f"theme_{name}"] = lambda n=name: self.window.set_theme(n)
        for size in TEXT_SIZES:
            found[f"text_{size}"] = lambda s=size: self.window.set_text_size(s)
        for split in ("train", "validation", "test"):
            found[f"split_{split}"] = lambda s=split: session.set_split(session.image_id, s)
        for number in range(1, 10):
            found[f"class_{number}"] = lambda n=number: self._choose_class(n)
        for info in ACTIONS:
            if info.action_id not in found:
                found[info.action_id] = getattr(self, info.action_id)
        return found

    def _canvas(self) -> AnnotationCanvas:
        return self.window.ensure_parts().canvas

    # -- File --------------------------------------------------------------------------------------

    def new_project(self) -> None:
        """Ask where, make it, open it."""
        path = self._ask_save("New project", "project.orgseg", PROJECT_FILTER)
        if path is not None:
            path = path.with_suffix(".orgseg")
            self._try(lambda: self.session.create_project(path, default_classes(["foreground"])))
            self._remember_open()

    def open_project(self) -> None:
        """Ask which, open it."""
        name, _ = QFileDialog.getOpenFileName(
            self.window, "Open project", self.window.settings.last_folder, PROJECT_FILTER
        )
        if name:
            self.open_path(Path(name))

    def open_path(self, path: Path) -> None:
        """Open a project; when somebody else has it, to look at it."""
        if self.opening.open(path):
            self._remember_open()

    def new_window(self) -> None:
        """A window in a process of its own; nothing in this one changes."""
        from orgseg_app.gui.project.handed_over import open_new_window

        if not open_new_window():
            self.session.message.emit(
                "Another window could not be started. This one goes on as before; start OrgSeg "
                "from a terminal with --new-window to see why.",
                "error",
            )

    def bring_strokes_back(self) -> None:
        """Make the strokes of side files that were set aside."""
        if self.window.banners is not None:
            self.window.banners.bring_strokes_back()

    def close_project(self) -> bool:
        """Save and close; where that fails, ask before anything is given up."""
        session = self.session
        return session.close_project() or (
            self.may_discard() and session.close_project(discard=True)
        )

    def may_discard(self) -> bool:
        """Ask before strokes that cannot be saved are given up."""
        return self._confirm(
            "Close without saving?",
            f"{self._what_would_be_lost()} Cancel to save a copy in another place (File menu) or "
            "to make room first.",
            "Close without saving",
        )

    def _what_would_be_lost(self) -> str:
        trouble = self.session.saving.trouble
        if trouble is None or trouble.is_safe:
            return "What changed last could not be written into the project, and may be lost."
        return f"{trouble.title} {trouble.text}"

    def save_copy(self) -> None:
        """Ask where, and write the project as it is now there; this one stays open."""
        file = self.session.file
        if file is None:
            return
        path = self._ask_save("Save a copy", f"{file.path.stem} copy.orgseg", PROJECT_FILTER)
        if path is not None:
            path = path.with_suffix(".orgseg")
            self.session.background.start(
                "Saving a copy",
                lambda task: file.save_copy(path, overwrite=True),
                lambda _: self.session.message.emit(f"A copy was saved as “{path}”.", "info"),
                self.session.report_error,
            )

    def restore_backup(self) -> None:
        """Open the Restore window; where the file is damaged, with what is damaged in front."""
        file = self.session.file
        damaged = {d.image_id for d in file.damages if not d.is_derived} if file else set()
        self.restoring.show(damaged - {""} or None)

    def open_sample(self, kind: str) -> None:
        """Make a sample project and open it."""
        self.importing.open_sample(kind)

    def add_images(self) -> None:
        """Ask which files, look at them, import."""
        names, _ = QFileDialog.getOpenFileNames(
            self.window,
            "Add images",
            self.window.settings.last_folder,
            f"Images ({FILE_PATTERNS});;All files (*)",
        )
        if names:
            self.window.settings.last_folder = str(Path(names[0]).parent)
            self.importing.take([Path(n) for n in names])

    def add_folder(self) -> None:
        """Ask which folder, look at it, import."""
        name = QFileDialog.getExistingDirectory(
            self.window, "Add folder", self.window.settings.last_folder
        )
        if name:
            self.window.settings.last_folder = name
            self.importing.take([Path(name)])

    # -- Edit, View --------------------------------------------------------------------------------

    def clear_plane(self) -> None:
        """Make the plane unlabelled."""
        self.session.apply(ClearMask(self.session.z))

    def clear_class(self) -> None:
        """Make the chosen class on the plane unlabelled."""
        self.session.apply(ClearMask(self.session.z, self.session.class_id))

    def invert_plane(self) -> None:
        """The chosen class and background change places."""
        self.session.apply(InvertPlane(self.session.z, self.session.class_id))

    def fill_background(self) -> None:
        """Unlabelled voxels of the plane become background."""
        self.session.apply(PaintRest(self.session.z, BACKGROUND))

    def command_palette(self) -> None:
        """Open the palette over the middle of the window."""
        from orgseg_app.gui.keys.command_palette import CommandPalette

        shown = [a for a in self.window.actions_by_id.values() if a.isVisible()]
        palette = CommandPalette(shown, self.window)
        corner = self.window.mapToGlobal(self.window.rect().center())
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.move(corner.x() - palette.width() // 2, corner.y() - palette.height() // 2 - 60)
        palette.show()
        palette.field.setFocus()

    def reset_settings(self) -> None:
        """Ask, then set all settings back."""
        from orgseg_app.gui.resetting import reset_settings

        reset_settings(self.window)

    def full_canvas(self) -> None:
        """Only the canvas, or everything."""
        parts = self.window.ensure_parts()
        if self.session.project is not None:
            parts.show_canvas_alone(not parts.is_canvas_alone)

    # -- Image, Annotate ---------------------------------------------------------------------------

    def remove_image(self) -> None:
        """Ask, then take the image out."""
        image = self.session.image
        if image is not None and self._confirm(
            f"Remove {image.name}?",
            "The image and everything painted on it leave the project. The file it came from "
            "stays where it is.",
            "Remove",
        ):
            self._try(lambda: self.session.remove_image(image.image_id))

    def _reshape(self, operation: str) -> None:
        """Grow, shrink or smooth what is under the pointer."""
        from orgseg_app.gui.canvas.tools.reshape import ReshapeTool

        canvas = self._canvas()
        tool = canvas.tool_named("reshape")
        assert isinstance(tool, ReshapeTool)
        tool.reshape(operation, *canvas.pointer)

    def swap_class(self) -> None:
        """Between the class in the hand and background."""
        session = self.session
        if session.class_id != BACKGROUND:
            self._swapped = session.class_id
            session.select_class(BACKGROUND)
        else:
            others = [c.class_id for c in session.classes if c.class_id != BACKGROUND]
            wanted = getattr(self, "_swapped", None)
            if others:
                session.select_class(wanted if wanted in others else others[0])

    def new_class(self) -> None:
        """Add a class and let its name be typed in its row."""
        self.window.show_workspace("annotate")
        self._try(self.window.ensure_parts().classes.add_class)

    def _choose_class(self, number: int) -> None:
        if number <= len(self.session.classes):
            self.session.select_class(self.session.classes[number - 1].class_id)
            if self.window.tools.tool in ("eraser", "pan", "picker", "ruler"):
                self.window.tools.set_tool("brush")

    def _step_class(self, step: int) -> None:
        ids = [c.class_id for c in self.session.classes]
        if self.session.class_id in ids:
            at = ids.index(self.session.class_id) + step
            self.session.select_class(ids[max(0, min(len(ids) - 1, at))])

    # -- asking ------------------------------------------------------------------------------------

    def ask_new_project(self, name: str, folder: Path) -> Path | None:
        """Ask where a project shall be made."""
        self.window.settings.last_folder = str(folder)
        path = self._ask_save("New project", name, PROJECT_FILTER)
        return path.with_suffix(".orgseg") if path is not None else None

    def confirm(self, title: str, text: str, verb: str) -> bool:
        """Ask before something that takes long or cannot be undone."""
        return self._confirm(title, text, verb)

    def _ask_save(self, title: str, name: str, filters: str) -> Path | None:
        folder = self.window.settings.last_folder or str(Path.home())
        chosen, _ = QFileDialog.getSaveFileName(
            self.window, title, str(Path(folder) / name), filters
        )
        if not chosen:
            return None
        self.window.settings.last_folder = str(Path(chosen).parent)
        return Path(chosen)

    def _confirm(self, title: str, text: str, verb: str) -> bool:
        return ask(self.window, title, text, verb)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            self.session.report_error(error)

    def _remember_open(self) -> None:
        if self.session.path is not None:
            self.remember(self.session.path)

    def remember(self, path: Path) -> None:
        """Put a project among the recent ones."""
        from orgseg_app import settings as settings_module

        self.window.settings.add_recent_project(path)
        settings_module.save(self.window.settings)
