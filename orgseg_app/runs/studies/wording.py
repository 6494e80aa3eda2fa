"""What axes, places and figures of a study are called in the window and in reports.

The command line names them as it takes them, see `definition.titles`.
"""

from __future__ import annotations

from collections.abc import Sequence

from orgseg_app.runs.studies.axis_offers import axis_fields, field_path, offer_of
from orgseg_app.runs.studies.effects import Spread

SCORES = {"mean_iou": "Mean IoU", "mean_dice": "Mean Dice"}
NONE = "–"
THE_RECIPE = "The recipe itself"
"""What a study without axes tries."""


def axis_title(key: str) -> str:
    """An axis, as the form of a recipe calls the field.

    >>> axis_title("network"), axis_title("fusion of details")
    ('Network', 'Fusion of details')
    """
    info = axis_fields().get(field_path(key))
    if info is not None:
        return info.title
    words = key.replace("_", " ")
    return words[:1].upper() + words[1:]


def place_title(key: str, name: str) -> str:
    """A place on an axis.

    >>> place_title("loss", "bce"), place_title("network.width", "32")
    ('Binary cross-entropy', '32')
    """
    info = axis_fields().get(field_path(key))
    if info is None or info.kind in ("int", "float"):
        return name
    value = name == "true" if info.kind == "flag" and name in ("true", "false") else name
    return offer_of(info, value).title


def combination_title(places: Sequence[tuple[str, str]]) -> str:
    """A combination in one line.

    >>> combination_title([("loss", "bce"), ("network.width", "32")])
    'Binary cross-entropy · Network width 32'
    """
    said = []
    for key, name in places:
        title = place_title(key, name)
        is_bare = title in ("On", "Off") or title.replace(".", "").replace("e-", "").isdigit()
        said.append(f"{axis_title(key)} {title}" if is_bare else title)
    return " · ".join(said) or THE_RECIPE


def figure(value: float | None) -> str:
    """A score with three decimals: combinations of a study often differ in the third."""
    return NONE if value is None else f"{value:.3f}"


def spread_words(spread: Spread) -> str:
    """``"0.812 ± 0.010"``."""
    if spread.deviation is None:
        return figure(spread.mean)
    return f"{figure(spread.mean)} ± {figure(spread.deviation)}"


def runs_words(count: int) -> str:
    """``"1 run"``, ``"12 runs"``."""
    return "1 run" if count == 1 else f"{count} runs"
