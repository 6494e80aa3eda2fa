"""Looking at the graphics card; installing, testing and removing the GPU pack, beside the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog
from shiboken6 import isValid

from orgseg_app.gui.background import Background, Task

if TYPE_CHECKING:
    from orgseg_app.gpu.choice import SelfTest
    from orgseg_app.gpu.offers import Offer
    from orgseg_app.gpu.situation import Situation
    from orgseg_app.gui.gpu.gpu_dialog import GpuDialog
    from orgseg_app.gui.main_window import MainWindow

PACK_FILTER = "GPU packs (*.zip *.001);;All files (*)"
_LOOK_LIMIT_S = 30.0


class GraphicsCard(QObject):
    """The command “Graphics card…”.

    Attributes
    ----------
    dialog
        While it is open.
    background
        Where the work is done: a download must not keep an import waiting.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.background = Background(self)
        self.dialog: GpuDialog | None = None
        self._file: Path | None = None

    def show(self) -> None:
        """Open the dialog, and look in the background."""
        from orgseg_app.gui.gpu.gpu_dialog import GpuDialog

        if self.dialog is not None and isValid(self.dialog):
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        dialog = self.dialog = GpuDialog(self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.download_requested.connect(self.download)
        dialog.file_requested.connect(self.choose_file)
        dialog.sha256_given.connect(self._on_sha256)
        dialog.test_requested.connect(self.test)
        dialog.remove_requested.connect(self.remove)
        dialog.cancel_requested.connect(self.cancel)
        dialog.show()
        self.look()

    def stop(self) -> None:
        """Give everything up; the window closes."""
        self.cancel()
        if self.dialog is not None and isValid(self.dialog):
            self.dialog.close()
        self.background.finish(0)

    def cancel(self) -> None:
        """Give up what is under way."""
        if self.background.current is not None:
            self.background.current.cancel()

    # -- what is done ----------------------------------------------------------------------------

    def look(self) -> None:
        """Find out what is here, in a process of its own: a broken driver may never answer."""

        def on_success(now: Situation) -> None:
            if self._is_open():
                self.dialog.show_situation(now)  # type: ignore[union-attr]

        def on_failure(error: Exception) -> None:
            if self._is_open():
                self.dialog.show_trouble(  # type: ignore[union-attr]
                    f"The graphics card could not be looked at: {error}. Training is not affected."
                )

        self.background.start("Looking at the graphics card", _look, on_success, on_failure)

    def choose_file(self) -> None:
        """Ask for a file, and for its SHA-256 where none is known."""
        settings = self.window.settings
        name, _ = QFileDialog.getOpenFileName(
            self.dialog, "Install the GPU pack from a file", settings.last_folder, PACK_FILTER
        )
        if not name:
            return
        from orgseg_app.gpu.install import sha256_beside

        self._file = Path(name)
        settings.last_folder = str(self._file.parent)
        known = sha256_beside(self._file) or self._shipped_sha256()
        if known:
            self.install(self._file, known)
        elif self._is_open():
            self.dialog.ask_sha256(self._file.name)  # type: ignore[union-attr]

    def _shipped_sha256(self) -> str:
        """Of the pack that was published for this version, where the file has its size."""
        offer = self._offer()
        try:
            is_it = (
                offer is not None
                and self._file is not None
                and (self._file.stat().st_size == offer.bytes)
            )
        except OSError:
            return ""
        return offer.sha256 if is_it and offer is not None else ""

    def _on_sha256(self, digits: str) -> None:
        if self._file is not None:
            self.install(self._file, digits)

    def install(self, path: Path, sha256: str) -> None:
        """Install a pack from a file, then test it."""

        def work(task: Task) -> SelfTest:
            from orgseg_app.gpu import install

            return _tested(task, install.install(path, sha256, _reporter(task)))

        self._start(f"Installing “{path.name}”", work, self._on_tested)

    def download(self) -> None:
        """Say from where and how much, then fetch, install and test."""
        from orgseg_app.gui.editing.save_trouble import size_words
        from orgseg_app.gui.panels.question import ask

        offer = self._offer()
        if offer is None or not ask(
            self.dialog,
            "Download the GPU pack?",
            f"OrgSeg fetches {size_words(offer.bytes)} from {offer.parts[0].url}, checks it by its "
            "SHA-256, installs and tests it. Nothing is sent but the request for the file. It can "
            "be cancelled, and goes on where it was.",
            "Download",
        ):
            return

        def work(task: Task) -> SelfTest:
            from orgseg_app.gpu import download, install

            path = download.fetch(offer, _reporter(task))
            test = _tested(task, install.install(path, offer.sha256, _reporter(task)))
            path.unlink(missing_ok=True)
            return test

        self._start(f"Downloading from {offer.server}", work, self._on_tested)

    def test(self) -> None:
        """Test what would compute, again."""

        def work(task: Task) -> SelfTest:
            from orgseg_app.gpu.install import installed

            return _tested(task, installed())

        self._start("Testing, which takes about ten seconds", work, self._on_tested)

    def remove(self) -> None:
        """Ask, then remove the pack."""
        from orgseg_app.gui.panels.question import ask

        if not ask(
            self.dialog,
            "Remove the GPU pack?",
            "Networks are trained on the processor then. Projects, runs and models stay as they "
            "are, and the pack can be installed again.",
            "Remove",
        ):
            return

        def work(task: Task) -> None:
            from orgseg_app.gpu.install import remove

            remove()

        def on_success(_: object) -> None:
            self._finish("success", "The GPU pack is gone.")

        self._start("Removing the GPU pack", work, on_success)

    # -- how it went -----------------------------------------------------------------------------

    def _start(
        self, words: str, work: Callable[[Task], Any], on_success: Callable[[Any], None]
    ) -> None:
        task = self.background.start(words, work, on_success, self._on_failure)
        if self._is_open():
            dialog = self.dialog
            assert dialog is not None
            dialog.start(words)
            task.progressed.connect(dialog.show_progress)

    def _on_tested(self, test: SelfTest) -> None:
        if test.passed:
            ratio = f", {test.times_cpu:.1f} × as fast as the processor" if test.times_cpu else ""
            self._finish("success", f"{test.device} works{ratio}.")
        else:
            self._finish(
                "warning", f"Not used: {test.reason}. Training runs on the processor, as before."
            )

    def _on_failure(self, error: Exception) -> None:
        from orgseg_app.gpu.errors import CancelledError, PackError

        if isinstance(error, CancelledError):
            self._finish("warning", str(error))
        elif isinstance(error, PackError):
            self._finish("error", str(error))
        else:
            self._finish("", "")
            self.window.session.report_error(error)

    def _finish(self, level: str, sentence: str) -> None:
        if self._is_open():
            self.dialog.finish(level, sentence)  # type: ignore[union-attr]
            self.look()
        if self.window.parts is not None and not self.window.is_closed:
            self.window.parts.device_line.ask()

    def _is_open(self) -> bool:
        return self.dialog is not None and isValid(self.dialog) and not self.window.is_closed

    def _offer(self) -> Offer | None:
        now = self.dialog.situation if self._is_open() and self.dialog is not None else None
        return now.offer if now is not None else None


def _look(task: Task) -> Situation:
    import msgspec

    from orgseg_app.gpu.check import ask
    from orgseg_app.gpu.errors import PackError
    from orgseg_app.gpu.situation import Situation

    answer, why = ask(
        None, "doctor", "--gpu", "--json",
        is_cancelled=lambda: task.is_cancelled, limit_s=_LOOK_LIMIT_S,
    )  # fmt: skip
    if answer is None:
        raise PackError(why)
    return msgspec.convert(answer["situation"], Situation)


def _tested(task: Task, pack: Any) -> SelfTest:
    from orgseg_app.gpu.check import self_test

    task.report(0, 0, "")
    return self_test(pack, lambda: task.is_cancelled)


def _reporter(task: Task) -> Callable[[int, int, str], bool]:
    return lambda done, total, words: task.report(done >> 10, total >> 10, words)
