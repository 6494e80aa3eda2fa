"""The presets: recipes named after what they are for.

Those "as published" hold the numbers of the study they name, whatever they cost; all others are
meant for a computer without a graphics card: minutes, and many small steps rather than few large
ones, which is what networks learn by when there is little time.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.schema import (
    AugmentationStep,
    LossTerm,
    NetworkChoice,
    PreprocessStep,
    Recipe,
)

_FAST = Recipe(
    name="fast",
    about="A small U-Net that learns in a minute or two without a graphics card.",
    class_weights="share",
    ema=0.98,
)

_OF_SEVERAL_CLASSES = (LossTerm("soft_iou"), LossTerm("cross_entropy", 0.3, {"balance": 0.5}))
"""Soft IoU judges a class in the patches that hold it; cross-entropy judges every voxel."""

_ON_A_LAPTOP = (
    _FAST,
    msgspec.structs.replace(
        _FAST,
        name="fast-bce",
        about='As "Fast on a laptop", but judging every pixel on its own (binary cross-entropy).',
        loss=(LossTerm("bce"),),
    ),
    msgspec.structs.replace(
        _FAST,
        name="fast-clahe",
        about='As "Fast on a laptop", with local contrast evened out first; for unevenly lit '
        "images.",
        preprocess=(PreprocessStep("clahe"), PreprocessStep("percentile")),
    ),
    msgspec.structs.replace(
        _FAST,
        name="multi-class",
        about="Several kinds of structure: classes compete for every pixel, and a rare one counts "
        "more than its few pixels would.",
        loss=_OF_SEVERAL_CLASSES,
        steps=800,
    ),
    Recipe(
        name="instant",
        about="A forest of trees over textures and edges, from a few scribbles. No network; a "
        "first look, and something for the others to beat.",
        network=NetworkChoice(name="pixel_classifier"),
    ),
)

_FLUORESCENCE = (
    msgspec.structs.replace(
        _FAST,
        name="er-laptop",
        about="PE-Net, made for thin networks such as the ER: fine detail first. A quarter of its "
        'published width; in the first minutes "Fast on a laptop" is ahead.',
        preprocess=(PreprocessStep("clahe"), PreprocessStep("zscore")),
        network=NetworkChoice(name="penet", width=8),
        steps=800,
    ),
    Recipe(
        name="nuclei",
        about="Round, bright, crowded: a U-Net that sees each nucleus and its neighbours.",
        network=NetworkChoice(depth=4, width=16),
        loss=(LossTerm("bce_dice"),),
        augmentation=AUGMENTATION_PRESETS["basic"].steps,
        steps=600,
        class_weights="share",
    ),
    Recipe(
        name="nuclei-objects",
        about="Nuclei that touch, one by one: learns where each ends and how deep inside one a "
        "pixel lies.",
        network=NetworkChoice(depth=4, width=16),
        objects="boundary_distance",
        loss=(LossTerm("bce_dice"),),
        augmentation=AUGMENTATION_PRESETS["basic"].steps,
        ema=0.98,
        steps=600,
        class_weights="share",
    ),
    Recipe(
        name="cells-objects",
        about="Cells in phase contrast, one by one: learns where each ends and how deep inside "
        "one a pixel lies.",
        network=NetworkChoice(depth=4, width=16),
        objects="boundary_distance",
        loss=(LossTerm("bce_dice"),),
        augmentation=AUGMENTATION_PRESETS["basic"].steps,
        ema=0.98,
        steps=800,
        patch_size=192,
        class_weights="share",
    ),
    msgspec.structs.replace(
        _FAST,
        name="cells",
        about="Whole cells, painted or from outlines and boxes; loss and optimiser as in Cells "
        "Segger.",
        preprocess=(PreprocessStep("minmax"),),
        loss=(LossTerm("bce_dice"),),
        optimiser="adam",
        learning_rate=0.001,
        weight_decay=0.0,
        schedule="constant",
        steps=800,
    ),
)

_ELECTRONS = (
    msgspec.structs.replace(
        _FAST,
        name="em-mitochondria",
        about="Mitochondria in electron micrographs: local contrast, wide surroundings.",
        preprocess=(PreprocessStep("clahe"), PreprocessStep("zscore")),
        network=NetworkChoice(depth=4, width=16),
        steps=1000,
    ),
)

_TURNS = (AugmentationStep("d4"), AugmentationStep("flip_z"))
"""All orientations of a volume whose planes are farther apart than its pixels."""

_VOLUME = msgspec.structs.replace(
    _FAST,
    name="volume",
    preprocess=(PreprocessStep("zscore"),),
    augmentation=_TURNS,
    loss=_OF_SEVERAL_CLASSES,
    steps=800,
)
"""What the presets for volumes share."""

_VOLUMES = (
    msgspec.structs.replace(
        _VOLUME,
        name="volume-25d",
        about="A U-Net that judges one plane and sees two more on either side: the quickest for "
        "volumes, also when planes are far apart.",
        network=NetworkChoice(depth=4, width=16, planes=5),
    ),
    msgspec.structs.replace(
        _VOLUME,
        name="volume-2d3d",
        about="Walls, borders and organelles of volumes: each plane first, then five planes "
        'together. With several classes "Volume, neighbouring planes" is ahead for long.',
        network=NetworkChoice(name="net2d3d_norm", depth=3, width=8),
        batch_size=4,
        patch_size=96,
    ),
    msgspec.structs.replace(
        _VOLUME,
        name="volume-3d",
        about="A U-Net of volumes, for structures that are told apart by their shape across "
        "planes. Halves rows and columns only, so that thick planes are kept.",
        network=NetworkChoice(name="unet3d_aniso", depth=3, width=8),
        batch_size=2,
        patch_size=96,
        patch_depth=8,
    ),
)

_STUDY = Recipe(
    name="study",
    preprocess=(PreprocessStep("clahe"),),
    network=NetworkChoice(depth=4, width=64),
    optimiser="sgd",
    learning_rate=0.01,
    weight_decay=0.0005,
    schedule="step",
    batch_size=32,
    patch_size=256,
)
"""What the studies of the CBMI group share: SGD of momentum 0.9, a tenth of the rate every few
epochs of 30, patches of 256²."""

_AS_PUBLISHED = (
    msgspec.structs.replace(
        _STUDY,
        name="er-published",
        about="Guo, Luo, Li and Yang: U-Net of width 64, soft IoU, SGD; 30 epochs of 942 patches.",
        steps=900,
        decay_steps=150,
        validate_every=30,
    ),
    msgspec.structs.replace(
        _STUDY,
        name="er-fusion",
        about="Guo and others 2021: DeepLabv3+ with its first layers at full size, their detail "
        "joined to the answer.",
        preprocess=(PreprocessStep("clahe"), PreprocessStep("zscore")),
        network=NetworkChoice(name="deeplab", fusion="concat", width=64),
        learning_rate=0.1,
        batch_size=16,
        steps=2310,
        decay_steps=770,
        validate_every=77,
    ),
    msgspec.structs.replace(
        _STUDY,
        name="mito-published",
        about="As for the ER, with 30 epochs of 1,980 patches of mitochondria.",
        steps=1860,
        decay_steps=310,
        validate_every=62,
    ),
    msgspec.structs.replace(
        _STUDY,
        name="nuclei-published",
        about="Guo and others 2021: U-Net, soft IoU, SGD; 30 epochs of 6,360 patches.",
        batch_size=16,
        steps=11_940,
        decay_steps=1990,
        validate_every=398,
    ),
    Recipe(
        name="em-published",
        about="CLAHE as in Fiji, U-Net with dropout, Adam 0.0001, binary cross-entropy; 5 epochs "
        "of 5,000 steps.",
        preprocess=(
            PreprocessStep("clahe_fiji", {"block": 127, "bins": 256, "max_slope": 1.5}),
            PreprocessStep("minmax"),
        ),
        network=NetworkChoice(name="unet_dropout", depth=4, width=64),
        loss=(LossTerm("bce"),),
        augmentation=(AugmentationStep("d4"),),
        optimiser="adam",
        learning_rate=0.0001,
        weight_decay=0.0,
        schedule="constant",
        steps=25_000,
        batch_size=2,
        patch_size=256,
        validate_every=500,
    ),
    Recipe(
        name="platelet-published",
        about="Guay and others 2021: 2D-3D + 3 × 3 × 3 on windows of 5 × 300², 20 epochs of 828. "
        "Their error weights are painted, made or imported as weights. Two things differ: the loss "
        "is the mean over voxels, not their sum, and Adam's second moment is the usual 0.999, not "
        "0.992.",
        preprocess=(PreprocessStep("zscore"),),
        network=NetworkChoice(name="net2d3d", depth=3, width=64),
        loss=(LossTerm("cross_entropy"),),
        # Reflections with chance 1/2; brightness by 0.12 of the range, about six spreads of it.
        augmentation=(
            AugmentationStep("d4"),
            AugmentationStep("flip_z"),
            AugmentationStep("elastic"),
            AugmentationStep("brightness", params={"amount": 0.7}),
            AugmentationStep("contrast", params={"lowest": 0.8, "highest": 1.2}),
        ),
        optimiser="adam",
        momentum=0.968,
        learning_rate=0.001,
        weight_decay=0.00002,
        schedule="constant",
        steps=16_560,
        batch_size=1,
        patch_size=300,
        sampling="uniform",
        validate_every=1000,
    ),
)

_GROUPS: Mapping[str, tuple[Recipe, ...]] = {
    "For a start": _ON_A_LAPTOP,
    "Light microscopy": _FLUORESCENCE,
    "Electron microscopy": _ELECTRONS,
    "Volumes": _VOLUMES,
    "As published, for a graphics card": _AS_PUBLISHED,
}

PRESETS: dict[str, Recipe] = {recipe.name: recipe for group in _GROUPS.values() for recipe in group}
"""Name on the command line → recipe; the first is where everybody starts."""

PRESET_GROUPS: Mapping[str, tuple[str, ...]] = {
    title: tuple(recipe.name for recipe in group) for title, group in _GROUPS.items()
}
"""Title of a group → names of its presets."""

PRESET_TITLES: Mapping[str, str] = {
    "fast": "Fast on a laptop",
    "fast-bce": "Fast, pixel by pixel",
    "fast-clahe": "Fast, evened contrast",
    "multi-class": "Several classes at once",
    "instant": "Ready in seconds",
    "er-laptop": "ER network, on a laptop",
    "nuclei": "Nuclei",
    "nuclei-objects": "Nuclei, touching: boundary + distance",
    "cells-objects": "Cells, phase contrast: boundary + distance",
    "cells": "Cells (outlines, boxes)",
    "em-mitochondria": "EM mitochondria, on a laptop",
    "volume-25d": "Volume, neighbouring planes",
    "volume-2d3d": "Volume, borders and organelles (2D-3D)",
    "volume-3d": "Volume, 3-D U-Net",
    "er-published": "ER network, as published",
    "er-fusion": "ER network, low-level fusion",
    "mito-published": "Mitochondria in fluorescence, as published",
    "nuclei-published": "Nuclei, as published",
    "em-published": "EM mitochondria, CLAHE + U-Net",
    "platelet-published": "Platelet organelles, 2D-3D as published",
}
"""What each preset is for, in a few words."""
