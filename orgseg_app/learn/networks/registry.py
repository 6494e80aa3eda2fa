"""The networks that a recipe may name; what they are called and good for is in ``runs.recipes``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from orgseg_app.learn.networks.agnet import AGNet
from orgseg_app.learn.networks.danet import DANet
from orgseg_app.learn.networks.deeplab import DeepLab
from orgseg_app.learn.networks.fcn import FCN
from orgseg_app.learn.networks.hrnet import HRNet
from orgseg_app.learn.networks.icnet import ICNet
from orgseg_app.learn.networks.library_network import LibraryNetwork
from orgseg_app.learn.networks.mre import MultiResolutionUNet
from orgseg_app.learn.networks.net2d3d import Net2D3D
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.penet import PENet
from orgseg_app.learn.networks.pixel_classifier.network import PixelClassifier
from orgseg_app.learn.networks.pspnet import PSPNet
from orgseg_app.learn.networks.resnet import RESNET50_OS16, RESNET101_OS16
from orgseg_app.learn.networks.resunet3d import ResidualUNet3D
from orgseg_app.learn.networks.segnet import SegNet
from orgseg_app.learn.networks.unet import UNet
from orgseg_app.learn.networks.unet3d import UNet3D
from orgseg_app.learn.networks.unet_dropout import DropoutUNet
from orgseg_app.learn.networks.unet_valid import ValidUNet
from orgseg_app.learn.networks.unetpp import NestedUNet
from orgseg_app.runs.recipes.networks import NETWORK_NAMES

if TYPE_CHECKING:
    from orgseg_app.runs.recipes.schema import NetworkChoice

Build = Callable[[int, int, "NetworkChoice"], Network]
"""``(channels, classes, choice) -> network``."""


def _unet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return UNet(channels, classes, depth=choice.depth, width=choice.width, dropout=choice.dropout)


def _unet_dropout(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return DropoutUNet(channels, classes, depth=choice.depth, width=choice.width)


def _unetpp(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return NestedUNet(channels, classes, depth=choice.depth, width=choice.width)


def _penet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return PENet(channels, classes, width=choice.width)


def _agnet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return AGNet(channels, classes, width=choice.width)


def _mre(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return MultiResolutionUNet(channels, classes, depth=choice.depth, width=choice.width)


def _pixel_classifier(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return PixelClassifier(channels, classes)


def _fcn32(channels: int, classes: int, choice: NetworkChoice) -> Network:
    skips = 0 if choice.fusion == "origin" else 4
    return FCN(channels, classes, skips=skips, fusion=choice.fusion, width=choice.width)


def _fcn16(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return FCN(channels, classes, skips=1, width=choice.width)


def _fcn8(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return FCN(channels, classes, skips=2, width=choice.width)


def _segnet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return SegNet(channels, classes, fusion=choice.fusion, width=choice.width)


def _deeplab(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return DeepLab(
        channels,
        classes,
        plan=RESNET50_OS16 if choice.name == "deeplab50" else RESNET101_OS16,
        fusion=choice.fusion,
        width=choice.width,
        dropout=choice.dropout,
    )


def _hrnet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return HRNet(channels, classes, fusion=choice.fusion, width=choice.width)


def _pspnet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return PSPNet(channels, classes, width=choice.width, dropout=choice.dropout)


def _icnet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return ICNet(channels, classes, width=choice.width)


def _danet(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return DANet(channels, classes, width=choice.width, dropout=choice.dropout)


def _unet_valid(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return ValidUNet(
        channels, classes, depth=choice.depth, width=choice.width, dropout=choice.dropout
    )


def _net2d3d(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return Net2D3D(
        channels,
        classes,
        depth=choice.depth,
        width=choice.width,
        starters=choice.name != "net2d3d_plain",
        merge="concat" if choice.fusion == "concat" else "add",
        norm=choice.name == "net2d3d_norm",
    )


def _unet3d(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return UNet3D(
        channels,
        classes,
        depth=choice.depth,
        width=choice.width,
        has_thick_planes=choice.name == "unet3d_aniso",
    )


def _resunet3d(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return ResidualUNet3D(channels, classes, depth=choice.depth, width=choice.width)


def _smp(channels: int, classes: int, choice: NetworkChoice) -> Network:
    return LibraryNetwork(channels, classes, pair=choice.encoder, pretrained=choice.pretrained)


NETWORKS: dict[str, Build] = {
    "unet": _unet,
    "unet_dropout": _unet_dropout,
    "unetpp": _unetpp,
    "penet": _penet,
    "agnet": _agnet,
    "mre": _mre,
    "pixel_classifier": _pixel_classifier,
    "fcn32": _fcn32,
    "fcn16": _fcn16,
    "fcn8": _fcn8,
    "segnet": _segnet,
    "deeplab": _deeplab,
    "deeplab50": _deeplab,
    "hrnet": _hrnet,
    "pspnet": _pspnet,
    "icnet": _icnet,
    "danet": _danet,
    "unet_valid": _unet_valid,
    "net2d3d": _net2d3d,
    "net2d3d_plain": _net2d3d,
    "net2d3d_norm": _net2d3d,
    "unet3d": _unet3d,
    "unet3d_aniso": _unet3d,
    "resunet3d": _resunet3d,
    "smp": _smp,
}


def build_network(choice: NetworkChoice, *, channels: int, classes: int) -> Network:
    """A fresh network, its weights drawn from torch's random numbers.

    Parameters
    ----------
    choice
        Name, depth, width, dropout, planes.
    channels, classes
        Channels of the image and classes (background included). A plane network takes the
        channels of all its neighbouring planes.

    Raises
    ------
    ValueError
        With a sentence, for an unknown name or sizes below 1.
    """
    if choice.name not in NETWORKS:
        raise ValueError(f"There is no network {choice.name!r}; there is {', '.join(NETWORKS)}.")
    if channels < 1 or classes < 1:
        raise ValueError("A network needs at least one channel and one class.")
    if NETWORK_NAMES[choice.name].dimensions == 3:
        return NETWORKS[choice.name](channels, classes, choice)
    network = NETWORKS[choice.name](channels * choice.planes, classes, choice)
    network.planes = choice.planes
    return network


def parameter_count(network: nn.Module) -> int:
    """Numbers that the network learns."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
