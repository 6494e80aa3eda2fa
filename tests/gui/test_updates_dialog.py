"""Nothing is asked before a click, and every answer is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication

from orgseg_app import updates
from orgseg_app.gui.help.updates_dialog import UpdatesDialog
from orgseg_app.updates import CURRENT, NEWER, UNREACHABLE, Answer
from tests.e2e.hand import Hand, check_sentence
from tests.gui.panel_session import nameless_controls


@pytest.fixture
def hand(qapp: QApplication) -> Iterator[Hand]:
    made = Hand()
    yield made
    made.close()


@pytest.mark.parametrize(
    "answer, words, opens",
    [
        (Answer(NEWER, "99.1"), "There is OrgSeg 99.1", True),
        (Answer(CURRENT, "0.1"), "This is the newest version", False),
        (Answer(UNREACHABLE, reason="there is no connection to it"), "could not be asked", False),
    ],
)
def test_one_question_one_answer(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str, opens: bool
) -> None:
    asked: list[int] = []

    def check(*_: Any) -> Answer:
        asked.append(1)
        return answer

    monkeypatch.setattr(updates, "check", check)
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    hand.action("check_updates")
    (dialog,) = hand.window.findChildren(UpdatesDialog)
    assert updates.ADDRESS in dialog.address.text()
    assert nameless_controls(dialog) == []
    assert not dialog.page_button.isVisible()
    hand.rest(0.1)
    assert asked == []
    dialog.ask_button.click()
    hand.wait(lambda: words in dialog.answer.text())
    check_sentence(dialog.answer.text())
    assert asked == [1]
    assert dialog.page_button.isVisible() is opens
    assert dialog.ask_button.isVisible() is (answer.state == UNREACHABLE)
    if opens:
        dialog.page_button.click()
        assert opened == [updates.PAGE]
    else:
        dialog.close_button.click()
        assert opened == []
    assert not dialog.isVisible()
