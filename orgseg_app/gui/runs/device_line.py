"""What networks will be trained on, asked of a child process so that the window stays light."""

from __future__ import annotations

import json
import logging

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from orgseg_app.gui.child_process import give_environment
from orgseg_app.program import program_command
from orgseg_app.runs.launcher import job_environment

LOG = logging.getLogger(__name__)

DELAY_MS = 1500
TIMEOUT_MS = 240_000
"""A GPU pack that is new, or has a new driver, is tested first."""


class DeviceLine(QObject):
    """Finds out the device once, a moment after the first project opened.

    Signals
    -------
    found(sentence, explanation)
        "CPU · 2 threads · bf16", and why it is slow if it is.
    """

    found = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._start)
        self._limit = QTimer(self, singleShot=True)
        self._limit.timeout.connect(self._on_too_long)

    def ask(self) -> None:
        """Look soon; the answer comes by signal."""
        self._timer.start(DELAY_MS)

    def stop(self) -> None:
        """Give up on an answer."""
        self._timer.stop()
        self._limit.stop()
        if self._process is not None:
            self._process.finished.disconnect()
            self._process.kill()
            self._process.waitForFinished(2000)
            self._process = None

    def _start(self) -> None:
        program, *arguments = program_command("doctor", "--json")
        process = self._process = QProcess(self)
        give_environment(process, job_environment())
        process.finished.connect(self._on_finished)
        process.start(program, arguments)
        self._limit.start(TIMEOUT_MS)

    def _on_too_long(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _on_finished(self) -> None:
        self._limit.stop()
        process, self._process = self._process, None
        if process is None:
            return
        text = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        process.deleteLater()
        try:
            facts = json.loads(text.strip().splitlines()[-1])
            line = str(facts["device"]["line"])
            said = [str(facts.get("gpu", {}).get("sentence", "")), *map(str, facts["reasons"])]
            reasons = "\n".join(dict.fromkeys(filter(None, said)))
        except (ValueError, IndexError, KeyError, TypeError):
            LOG.warning("the device could not be found out: %s", text[:500])
            return
        self.found.emit(line, reasons)
