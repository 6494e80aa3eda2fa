"""The fields of a recipe, with their ranges and what they mean to a biologist.

The form in the window is made from `recipe_fields`; sentences about mistakes name the same titles.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from orgseg_app.runs import choices

RECIPE_VERSION = 1


class PreprocessStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One step that every image goes through before the network sees it.

    The name is one of `choices.PREPROCESSING_NAMES`; parameters that are not given keep the
    defaults of ``core.preprocess``.
    """

    name: Annotated[
        str, Meta(title="Preprocessing", description="What is done to the grey values.")
    ]
    params: Annotated[
        dict[str, float],
        Meta(title="Preprocessing values", description="Only what differs from the usual."),
    ] = {}


class NetworkChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The architecture and its size."""

    name: Annotated[
        str, Meta(title="Network", description="The architecture that learns to segment.")
    ] = "unet"
    depth: Annotated[
        int,
        Meta(
            ge=1,
            le=6,
            title="Network depth",
            description="How often the picture is halved inside the network. Deeper sees wider "
            "surroundings; fine networks such as the ER need little depth.",
        ),
    ] = 3
    width: Annotated[
        int,
        Meta(
            ge=4,
            le=128,
            title="Network width",
            description="Features at full size, doubled at each halving. Wider can learn more, "
            "and takes about four times as long for twice the width.",
        ),
    ] = 16
    dropout: Annotated[
        float,
        Meta(
            ge=0,
            le=0.8,
            title="Dropout",
            description="Share of features switched off at random while learning; helps when few "
            "pixels are painted.",
        ),
    ] = 0.0


class LossTerm(Struct, frozen=True, forbid_unknown_fields=True):
    """One part of what the training makes small."""

    name: Annotated[str, Meta(title="Loss", description="What counts as a mistake.")]
    weight: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            title="Loss weight",
            description="How much this part counts beside the others.",
        ),
    ] = 1.0


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides a training except the data."""

    version: int = RECIPE_VERSION
    name: Annotated[
        str,
        Meta(min_length=1, max_length=80, title="Name", description="How you will find it again."),
    ]
    about: Annotated[
        str,
        Meta(max_length=500, title="About", description="One sentence: what it is good for."),
    ] = ""
    preprocess: Annotated[
        tuple[PreprocessStep, ...],
        Meta(
            min_length=1,
            max_length=8,
            title="Preprocessing",
            description="Evens out brightness before learning, so that dim and bright images "
            "look alike to the network. Steps run from left to right.",
        ),
    ] = (PreprocessStep("percentile"),)
    network: NetworkChoice = NetworkChoice()
    loss: Annotated[
        tuple[LossTerm, ...],
        Meta(
            min_length=1,
            max_length=4,
            title="Loss",
            description="What the training makes small. Overlap losses (soft IoU, Dice) suit thin "
            "or rare structures; cross-entropy suits several classes.",
        ),
    ] = (LossTerm("soft_iou"),)
    augmentation: Annotated[
        Literal["none", "d4"],
        Meta(
            title="Augmentation",
            description="Shows the same patch flipped and turned, so that direction does not "
            "matter and little paint goes further.",
        ),
    ] = "d4"
    optimiser: Annotated[
        Literal["adamw", "adam", "sgd"],
        Meta(title="Optimiser", description="How the network is improved after each step."),
    ] = "adamw"
    learning_rate: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            title="Learning rate",
            description="How large each improvement is. Too large: the loss jumps; too small: it "
            "hardly falls.",
        ),
    ] = 0.002
    weight_decay: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            title="Weight decay",
            description="A gentle pull towards simple solutions; helps against learning by heart.",
        ),
    ] = 0.0001
    schedule: Annotated[
        Literal["constant", "cosine", "step"],
        Meta(title="Schedule", description="How the learning rate falls during the training."),
    ] = "cosine"
    steps: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000_000,
            title="Steps",
            description="How many improvements in all. Time grows in proportion.",
        ),
    ] = 400
    max_minutes: Annotated[
        float,
        Meta(
            ge=0,
            le=100_000,
            title="Time limit (minutes)",
            description="Ends the training early after this time and keeps the best state. "
            "0 means no limit.",
        ),
    ] = 0.0
    batch_size: Annotated[
        int,
        Meta(
            ge=1,
            le=512,
            title="Patches per step",
            description="How many patches are looked at before each improvement. More is steadier "
            "and needs more memory.",
        ),
    ] = 8
    patch_size: Annotated[
        int,
        Meta(
            ge=16,
            le=4096,
            title="Patch size (pixels)",
            description="Side of the square pieces the network learns from. Larger shows more "
            "surroundings and needs more time and memory.",
        ),
    ] = 128
    validate_every: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            title="Check every (steps)",
            description="How often the validation images are scored; the best state is kept.",
        ),
    ] = 50
    patience: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            title="Patience (checks)",
            description="Stops after this many checks without improvement. 0 means never.",
        ),
    ] = 0
    class_weights: Annotated[
        Literal["none", "auto"],
        Meta(
            title="Class weights",
            description='"auto" lets rare classes count more, from how much of each is painted.',
        ),
    ] = "none"
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**31 - 1,
            title="Seed",
            description="The same seed gives the same training; another seed shows how much is "
            "luck.",
        ),
    ] = 0


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
        ``"int"``, ``"float"``, ``"text"``, ``"choice"``, ``"losses"`` or ``"steps"``.
    minimum, maximum : float or None
        Inclusive bounds (an exclusive lower bound of 0 is given as 0).
    options : mapping of str to `choices.Choice`
        What may be chosen; empty unless `kind` is a choice or a list of choices.
    default : object
        Value of a new recipe; None for the name.
    """

    path: str
    title: str
    description: str
    kind: str
    minimum: float | None
    maximum: float | None
    options: Mapping[str, choices.Choice]
    default: object


_OPTIONS: Mapping[str, Mapping[str, choices.Choice]] = {
    "network.name": choices.NETWORK_NAMES,
    "loss": choices.LOSS_NAMES,
    "preprocess": choices.PREPROCESSING_NAMES,
    "augmentation": choices.AUGMENTATION_NAMES,
    "optimiser": choices.OPTIMISER_NAMES,
    "schedule": choices.SCHEDULE_NAMES,
    "class_weights": {
        "none": choices.Choice("none", "Equal", "All classes count the same.", ""),
        "auto": choices.Choice("auto", "Automatic", "Rare classes count more.", ""),
    },
}


def _field_infos(struct: type[Struct], prefix: str = "") -> list[FieldInfo]:
    hints = typing.get_type_hints(struct, include_extras=True)
    defaults = {
        field.name: None if field.required else field.default
        for field in msgspec.structs.fields(struct)
    }
    found: list[FieldInfo] = []
    for name in struct.__struct_fields__:
        hint, path = hints[name], prefix + name
        if path == "version":
            continue
        if isinstance(hint, type) and issubclass(hint, Struct):
            found.extend(_field_infos(hint, path + "."))
            continue
        base, meta = typing.get_args(hint)[:2]
        kind = {int: "int", float: "float", str: "text"}.get(base, "choice")
        kind = {"loss": "losses", "preprocess": "steps", "network.name": "choice"}.get(path, kind)
        found.append(
            FieldInfo(
                path=path,
                title=meta.title,
                description=meta.description,
                kind=kind,
                minimum=meta.ge if meta.ge is not None else meta.gt,
                maximum=meta.le,
                options=_OPTIONS.get(path, {}),
                default=defaults.get(name),
            )
        )
    return found


def recipe_fields() -> list[FieldInfo]:
    """Every field a person may set, in the order of the form."""
    return _field_infos(Recipe)


def _title(path: str) -> str:
    """Title of the field at a msgspec path (``$.loss[0].weight``), in quotes."""
    plain = re.sub(r"\[[^\]]*\]", "", path).removeprefix("$").removeprefix(".")
    extra = {"loss.weight": "Loss weight", "loss.name": "Loss", "preprocess.name": "Preprocessing"}
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
        return f'A recipe has no field "{found[1]}".{choices.closest(found[1], known)}'
    if found := re.match(r"Object missing required field `(.*)`", text):
        return f'The recipe lacks "{found[1]}".'
    if found := re.match(r"Invalid enum value '(.*)'", text):
        options = _OPTIONS.get(path.removeprefix("$."), {})
        near = choices.closest(found[1], options)
        return f'{title} cannot be "{found[1]}"; it is one of {", ".join(options)}.{near}'
    if found := re.match(r"Expected `(?:str|array|object)` of length (>=|<=) (\d+)", text):
        if found[1] == ">=":
            return f"{title} must not be empty."
        return f"{title} is too long: at most {found[2]} are allowed."
    if found := re.match(r"Expected `(\w+)`", text):
        return f"{title} must be {_KINDS.get(found[1], found[1])}."
    return f"{title}: {text}."
