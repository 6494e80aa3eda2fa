"""Taking in and taking away how much each voxel counts in training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from orgseg_app.gui.canvas.layers import WEIGHTS

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
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
            f"“{image.name}” has weights from {low:g} to {high:g} now. They are kept with the "
            "image and shown; no recipe learns from them yet.",
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
