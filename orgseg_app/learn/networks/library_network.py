"""Networks of the optional library segmentation-models-pytorch: any decoder on any encoder.

Iakubovskii 2019, github.com/qubvel-org/segmentation_models.pytorch (MIT). The library is not
a part of OrgSeg; ``pip install orgseg[smp]`` brings it. Nothing is ever downloaded from here:
weights learnt on photographs (ImageNet) are taken from the disk, or a sentence says that they are
not there.
"""

from __future__ import annotations

import importlib
import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from orgseg_app.learn.networks.blocks import BatchNorm, crop
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.unet import pad_to_multiple
from orgseg_app.runs.recipes.library_networks import decoder_and_encoder

_LIBRARY = "segmentation_models_pytorch"
_SMALLEST = {"pan": 128}
"""Sides, in pixels, below which a decoder pools its features away; 64 for the others."""


class LibraryNetwork(Network):
    """A decoder and an encoder of the library.

    Parameters
    ----------
    channels, classes
        Image channels; classes with the background.
    pair
        ``"decoder/encoder"``, as in ``runs.recipes.library_networks``.
    pretrained
        Start from ImageNet weights on this disk; the first convolution is adapted to the channels.

    Raises
    ------
    ValueError
        With a sentence: the library is not installed, the two do not go together, or the weights
        are not on the disk.
    RecipeError
        With a sentence, when one of the names does not exist.
    """

    def __init__(
        self, channels: int, classes: int, *, pair: str = "", pretrained: bool = False
    ) -> None:
        super().__init__()
        decoder, encoder = decoder_and_encoder(pair)
        library = _library()
        # Built with memory even where others are not (device "meta"): some encoders keep tables
        # that no checkpoint holds.
        weights_follow = torch.get_default_device().type == "meta"
        with torch.device("cpu"):
            self.body = _build(library, decoder, encoder, channels=channels, classes=classes)
            if pretrained and not weights_follow:
                _start_from_photographs(library, self.body, encoder, channels)
        for module in self.body.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = BatchNorm  # the same, but learns from a single value too
        self.multiple = 32
        self.smallest = _SMALLEST.get(decoder, 64)
        self.radius = None  # nobody has worked it out, and many look at the whole image

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` of an image ``(N, C, Y, X)`` of any size."""
        padded = pad_to_multiple(image, self.multiple, at_least=self.smallest)
        return crop(cast(Tensor, self.body(padded)), image)


def _library() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other people's libraries, about each other
            return importlib.import_module(_LIBRARY)
    except (ImportError, RuntimeError) as error:
        # torchvision for another torch fails with a RuntimeError.
        raise ValueError(
            "This network needs the optional library segmentation-models-pytorch, which "
            + (
                "is not installed. Install it (pip install orgseg[smp]), or choose another network."
                if getattr(error, "name", None) == _LIBRARY
                else f"does not work here: {error}"
            )
        ) from error


def _build(
    library: ModuleType, decoder: str, encoder: str, *, channels: int, classes: int
) -> nn.Module:
    try:
        network: nn.Module = library.create_model(
            decoder,
            encoder_name=encoder,
            encoder_weights=None,
            in_channels=channels,
            classes=classes,
        )
    except (ValueError, KeyError, RuntimeError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f'The decoder "{decoder}" cannot be put on the encoder "{encoder}". Choose another '
            f"pair. (The library says: {error})"
        ) from error
    return network


def _start_from_photographs(
    library: ModuleType, network: nn.Module, encoder: str, channels: int
) -> None:
    """Give the encoder weights from the disk.

    Raises
    ------
    ValueError
        With a sentence, when there are none that fit.
    """
    path = _weights_path(library, encoder)
    if path is None:
        raise ValueError(
            f'There are no ImageNet weights for "{encoder}" on this computer (looked for '
            f'{encoder}-….pth in "{_hub_folder()}" and for the library\'s own). Nothing was '
            "downloaded. Put the file there, or switch off “Start from photographs”."
        )
    target = cast(Any, network).encoder
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(path)
        else:
            # Weights only: nothing in the file is run. torch knows no other form for its cache.
            weights = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
        source = library.encoders.get_encoder(encoder, depth=len(target.out_channels) - 1)
        source.load_state_dict(weights)
        source.set_in_channels(channels, pretrained=True)
        target.load_state_dict(source.state_dict())
    except Exception as error:
        raise ValueError(
            f'The ImageNet weights in "{path}" do not fit the encoder "{encoder}". Remove that '
            "file, or switch off “Start from photographs”."
        ) from error


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _weights_path(library: ModuleType, encoder: str) -> Path | None:
    """ImageNet weights of an encoder in torch's cache, or in the one that the library fills."""
    name = re.compile(re.escape(encoder) + r"-[0-9a-f]{8}\.(pth|safetensors)")
    folder = _hub_folder()
    found = sorted(p for p in folder.glob("*") if name.fullmatch(p.name)) if folder.is_dir() else []
    if found:
        return found[0]
    try:
        known = library.encoders.encoders[encoder]["pretrained_settings"]["imagenet"]
        cache = importlib.import_module("huggingface_hub")
        path = cache.try_to_load_from_cache(
            known["repo_id"], "model.safetensors", revision=known["revision"]
        )
    except (KeyError, AttributeError, ImportError):
        return None
    return Path(path) if isinstance(path, str) else None
