"""The form of a recipe: made from its fields, every kind of them, in two modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from orgseg_app.gui.help.context import page_of
from orgseg_app.gui.panels.recipe_fields import (
    AugmentationField,
    ChoiceField,
    ClassWeightsField,
    FlagField,
    IntField,
    NumberField,
    NumbersField,
    PartsField,
    TextField,
)
from orgseg_app.gui.panels.recipe_form import RecipeForm
from orgseg_app.gui.panels.recipe_inputs import ChanceField
from orgseg_app.gui.panels.recipe_rows import RecipeRow
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.choices import AUGMENTATION_NAMES
from orgseg_app.runs.recipes.fields import BASIC_FIELDS, GROUPS, recipe_fields
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.published import published_settings
from orgseg_app.runs.recipes.settings import with_settings
from tests.e2e.hand import Hand
from tests.gui.volume_project import make_volume_project


@pytest.fixture
def form(qtbot: QtBot) -> RecipeForm:
    form = RecipeForm()
    qtbot.addWidget(form)
    form.set_recipe(PRESETS["fast"])
    return form


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_form_gives_back_what_it_shows(form: RecipeForm, name: str) -> None:
    form.set_recipe(PRESETS[name])
    assert form.recipe() == PRESETS[name]
    assert form.changed_paths == []
    for path, field in form.fields.items():
        assert field.accessibleName(), path


def test_every_field_of_the_recipe_has_a_place(form: RecipeForm) -> None:
    wanted = {info.path for info in recipe_fields()} - {"name", "about"}
    only_one = {i.path for i in recipe_fields() if i.kind == "choice" and len(i.options) < 2}
    assert set(form.fields) == wanted - only_one
    for info in recipe_fields():
        assert bool(info.group) == (info.path not in ("name", "about"))
        assert info.group in ("", *GROUPS)


def shown(form: RecipeForm) -> set[str]:
    return {path for path, field in form.fields.items() if field.isVisibleTo(form)}


def choose(form: RecipeForm, path: str, value: str) -> None:
    """Pick an entry of a list as a person would."""
    field = form.fields[path]
    assert isinstance(field, ChoiceField)
    field.setCurrentIndex(field.findData(value))
    assert field.value() == value


def test_a_changed_field_is_marked_and_can_be_taken_back(form: RecipeForm, qtbot: QtBot) -> None:
    steps = form.fields["steps"]
    assert isinstance(steps, IntField)
    with qtbot.waitSignal(form.changed):
        steps.setValue(123)
    assert form.recipe().steps == 123
    assert form.changed_paths == ["steps"]
    label = next(w for w in form.findChildren(QLabel) if w.buddy() is steps)
    assert label.text() == "Steps •"
    assert label.font().bold() or label.font().weight() > 500
    qtbot.mouseDClick(label, Qt.MouseButton.LeftButton)
    assert form.recipe() == PRESETS["fast"]
    assert label.text() == "Steps"


def test_losses_are_added_weighted_and_removed(form: RecipeForm, qtbot: QtBot) -> None:
    field = form.fields["loss"]
    assert isinstance(field, PartsField)
    qtbot.mouseClick(field._add, Qt.MouseButton.LeftButton)
    recipe = form.recipe()
    assert len(recipe.loss) == 2
    assert len({term.name for term in recipe.loss}) == 2
    field._rows[1].weight.setValue(0.5)
    assert form.recipe().loss[1].weight == 0.5
    field._rows[0].remove.click()
    assert [term.weight for term in form.recipe().loss] == [0.5]
    assert field._rows[0].remove.isHidden()  # the last one stays


def test_values_of_a_preprocessing_step_follow_its_name(form: RecipeForm) -> None:
    form.set_recipe(PRESETS["fast-clahe"])
    field = form.fields["preprocess"]
    assert isinstance(field, PartsField)
    first = field._rows[0]
    assert list(first.params) == ["clip_limit", "tiles"]
    first.params["clip_limit"].setValue(3.5)
    assert form.recipe().preprocess[0].params == {"clip_limit": 3.5}
    first.choice.setCurrentIndex(first.choice.findData("zscore"))
    assert first.params == {}
    assert form.recipe().preprocess[0].name == "zscore"
    assert form.recipe().preprocess[0].params == {}


def test_an_impossible_recipe_says_why(form: RecipeForm) -> None:
    depth, patch = form.fields["network.depth"], form.fields["patch_size"]
    assert isinstance(depth, IntField)
    assert isinstance(patch, IntField)
    depth.setValue(6)
    patch.setValue(64)
    assert "Patch size" in form.error
    with pytest.raises(RecipeError):
        form.recipe()
    patch.setValue(128)
    assert form.error == ""


def test_numbers_are_written_short(qtbot: QtBot) -> None:
    field = NumberField(0, 1)
    qtbot.addWidget(field)
    field.set_value(0.002)
    assert field.text() == "0.002"
    field.set_value(0.00001)
    assert field.text() == "1e-05"
    field.lineEdit().setText("0,25")
    field.interpretText()
    assert field.value() == 0.25
    field.lineEdit().setText("7")
    field.interpretText()
    assert field.value() <= 1


def test_the_wheel_leaves_fields_without_focus_alone(form: RecipeForm, qtbot: QtBot) -> None:
    form.show()
    qtbot.waitExposed(form)
    other = QComboBox(form)
    other.setFocus()
    fields = [*form.findChildren(QAbstractSpinBox), *form.findChildren(QComboBox)]
    for field in fields:
        if field is other:
            continue
        center = QPointF(field.rect().center())
        wheel = QWheelEvent(
            center,
            QPointF(field.mapToGlobal(center.toPoint())),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(field, wheel)
    assert form.recipe() == PRESETS["fast"]


# -- two modes -------------------------------------------------------------------------------------


def test_basic_shows_what_most_people_want_and_advanced_shows_all(form: RecipeForm) -> None:
    assert shown(form) == set(BASIC_FIELDS)
    form.mode.button("advanced").click()
    idle = {"network.fusion", "network.encoder", "network.pretrained", "class_weight_values"}
    idle |= {"decay_factor", "decay_steps", "milestones", "plateau_checks", "patch_depth"}
    assert shown(form) == set(form.fields) - idle
    form.mode.button("basic").click()
    assert shown(form) == set(BASIC_FIELDS)


def test_fields_that_have_no_effect_are_hidden_and_keep_what_they_hold(form: RecipeForm) -> None:
    form.set_advanced(True)
    choose(form, "schedule", "multi_step")
    assert {"milestones", "decay_factor"} <= shown(form)
    assert not {"decay_steps", "plateau_checks"} & shown(form)
    milestones = form.fields["milestones"]
    assert isinstance(milestones, NumbersField)
    milestones.setText("0.2 0,7")
    milestones.editingFinished.emit()
    assert form.recipe().milestones == (0.2, 0.7)
    choose(form, "schedule", "plateau")
    assert {"plateau_checks", "decay_factor"} <= shown(form)
    assert "milestones" not in shown(form)
    assert form.recipe().milestones == (0.2, 0.7)


@pytest.mark.parametrize("name", list(NETWORK_NAMES))
def test_only_what_a_network_heeds_is_offered(form: RecipeForm, name: str) -> None:
    form.set_advanced(True)
    choose(form, "network.name", name)
    info = NETWORK_NAMES[name]
    wanted = {f"network.{field}" for field in info.heeded} | {"network.name"}
    if len(info.fusions) < 2:
        wanted.discard("network.fusion")
    assert {path for path in shown(form) if path.startswith("network.")} == wanted
    assert form.recipe().network.fusion in info.fusions
    fusion = form.fields["network.fusion"]
    assert isinstance(fusion, ChoiceField)
    if "network.fusion" in wanted:
        assert [fusion.itemData(i) for i in range(fusion.count())] == list(info.fusions)
    assert ("learning_rate" in shown(form)) == (not info.is_fitted)
    assert form.about_network.text() == info.about


@pytest.mark.parametrize("name", [name for name in NETWORK_NAMES if published_settings(name)])
def test_a_network_is_set_as_published(form: RecipeForm, name: str) -> None:
    form.set_advanced(True)
    choose(form, "network.name", name)
    form.published.click()
    recipe, info = form.recipe(), NETWORK_NAMES[name]
    if "width" in info.fields:
        assert recipe.network.width == info.width
    if "depth" in info.fields:
        assert recipe.network.depth == info.depth
    assert not form.published.isEnabled()
    form.reset()
    assert form.recipe() == PRESETS["fast"]


def test_the_basic_form_tells_of_changes_out_of_sight(form: RecipeForm) -> None:
    changed = with_settings(PRESETS["fast"], ["seed=3", "ema=0.9", "steps=9"])
    form.set_recipe(changed, start=PRESETS["fast"])
    assert form.elsewhere.isVisibleTo(form)
    assert form.elsewhere.text() == "2 advanced settings differ"
    form.elsewhere.click()
    assert form.is_advanced
    assert not form.elsewhere.isVisibleTo(form)


def test_settings_are_found_by_their_words(form: RecipeForm) -> None:
    form.set_advanced(True)
    form.filter.setText("learning by heart")
    assert shown(form) == {"weight_decay"}
    form.filter.setText("zebra")
    assert shown(form) == set()
    assert form.nothing.isVisibleTo(form)
    form.set_advanced(False)
    assert shown(form) == set(BASIC_FIELDS)


# -- kinds of fields -------------------------------------------------------------------------------


def test_augmentation_is_chosen_by_name_or_by_hand(form: RecipeForm) -> None:
    field = form.fields["augmentation"]
    assert isinstance(field, AugmentationField)
    for name, preset in AUGMENTATION_PRESETS.items():
        field.menu.setCurrentIndex(field.menu.findData(name))
        assert form.recipe().augmentation == preset.steps
    form.set_advanced(True)
    field.menu.setCurrentIndex(field.menu.findData("d4"))
    row = field.parts.rows[0]
    assert isinstance(row.weight, ChanceField)
    row.weight.setValue(0.5)
    assert row.weight.text().startswith("50")
    assert form.recipe().augmentation[0].chance == 0.5
    assert field.menu.value() == "by hand"
    row.remove.click()
    assert form.recipe().augmentation == ()
    assert field.menu.value() == "none"


def test_values_of_an_augmentation_unfold(form: RecipeForm) -> None:
    name = next((n for n, c in AUGMENTATION_NAMES.items() if c.params), None)
    assert name is not None, "no augmentation has values"
    form.set_advanced(True)
    form.set_recipe(with_settings(PRESETS["fast"], [f"augmentation={name}:0.5"]))
    field = form.fields["augmentation"]
    assert isinstance(field, AugmentationField)
    row = field.parts.rows[0]
    assert row.params == {}
    row.fold.click()
    assert list(row.params) == list(AUGMENTATION_NAMES[name].params)
    key, param = next(iter(AUGMENTATION_NAMES[name].params.items()))
    assert f"usually {param.default:g}" in row.params[key].toolTip()
    row.params[key].setValue(param.maximum)
    assert form.recipe().augmentation[0].params == {key: param.maximum}


def test_steps_change_places(form: RecipeForm, qtbot: QtBot) -> None:
    form.set_recipe(PRESETS["fast-clahe"])
    field = form.fields["preprocess"]
    assert isinstance(field, PartsField)
    first = field.rows[0]
    qtbot.keyClick(first, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert [step.name for step in form.recipe().preprocess] == ["percentile", "clahe"]
    qtbot.keyClick(first, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)  # last already
    qtbot.keyClick(first, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert [step.name for step in form.recipe().preprocess] == ["clahe", "percentile"]


def test_a_poor_order_of_steps_is_said(form: RecipeForm) -> None:
    form.set_recipe(with_settings(PRESETS["fast"], ["preprocess=clahe+gaussian"]))
    assert 'put "' in form.order.text()
    assert form.order.isVisibleTo(form)
    form.set_recipe(with_settings(PRESETS["fast"], ["preprocess=gaussian+clahe"]))
    assert not form.order.isVisibleTo(form)


def test_classes_are_weighted_one_by_one(form: RecipeForm) -> None:
    form.set_classes([("background", "#8A8F98"), ("ER", "#E69F00")])
    form.set_advanced(True)
    choose(form, "class_weights", "manual")
    assert "class_weight_values" in shown(form)
    field = form.fields["class_weight_values"]
    assert isinstance(field, ClassWeightsField)
    field.fields["ER"].setValue(4)
    assert form.recipe().class_weight_values == {"ER": 4.0}
    form.set_classes([("nucleus", "#56B4E9")])  # another project: what was set is kept
    assert list(field.fields) == ["nucleus"]
    assert form.recipe().class_weight_values == {"ER": 4.0}


def test_switches_and_words(form: RecipeForm, qtbot: QtBot) -> None:
    pretrained, encoder = form.fields["network.pretrained"], form.fields["network.encoder"]
    assert isinstance(pretrained, FlagField)
    assert isinstance(encoder, TextField)
    pretrained.click()
    assert form.recipe().network.pretrained
    encoder.setText("resnet18")
    qtbot.keyClick(encoder, Qt.Key.Key_Escape)
    assert encoder.text() == ""
    encoder.setText("resnet18")
    qtbot.keyClick(encoder, Qt.Key.Key_Return)
    assert form.recipe().network.encoder == "resnet18"


def test_f1_opens_what_the_help_says_of_the_field(qtbot: QtBot, tmp_path: Path) -> None:
    hand = Hand()
    hand.open(make_volume_project(tmp_path / "help.orgseg"))
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    hand.window.show_workspace("train")
    steps = hand.parts.training.form.fields["steps"]
    steps.setFocus()
    qtbot.waitUntil(steps.hasFocus)
    assert page_of(steps) == "recipes#steps"
    qtbot.keyClick(steps, Qt.Key.Key_F1)
    helps = hand.window.commands.helping.help
    assert helps is not None
    assert helps.name == "recipes"
    hand.close()


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("0.5 0.75", [0.5, 0.75]),
        ("0,5 0,75", [0.5, 0.75]),
        ("0.5,0.75, 0.9", [0.5, 0.75, 0.9]),
        ("0.5; 1", [0.5, 1]),
        ("", []),
    ],
)
def test_numbers_are_read_as_people_write_them(
    qtbot: QtBot, text: str, numbers: list[float]
) -> None:
    field = NumbersField()
    qtbot.addWidget(field)
    field.setText(text)
    assert field.value() == numbers
    assert field.property("bad") != "true"
    field.setText("half")
    assert field.value() == numbers  # those before
    assert field.property("bad") == "true"


def test_every_field_says_what_it_means_and_where_the_help_tells_of_it(form: RecipeForm) -> None:
    assert "How many improvements in all" in form.fields["steps"].toolTip()
    for path, field in form.fields.items():
        assert len(field.whatsThis()) > 20, path
        assert page_of(field) == f"recipes#{path}"
        row = field.parentWidget()
        assert isinstance(row, RecipeRow)
        meaning = row.meaning()
        assert meaning.page == f"recipes#{path}"
        assert len(meaning.text) > 20, path


def test_planes_are_asked_for_by_networks_that_heed_them(form: RecipeForm) -> None:
    form.set_advanced(True)
    form.set_recipe(PRESETS["volume-25d"])
    assert "network.planes" in shown(form)
    assert "patch_depth" not in shown(form)
    choose(form, "network.name", "net2d3d")
    assert "network.planes" not in shown(form)
    assert {"patch_depth", "network.depth", "network.width", "network.fusion"} <= shown(form)
    assert form.recipe().network.planes == 1, "a hidden field must not make the recipe unusable"
    choose(form, "network.name", "pixel_classifier")
    assert not {"network.planes", "patch_depth"} & shown(form)
