"""Bringing images in: drop, look, one confirmation, import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from orgseg_app.gui.help.trouble_pages import REFUSED
from orgseg_app.gui.panels.import_bar import ImportBar

if TYPE_CHECKING:
    from orgseg_app.files.annotations.plan import ImportPlan
    from orgseg_app.files.importing import ImportChoice
    from orgseg_app.files.readers.apart import ReadingChild
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow

LOG = logging.getLogger(__name__)

PROJECT_SUFFIX = ".orgseg"
SAMPLE_IMAGES = 10
SAMPLE_UNPAINTED = 1
"""One more without a mask: to paint, and to be predicted."""
SAMPLE_VOLUMES = ("train", "validation", "test")
"""The split of each volume of a sample: they are other places, and share no planes."""
SAMPLE_PRESETS = {"em_volume": "volume-25d"}
"""Where another preset suits a sample better than the first in the list."""
PROBLEMS_SHOWN = 4


class Importing(QObject):
    """Takes what was dropped or chosen.

    Images without masks come in at once. Where masks were found beside them, one bar asks whether
    they are meant; where the images are large, whether they are to stay in their files; where they
    are numbered, whether they are the planes of a volume.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.bar: ImportBar | None = None
        self._paths: list[Path] = []
        self._child: ReadingChild | None = None
        self.session.closing.connect(self.stop)

    def take(self, paths: Sequence[Path]) -> None:
        """Open a project, or look at images and folders."""
        paths = [Path(p) for p in paths]
        projects = [p for p in paths if p.suffix.lower() == PROJECT_SUFFIX and p.is_file()]
        if projects:
            self.window.commands.open_path(projects[0])
            return
        if self.session.is_read_only:
            self.session.message.emit(
                "This project is open read-only, so nothing can be added to it. "
                "Close it first to start a new project with these images.",
                "warning",
            )
            return
        self._paths = paths
        file = self.session.file

        def work(task: Task) -> tuple[ImportPlan, int, ReadingChild] | None:
            from orgseg_app.files.annotations.plan import plan_import
            from orgseg_app.files.giving_up import GivenUpError, asking
            from orgseg_app.files.importing import image_bytes
            from orgseg_app.files.readers.apart import ReadingChild

            def check() -> None:
                if task.is_cancelled:
                    raise GivenUpError

            child = ReadingChild()  # the one that looks reads the images afterwards
            try:
                with asking(check), child.reads():
                    plan = plan_import(paths)
            except GivenUpError:
                child.close()
                return None
            except BaseException:
                child.close()
                raise
            return plan, image_bytes(plan), child

        self.session.background.start(
            "Looking at the files",
            work,
            lambda looked: self._on_looked(looked, file),
            self.session.report_error,
        )

    def _on_looked(self, looked: tuple[ImportPlan, int, ReadingChild] | None, file: object) -> None:
        if looked is None:  # it was given up
            return
        plan, size, child = looked
        self.stop()  # an earlier question is dropped
        self._child = child
        self._on_plan(plan, size, file)
        if self.bar is None or self.bar.plan is None:  # nothing is asked, so nobody waits for it
            self.stop()

    def stop(self) -> None:
        """End the process that has read for a question, where there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _on_plan(self, plan: ImportPlan, size: int, file: object) -> None:
        from orgseg_app.files.importing import LINK_FROM_BYTES, ImportChoice

        if self.window.is_closed:
            return
        if self.session.file is not file:  # these images were meant for the one before
            self.session.message.emit(
                "Another project was opened or closed meanwhile, so nothing was imported. "
                "Drop the files again.",
                "warning",
            )
        elif not any(item.is_readable for item in plan.items):
            self.session.say(_nothing_readable(plan.problems), "warning", REFUSED)
        elif (
            any(item.annotation for item in plan.items)
            or plan.unmatched
            or plan.series
            or size >= LINK_FROM_BYTES
        ):
            self._ask(plan, size if size >= LINK_FROM_BYTES else 0)
        else:
            self.accept(plan, ImportChoice(use_annotations=False))

    def _ask(self, plan: ImportPlan, large_bytes: int) -> None:
        if self.bar is None:
            self.bar = ImportBar(self.session)
            self.window.add_bar(self.bar)
            self.bar.accepted.connect(self.accept)
            self.bar.cancelled.connect(self.stop)
        self.bar.show_plan(plan, large_bytes)

    def accept(self, plan: ImportPlan, choice: ImportChoice) -> None:
        """Import, into a project beside the images when none is open."""
        from orgseg_app.files.importing import class_target, prepare_import

        session = self.session
        try:
            if session.file is None:
                path = project_path_beside(self._paths or [plan.items[0].image_path])
                session.create_project(path, class_target(plan, choice).classes)
                self.window.commands.remember(path)
            assert session.file is not None
            assert session.project is not None
            counts = session.file.counts
            images = [(i, bool(counts(i.image_id))) for i in session.project.images.values()]
            intake = prepare_import(plan, choice, session.classes, images)
            intake.child, self._child = self._child, None
            session.add_images(
                intake.images(), intake.target.classes, intake.problems, intake.total
            )
        except Exception as error:
            self.stop()
            session.report_error(error)

    def open_sample(self, kind: str) -> None:
        """Make a project of simulated images in the user's folder, and open it."""
        session = self.session
        path = sample_path(kind)
        if path.exists():
            self.window.commands.open_path(path)
            self._choose_preset(kind, path)
            return

        def on_success(items: list[Any]) -> None:
            from orgseg_app.core.samples.catalogue import sample_classes

            if not items or self.window.is_closed:
                return
            classes = sample_classes(kind)
            try:
                session.create_project(path, classes)
            except Exception as error:
                session.report_error(error)
                return
            self.window.commands.remember(path)
            session.add_images(items, classes)
            self._choose_preset(kind, path)

        session.message.emit("The images of the sample are being simulated…", "info")
        session.background.start(
            "Simulating images",
            lambda task: _simulated(task, kind),
            on_success,
            session.report_error,
        )

    def _choose_preset(self, kind: str, path: Path) -> None:
        training = self.window.ensure_parts().training
        is_open = self.session.path == path
        if kind in SAMPLE_PRESETS and is_open and not training.form.changed_paths:
            training.use_preset(SAMPLE_PRESETS[kind])


def _simulated(task: Task, kind: str) -> list[Any]:
    """The images of a sample, each with its split and mask; none when it was given up."""
    from orgseg_app.core.image import open_array
    from orgseg_app.core.samples.catalogue import SAMPLES, VOLUMES, simulate, simulate_volume
    from orgseg_app.core.split import TRAIN, assign_splits
    from orgseg_app.files.images.intake import NewImage

    is_volume = kind in VOLUMES
    count = len(SAMPLE_VOLUMES) if is_volume else SAMPLE_IMAGES + SAMPLE_UNPAINTED
    items = []
    for index in range(count):
        if not task.report(index, count, "Simulating images"):
            return []
        if is_volume:
            items.append(simulate_volume(kind, index))
        else:
            items.append(simulate(kind, index, size=SAMPLES[kind].size))
    names = [item.name for item in items][: len(SAMPLE_VOLUMES) if is_volume else SAMPLE_IMAGES]
    splits = dict(zip(names, SAMPLE_VOLUMES, strict=True)) if is_volume else assign_splits(names)
    return [
        NewImage(
            open_array(item.name, item.pixels, pixel_size_um=item.pixel_size_um),
            splits.get(item.name, TRAIN),
            item.mask if item.name in splits else None,
        )
        for item in items
    ]


def _nothing_readable(problems: Sequence[str]) -> str:
    more = len(problems) - PROBLEMS_SHOWN
    rest = [f"And {more} more."] if more > 0 else []
    return " ".join(["Nothing was imported.", *problems[:PROBLEMS_SHOWN], *rest])


def project_path_beside(paths: Sequence[Path]) -> Path:
    """A free name for a project beside what was dropped; in the user's folder when that is closed.

    One folder gives its own name; files give the name of their folder.
    """
    import os

    first = paths[0].absolute()
    folder = first.parent
    stem = first.name if first.is_dir() else folder.name or "images"
    if not os.access(folder, os.W_OK):
        folder = Path.home()
    return free_path(folder, stem)


def sample_path(kind: str) -> Path:
    """Where the sample project of a kind lies."""
    from orgseg_app import paths

    folder = paths.data_dir() / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"sample {kind}{PROJECT_SUFFIX}"


def free_path(folder: Path, stem: str) -> Path:
    """A project path that is not taken: "name", "name 2" and so on."""
    path, number = folder / f"{stem}{PROJECT_SUFFIX}", 2
    while path.exists():
        path = folder / f"{stem} {number}{PROJECT_SUFFIX}"
        number += 1
    return path
