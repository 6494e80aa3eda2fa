"""“Graphics card…”: what is said, and a pack installed, tested and removed from the window."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.gpu import check, choice, download, situation
from orgseg_app.gpu.choice import SelfTest
from orgseg_app.gpu.computer import TorchBuild
from orgseg_app.gpu.driver import Driver
from orgseg_app.gpu.install import installed
from orgseg_app.gpu.offers import Offer, Part
from orgseg_app.gpu.situation import Situation
from orgseg_app.gui.gpu import graphics_card
from orgseg_app.gui.gpu.gpu_dialog import GpuDialog
from orgseg_app.gui.main_window import MainWindow
from tests.gpu.packs import DRIVER, NEEDS, SAYS, make_pack, worker_folder
from tests.gui.panel_session import nameless_controls

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pack's program is a script")

LEFT = Qt.MouseButton.LeftButton
NO_TORCH = TorchBuild("2.13.0+cpu")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One card, and what is looked at without a child; `offer` is what can be fetched."""
    facts: dict[str, Any] = {"driver": DRIVER, "offer": None}
    monkeypatch.setattr(check, "find_driver", lambda: DRIVER)
    monkeypatch.setattr(situation, "find_driver", lambda: facts["driver"])
    monkeypatch.setattr(situation, "own_torch", lambda: NO_TORCH)
    monkeypatch.setattr(situation, "card_vendors", tuple)
    monkeypatch.setattr(situation, "platform_name", lambda: "linux-x86_64")
    monkeypatch.setattr(situation, "best_offer", lambda *_: facts["offer"])
    monkeypatch.setattr(graphics_card, "_look", lambda _: situation.look())
    return facts


@pytest.fixture
def window(here: dict[str, Any], qtbot: QtBot) -> Any:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()


def open_dialog(window: MainWindow, qtbot: QtBot) -> GpuDialog:
    window.actions_by_id["graphics_card"].trigger()
    dialog = window.commands.graphics_card.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.situation is not None)
    return dialog


def choose(monkeypatch: pytest.MonkeyPatch, path: Path | str) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))


def until_done(window: MainWindow, dialog: GpuDialog, qtbot: QtBot) -> str:
    """Wait for the outcome, and for the look after it; the words of the outcome."""
    qtbot.waitUntil(lambda: not dialog.progress.is_working)
    qtbot.waitUntil(lambda: window.commands.graphics_card.background.is_idle)
    return str(dialog.progress.outcome.text())


def is_shown(dialog: GpuDialog, *buttons: str) -> bool:
    names = ("download_button", "file_button", "test_button", "remove_button")
    return {n for n in names if not getattr(dialog, n).isHidden()} == set(buttons)


def test_a_pack_is_installed_tested_and_removed(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = open_dialog(window, qtbot)
    assert "install the GPU pack" in dialog.sentence.text()
    assert is_shown(dialog, "download_button", "file_button")
    assert not dialog.download_button.isEnabled()
    assert "No GPU pack to download" in dialog.note.text()
    assert dialog.file_button.property("look") == "primary"
    path, _ = make_pack(tmp_path)
    choose(monkeypatch, path)
    QTest.mouseClick(dialog.file_button, LEFT)
    assert not dialog.file_button.isEnabled()
    assert until_done(window, dialog, qtbot) == (
        "NVIDIA GeForce RTX 4070 · bf16 works, 11.4 × as fast as the processor."
    )
    assert dialog.sentence.text().startswith("Networks are trained on NVIDIA RTX 4070")
    assert is_shown(dialog, "file_button", "test_button", "remove_button")
    assert choice.chosen_pack() is not None
    choice.remember(SelfTest(False, "it was hot", pack=installed().sha256))  # type: ignore[union-attr]
    QTest.mouseClick(dialog.test_button, LEFT)
    until_done(window, dialog, qtbot)
    assert choice.chosen_pack() is not None
    monkeypatch.setattr("orgseg_app.gui.panels.question.ask", lambda *_: False)
    QTest.mouseClick(dialog.remove_button, LEFT)
    assert installed() is not None
    monkeypatch.setattr("orgseg_app.gui.panels.question.ask", lambda *_: True)
    QTest.mouseClick(dialog.remove_button, LEFT)
    assert until_done(window, dialog, qtbot) == "The GPU pack is gone."
    assert installed() is None
    assert is_shown(dialog, "download_button", "file_button")


def test_a_file_without_its_sha256_asks_for_it(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = make_pack(tmp_path)
    path.with_name(path.name + ".sha256").unlink()
    dialog = open_dialog(window, qtbot)
    choose(monkeypatch, "")
    QTest.mouseClick(dialog.file_button, LEFT)
    assert dialog.sha_row.isHidden()
    choose(monkeypatch, path)
    QTest.mouseClick(dialog.file_button, LEFT)
    assert not dialog.sha_row.isHidden()
    assert not dialog.sha_button.isEnabled()
    QTest.keyClicks(dialog.sha_field, "0" * 63)
    QTest.keyClick(dialog.sha_field, Qt.Key.Key_Return)
    assert not dialog.progress.is_working
    QTest.keyClicks(dialog.sha_field, "0")
    QTest.mouseClick(dialog.sha_button, LEFT)
    assert "its SHA-256 is another one" in until_done(window, dialog, qtbot)
    assert installed() is None
    QTest.mouseClick(dialog.file_button, LEFT)
    dialog.sha_field.setText(f"  {digest}  {path.name}")
    QTest.keyClick(dialog.sha_field, Qt.Key.Key_Return)
    assert "works" in until_done(window, dialog, qtbot)


def test_a_card_that_fails_is_not_used_and_says_why(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = json.dumps({"passed": False, "reason": "its losses differ from the processor's"})
    path, _ = make_pack(tmp_path, worker_folder(tmp_path / "worker", SAYS.format(words=words)))
    dialog = open_dialog(window, qtbot)
    choose(monkeypatch, path)
    QTest.mouseClick(dialog.file_button, LEFT)
    assert until_done(window, dialog, qtbot) == (
        "Not used: its losses differ from the processor's. Training runs on the processor, as "
        "before."
    )
    assert "is not used: its losses differ" in dialog.sentence.text()
    assert dialog.test_button.property("look") == "primary"


def test_the_download_says_where_from_and_how_much_before_it_asks_anybody(
    window: MainWindow, here: dict[str, Any], qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path, digest = make_pack(tmp_path)
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest
    url = "https://github.com/orgseg/orgseg/releases/download/v0.1.0/pack.zip"
    here["offer"] = Offer("0.1.0", "linux-x86_64", NEEDS, digest, (Part(url, len(data)),))
    asked, fetched = [], []

    def fetch(offer: Offer, progress: Callable[[int, int, str], bool]) -> Path:
        fetched.append(offer)
        progress(len(data), len(data), "Downloading")
        target = tmp_path / "fetched.zip"
        target.write_bytes(data)
        return target

    monkeypatch.setattr(download, "fetch", fetch)
    dialog = open_dialog(window, qtbot)
    assert url in dialog.note.text()
    assert "Nothing is fetched before you ask for it." in dialog.note.text()
    answers = iter([False, True])
    monkeypatch.setattr(
        "orgseg_app.gui.panels.question.ask",
        lambda *words: (asked.append(words[2]), next(answers))[1],
    )
    QTest.mouseClick(dialog.download_button, LEFT)
    assert url in asked[0]
    assert fetched == []
    assert not dialog.progress.is_working
    QTest.mouseClick(dialog.download_button, LEFT)
    assert "works" in until_done(window, dialog, qtbot)
    assert [offer.sha256 for offer in fetched] == [digest]
    assert not (tmp_path / "fetched.zip").exists()


def test_cancelling_and_closing_stop_the_work(
    window: MainWindow, here: dict[str, Any], qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path, _ = make_pack(tmp_path, worker_folder(tmp_path / "w", "    import time; time.sleep(600)"))
    dialog = open_dialog(window, qtbot)
    choose(monkeypatch, path)
    QTest.mouseClick(dialog.file_button, LEFT)
    qtbot.waitUntil(lambda: installed() is not None)  # and its test goes on for ever
    QTest.mouseClick(dialog.progress.cancel_button, LEFT)
    assert "Cancelled" in until_done(window, dialog, qtbot)
    assert choice.chosen_pack() is None
    QTest.mouseClick(dialog.test_button, LEFT)
    dialog.close()
    qtbot.waitUntil(lambda: window.commands.graphics_card.background.is_idle)
    open_dialog(window, qtbot)
    window.close()
    assert threading.active_count() < 50


def test_enter_does_what_it_says(window: MainWindow, qtbot: QtBot) -> None:
    """In the field it installs, nowhere does it cancel, download or remove."""
    dialog = open_dialog(window, qtbot)
    assert dialog.close_button.isDefault()
    dialog.ask_sha256("pack.zip")
    assert dialog.sha_button.isDefault()
    dialog.start("Installing")
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        QTest.keyClick(dialog.focusWidget() or dialog, key)
    assert dialog.isVisible()
    assert dialog.progress.cancel_button.isEnabled()
    dialog.finish("", "")
    assert dialog.close_button.isDefault()


def test_a_look_that_fails_is_said(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> Situation:
        raise RuntimeError("the driver does not answer")

    monkeypatch.setattr(graphics_card, "_look", broken)
    window.actions_by_id["graphics_card"].trigger()
    dialog = window.commands.graphics_card.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: "could not be looked at: the driver" in dialog.sentence.text())


def test_the_header_opens_it(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    from orgseg_app.core.classes import default_classes

    window.session.create_project(tmp_path / "a.orgseg", default_classes(["ER"]))
    header = window.ensure_parts().header
    assert header.device.isHidden()
    header.show_device("CPU · 2 threads · fp32", "No graphics card")
    assert header.device.accessibleName() == "Device: CPU · 2 threads · fp32"
    QTest.mouseClick(header.device, LEFT)
    dialog = window.commands.graphics_card.dialog
    assert dialog is not None
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: dialog.situation is not None)


def test_what_has_no_use_is_not_offered(qtbot: QtBot) -> None:
    dialog = GpuDialog()
    qtbot.addWidget(dialog)
    for now in (
        Situation("linux-x86_64", torch=NO_TORCH),
        Situation("linux-x86_64", vendors=("AMD",)),
    ):
        dialog.show_situation(now)
        assert is_shown(dialog)
        assert dialog.note.isHidden()
    dialog.show_situation(Situation("macos-arm64"))
    assert is_shown(dialog, "test_button")
    dialog.show_situation(Situation("linux-x86_64", Driver(problem="missing"), ("NVIDIA",)))
    assert is_shown(dialog, "download_button", "file_button")
    assert dialog.file_button.property("look") != "primary"  # the driver comes first


def test_everything_has_a_name_and_no_text_is_markup(qtbot: QtBot) -> None:
    dialog = GpuDialog()
    qtbot.addWidget(dialog)
    cards = dataclasses.replace(DRIVER, cards=(dataclasses.replace(DRIVER.cards[0], name="<b>X"),))
    dialog.show_situation(Situation("linux-x86_64", cards, torch=NO_TORCH))
    dialog.ask_sha256("<b>pack</b>.zip")
    assert nameless_controls(dialog) == []
    assert all(
        words.textFormat() == Qt.TextFormat.PlainText for words in dialog.findChildren(QLabel)
    )
    assert dialog.property("help_page") == "gpu"
