"""Taking in, making and taking away how much each voxel counts in training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from orgseg_app.gui.canvas.layers import WEIGHTS

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.core.weighting.settings import WeightSettings
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow


class Weights:
    """The commands of the Image menu about the weights of the image on the canvas."""

    def __init__(self, window: MainWindow) -> None:
        self.window, self.session = window, window.session

    def load(self) -> None:
        """Ask which file, and keep its values as the image's weights."""
        image = self.session.image
        if image is None:
            return
        settings = self.window.settings
        name, _ = QFileDialog.getOpenFileName(
            self.window,
            f"Weights of {image.name}",
            settings.last_folder,
            "Images (*.tif *.tiff *.png *.bmp);;All files (*)",
        )
        if name:
            settings.last_folder = str(Path(name).parent)
            self.load_from(Path(name))

    def load_from(self, path: Path) -> None:
        """Keep a file's values as the image's weights, in the background."""
        session, image = self.session, self.session.image
        file = session.file
        if file is None or image is None or not session.can_edit:
            return
        if self._has(image) and not self.window.commands.confirm(
            f"Replace the weights of {image.name}?",
            "Undo does not bring the former ones back; their file stays where it is.",
            "Replace",
        ):
            return

        def work(task: Task) -> tuple[float, float] | None:
            from orgseg_app.files.errors import ReadError
            from orgseg_app.files.readers.registry import read_images
            from orgseg_app.files.weights import store_weights

            found = read_images(path)
            if len(found) != 1:
                raise ReadError(
                    f"“{path.name}” holds {len(found)} images, and weights are one. Nothing was "
                    "changed; save the one that is meant as a file of its own."
                )
            return store_weights(
                file,
                image.image_id,
                found[0],
                lambda done, total: task.report(done, total, "Loading weights"),
            )

        session.background.start(
            "Loading weights", work, lambda ends: self._on_loaded(image, ends), session.report_error
        )

    def _on_loaded(self, image: ProjectImage, ends: tuple[float, float] | None) -> None:
        if ends is None:
            self.session.message.emit("Stopped. The weights are as they were.", "info")
            return
        self.window.ensure_parts().weights.forget()
        self.window.display.set_look(WEIGHTS, visible=True)
        low, high = ends
        self.session.message.emit(
            f"“{image.name}” has weights from {low:g} to {high:g} now. Trainings count its voxels "
            "by them.",
            "info",
        )

    def make(self) -> None:
        """Show how weights are made, with the outcome on the canvas."""
        if self.session.image is None or not self.session.can_edit:
            return
        self.window.show_workspace("annotate")
        parts = self.window.ensure_parts()
        parts.reveal(parts.weights_section)
        parts.weights_section.open_maker()

    def make_for(self, settings: WeightSettings, with_all: bool) -> None:
        """Make the weights of the image on the canvas, or of all painted ones, and keep them.

        Parameters
        ----------
        settings
            How.
        with_all
            Every image with paint, as one whole.
        """
        session, image, file = self.session, self.session.image, self.session.file
        if file is None or image is None or not session.can_edit:
            return
        image_ids = list(file.project.images) if with_all else [image.image_id]
        others = [i for i in image_ids if self._has(file.project.images[i])]
        if others:
            name = file.project.images[others[0]].name
            what = name if len(others) == 1 else f"{len(others)} images"
            if not self.window.commands.confirm(
                f"Replace the weights of {what}?",
                "Undo does not bring the former ones back.",
                "Replace",
            ):
                return

        def work(task: Task) -> dict[str, tuple[float, float]]:
            from orgseg_app.core.stopping import StoppedError
            from orgseg_app.files.weights import make_weights

            made = make_weights(file, image_ids, settings, task.report)
            if made is None:
                raise StoppedError
            return made

        session.fold_in()
        session.working.start("Making weights", work, self._on_made, is_kept=True)

    def _on_made(self, made: dict[str, tuple[float, float]]) -> None:
        parts, project = self.window.ensure_parts(), self.session.project
        parts.weights.forget()
        parts.weights_section.close_maker()
        self.window.display.set_look(WEIGHTS, visible=True)
        ends = [min(low for low, _ in made.values()), max(high for _, high in made.values())]
        image = project.images.get(next(iter(made))) if project is not None else None
        what = f"“{image.name}” has" if len(made) == 1 and image else f"{len(made)} images have"
        self.session.message.emit(
            f"{what} weights from {ends[0]:.3g} to {ends[1]:.3g} now. Trainings count voxels by "
            "them; Remove weights in the Image menu takes them away.",
            "info",
        )

    def remove(self) -> None:
        """Ask, and forget the image's weights."""
        from orgseg_app.files.weights import drop_weights

        session, image = self.session, self.session.image
        file = session.file
        if file is None or image is None:
            return
        if not self._has(image):
            session.message.emit(f"“{image.name}” has no weights.", "info")
        elif self.window.commands.confirm(
            f"Remove the weights of {image.name}?",
            "Undo does not bring them back; the file they came from stays where it is.",
            "Remove",
        ):
            session.background.start(
                "Removing weights",
                lambda task: drop_weights(file, image.image_id),
                lambda _: self.window.ensure_parts().weights.forget(),
                session.report_error,
            )

    def _has(self, image: ProjectImage) -> bool:
        """As the file knows it: the layer may not have read them yet."""
        from orgseg_app.files.weights import has_weights

        file = self.session.file
        return file is not None and has_weights(file, image.image_id)
