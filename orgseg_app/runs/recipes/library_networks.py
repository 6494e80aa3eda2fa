"""Decoders and encoders of the optional library segmentation-models-pytorch, by name.

Iakubovskii 2019, github.com/qubvel-org/segmentation_models.pytorch (MIT). The lists are those of
its version 0.5 and 0.6, without the encoders that it calls deprecated; kept here, so that a recipe
can be checked without the library.
"""

from __future__ import annotations

import re

from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.choice import closest

DEFAULT_PAIR = "unet/resnet18"
"""When a recipe names no encoder."""

LIBRARY_DECODERS = (
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "pan",
    "upernet",
    "segformer",
)
LIBRARY_ENCODERS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x4d", "resnext101_32x8d", "resnext101_32x16d"),
    *("resnext101_32x32d", "resnext101_32x48d"),
    *("dpn68", "dpn68b", "dpn92", "dpn98", "dpn107", "dpn131"),
    *("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"),
    *("senet154", "se_resnet50", "se_resnet101", "se_resnet152"),
    *("se_resnext50_32x4d", "se_resnext101_32x4d"),
    *("densenet121", "densenet169", "densenet201", "densenet161"),
    *("inceptionresnetv2", "inceptionv4", "mobilenet_v2", "xception"),
    *(f"efficientnet-b{size}" for size in range(8)),
    *(f"mit_b{size}" for size in range(6)),
    *(f"mobileone_s{size}" for size in range(5)),
)
OTHER_ENCODER = re.compile(r"tu-[a-z0-9_.]+")
"""Any network of the library timm: ``tu-convnext_tiny``."""


def decoder_and_encoder(text: str) -> tuple[str, str]:
    """The two names in the field "Encoder" of a recipe, checked.

    Parameters
    ----------
    text
        ``"decoder/encoder"``, or the encoder of a U-Net alone; empty for `DEFAULT_PAIR`.

    Raises
    ------
    RecipeError
        With a sentence, when one of them does not exist.

    Examples
    --------
    >>> decoder_and_encoder("fpn/resnet34"), decoder_and_encoder("mit_b0")
    (('fpn', 'resnet34'), ('unet', 'mit_b0'))
    """
    text = text.strip().lower() or DEFAULT_PAIR
    decoder, _, encoder = text.rpartition("/")
    decoder = decoder or "unet"
    if decoder not in LIBRARY_DECODERS:
        near = closest(decoder, list(LIBRARY_DECODERS))
        raise RecipeError(
            f'"Encoder" names the decoder "{decoder}", which there is not; before the / it is one '
            f"of {', '.join(LIBRARY_DECODERS)}.{near}"
        )
    if encoder not in LIBRARY_ENCODERS and not OTHER_ENCODER.fullmatch(encoder):
        near = closest(encoder, list(LIBRARY_ENCODERS))
        raise RecipeError(
            f'"Encoder" cannot be "{encoder}"; it is a name such as resnet18, efficientnet-b0 or '
            f"mit_b0.{near}"
        )
    return decoder, encoder
