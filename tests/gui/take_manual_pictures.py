"""Pictures of the manual: ``python -m tests.gui.take_manual_pictures [FOLDER] [NAME …]``.

Made from the real window, so that they stay true: simulated images, recorded runs, light and dark,
two pixels for each one of the window. Look at all of them after every change of looks. A test
checks that the folder holds exactly `PICTURES`, and that each of them is on a page.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PySide6.QtCore import QRect
    from PySide6.QtWidgets import QWidget

    from tests.e2e.story import Driver

FOLDER = Path(__file__).parents[2] / "resources" / "help" / "pictures"
MODES = ("light", "dark")
ONE = ("light",)
WIDEST, QUALITY = 1040, 62
SPLITS = ("train",) * 4 + ("validation",) * 2 + ("test",) * 8
RUNS = (("Fast on a laptop", "fast", 0.80), ("ER network", "er-laptop", 0.86),
        ("Fast, pixel by pixel", "fast-bce", 0.74))  # fmt: skip


class Manual:
    """The window, and where its pictures go."""

    def __init__(self, driver: Driver, folder: Path, home: Path) -> None:
        self.driver, self.folder, self.home = driver, folder, home
        self.window = driver.window
        self.session = self.window.session

    @property
    def parts(self) -> Any:
        """The panels."""
        return self.window.ensure_parts()

    def take(self, name: str, *widgets: QWidget, skip: int = 0, rows: int = 0) -> None:
        """Keep what is seen of some widgets, in the themes that `PICTURES` says.

        Parameters
        ----------
        widgets
            The whole window without any; otherwise the box around them.
        skip
            Leave out so many device-independent pixels at the top.
        rows
            Leave out what lies below so many more; 0 for nothing.
        """
        from PySide6.QtCore import Qt

        self.folder.mkdir(parents=True, exist_ok=True)
        for mode in PICTURES[name]:
            self.window.set_theme(mode)
            self.settle()
            top = widgets[0].window() if widgets else self.window
            self.window.messages.close_all()
            whole = top.grab()
            if widgets:
                box = _box(top, widgets).adjusted(0, skip, 0, 0) & top.rect()
                if rows:
                    box.setHeight(min(rows, box.height()))
                ratio = whole.devicePixelRatio()
                whole = whole.copy(
                    round(box.x() * ratio), round(box.y() * ratio),
                    round(box.width() * ratio), round(box.height() * ratio),
                )  # fmt: skip
            image = whole.toImage()
            image.setDevicePixelRatio(1)
            if image.width() > WIDEST:
                image = image.scaledToWidth(WIDEST, Qt.TransformationMode.SmoothTransformation)
            image.save(str(self.folder / f"{name}-{mode}.jpg"), quality=QUALITY)

    def settle(self) -> None:
        """Wait until nothing is worked on any more."""
        background = self.session.background
        self.driver.wait(lambda: background.is_idle, 120, "the background")
        self.driver.rest(0.4)
        self.driver.wait(lambda: background.is_idle, 120, "the background")

    def open(self, path: Path) -> None:
        """Open a project and wait for its first image."""
        self.window.commands.open_path(path)
        self.driver.wait(lambda: self.session.path == path, 60, str(path))
        self.driver.wait(lambda: self.session.image is not None, 60, "its image")
        self.settle()

    def go(self, workspace: str) -> None:
        """Change the workspace."""
        self.driver.workspace(workspace)
        self.settle()


def _box(top: QWidget, widgets: tuple[QWidget, ...]) -> QRect:
    from PySide6.QtCore import QPoint, QRect

    found = QRect()
    for widget in widgets:
        found |= QRect(widget.mapTo(top, QPoint(0, 0)), widget.size())
    return found


# -- what is in the pictures ---------------------------------------------------------------------


def guess(truth: np.ndarray, quality: float, seed: int) -> np.ndarray:
    """A plausible prediction of a mask ``(Z, Y, X)``: soft edges against slow and fast noise."""
    import cv2

    random = np.random.default_rng(seed)
    made = np.ones_like(truth)
    for z, plane in enumerate(truth):
        soft = cv2.GaussianBlur((plane == 2).astype(np.float32), (0, 0), 1.2)
        noise = np.zeros_like(soft)
        for size in (2.0, 7.0):
            drawn = random.normal(size=plane.shape).astype(np.float32)
            noise += size * cv2.GaussianBlur(drawn, (0, 0), size)
        made[z][soft + (1.05 - quality) * noise > 0.5] = 2
    return made


def make_er_project(path: Path) -> None:
    """Simulated ER, painted, with three recorded runs."""
    from orgseg_app.core.image import open_array
    from orgseg_app.core.samples.catalogue import sample_classes, simulate
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.recipes.presets import PRESETS
    from tests.gui import recorded_runs

    recorded_runs.predicted = guess
    with ProjectFile.create(path, sample_classes("er")) as file:
        items = []
        for number, split in enumerate(SPLITS):
            item = simulate("er", number, size=(384, 384))
            opened = open_array(item.name, item.pixels, pixel_size_um=item.pixel_size_um)
            items.append(NewImage(opened, split, item.mask))
        file.add_images(items)
        for number, (name, preset, quality) in enumerate(RUNS):
            recorded_runs.record_run(
                file, name, recipe=PRESETS[preset], quality=quality, seed=100 * number
            )


def make_nuclei_project(path: Path) -> None:
    """Simulated nuclei, each an object."""
    import cv2

    from orgseg_app.core.image import open_array
    from orgseg_app.core.samples.catalogue import sample_classes, simulate
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile

    item = simulate("nuclei", 1, size=(400, 560))
    opened = open_array(item.name, item.pixels, pixel_size_um=item.pixel_size_um)
    _, numbers = cv2.connectedComponents((item.mask == 2).astype(np.uint8))
    with ProjectFile.create(path, sample_classes("nuclei")) as file:
        objects = numbers.astype(np.uint32)[None]
        file.add_images([NewImage(opened, "train", item.mask, objects=objects)])


def make_volume_project(path: Path) -> None:
    """The simulated volume of neurites."""
    from orgseg_app.core.image import open_array
    from orgseg_app.core.samples.catalogue import sample_classes, simulate_volume
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile

    item = simulate_volume("em_volume", 0)
    opened = open_array(item.name, item.pixels, pixel_size_um=item.pixel_size_um)
    with ProjectFile.create(path, sample_classes("em_volume")) as file:
        file.add_images([NewImage(opened, "train", item.mask)])


def start_page(manual: Manual) -> None:
    """The first page, with no project lately."""
    manual.take("start_page")


def import_bar(manual: Manual) -> None:
    """What is asked about images with masks."""
    import tifffile

    from orgseg_app.core.samples.catalogue import simulate

    folder = manual.home / "experiment 7"
    for sub in ("images", "masks"):
        (folder / sub).mkdir(parents=True)
    for number in range(4):
        item = simulate("nuclei", number, size=(384, 384))
        tifffile.imwrite(folder / "images" / f"cell {number + 1:02}.tif", item.pixels)
        shown = (item.mask == 2).astype(np.uint8) * 255
        tifffile.imwrite(folder / "masks" / f"cell {number + 1:02}.tif", shown)
    manual.driver.drop(folder)
    importing: Any = manual.window.commands.importing
    manual.driver.wait(lambda: importing.bar and importing.bar.isVisible(), 60, "the bar")
    manual.take("import_bar", importing.bar)
    importing.bar.cancel_button.click()
    manual.settle()


def strokes(manual: Manual) -> None:
    """An image of one's own with a few strokes of both classes."""
    import cv2
    import tifffile
    from PySide6.QtCore import QPoint, Qt

    from orgseg_app.core.samples.catalogue import simulate

    folder = manual.home / "my images"
    folder.mkdir()
    item = simulate("nuclei", 3, size=(400, 560))
    tifffile.imwrite(folder / "cells 01.tif", item.pixels)
    driver, canvas = manual.driver, manual.parts.canvas
    driver.drop(folder / "cells 01.tif")
    driver.wait(lambda: manual.session.image is not None, 60, "the image")
    manual.settle()
    driver.keys(Qt.Key.Key_B)
    manual.window.tools.set_brush_size(14)
    structure = (item.mask == 2).astype(np.uint8)
    bright = cv2.GaussianBlur(item.pixels.astype(np.float32), (0, 0), 4)
    inside = cv2.distanceTransform(structure, cv2.DIST_L2, 3) * bright
    for y, x in _apart(inside, 5, 50):
        driver.drag((y - 3, x - 5), (y + 3, x + 5))
    manual.session.select_class(1)
    outside = cv2.distanceTransform(1 - structure, cv2.DIST_L2, 3)
    for y, x in _apart(outside, 4, 90):
        driver.drag((y - 10, x - 22), (y, x), (y + 6, x + 22))
    canvas.zoom_by(1.45)
    driver.point(QPoint(30, 30))
    manual.take("strokes", canvas, rows=430)


def _apart(worth: np.ndarray, count: int, distance: int) -> list[tuple[float, float]]:
    """The best places (y, x) in the middle of a plane, so far from one another."""
    left = np.zeros_like(worth)
    height, width = worth.shape
    middle = np.s_[height // 5 : -height // 5, width // 4 : -width // 4]
    left[middle] = worth[middle]
    found = []
    for _ in range(count):
        y, x = divmod(int(left.argmax()), width)
        found.append((float(y), float(x)))
        left[max(0, y - distance) : y + distance, max(0, x - distance) : x + distance] = 0
    return found


def of_er(manual: Manual) -> None:
    """Everything that is shown of one project with runs."""
    path = manual.home / "ER study.orgseg"
    make_er_project(path)
    manual.open(path)
    parts = manual.parts
    manual.driver.wait(lambda: len(parts.runs.trainings()) == len(RUNS), 60, "the runs")
    parts.canvas.zoom_by(1.5)
    manual.take("window")
    manual.go("train")
    manual.take("recipe", parts.training, rows=640)
    manual.take("learning", parts.runs_panel)
    manual.go("compare")
    results = parts.results
    manual.driver.wait(lambda: results.results.comparison is not None, 60, "scores")
    manual.take("compare")
    results.pages.show_page("statistics")
    results.pages.statistics.which.button("ranked").click()
    manual.settle()
    manual.take("statistics", results.pages)
    manual.go("export")
    parts.export.folder.setText("ER study masks")
    manual.take("export", parts.export, rows=640)
    manual.go("annotate")
    project: Any = manual.session.project
    test = next(i for i in project.images.values() if i.split == "test")
    manual.session.select_image(test.image_id)
    manual.settle()
    manual.window.actions_by_id["toggle_difference"].trigger()
    manual.settle()
    parts.canvas.zoom_by(1.6)
    manual.take("difference", parts.canvas, rows=440)


def of_nuclei(manual: Manual) -> None:
    """Objects: their table, and what is measured of them."""
    path = manual.home / "nuclei.orgseg"
    make_nuclei_project(path)
    manual.open(path)
    acts = manual.window.actions_by_id
    acts["objects_mode"].trigger()
    acts["object_table"].trigger()
    manual.settle()
    manual.take("object_table", manual.parts.canvas, manual.parts.object_table, skip=180)
    acts["object_table"].trigger()
    acts["measure_objects"].trigger()
    dialog: Any = manual.window.commands.measuring.dialog
    dialog.measure_button.click()
    manual.settle()
    manual.take("measuring", dialog)
    dialog.close()


def sections(manual: Manual) -> None:
    """A volume, cut along and across."""
    path = manual.home / "neurites.orgseg"
    make_volume_project(path)
    manual.open(path)
    manual.session.select_plane(9)
    manual.window.actions_by_id["toggle_sections"].trigger()
    manual.settle()
    manual.take("sections", manual.parts.area, rows=520)


SCENES: dict[str, Callable[[Manual], None]] = {
    "start_page": start_page,
    "import_bar": import_bar,
    "strokes": strokes,
    "er": of_er,
    "nuclei": of_nuclei,
    "sections": sections,
}
PICTURES = {
    "start_page": MODES, "import_bar": MODES, "strokes": ONE, "window": MODES, "recipe": MODES,
    "learning": MODES, "compare": MODES, "statistics": MODES, "export": MODES, "difference": ONE,
    "object_table": MODES, "measuring": MODES, "sections": ONE,
}  # fmt: skip
"""All that there are, and the themes they are taken in; those of the canvas look alike in both."""


def main() -> None:
    """Take the pictures of all scenes, or of those named."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_SCALE_FACTOR", "2")
    wanted = [word for word in sys.argv[1:] if word in SCENES] or list(SCENES)
    folders = [word for word in sys.argv[1:] if word not in SCENES]
    folder = Path(folders[0]) if folders else FOLDER
    with tempfile.TemporaryDirectory() as home:
        os.environ["ORGSEG_HOME"] = home
        from tests.e2e.story import Driver

        manual = Manual(Driver(), folder, Path(home))
        manual.window.resize(1180, 740)
        for name in wanted:
            SCENES[name](manual)
        manual.driver.close()


if __name__ == "__main__":
    main()
