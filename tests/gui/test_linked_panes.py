"""The panes of the comparison: up to six runs and the truth, swiped and flickering."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.comparing import flicker_view
from orgseg_app.gui.comparing.pane_data import MOST_RUNS
from orgseg_app.gui.comparing.pane_grid import HEADING, LEAST_WIDTH, SPACE, columns_for
from orgseg_app.gui.style.motion import stills_desktop
from tests.e2e.hand import Hand
from tests.gui.compared_runs import SIDE, Compared, record
from tests.gui.recorded_runs import make_project, record_run

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied."""
    folder = tmp_path_factory.mktemp("recorded")
    record(folder)
    return folder


@pytest.fixture
def compared(recorded: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[Compared]:
    compared = Compared(shutil.copytree(recorded, tmp_path / "copy"), qtbot)
    yield compared
    compared.session.close_project()
    compared.session.background.wait()


# -- beside one another ----------------------------------------------------------------------------


@given(st.integers(2, 7), st.integers(200, 3000), st.integers(120, 1500))
@settings(max_examples=60)
def test_the_arrangement_shows_most_of_the_pictures(count: int, width: int, height: int) -> None:
    def side(columns: int) -> float:
        rows = -(-count // columns)
        wide = (width - (columns - 1) * SPACE) / columns
        high = (height - (rows - 1) * SPACE) / rows - HEADING
        return min(wide, high)

    chosen = columns_for(count, width, height)
    even = {-(-count // rows) for rows in range(1, count + 1)}
    assert chosen in even
    wide_enough = {n for n in even if (width - (n - 1) * SPACE) / n >= LEAST_WIDTH}
    assert side(chosen) == max(side(n) for n in wide_enough or even)


def test_six_runs_and_the_truth(compared: Compared) -> None:
    compared.show(6, class_name="ER")
    view = compared.view
    assert len(view.panes) == 7
    assert [cell.letter.letter for cell in view.grid.cells] == [*"ABCDEF", ""]
    assert [chooser.currentText() for chooser in view.choosers] == [f"run {n}" for n in range(6)]
    assert all(pane.isVisible() for pane in view.panes)
    assert view.panes[5].accessibleName() == "Prediction of run F"
    truth = compared.truths[compared.image_id][0]
    for number in range(6):
        judged = difference.difference(truth, compared.guess(number), 2)
        shown = view.panes[number].painted_layers[0].overlay
        assert np.array_equal(shown.values, judged), number  # type: ignore[attr-defined]
    assert np.array_equal(view.panes[6].painted_layers[0].overlay.values, truth)  # type: ignore[attr-defined]
    compared.show(2)
    assert len(view.panes) == 3
    assert sum(cell.isVisible() for cell in (*view.grid._runs, view.grid.truth)) == 3


def test_a_seventh_run_is_left_out(compared: Compared) -> None:
    compared.show(7)
    assert len(compared.view.panes) == 7
    assert "run 6" not in [chooser.currentText() for chooser in compared.view.choosers]


def test_all_panes_are_linked_in_every_view(compared: Compared) -> None:
    compared.show(4)
    view = compared.view
    view.panes[2].zoom_by(3, QPointF(20, 30))
    state = view.panes[2].view_state()
    assert [pane.view_state() for pane in view.panes] == [state] * 5
    for name in ("swipe", "flicker", "side_by_side"):
        view.set_view(name)
        assert view.leading_pane().view_state() == state
    view.fit()
    assert all(pane.is_fitted for pane in view.panes)


def test_choosing_a_run_of_another_pane_exchanges_them(compared: Compared) -> None:
    compared.show(3)
    chooser = compared.view.choosers[0]
    with compared.qtbot.waitSignal(compared.view.runs_chosen) as asked:
        chooser.setCurrentIndex(chooser.findData("run 2"))
    assert asked.args == [["run 2", "run 1", "run 0"]]
    compared.show(3)
    chooser = compared.view.choosers[1]
    with compared.qtbot.waitSignal(compared.view.runs_chosen) as asked:
        chooser.setCurrentIndex(chooser.findText("Take away"))
    assert asked.args == [["run 0", "run 2"]]


def test_the_truth_outlined_over_a_prediction(compared: Compared) -> None:
    compared.show(2)
    view = compared.view
    view.set_mode("Mask")
    before = view.panes[0].grab().toImage()
    view.bar.outlines.setChecked(True)
    layers = view.panes[0].painted_layers
    assert [layer.outline for layer in layers] == [False, True]
    assert view.panes[0].grab().toImage() != before
    assert len(view.panes[2].painted_layers) == 1


def test_what_stands_at_a_voxel_is_said(compared: Compared) -> None:
    compared.show(2)
    view, pane = compared.view, compared.view.panes[1]
    y, x = (int(n) for n in np.argwhere(compared.guess(0) != compared.guess(1))[0])
    at = pane.to_widget(y + 0.5, x + 0.5).toPoint()
    QTest.mouseClick(pane, LEFT, PLAIN, at)
    names = {1: "background", 2: "ER", 3: "nucleus"}
    truth = compared.truths[compared.image_id][0]
    said = [names[int(values[y, x])] for values in (truth, compared.guess(0), compared.guess(1))]
    assert view.foot.words.whole_text() == (
        f"y {y} · x {x} · truth {said[0]} · A {said[1]} · B {said[2]}"
    )
    y, x = (int(n) for n in np.argwhere(compared.guess(0) == compared.guess(1))[0])
    QTest.mouseClick(pane, LEFT, PLAIN, pane.to_widget(y + 0.5, x + 0.5).toPoint())
    assert view.foot.words.whole_text().endswith(f" · A, B {names[int(compared.guess(0)[y, x])]}")


# -- swipe -----------------------------------------------------------------------------------------


def test_swipe_paints_one_run_left_and_the_other_right(compared: Compared) -> None:
    compared.show(2)
    view, pane = compared.view, compared.view.swipe.pane
    view.set_view("swipe")
    a, b = pane.sides
    assert view.data is not None
    assert np.array_equal(a[0].overlay.values, view.data.judged[0])  # type: ignore[attr-defined]
    assert np.array_equal(b[0].overlay.values, view.data.judged[1])  # type: ignore[attr-defined]
    pane.divider.hide()  # its line lies over the pictures
    split = pane.grab().toImage()
    at = pane.split_x
    pane.divider.setValue(1000)
    only_a = pane.grab().toImage()
    pane.divider.setValue(0)
    only_b = pane.grab().toImage()
    assert only_a != only_b
    whole = split.rect()
    left, right = whole.adjusted(0, 0, at - whole.width(), 0), whole.adjusted(at, 0, 0, 0)
    assert split.copy(left) == only_a.copy(left)
    assert split.copy(right) == only_b.copy(right)


def test_the_divider_by_mouse_and_keys(compared: Compared) -> None:
    compared.show(2)
    compared.view.set_view("swipe")
    pane, divider = compared.view.swipe.pane, compared.view.swipe.pane.divider
    assert divider.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert divider.accessibleName()
    middle = divider.rect().center()
    QTest.mousePress(divider, LEFT, PLAIN, middle)
    QTest.mouseMove(divider, middle + QPoint(pane.width() // 4, 0))
    QTest.mouseRelease(divider, LEFT, PLAIN, divider.rect().center())
    assert divider.value() == pytest.approx(750, abs=10)
    before = divider.value()
    QTest.keyClick(divider, Qt.Key.Key_Right)
    assert divider.value() == before + divider.singleStep()
    QTest.keyClick(divider, Qt.Key.Key_Home)
    assert divider.value() == 0
    QTest.keyClick(divider, Qt.Key.Key_PageUp)
    assert pane.split_x == round(0.1 * pane.width())


def test_a_side_can_be_the_truth_but_not_the_other_side(compared: Compared) -> None:
    compared.show(3)
    swipe = compared.view.swipe
    compared.view.set_view("swipe")
    swipe.choosers[1].setCurrentIndex(3)
    assert swipe.sides == (0, 3)
    swipe.choosers[0].setCurrentIndex(3)
    assert swipe.sides == (3, 0)
    compared.show(1)
    assert swipe.sides == (0, 2)  # one run alone is swiped with the truth


# -- flicker ---------------------------------------------------------------------------------------


def test_flicker_by_keys_and_button(compared: Compared) -> None:
    compared.show(2)
    view, flicker = compared.view, compared.view.flicker
    view.set_view("flicker")
    assert flicker.pane.hasFocus()
    seen = [flicker.place]
    for key in (Qt.Key.Key_F, Qt.Key.Key_Space, Qt.Key.Key_F):
        QTest.keyClick(flicker.pane, key)
        seen.append(flicker.place)
    assert seen == [0, 1, 2, 0]
    assert flicker.name.whole_text() == "run 0"
    QTest.mouseClick(flicker.included[MOST_RUNS], LEFT)  # leave out the truth
    QTest.mouseClick(flicker.next_button, LEFT)
    QTest.mouseClick(flicker.next_button, LEFT)
    assert flicker.place == 0
    QTest.mouseClick(flicker.included[1], LEFT)
    assert flicker.places == [0, 1]  # two stay


def test_a_key_held_shows_the_other_until_it_is_let_go(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flicker_view, "HELD_MS", 0)
    compared.show(2)
    compared.view.set_view("flicker")
    flicker = compared.view.flicker
    QTest.keyPress(flicker.pane, Qt.Key.Key_F)
    assert flicker.place == 1
    QTest.keyRelease(flicker.pane, Qt.Key.Key_F)
    assert flicker.place == 0


def test_flicker_by_itself_ends_out_of_sight(compared: Compared) -> None:
    compared.show(2)
    view, flicker = compared.view, compared.view.flicker
    view.set_view("flicker")
    assert not flicker.alternates
    flicker.play.click()
    assert flicker.alternates
    flicker.rate.setCurrentIndex(0)
    compared.qtbot.waitUntil(lambda: flicker.place == 1)
    view.set_view("side_by_side")
    assert not flicker.alternates
    assert min(flicker_view.RATES_MS) >= 334  # three flashes a second may harm people


def test_nothing_flickers_by_itself_where_less_motion_is_wanted(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flicker_view, "prefers_less_motion", lambda: True)
    flicker = flicker_view.FlickerView()
    qtbot.addWidget(flicker)
    assert not flicker.play.isEnabled()
    assert "less motion" in flicker.play.toolTip()


@pytest.mark.parametrize(
    "name, text, is_still",
    [
        ("gtk-4.0/settings.ini", "[Settings]\ngtk-enable-animations=0\n", True),
        ("gtk-3.0/settings.ini", "[Settings]\ngtk-enable-animations=1\n", False),
        ("kdeglobals", "[KDE]\nAnimationDurationFactor=0\n", True),
        ("kdeglobals", "[KDE]\nAnimationDurationFactor=0.5\n", False),
        ("kdeglobals", "no settings at all", False),
    ],
)
def test_what_desktops_say_of_motion(tmp_path: Path, name: str, text: str, is_still: bool) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert stills_desktop(tmp_path) is is_still
    assert not stills_desktop(tmp_path / "nowhere")


# -- in the window ---------------------------------------------------------------------------------


@pytest.fixture
def hand(tmp_path: Path, qapp: object) -> Iterator[Hand]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=("train", "test"), side=SIDE) as file:
        for number, quality in enumerate((0.95, 0.7)):
            record_run(file, f"run {number}", created=number + 1.0, quality=quality, seed=number)
    hand = Hand()
    hand.open(path)
    yield hand
    hand.close()


def test_a_place_is_opened_where_one_paints(hand: Hand) -> None:
    results = hand.parts.results
    hand.action("compare_flicker")
    assert hand.window.workspace == "compare"
    panes = results.pages.panes
    hand.wait(lambda: panes.data is not None and bool(results.results.rows))
    assert panes.view == "flicker"
    hand.action("compare_side_by_side")
    panes.look_at(ViewState(20, 30, 4))
    pane = panes.panes[1]
    hand.action("zoom_in")
    assert pane.view_state().zoom == pytest.approx(6)
    at = pane.rect().center()
    QTest.mouseDClick(pane, LEFT, PLAIN, at)
    assert hand.window.workspace == "annotate"
    assert hand.session.image_id == panes.data.image_id
    state = hand.parts.canvas.view_state()
    assert (round(state.y), round(state.x), state.zoom) == (20, 30, pytest.approx(6))


def test_every_control_has_a_name(hand: Hand) -> None:
    hand.window.show_workspace("compare")
    pages = hand.parts.results.pages
    for action in ("compare_swipe", "compare_flicker", "compare_side_by_side"):
        hand.action(action)
        for widget in (*pages.panes.findChildren(QWidget), *pages.strip.findChildren(QWidget)):
            if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                text = getattr(widget, "text", lambda: "")()
                assert widget.accessibleName() or text, widget
