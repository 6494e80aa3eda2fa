"""What a form, a command line and a sentence about a mistake need to know of a recipe's fields.

The form in the window is made from `recipe_fields`; sentences about mistakes name the same titles.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from orgseg_app.runs.recipes.choice import Choice, closest
from orgseg_app.runs.recipes.choices import OPTIONS
from orgseg_app.runs.recipes.schema import Recipe


@dataclasses.dataclass(frozen=True)
class FieldInfo:
    """What a form needs to know about one field of a recipe.

    Attributes
    ----------
    path : str
        As in ``--set``: ``"network.width"``.
    title, description : str
        For a person.
    kind : str
        ``"int"``, ``"float"``, ``"text"``, ``"flag"``, ``"choice"``, ``"losses"``, ``"steps"``,
        ``"augmentations"``, ``"numbers"`` (a list) or ``"class_weights"`` (numbers by name).
    minimum, maximum : float or None
        Inclusive bounds (an exclusive lower bound of 0 is given as 0, an upper one of 1 as
        0.999999).
    options : mapping of str to `Choice`
        What may be chosen; empty unless `kind` is a choice or a list of choices.
    default : object
        Value of a new recipe; None for the name.
    group : str
        One of `GROUPS`, or "" for what a form shows elsewhere.
    is_basic : bool
        Whether most people will want to see it.
    """

    path: str
    title: str
    description: str
    kind: str
    minimum: float | None
    maximum: float | None
    options: Mapping[str, Choice]
    default: object
    group: str = ""
    is_basic: bool = False


BASIC_FIELDS = (
    "network.name",
    "preprocess",
    "objects",
    "loss",
    "augmentation",
    "steps",
    "max_minutes",
)
"""What most people will want to see; all other fields are advanced."""

_FIELDS_BY_GROUP: Mapping[str, tuple[str, ...]] = {
    "Network": (
        "network.name",
        "network.depth",
        "network.width",
        "network.planes",
        "network.fusion",
        "network.dropout",
        "network.encoder",
        "network.pretrained",
    ),
    "Images": ("preprocess", "patch_size", "patch_depth", "sampling"),
    "Objects": ("objects",),
    "Loss": ("loss", "class_weights", "class_weight_values"),
    "Augmentation": ("augmentation",),
    "Budget": ("steps", "max_minutes", "batch_size", "validate_every", "patience"),
    "Learning": (
        "optimiser",
        "learning_rate",
        "momentum",
        "weight_decay",
        "schedule",
        "decay_factor",
        "decay_steps",
        "milestones",
        "plateau_checks",
        "warmup_steps",
        "gradient_clip",
        "ema",
    ),
    "Computing": ("precision", "compile", "seed"),
}
"""Title of a group of fields → its fields, both in the order of the form."""

GROUPS = tuple(_FIELDS_BY_GROUP)

_KINDS_BY_PATH = {
    "loss": "losses",
    "preprocess": "steps",
    "augmentation": "augmentations",
    "network.name": "choice",
    "milestones": "numbers",
    "class_weight_values": "class_weights",
}


def _field_infos(struct: type[Struct], prefix: str = "") -> list[FieldInfo]:
    hints = typing.get_type_hints(struct, include_extras=True)
    defaults = {
        field.name: None if field.required else field.default
        for field in msgspec.structs.fields(struct)
    }
    places = {path: group for group, paths in _FIELDS_BY_GROUP.items() for path in paths}
    found: list[FieldInfo] = []
    for name in struct.__struct_fields__:
        hint, path = hints[name], prefix + name
        if path == "version":
            continue
        if isinstance(hint, type) and issubclass(hint, Struct):
            found.extend(_field_infos(hint, path + "."))
            continue
        base, meta = typing.get_args(hint)[:2]
        kind = {int: "int", float: "float", str: "text", bool: "flag"}.get(base, "choice")
        kind = _KINDS_BY_PATH.get(path, kind)
        found.append(
            FieldInfo(
                path=path,
                title=meta.title,
                description=meta.description,
                kind=kind,
                minimum=meta.ge if meta.ge is not None else meta.gt,
                maximum=meta.le if meta.lt is None else meta.lt - 1e-6,
                options=OPTIONS.get(path, {}),
                default=defaults.get(name),
                group=places.get(path, ""),
                is_basic=path in BASIC_FIELDS,
            )
        )
    return found


@functools.cache
def _all_fields() -> tuple[FieldInfo, ...]:
    infos = {info.path: info for info in _field_infos(Recipe)}
    ordered = [path for paths in _FIELDS_BY_GROUP.values() for path in paths if path in infos]
    return tuple(infos[path] for path in [*(p for p in infos if p not in ordered), *ordered])


def recipe_fields() -> list[FieldInfo]:
    """Every field a person may set: name and description, then those of the form in its order."""
    return list(_all_fields())


def _title(path: str) -> str:
    """Title of the field at a msgspec path (``$.loss[0].weight``), in quotes."""
    plain = re.sub(r"\[[^\]]*\]", "", path).removeprefix("$").removeprefix(".")
    extra = {
        "loss.weight": "Loss weight",
        "loss.name": "Loss",
        "preprocess.name": "Preprocessing",
        "augmentation.name": "Augmentation",
        "augmentation.chance": "Chance of an augmentation",
    }
    titles = {info.path: info.title for info in recipe_fields()} | extra
    return f'"{titles.get(plain, plain or "the recipe")}"'


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "array": "a list",
    "object": "a group of values",
}


def sentence_for(message: str) -> str:
    """A message of msgspec as a sentence that names the field in plain words.

    Examples
    --------
    >>> sentence_for("Expected `int` >= 1 - at `$.steps`")
    '"Steps" must be at least 1.'
    """
    text, _, path = message.partition(" - at `")
    path = path.rstrip("`") or "$"
    title = _title(path)
    if found := re.match(r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)", text):
        bound = {
            ">=": "must be at least {}",
            "<=": "must be at most {}",
            ">": "must be more than {}",
            "<": "must be less than {}",
        }[found[1]].format(found[2].removesuffix(".0"))
        return f"{title} {bound}."
    if found := re.match(r"Object contains unknown field `(.*)`", text):
        known = [info.path.rsplit(".")[-1] for info in recipe_fields()]
        return f'A recipe has no field "{found[1]}".{closest(found[1], known)}'
    if found := re.match(r"Object missing required field `(.*)`", text):
        return f'The recipe lacks "{found[1]}".'
    if found := re.match(r"Invalid enum value '(.*)'", text):
        options = OPTIONS.get(path.removeprefix("$."), {})
        near = closest(found[1], options)
        return f'{title} cannot be "{found[1]}"; it is one of {", ".join(options)}.{near}'
    if found := re.match(r"Expected `(?:str|array|object)` of length (>=|<=) (\d+)", text):
        if found[1] == ">=":
            return f"{title} must not be empty."
        return f"{title} is too long: at most {found[2]} are allowed."
    if found := re.match(r"Expected `(\w+)`", text):
        return f"{title} must be {_KINDS.get(found[1], found[1])}."
    return f"{title}: {text}."
