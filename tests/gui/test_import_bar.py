"""The question asked when masks were found beside images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QStandardItemModel
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.files.annotations.plan import ImportItem, ImportPlan, plan_import
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.importing import ImportChoice, class_target, prepare_import
from orgseg_app.files.png import encode_png
from orgseg_app.gui.panels.import_bar import ImportBar
from orgseg_app.gui.panels.pairs_dialog import NO_ANNOTATION, NO_IMAGE, PairsDialog, pairs_of
from orgseg_app.gui.session import Session
from tests.gui.panel_session import nameless_controls


@pytest.fixture
def session(qtbot: QtBot) -> Session:
    return Session()


@pytest.fixture
def bar(session: Session, qtbot: QtBot) -> ImportBar:
    bar = ImportBar(session)
    qtbot.addWidget(bar)
    bar.resize(1000, 100)
    return bar


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images; three have a mask with the classes 1, 2, 3; one mask has no image."""
    images, labels = tmp_path / "cells" / "images", tmp_path / "cells" / "labels"
    images.mkdir(parents=True)
    labels.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        pixels = random.integers(0, 255, (24, 24)).astype(np.uint8)
        (images / f"cell_{number}.png").write_bytes(encode_png(pixels))
        mask = np.zeros((24, 24), np.uint8)
        for value in (1, 2, 3):
            mask[4 * value : 4 * value + 2, ::3] = value
        name = "old" if number == 3 else f"cell_{number}"
        (labels / f"{name}.png").write_bytes(encode_png(mask))
    return tmp_path / "cells"


def made_plan(count: int = 12, **facts: object) -> ImportPlan:
    items = [
        ImportItem(
            Path(f"/data/images/er_{n}.tif"),
            f"er_{n}",
            AnnotationSource("mask", (Path(f"/data/labels/er_{n}.tif"),)),
        )
        for n in range(count)
    ]
    return ImportPlan(items=items, kind="folder pairs", **facts)  # type: ignore[arg-type]


def test_it_says_what_was_found_and_asks_one_thing(bar: ImportBar) -> None:
    assert not bar.isVisible()
    bar.show_plan(made_plan())
    assert bar.isVisible()
    assert bar.summary.text().startswith("12 images; 12 label images found by name")
    assert bar.meaning.currentText() == "structure or not"
    assert bar.names.text() == "foreground"
    assert bar.use_button.text() == "Use them"
    assert bar.use_button.hasFocus() or bar.focusWidget() is bar.use_button


def test_use_them(bar: ImportBar, qtbot: QtBot) -> None:
    plan = made_plan()
    bar.show_plan(plan)
    QTest.keyClicks(bar.names, " ER")
    bar.names.setText("")
    QTest.keyClicks(bar.names, "  ER   network ")
    with qtbot.waitSignal(bar.accepted) as told:
        bar.use_button.click()
    assert told.args[0] is plan
    assert told.args[1] == ImportChoice(class_names=("ER network",))
    assert not bar.isVisible()


def test_enter_in_the_name_accepts_and_escape_cancels(bar: ImportBar, qtbot: QtBot) -> None:
    bar.show_plan(made_plan())
    with qtbot.waitSignal(bar.accepted):
        QTest.keyClick(bar.names, Qt.Key.Key_Return)
    bar.show_plan(made_plan())
    with qtbot.waitSignal(bar.cancelled), qtbot.assertNotEmitted(bar.accepted):
        QTest.keyClick(bar.names, Qt.Key.Key_Escape)
    assert not bar.isVisible()


def test_images_only(bar: ImportBar, qtbot: QtBot) -> None:
    bar.show_plan(made_plan())
    with qtbot.waitSignal(bar.accepted) as told:
        bar.images_button.click()
    assert told.args[1] == ImportChoice(use_annotations=False)


def test_masks_without_images_leave_only_the_images(bar: ImportBar, qtbot: QtBot) -> None:
    plan = ImportPlan([ImportItem(Path("/d/a.tif"), "a")], unmatched=[Path("/d/b_mask.tif")])
    bar.show_plan(plan)
    assert bar.use_button.text() == "Import images"
    assert not bar.questions.isVisible()
    assert not bar.images_button.isVisible()
    with qtbot.waitSignal(bar.accepted) as told:
        bar.use_button.click()
    assert not told.args[1].use_annotations


def test_classes_found_on_disk_become_those_that_were_named(
    bar: ImportBar, folder: Path, qtbot: QtBot
) -> None:
    plan = plan_import([folder])
    bar.show_plan(plan)
    assert bar.meaning.currentText() == "one number a class"
    assert bar.names.text() == "class 1, class 2, class 3"
    bar.names.selectAll()
    QTest.keyClicks(bar.names, "ER, , nucleus")
    with qtbot.waitSignal(bar.accepted) as told:
        bar.use_button.click()
    _, choice = told.args
    assert choice.class_names == ("ER", "class 2", "nucleus")
    intake = prepare_import(plan, choice)
    assert [c.name for c in intake.target.classes] == ["background", "ER", "class 2", "nucleus"]
    masks = {item.opened.name: item.mask for item in intake.images()}
    assert set(np.unique(masks["cell_0"])) == {1, 2, 3, 4}
    assert masks["cell_3"] is None


def test_another_meaning_is_passed_on_and_names_are_kept_for_each(
    bar: ImportBar, folder: Path, qtbot: QtBot
) -> None:
    plan = plan_import([folder])
    bar.show_plan(plan)
    bar.names.selectAll()
    QTest.keyClicks(bar.names, "a, b, c")
    bar.meaning.setCurrentIndex(bar.meaning.findData("instances"))
    assert bar.names.text() == "foreground"
    bar.meaning.setCurrentIndex(bar.meaning.findData("classes"))
    assert bar.names.text() == "a, b, c"
    bar.meaning.setCurrentIndex(bar.meaning.findData("binary"))
    with qtbot.waitSignal(bar.accepted) as told:
        bar.use_button.click()
    assert told.args[1].meaning == "binary"
    assert told.args[1].class_names == ("foreground",)


def test_names_of_the_open_project_are_suggested(
    bar: ImportBar, session: Session, tmp_path: Path
) -> None:
    session.create_project(tmp_path / "p.orgseg", default_classes(["ER", "nucleus"]))
    bar.show_plan(made_plan())
    assert bar.names.text() == "ER"
    plan = made_plan(meaning="classes", class_values=(1, 2, 3))
    bar.show_plan(plan)
    assert bar.names.text() == "ER, nucleus, class 3"
    target = class_target(plan, ImportChoice(class_names=bar.class_names()), session.classes)
    assert target.class_ids == {0: 1, 1: 2, 2: 3, 3: 4}
    session.close_project()


def test_more_values_than_classes_cannot_be_classes(bar: ImportBar) -> None:
    bar.show_plan(made_plan(meaning="instances", class_values=tuple(range(1, 400))))
    model = bar.meaning.model()
    assert isinstance(model, QStandardItemModel)
    assert not model.item(bar.meaning.findData("classes")).isEnabled()
    bar.show_plan(made_plan())
    assert model.item(bar.meaning.findData("classes")).isEnabled()


def test_the_keyboard_returns_to_where_it_was(session: Session, qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    bar, field = ImportBar(session), QLineEdit()
    column = QVBoxLayout(window)
    column.addWidget(bar)
    column.addWidget(field)
    window.show()
    window.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    bar.show_plan(made_plan())
    qtbot.waitUntil(bar.use_button.hasFocus)
    bar.cancel_button.click()
    qtbot.waitUntil(field.hasFocus)


def test_every_control_has_a_name(bar: ImportBar) -> None:
    bar.show_plan(made_plan())
    assert nameless_controls(bar) == []
    assert nameless_controls(PairsDialog(made_plan(), bar)) == []


# -- the table of pairs ---------------------------------------------------------------------------


def test_pairs_of_a_real_folder(folder: Path) -> None:
    pairs = pairs_of(plan_import([folder]))
    assert [pair.severity for pair in pairs] == sorted((p.severity for p in pairs), reverse=True)
    assert pairs[0].texts == ("", "labels/old.png", "", NO_IMAGE)
    assert pairs[1].texts == ("images/cell_3.png", "", "", NO_ANNOTATION)
    assert pairs[2].texts == ("images/cell_0.png", "labels/cell_0.png", "", "")


def troubled_plan() -> ImportPlan:
    plan = made_plan(200, unmatched=[Path("/data/labels/old.tif")], notes=["“old” fits too."])
    plan.items[7].problem = "<b>The mask</b> is 8 × 8, but the image is 9 × 9."
    plan.items[7].annotation = None
    plan.items[9].duplicate_of = "er_3"
    plan.skipped = [Path("/data/readme.txt")]
    return plan


def test_show_pairs_opens_beside_the_window(bar: ImportBar, qtbot: QtBot) -> None:
    bar.show_plan(troubled_plan())
    bar.pairs_button.click()
    dialog = bar.dialog
    assert dialog is not None
    assert dialog.isVisible()
    assert not dialog.isModal()
    bar.pairs_button.click()
    assert bar.dialog is dialog
    bar.cancel_button.click()
    assert bar.dialog is None
    qtbot.wait(1)


@pytest.fixture
def dialog(qtbot: QtBot) -> PairsDialog:
    dialog = PairsDialog(troubled_plan())
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def cells(dialog: PairsDialog, row: int) -> list[str]:
    shown = dialog.filter_model
    return [shown.index(row, column).data() for column in range(4)]


def test_problems_come_first_and_sorting_can_be_taken_back(dialog: PairsDialog) -> None:
    assert dialog.filter_model.rowCount() == 201
    first = [cells(dialog, row)[3] for row in range(4)]
    assert first[0].startswith("<b>The mask</b>")
    assert first[1] == NO_IMAGE
    assert first[2] == "Same content as “er_3”"
    dialog.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert cells(dialog, 0)[0].endswith("er_199.tif")
    dialog.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert cells(dialog, 0)[3] == first[0]


def test_the_filter_finds_rows(dialog: PairsDialog) -> None:
    QTest.keyClicks(dialog.filter, "ER_7.")
    assert dialog.filter_model.rowCount() == 1
    assert cells(dialog, 0)[0].endswith("er_7.tif")


def test_rows_are_copied_for_a_spreadsheet(dialog: PairsDialog) -> None:
    dialog.copy()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == "Image\tAnnotation\tSplit\tProblem"
    assert len(lines) == 202


def test_notes_and_what_was_left_out_are_listed(dialog: PairsDialog) -> None:
    assert dialog.notes == [
        "“old” fits too.",
        "Left out, as they are no images: readme.txt.",
    ]


# -- object files ----------------------------------------------------------------------------------


def test_boxes_are_asked_about_only_where_there_are_some(bar: ImportBar) -> None:
    source = AnnotationSource(
        "coco", (Path("/data/a.json"),), meaning="classes", class_names=("red", "white")
    )
    plan = ImportPlan(
        [ImportItem(Path("/data/a.png"), "a", source)],
        "COCO",
        meaning="classes",
        class_values=(1, 2),
        class_names=("red", "white"),
    )
    bar.show_plan(plan)
    assert not bar.boxes.isVisible()
    assert bar.meaning.currentText() == "objects of several classes"
    assert bar.names.text() == "red, white"
    plan.items[0].annotation = replace(source, shapes="boxes")
    bar.show_plan(plan)
    assert bar.boxes.isVisible()
    chosen: list[ImportChoice] = []
    bar.accepted.connect(lambda _, choice: chosen.append(choice))
    bar.boxes.setCurrentIndex(bar.boxes.findData("weak"))
    bar.use_button.click()
    assert chosen[0].boxes == "weak"
    assert nameless_controls(bar) == []
    bar.show_plan(ImportPlan([ImportItem(Path("/data/a.png"), "a")]))
    assert bar.meaning.itemText(bar.meaning.findData("classes")) == "one number a class"
