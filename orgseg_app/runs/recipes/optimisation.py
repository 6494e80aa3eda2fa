"""What a recipe may choose beside networks, losses and pictures: how the network is improved."""

from __future__ import annotations

from collections.abc import Mapping

from orgseg_app.runs.recipes.choice import Choice, table

OPTIMISER_NAMES: Mapping[str, Choice] = table(
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

SCHEDULE_NAMES: Mapping[str, Choice] = table(
    Choice("constant", "Constant", "The learning rate stays as it is.", ""),
    Choice(
        "cosine",
        "Cosine",
        "Falls smoothly to almost nothing at the end; a safe default.",
        "Loshchilov and Hutter 2017, ICLR, arXiv:1608.03983",
    ),
    Choice("step", "Steps", "Falls by a factor again and again, at equal distances.", ""),
    Choice("multi_step", "Milestones", "Falls by a factor at the milestones you give.", ""),
    Choice(
        "plateau",
        "When it stalls",
        "Falls by a factor whenever the validation score has not risen for some checks.",
        "",
    ),
)

SAMPLING_NAMES: Mapping[str, Choice] = table(
    Choice("balanced", "Each class alike", "Rare classes are shown as often as common ones.", ""),
    Choice("uniform", "As painted", "Every painted pixel is shown as often as any other.", ""),
)

CLASS_WEIGHT_NAMES: Mapping[str, Choice] = table(
    Choice("none", "Equal", "All classes count the same.", ""),
    Choice("auto", "Automatic", "Rare classes count more.", ""),
    Choice("manual", "By hand", "Each class counts as much as you say.", ""),
    Choice(
        "share",
        "By share",
        "Paint counts as much as its class seems to take up in the images, so that strokes are "
        "enough. Where everything is painted, as Equal.",
        "Saerens, Latinne and Decaestecker 2002",
    ),
)

PRECISION_NAMES: Mapping[str, Choice] = table(
    Choice("auto", "Automatic", "Half precision where a short trial shows that it is faster.", ""),
    Choice("fp32", "Full (32 bits)", "The reference; slowest.", ""),
    Choice("bf16", "Half (bfloat16)", "As wide a range as full precision, fewer digits.", ""),
    Choice("fp16", "Half (float16)", "For older graphics cards; the loss is scaled.", ""),
)

COMPILE_NAMES: Mapping[str, Choice] = table(
    Choice("auto", "Where it pays", "Compiles the network when the run is long enough.", ""),
    Choice("never", "Never", "Runs the network as it is written.", ""),
)
