"""The fields of the recipe form: one widget for each kind of value, all with the same four things.

Every field has ``value()``, ``set_value(value)`` (silent), a signal ``changed()`` and plain words
for screen readers.
"""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

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


def explanation(info: FieldInfo) -> str:
    """Everything there is to say of a field, for F1: what it is, its range, what may be chosen."""
    lines = [info.title, info.description]
    if info.minimum is not None and info.maximum is not None and info.kind in ("int", "float"):
        low, high = f"{info.minimum:g}", f"{info.maximum:g}"
        lines.append(f"From {low} to {high}; usually {info.default:g}.")
    lines += [f"{choice.title}: {choice.about}" for choice in info.options.values()]
    return "\n".join(lines)
