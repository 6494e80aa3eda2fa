"""Child processes that Qt starts for the window."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QProcess, QProcessEnvironment


def give_environment(process: QProcess, values: Mapping[str, str]) -> None:
    """Start a process with exactly these variables.

    Parameters
    ----------
    process
        Not yet started.
    values
        By name.
    """
    environment = QProcessEnvironment()
    for name, value in values.items():
        environment.insert(name, value)
    process.setProcessEnvironment(environment)
