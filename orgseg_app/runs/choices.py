"""The names a recipe may use, with one line on each, so that nobody needs torch to list them.

The networks and losses themselves live in ``orgseg_app.learn``; a test there asserts that its
registries hold exactly these names. Preprocessing lives in ``orgseg_app.core.preprocess``.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Choice:
    """One thing that can be chosen by name.

    Attributes
    ----------
    name : str
        As written in a recipe.
    title : str
        As shown to a person.
    about : str
        One line: what it does and when to take it.
    source : str
        Who described it first, where.
    """

    name: str
    title: str
    about: str
    source: str


def _table(*choices: Choice) -> dict[str, Choice]:
    return {choice.name: choice for choice in choices}


NETWORK_NAMES: Mapping[str, Choice] = _table(
    Choice(
        "unet",
        "U-Net",
        "Looks at fine detail and wide surroundings together; the standard for microscopy.",
        "Ronneberger, Fischer and Brox 2015, MICCAI, doi:10.1007/978-3-319-24574-4_28",
    ),
)

LOSS_NAMES: Mapping[str, Choice] = _table(
    Choice(
        "soft_iou",
        "Soft IoU",
        "Rewards overlap directly, so rare and thin structures count as much as large ones.",
        "Rahman and Wang 2016, ISVC, doi:10.1007/978-3-319-50835-1_22",
    ),
    Choice(
        "bce",
        "Binary cross-entropy",
        "Judges every pixel on its own, class by class; smooth to learn, favours large areas.",
        "the standard log loss, one class against the rest",
    ),
    Choice(
        "dice",
        "Dice",
        "Rewards overlap like soft IoU, a little more forgiving at the start of learning.",
        "Milletari, Navab and Ahmadi 2016, 3DV, doi:10.1109/3DV.2016.79",
    ),
    Choice(
        "cross_entropy",
        "Cross-entropy",
        "Makes the classes compete for every pixel; the usual start for several classes.",
        "the standard multinomial log loss",
    ),
)

PREPROCESSING_NAMES: Mapping[str, Choice] = _table(
    Choice(
        "percentile",
        "Percentile range",
        "Stretches each image between its darkest and brightest percent; outliers do no harm.",
        "as in Weigert et al. 2018, Nature Methods, doi:10.1038/s41592-018-0216-7",
    ),
    Choice(
        "zscore",
        "Mean and spread",
        "Shifts each image to mean 0 and standard deviation 1.",
        "standardisation, textbook",
    ),
    Choice(
        "minmax",
        "Full range",
        "Stretches each image between its darkest and its brightest pixel.",
        "textbook",
    ),
    Choice(
        "clahe",
        "CLAHE",
        "Evens out contrast in small neighbourhoods; helps when dim and bright parts share "
        "an image.",
        "Zuiderveld 1994, Graphics Gems IV",
    ),
)

AUGMENTATION_NAMES: Mapping[str, Choice] = _table(
    Choice("none", "None", "Patches are used as they are.", ""),
    Choice(
        "d4",
        "Flips and quarter turns",
        "Shows each patch in all eight orientations; exact, nothing is interpolated.",
        "the symmetry group of the square",
    ),
)

OPTIMISER_NAMES: Mapping[str, Choice] = _table(
    Choice(
        "adamw",
        "AdamW",
        "Adapts the step of every weight; learns quickly with little tuning.",
        "Loshchilov and Hutter 2019, ICLR, arXiv:1711.05101",
    ),
    Choice(
        "adam",
        "Adam",
        "As AdamW, with weight decay mixed into the gradient.",
        "Kingma and Ba 2015, ICLR, arXiv:1412.6980",
    ),
    Choice(
        "sgd",
        "SGD, momentum 0.9",
        "Plain steps with momentum, as in many published studies; wants a larger learning rate.",
        "Robbins and Monro 1951; momentum after Polyak 1964",
    ),
)

SCHEDULE_NAMES: Mapping[str, Choice] = _table(
    Choice("constant", "Constant", "The learning rate stays as it is.", ""),
    Choice(
        "cosine",
        "Cosine",
        "Falls smoothly to almost nothing at the end; a safe default.",
        "Loshchilov and Hutter 2017, ICLR, arXiv:1608.03983",
    ),
    Choice("step", "Steps", "Falls to a tenth after each third of the training.", ""),
)


def closest(name: str, known: Mapping[str, object] | list[str]) -> str:
    """``" Did you mean …?"`` for a misspelt name, or an empty string.

    Examples
    --------
    >>> closest("unett", {"unet": 1})
    ' Did you mean "unet"?'
    """
    found = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f' Did you mean "{found[0]}"?' if found else ""
