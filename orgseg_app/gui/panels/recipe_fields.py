"""The fields of the recipe form: one widget for each kind of value, all with the same four things.

Every field has ``value()``, ``set_value(value)`` (silent), a signal ``changed()`` and plain words
for screen readers.
"""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from orgseg_app.gui.help.meaning import Meaning
from orgseg_app.gui.panels.recipe_augmentation import AugmentationField
from orgseg_app.gui.panels.recipe_class_weights import ClassWeightsField
from orgseg_app.gui.panels.recipe_inputs import (
    ChoiceField,
    FlagField,
    IntField,
    NumberField,
    NumbersField,
    TextField,
)
from orgseg_app.gui.panels.recipe_parts import PartsField
from orgseg_app.gui.style.widgets import plain_tip
from orgseg_app.runs.recipes.fields import FieldInfo

__all__ = [
    "AugmentationField",
    "ChoiceField",
    "ClassWeightsField",
    "Field",
    "FlagField",
    "IntField",
    "NumberField",
    "NumbersField",
    "PartsField",
    "TextField",
    "explanation",
    "make_field",
    "recipe_meaning",
    "recipe_page",
]

Field = (
    AugmentationField
    | ChoiceField
    | ClassWeightsField
    | FlagField
    | IntField
    | NumberField
    | NumbersField
    | PartsField
    | TextField
)

_MOST_LOSSES, _MOST_STEPS = 4, 8


def make_field(info: FieldInfo, parent: QWidget) -> Field:
    """The widget for one field of a recipe, named and explained."""
    field: Field
    if info.kind == "int":
        field = IntField(info.minimum, info.maximum, parent)
    elif info.kind == "float":
        field = NumberField(info.minimum, info.maximum, parent)
    elif info.kind == "flag":
        field = FlagField(parent)
    elif info.kind == "text":
        field = TextField(parent)
    elif info.kind == "numbers":
        field = NumbersField(parent)
    elif info.kind == "losses":
        field = PartsField(info, _MOST_LOSSES, parent)
    elif info.kind == "steps":
        field = PartsField(info, _MOST_STEPS, parent)
    elif info.kind == "augmentations":
        field = AugmentationField(info, parent)
    elif info.kind == "class_weights":
        field = ClassWeightsField(parent)
    else:
        field = ChoiceField(info.options, info.description, parent)
    field.setAccessibleName(info.title)
    field.setAccessibleDescription(info.description)
    if not isinstance(field, ChoiceField):
        field.setToolTip(plain_tip(info.description))
    field.setWhatsThis(plain_tip(explanation(info)))
    return field


def recipe_page(info: FieldInfo) -> str:
    """The place of the help that tells of a field."""
    return f"recipes#{info.path}"


def recipe_meaning(info: FieldInfo, value: object) -> Meaning:
    """What a field means, and what it holds now where that is one of several named things."""
    lines = [f"{info.description.rstrip('.')}.", *_range_words(info)]
    chosen = info.options.get(value) if isinstance(value, str) else None
    if chosen is not None:
        lines.append(f"{chosen.title}: {chosen.about}")
    return Meaning(info.title, "\n".join(lines), recipe_page(info))


def _range_words(info: FieldInfo) -> list[str]:
    if info.minimum is None or info.maximum is None or info.kind not in ("int", "float"):
        return []
    return [f"From {info.minimum:g} to {info.maximum:g}; usually {info.default:g}."]


def explanation(info: FieldInfo) -> str:
    """Everything there is to say of a field: what it is, its range, what may be chosen."""
    lines = [info.title, info.description, *_range_words(info)]
    lines += [f"{choice.title}: {choice.about}" for choice in info.options.values()]
    return "\n".join(lines)
