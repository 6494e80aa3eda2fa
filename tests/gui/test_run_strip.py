"""The run strip, as somebody sees it who watches a training."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from orgseg_app.gui.panels import run_strip
from orgseg_app.gui.panels.run_strip import RunStrip
from orgseg_app.gui.runs.run_entry import RunEntry
from tests.gui.panel_session import nameless_controls


def make_entry(**changes: Any) -> RunEntry:
    facts: dict[str, Any] = {
        "run": None,
        "run_id": "a1",
        "name": "ER network",
        "kind": "train",
        "state": "running",
        "created": 0.0,
        "total_steps": 800,
        "step": 340,
        "seconds_left": 130.0,
        "validation_steps": [100, 200, 300],
        "validation_iou": [0.41, None, 0.712],
        "best_iou": 0.712,
        "best_step": 300,
    }
    return RunEntry(**(facts | changes))


@pytest.fixture
def strip(qtbot: QtBot) -> RunStrip:
    strip = RunStrip()
    qtbot.addWidget(strip)
    strip.resize(1280, strip.height())
    return strip


def test_it_says_where_a_training_is(strip: RunStrip) -> None:
    strip.show_run(make_entry())
    assert strip.isVisible()
    assert strip.height() == 40
    assert strip.text() == (
        "Learning ER network · step 340 of 800 · validation IoU 0.71 · about 2 minutes left"
    )
    assert strip.curve.values() == [0.41, 0.712]
    assert strip.curve.isVisible()
    assert strip.fraction == pytest.approx(340 / 800)


@pytest.mark.parametrize("state", ["finished", "stopped", "failed", "lost"])
def test_nothing_is_shown_of_what_is_over(strip: RunStrip, state: str) -> None:
    strip.show_run(make_entry())
    strip.show_run(make_entry(state=state))
    assert not strip.isVisible()
    assert strip.text() == ""


def test_none_hides_it(strip: RunStrip) -> None:
    strip.show_run(make_entry())
    strip.show_run(None)
    assert not strip.isVisible()


def test_progress_never_jumps_back(strip: RunStrip) -> None:
    strip.show_run(make_entry(step=340))
    strip.show_run(make_entry(step=300))  # went on from an earlier checkpoint
    assert strip.progress.text() == "step 340 of 800"
    assert strip.fraction == pytest.approx(340 / 800)
    strip.show_run(make_entry(step=341))
    assert strip.progress.text() == "step 341 of 800"


def test_the_time_left_trembles_only_downwards(strip: RunStrip) -> None:
    said = []
    for seconds in (50.0, 52.0, 48.0, 49.0, 47.0, 200.0):
        strip.show_run(make_entry(seconds_left=seconds))
        said.append(strip.time_left.text())
    assert said == ["50 s left"] * 2 + ["48 s left"] * 2 + ["47 s left", "about 3 minutes left"]


def test_nothing_shifts_while_numbers_grow(strip: RunStrip) -> None:
    strip.show_run(make_entry(step=1, validation_iou=[], seconds_left=None))
    strip.layout().activate()
    before = [w.geometry() for w in (strip.progress, strip.score, strip.curve, strip.time_left)]
    strip.show_run(make_entry(step=800, seconds_left=3500.0))
    strip.layout().activate()
    after = [w.geometry() for w in (strip.progress, strip.score, strip.curve, strip.time_left)]
    assert before == after


def test_another_run_starts_afresh(strip: RunStrip) -> None:
    strip.show_run(make_entry(step=340))
    strip.show_run(make_entry(run_id="b2", name="second", step=10))
    assert strip.progress.text() == "step 10 of 800"
    assert strip.name.whole_text() == "second"


def test_pause_resume_stop_details(strip: RunStrip, qtbot: QtBot) -> None:
    strip.show_run(make_entry())
    with qtbot.waitSignal(strip.pause_requested) as asked:
        strip.pause_button.click()
    assert asked.args == ["a1"]
    assert strip.time_left.text() == "pausing…"
    assert not strip.pause_button.isEnabled()
    strip.show_run(make_entry(state="paused"))
    assert strip.time_left.text() == "paused"
    assert strip.pause_button.accessibleName() == "Resume"
    with qtbot.waitSignal(strip.resume_requested) as asked:
        strip.pause_button.click()
    assert asked.args == ["a1"]
    strip.show_run(make_entry())
    with qtbot.waitSignal(strip.stop_requested) as asked:
        strip.stop_button.click()
    assert asked.args == ["a1"]
    assert strip.time_left.text() == "stopping…"
    assert not strip.stop_button.isEnabled()
    with qtbot.waitSignal(strip.details_requested) as asked:
        strip.details_button.click()
    assert asked.args == ["a1"]


def test_a_run_that_does_not_answer_can_be_asked_again(
    strip: RunStrip, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip._answer_timer.setInterval(20)
    strip.show_run(make_entry())
    strip.stop_button.click()
    assert not strip.stop_button.isEnabled()
    qtbot.waitUntil(strip.stop_button.isEnabled)
    assert strip.time_left.text() == "about 2 minutes left"


def test_a_prediction_counts_images(strip: RunStrip) -> None:
    strip.show_run(
        make_entry(kind="predict", name="prediction", progress=(3, 24, "cell.tif", "predict"))
    )
    assert strip.text().startswith("Predicting prediction · image 4 of 24")
    assert not strip.score.isVisible()
    assert not strip.pause_button.isVisible()
    assert strip.stop_button.isVisible()


def test_waiting_and_starting_have_words(strip: RunStrip) -> None:
    nothing = {"step": 0, "total_steps": None, "validation_iou": [], "seconds_left": None}
    strip.show_run(make_entry(state="queued", **nothing))
    assert strip.text() == "Learning ER network · waiting for its turn"
    strip.show_run(make_entry(**nothing))
    assert strip.text() == "Learning ER network · starting"


def test_a_narrow_strip_keeps_what_matters(strip: RunStrip) -> None:
    strip.show_run(make_entry(name="a name that is far too long for a strip of this width" * 3))
    strip.resize(run_strip.TIME_FROM - 20, strip.height())
    strip.layout().activate()
    assert not strip.curve.isVisible()
    assert not strip.time_left.isVisible()
    assert strip.progress.text() == "step 340 of 800"
    assert strip.name.geometry().right() < strip.progress.geometry().left()
    assert strip.details_button.geometry().right() <= strip.width()


def test_the_keyboard_reaches_every_button(strip: RunStrip) -> None:
    strip.show_run(make_entry())
    for button in (strip.pause_button, strip.stop_button, strip.details_button):
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert nameless_controls(strip) == []
    assert "step 340 of 800" in strip.accessibleDescription()
