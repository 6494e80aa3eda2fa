"""The guided tour: beside its widgets, done with the window itself, left at any time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from orgseg_app.gui.panels.images_panel import SPLIT_KEYS
from orgseg_app.gui.project import importing
from orgseg_app.gui.tour import placing, touring
from orgseg_app.gui.tour.callout import SHADOW, Callout
from orgseg_app.gui.tour.placing import place
from orgseg_app.gui.tour.steps import STEPS
from orgseg_app.gui.tour.touring import Touring
from tests.e2e.hand import LEFT, Hand, make_project
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import record_run

pytestmark = pytest.mark.gui
ROOM = QRect(0, 0, 1280, 760)


@pytest.fixture
def hand(qapp: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    monkeypatch.setattr(touring, "QUIET_MS", 30)
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def guide(hand: Hand, tmp_path: Path) -> Touring:
    """The tour of a window with three painted images and one that is not, begun."""
    hand.open(make_project(tmp_path / "tour.orgseg", count=4, side=64, painted=(0, 1, 2)))
    hand.action("guided_tour")
    return hand.window.commands.touring


def card(guide: Touring) -> Callout:
    assert guide.callout is not None
    return guide.callout


def box(hand: Hand, widget: QWidget) -> QRect:
    """Where a widget lies in what callout and outline lie in."""
    return QRect(widget.mapTo(room_of(hand), QPoint(0, 0)), widget.size())


def room_of(hand: Hand) -> QWidget:
    room = hand.window.centralWidget()
    assert room is not None
    return room


def check_place(hand: Hand, guide: Touring) -> None:
    """The outline is round the step's widget, and the callout within the window."""
    widget = guide.step.target(hand.window)
    hand.wait(lambda: surrounds(guide, box(hand, widget)), what="the outline")
    target = box(hand, widget)
    room = room_of(hand).rect()
    inner = card(guide).geometry().adjusted(SHADOW, SHADOW, -SHADOW, -SHADOW)
    assert room.contains(inner)
    if placing.INSIDE not in guide.step.sides[:1]:
        assert not inner.intersects(target)


def surrounds(guide: Touring, target: QRect) -> bool:
    assert guide.outline is not None
    around = guide.outline.geometry()
    return guide.outline.isVisible() and around.adjusted(-4, -4, 4, 4).contains(target)


# -- the steps ---------------------------------------------------------------------------------


def test_five_steps_are_done_with_the_window_itself(hand: Hand, guide: Touring) -> None:
    session, parts = hand.session, hand.parts
    assert len(STEPS) == 5
    assert not hand.session.mask().counts()  # an image without paint was chosen
    hand.parts.canvas.fit()
    hand.stroke()
    assert guide.number == 0  # one stroke is not enough to learn from
    session.select_class(1)
    hand.pen_down(0.2, 0.3)
    hand.pen_move(0.2, 0.5)
    hand.pen_up(0.2, 0.6)
    hand.wait(lambda: guide.number == 1, what="the second step")
    session.set_split(session.image_id, "validation")
    hand.wait(lambda: guide.number == 2, what="the third step")
    assert hand.window.workspace == "train"
    parts.runs.take_in([record_run(session.file, "learnt", steps=20)])
    hand.wait(lambda: guide.number == 3, what="the fourth step")
    assert hand.window.workspace == "compare"
    parts.results.table.clicked.emit(parts.results.table.model().index(0, 0))
    hand.wait(lambda: guide.number == 4, what="the last step")
    assert hand.window.workspace == "export"
    parts.export.export_masks_requested.disconnect()
    parts.export.export_masks_requested.connect(guide._on_sign)
    parts.export.export_masks_requested.emit({})
    hand.wait(lambda: not guide.is_on, what="the end")
    assert hand.said[-1] == ("info", touring.END)


def test_each_step_is_beside_its_widget_also_when_the_window_changes(
    hand: Hand, guide: Touring
) -> None:
    for number in range(len(STEPS)):
        assert guide.number == number
        check_place(hand, guide)
        hand.window.resize(1400, 860)
        hand.rest()
        check_place(hand, guide)
        hand.window.resize(1280, 800)
        hand.rest()
        check_place(hand, guide)
        guide.go_on()


def test_it_follows_to_another_workspace(hand: Hand, guide: Touring) -> None:
    hand.window.show_workspace("compare")
    tab = box(hand, hand.parts.header.tabs["annotate"])
    hand.wait(lambda: surrounds(guide, tab), what="the tab")
    assert card(guide).count.text() == "Step 1 of 5, under Annotate"
    hand.window.show_workspace("annotate")
    check_place(hand, guide)
    assert card(guide).count.text() == "Step 1 of 5"


def test_the_words_hold_the_keys_in_force(hand: Hand, guide: Touring) -> None:
    assert "press 1 for background" in card(guide).text.text()
    guide.end()
    hand.window.shortcuts.set_keys("class_1", ["F7"])
    guide.start()
    assert "press F7 for background" in card(guide).text.text()
    hand.window.shortcuts.set_keys("class_1", [])
    guide.start()
    assert "“Paint background”" in card(guide).text.text()
    guide.go_on()
    assert SPLIT_KEYS["test"] in card(guide).text.text()


# -- ways on, back and out ---------------------------------------------------------------------


def test_the_keyboard_is_enough(hand: Hand, guide: Touring) -> None:
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    callout = card(guide)
    callout.take_keyboard()
    assert nameless_controls(callout) == []
    assert callout.accessibleName() == "Guided tour, step 1 of 5: Paint a few strokes"
    QTest.keyClick(callout.next_button, Qt.Key.Key_Space)
    assert guide.number == 1
    QTest.keyClick(callout.next_button, Qt.Key.Key_Return)
    assert guide.number == 2
    assert QApplication.focusWidget() is callout.next_button
    callout.back_button.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(callout.back_button, Qt.Key.Key_Return)
    assert guide.number == 1
    QTest.keyClick(callout.next_button, Qt.Key.Key_Escape)
    assert not guide.is_on
    assert not callout.isVisible()
    assert QApplication.focusWidget() is hand.parts.canvas


def test_esc_that_nobody_else_wants_ends_it(hand: Hand, guide: Touring) -> None:
    hand.parts.canvas.setFocus()
    QTest.keyClick(hand.parts.canvas, Qt.Key.Key_Escape)
    assert not guide.is_on
    assert guide.outline is not None
    assert not guide.outline.isVisible()


def test_buttons_go_back_and_close(hand: Hand, guide: Touring) -> None:
    callout = card(guide)
    assert not callout.back_button.isVisible()
    QTest.mouseClick(callout.next_button, LEFT)
    QTest.mouseClick(callout.back_button, LEFT)
    assert guide.number == 0
    for _ in STEPS[1:]:
        QTest.mouseClick(callout.next_button, LEFT)
    assert callout.next_button.text() == "Finish"
    QTest.mouseClick(callout.close_button, LEFT)
    assert not guide.is_on


def test_what_is_under_the_outline_can_be_clicked(hand: Hand, guide: Touring) -> None:
    assert guide.outline is not None
    assert guide.outline.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    assert QApplication.activeModalWidget() is None


def test_closing_the_project_ends_it(hand: Hand, guide: Touring) -> None:
    hand.action("close_project")
    assert not guide.is_on


# -- without a project -------------------------------------------------------------------------


def test_without_a_project_it_opens_the_sample(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "SAMPLE_IMAGES", 2)
    guide = hand.window.commands.touring
    QTest.mouseClick(hand.window.start_page.tour_button, LEFT)
    hand.wait(lambda: guide.is_on, 60, "the tour")
    hand.settle()
    assert hand.session.path.name == "sample er.orgseg"
    assert hand.session.image.name == "er_03"  # the one that is not painted
    assert hand.asked == []
    check_place(hand, guide)


# -- where it stands ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "sides"),
    [
        (QRect(0, 40, 188, 700), (placing.RIGHT, placing.INSIDE)),
        (QRect(1010, 720, 170, 32), (placing.LEFT, placing.ABOVE)),
        (QRect(276, 2, 80, 32), (placing.BELOW,)),
        (QRect(600, 300, 30, 30), (placing.ABOVE,)),
    ],
)
def test_it_stands_beside_and_within(target: QRect, sides: tuple[str, ...]) -> None:
    size = QSize(320, 200)
    where = QRect(place(target, size, ROOM, sides), size)
    assert ROOM.contains(where)
    assert not where.intersects(target)


def test_it_stands_inside_what_leaves_no_room() -> None:
    size = QSize(320, 200)
    where = QRect(place(ROOM, size, ROOM, (placing.RIGHT, placing.LEFT)), size)
    assert ROOM.contains(where)
    tiny = QRect(0, 0, 200, 100)
    assert place(tiny, size, tiny, (placing.INSIDE,)) == QPoint(12, 12)


def test_f6_leads_to_the_message_and_to_the_callout(hand: Hand, guide: Touring) -> None:
    go = hand.window.actions_by_id["go_to_notice"]
    hand.window.messages.close_all()
    hand.window.activateWindow()
    hand.parts.canvas.setFocus()
    hand.wait(hand.parts.canvas.hasFocus)
    assert not card(guide).has_keyboard
    go.trigger()
    assert card(guide).has_keyboard
    hand.session.message.emit("Something to read.", "warning")
    hand.rest()
    go.trigger()
    assert hand.window.messages.has_keyboard
    go.trigger()
    assert card(guide).has_keyboard
    hand.parts.canvas.setFocus()
    go.trigger()
    assert hand.window.messages.has_keyboard
