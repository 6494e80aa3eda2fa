"""The fields of a recipe, with their ranges and what they mean to a biologist."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

RECIPE_VERSION = 2
"""2: augmentation is a list of steps (1: its name)."""


class PreprocessStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One step that every image goes through before the network sees it.

    The name is one of `choices.PREPROCESSING_NAMES`; parameters that are not given keep the
    defaults of ``core.preprocessing``. `reference` is what a step has learnt of the training images
    (empty until then); it travels with the model.
    """

    name: Annotated[
        str, Meta(title="Preprocessing", description="What is done to the grey values.")
    ]
    params: Annotated[
        dict[str, float],
        Meta(title="Preprocessing values", description="Only what differs from the usual."),
    ] = {}
    reference: Annotated[
        tuple[float, ...],
        Meta(max_length=4096, title="Reference", description="Learnt from the training images."),
    ] = ()


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
    planes: Annotated[
        int,
        Meta(
            ge=1,
            le=15,
            title="Planes seen at once",
            description="In a volume, how many neighbouring planes the network sees when it "
            "judges the middle one: an odd number; 1 sees that plane alone.",
        ),
    ] = 1
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
    fusion: Annotated[
        Literal["origin", "concat", "add", "none"],
        Meta(
            title="Fine detail",
            description="Whether the first layers work at full size, and how their fine detail "
            "reaches the answer. Joining it helps networks that were made for photographs.",
        ),
    ] = "origin"
    encoder: Annotated[
        str,
        Meta(
            max_length=80,
            title="Encoder",
            description="Which known network looks at the image first, such as resnet18; only for "
            "networks of the optional library.",
        ),
    ] = ""
    pretrained: Annotated[
        bool,
        Meta(
            title="Start from photographs",
            description="Starts from weights learnt on photographs (ImageNet), when they are on "
            "this computer.",
        ),
    ] = False


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
    params: Annotated[
        dict[str, float],
        Meta(title="Loss values", description="Only what differs from the usual."),
    ] = {}


class AugmentationStep(Struct, frozen=True, forbid_unknown_fields=True):
    """One way in which patches are changed before the network sees them."""

    name: Annotated[str, Meta(title="Augmentation", description="How the patch is changed.")]
    chance: Annotated[
        float,
        Meta(ge=0, le=1, title="Chance", description="How many of the patches it is done to, 0…1."),
    ] = 1.0
    params: Annotated[
        dict[str, float],
        Meta(title="Augmentation values", description="Only what differs from the usual."),
    ] = {}


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
    objects: Annotated[
        Literal["components", "boundary", "distance", "boundary_distance", "centre"],
        Meta(
            title="Single objects",
            description="How objects that touch are kept apart. The network then also learns "
            "where objects end (boundary), how deep inside one a pixel lies (distance), or both, "
            "or which way its middle lies (centre); it needs objects, or paint that leaves a gap "
            "between them.",
        ),
    ] = "components"
    loss: Annotated[
        tuple[LossTerm, ...],
        Meta(
            min_length=1,
            max_length=4,
            title="Loss",
            description="What the training makes small. Overlap losses (soft IoU, Dice) suit thin "
            "or rare structures, also among several classes; cross-entropy counts every pixel "
            "alike.",
        ),
    ] = (LossTerm("soft_iou"),)
    augmentation: Annotated[
        tuple[AugmentationStep, ...],
        Meta(
            max_length=16,
            title="Augmentation",
            description="Shows the same patch turned, bent, dimmed and blurred, so that such "
            "things do not matter and little paint goes further.",
        ),
    ] = (AugmentationStep("d4"),)
    optimiser: Annotated[
        Literal["adamw", "adam", "sgd"],
        Meta(title="Optimiser", description="How the network is improved after each step."),
    ] = "adamw"
    momentum: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            title="Momentum",
            description="How much of the last improvement is kept on (SGD; the first moment of "
            "Adam).",
        ),
    ] = 0.9
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
        Literal["constant", "cosine", "step", "multi_step", "plateau"],
        Meta(title="Schedule", description="How the learning rate falls during the training."),
    ] = "cosine"
    decay_factor: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            title="Fall of the learning rate",
            description="What it is multiplied with at each fall (steps, milestones, stalling).",
        ),
    ] = 0.1
    decay_steps: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            title="Fall every (steps)",
            description='For the schedule "Steps". 0 means after each third of the training.',
        ),
    ] = 0
    milestones: Annotated[
        tuple[float, ...],
        Meta(
            max_length=10,
            title="Milestones",
            description='Shares of the training, 0…1, for the schedule "Milestones".',
        ),
    ] = (0.5, 0.75, 0.9)
    plateau_checks: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            title="Checks before a fall",
            description='For the schedule "When it stalls".',
        ),
    ] = 5
    warmup_steps: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            title="Warm-up (steps)",
            description="The learning rate rises from nothing during these first steps; steadies "
            "the start of large networks.",
        ),
    ] = 0
    gradient_clip: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            title="Largest gradient",
            description="Longer gradients are shortened to this length. 0 means never.",
        ),
    ] = 0.0
    ema: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            title="Average of weights",
            description="Keeps a running mean of the network's weights and uses that; 0.99 "
            "remembers about 100 steps. 0 means off.",
        ),
    ] = 0.0
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
    patch_depth: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            title="Patch depth (planes)",
            description="How many planes a patch has, for networks that look at volumes.",
        ),
    ] = 5
    sampling: Annotated[
        Literal["balanced", "uniform"],
        Meta(
            title="Patches show",
            description="How patches are chosen among the painted pixels.",
        ),
    ] = "balanced"
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
        Literal["none", "auto", "manual", "share"],
        Meta(
            title="Class weights",
            description='"auto" lets rare classes count more, from how much of each is painted; '
            '"share" lets each count as much as it seems to take up in the images.',
        ),
    ] = "none"
    class_weight_values: Annotated[
        dict[str, Annotated[float, Meta(ge=0, le=1000)]],
        Meta(
            title="Weights by class",
            description="By the names of classes, for weights by hand; others count 1.",
        ),
    ] = {}
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Meta(title="Precision", description="How many digits the network computes with."),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "never"],
        Meta(
            title="Compile",
            description="Lets torch build a faster network first, where that pays back.",
        ),
    ] = "never"
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
