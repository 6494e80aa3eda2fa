"""The diagnostic report is read before it is saved, and holds only what is ticked."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog

from orgseg_app.gui.help import diagnostics_dialog
from orgseg_app.gui.help.diagnostics_dialog import DiagnosticsDialog
from tests.e2e.hand import Hand, make_project
from tests.gui.panel_session import nameless_controls

SAYS = 'print(\'{"device": {"line": "a slow one"}}\')'


@pytest.fixture
def hand(qapp: QApplication) -> Iterator[Hand]:
    made = Hand()
    yield made
    made.close()


def opened(hand: Hand, monkeypatch: pytest.MonkeyPatch, code: str = SAYS) -> DiagnosticsDialog:
    """The dialog, with a quick child in the doctor's place."""
    monkeypatch.setattr(
        diagnostics_dialog, "program_command", lambda *_: [sys.executable, "-S", "-c", code]
    )
    hand.action("save_diagnostics")
    (dialog,) = hand.window.findChildren(DiagnosticsDialog)
    return dialog


def texts(dialog: DiagnosticsDialog) -> dict[str, str]:
    found = {}
    for row in range(dialog.list.count()):
        dialog.list.setCurrentRow(row)
        found[dialog.list.item(row).text()] = dialog.text.toPlainText()
    return found


def test_all_is_shown_and_what_is_ticked_is_saved(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.open(make_project(tmp_path / "Geheimprojekt.orgseg"))
    dialog = opened(hand, monkeypatch)
    hand.wait(dialog.save_button.isEnabled)
    shown = texts(dialog)
    assert all(shown.values())
    assert "a slow one" in shown["Computer (orgseg doctor)"]
    assert "image-1" in shown["Project, in numbers"]
    assert '"offscreen"' in shown["Screens and Qt"]
    assert "zelle" not in "".join(shown.values())
    assert "Geheim" not in "".join(shown.values())
    assert nameless_controls(dialog) == []
    settings = next(i for i in dialog._items() if i.text() == "Settings")
    settings.setCheckState(Qt.CheckState.Unchecked)
    assert "5 of 6 parts" in dialog.note.text()
    target = tmp_path / "report.zip"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(target.with_suffix("")), "")
    )
    dialog.save_button.click()
    hand.wait(target.is_file)
    hand.wait(lambda: not hand.window.findChildren(DiagnosticsDialog) or not dialog.isVisible())
    with zipfile.ZipFile(target) as archive:
        read = {n.split("/")[1]: archive.read(n).decode() for n in archive.namelist()}
    assert "settings.json" not in read
    assert sorted(read.values()) == sorted(t for k, t in shown.items() if k != "Settings")
    hand.heard("info", "The diagnostic report was saved")


def test_a_computer_that_gives_no_answer_is_no_hindrance(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(hand, monkeypatch, "raise SystemExit(1)")
    hand.wait(dialog.save_button.isEnabled)
    assert "gave no answer" in texts(dialog)["Computer (orgseg doctor)"]
    for item in dialog._items():
        item.setCheckState(Qt.CheckState.Unchecked)
    assert not dialog.save_button.isEnabled()
    assert dialog.note.text() == "Everything is left out."
    dialog.reject()


def test_who_does_not_want_to_wait_leaves_it_out(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(hand, monkeypatch, "import time; time.sleep(600)")
    hand.wait(lambda: dialog.list.count() > 1)
    assert not dialog.save_button.isEnabled()
    computer = next(i for i in dialog._items() if i.text().startswith("Computer"))
    computer.setCheckState(Qt.CheckState.Unchecked)
    assert dialog.save_button.isEnabled()
    dialog.reject()  # and the child with it


def test_a_disk_that_refuses_loses_nothing(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(hand, monkeypatch)
    hand.wait(dialog.save_button.isEnabled)
    dialog.save(tmp_path / "no such folder" / "a.zip")
    hand.wait(lambda: "Nothing was written" in dialog.note.text())
    assert dialog.isVisible()
    assert dialog.save_button.isEnabled()
    dialog.reject()
