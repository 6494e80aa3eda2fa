"""What a diagnostic report holds, to read before it is saved; any part can be left out."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QLibraryInfo, QProcess, QSize, Qt, QTimer, qVersion
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QVBoxLayout,
)

from orgseg_app.files.atomic import reason
from orgseg_app.gui.background import Background
from orgseg_app.gui.child_process import give_environment
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    GROUP,
    Caption,
    PrimaryButton,
    SecondaryButton,
    SectionTitle,
    foot_of,
    label,
)
from orgseg_app.program import program_command
from orgseg_app.runs.launcher import job_environment

if TYPE_CHECKING:
    from orgseg_app.diagnostics.parts import Part, Report
    from orgseg_app.gui.main_window import MainWindow

LOG = logging.getLogger(__name__)

TIMEOUT_MS = 90_000
WORDS = (
    "Everything that goes into the report is shown here. It holds no images and no masks; names "
    "of images, projects, people and folders are replaced. Leave out what you do not want in it. "
    "It is only saved: nothing is sent."
)
_KEY = Qt.ItemDataRole.UserRole


class DiagnosticsDialog(QDialog):
    """The parts of the report on the left, the text of the chosen one on the right."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window_ = window
        self.setWindowTitle("Diagnostic report")
        self.setProperty("help_page", "trouble")
        self.resize(900, 620)
        self._background = Background(self)
        self._report: Report | None = None
        self._parts: dict[str, Part] = {}
        self._doctor: dict[str, Any] | None = None
        self._is_asking = True
        self.list = QListWidget()
        self.list.setAccessibleName("Parts of the report")
        self.list.setProperty("look", "contents")
        self.list.setFixedWidth(24 * self.fontMetrics().averageCharWidth() + 80)
        self.list.currentItemChanged.connect(lambda *_: self._show_text())
        self.list.itemChanged.connect(lambda _: self._refresh())
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName("Text of the part")
        self.note = Caption("Gathering…")
        self.save_button = PrimaryButton("Save…")
        self.save_button.clicked.connect(self._ask_where)
        self.cancel_button = SecondaryButton("Cancel")
        self.cancel_button.clicked.connect(self.reject)
        self._lay_out()
        self._limit = QTimer(self, singleShot=True, interval=TIMEOUT_MS)
        self._limit.timeout.connect(self._on_answer)
        self._process = self._ask_doctor()
        self._gather()
        self._refresh()

    def _lay_out(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(GROUP)
        middle.addWidget(self.list)
        middle.addWidget(self.text, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(SectionTitle("Diagnostic report"))
        column.addWidget(label(WORDS, wrap=True))
        column.addSpacing(GAP)
        column.addLayout(middle, 1)
        column.addWidget(self.note)
        column.addLayout(foot_of(self.save_button, self.cancel_button))

    # -- gathering -------------------------------------------------------------------------------

    def _gather(self) -> None:
        file, screen = self.window_.session.file, screen_facts(self.window_)
        # Its own copy: it is read in another thread.
        project = replace(file.project, images=dict(file.project.images)) if file else None
        path = file.path if file is not None else None

        def work(_: object) -> tuple[Report, list[Part]]:
            from orgseg_app.diagnostics.parts import Report

            report = Report(project, path)
            return report, report.parts(screen)

        self._background.start("Gathering the report", work, self._on_gathered, self._on_failure)

    def _on_gathered(self, gathered: tuple[Report, list[Part]]) -> None:
        self._report, parts = gathered
        for part in parts:
            self._add(part.key, part.title)
            self._parts[part.key] = part
            if part.key == "about":
                self._add("computer", "Computer (orgseg doctor)")
        self.list.setCurrentRow(0)
        self._take_doctor()

    def _add(self, key: str, title: str) -> None:
        item = QListWidgetItem(title)
        item.setData(_KEY, key)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Checked)
        item.setSizeHint(QSize(0, self.fontMetrics().height() + GROUP))
        self.list.addItem(item)

    def _ask_doctor(self) -> QProcess:
        """The window never loads torch, so a child looks what this computer can do."""
        program, *arguments = program_command("doctor", "--json")
        process = QProcess(self)
        give_environment(process, job_environment())
        process.finished.connect(self._on_answer)
        process.errorOccurred.connect(self._on_answer)
        process.start(program, arguments)
        self._limit.start()
        return process

    def _on_answer(self, *_: object) -> None:
        if not self._is_asking:
            return
        self._is_asking = False
        self._limit.stop()
        said = bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace")
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.kill()
        try:
            self._doctor = json.loads(said.strip().splitlines()[-1])
        except (ValueError, IndexError):
            LOG.warning("doctor gave no answer for the report")
        self._take_doctor()

    def _take_doctor(self) -> None:
        """Both answers come in any order; the text needs the report's placeholders."""
        if self._report is not None and not self._is_asking:
            self._parts["computer"] = self._report.computer(self._doctor)
        self._show_text()
        self._refresh()

    # -- showing ---------------------------------------------------------------------------------

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def chosen(self) -> list[Part]:
        """The parts that are ticked and ready."""
        ticked = [i.data(_KEY) for i in self._items() if i.checkState() == Qt.CheckState.Checked]
        return [self._parts[key] for key in ticked if key in self._parts]

    def _show_text(self) -> None:
        row = self.list.currentRow()
        part = self._parts.get(self.list.item(row).data(_KEY)) if row >= 0 else None
        waiting = "Being asked, which takes some seconds…" if row >= 0 else ""
        self.text.setPlainText(part.text if part is not None else waiting)

    def _refresh(self) -> None:
        ticked = [i for i in self._items() if i.checkState() == Qt.CheckState.Checked]
        is_waiting = any(item.data(_KEY) not in self._parts for item in ticked)
        self.save_button.setEnabled(bool(ticked) and not is_waiting)
        if self._report is None:
            words = "Gathering…"
        elif is_waiting:
            words = "Waiting for what the computer says of itself, or leave that part out."
        elif not ticked:
            words = "Everything is left out."
        else:
            size = sum(len(part.text.encode()) for part in self.chosen())
            words = f"{len(ticked)} of {self.list.count()} parts, {size / 1000:.0f} kB of text."
        self.note.setText(words)

    # -- saving ----------------------------------------------------------------------------------

    def _ask_where(self) -> None:
        from orgseg_app.diagnostics.parts import usual_name

        folder = Path(self.window_.settings.last_folder or Path.home())
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the diagnostic report", str(folder / usual_name()), "ZIP (*.zip)"
        )
        if name:
            self.save(Path(name).with_suffix(".zip"))

    def save(self, path: Path) -> None:
        """Write the ticked parts, say so, and close."""
        parts = self.chosen()

        def work(_: object) -> None:
            from orgseg_app.diagnostics.parts import save

            save(parts, path)

        self._background.start(
            "Saving the report", work, lambda _: self._on_saved(path), self._on_failure
        )
        self.save_button.setEnabled(False)

    def _on_saved(self, path: Path) -> None:
        self.window_.session.message.emit(f"The diagnostic report was saved as “{path}”.", "info")
        self.accept()

    def _on_failure(self, error: Exception) -> None:
        why = reason(error) if isinstance(error, OSError) else str(error)
        self._refresh()
        self.note.setText(f"Nothing was written: {why}. Choose another place.")

    def done(self, code: int) -> None:
        """Nobody waits for the child any more."""
        self._is_asking = False
        self._limit.stop()
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.kill()
            self._process.waitForFinished(2000)
        super().done(code)


def screen_facts(window: MainWindow) -> dict[str, Any]:
    """What Qt says of the screens, the window and itself."""
    from orgseg_app.gui.style import theme

    screens = [
        {
            "pixels": [screen.geometry().width(), screen.geometry().height()],
            "scale": screen.devicePixelRatio(),
            "dots_per_inch": round(screen.logicalDotsPerInch()),
            "hertz": round(screen.refreshRate()),
            "is_windows": screen is window.screen(),
        }
        for screen in QGuiApplication.screens()
    ]
    return {
        "qt": qVersion(),
        "qt_build": QLibraryInfo.build(),
        "platform": QGuiApplication.platformName(),
        "theme": theme.current().name,
        "window": [window.width(), window.height()],
        "is_maximised": window.isMaximized(),
        "workspace": window.workspace,
        "screens": screens,
    }
