"""The networks that a recipe may name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from orgseg_app.learn.networks.unet import UNet

if TYPE_CHECKING:
    from orgseg_app.runs.recipe import NetworkChoice


class Network(Protocol):
    """What the trainer and the predictor ask of a network beside being a module.

    Attributes
    ----------
    multiple
        Tiles start at multiples of this many pixels.
    radius
        Pixels of context that decide an output pixel; None when the whole image does.
    """

    multiple: int
    radius: int | None

    def __call__(self, image: Tensor) -> Tensor:
        """``(N, C, Y, X)`` → logits ``(N, K, Y, X)``."""


@dataclass(frozen=True)
class NetworkEntry:
    """One architecture.

    Attributes
    ----------
    build
        ``(channels, classes, choice) -> module`` that keeps the promises of `Network`.
    origin
        Authors, year, where.
    explanation
        One line for people.
    """

    build: Callable[[int, int, NetworkChoice], nn.Module]
    origin: str
    explanation: str


def _unet(channels: int, classes: int, choice: NetworkChoice) -> nn.Module:
    return UNet(channels, classes, depth=choice.depth, width=choice.width, dropout=choice.dropout)


NETWORKS: dict[str, NetworkEntry] = {
    "unet": NetworkEntry(
        build=_unet,
        origin="Ronneberger, Fischer, Brox 2015, MICCAI; batch norm as in Guo et al. 2020",
        explanation="Looks at fine detail and wide context together; depth and width are yours.",
    ),
}


def build_network(choice: NetworkChoice, *, channels: int, classes: int) -> nn.Module:
    """A fresh network, its weights drawn from torch's random numbers.

    Parameters
    ----------
    choice
        Name, depth, width, dropout.
    channels, classes
        Image channels and classes (background included).

    Raises
    ------
    ValueError
        With a sentence, for an unknown name or sizes below 1.
    """
    if choice.name not in NETWORKS:
        raise ValueError(f"There is no network {choice.name!r}; there is {', '.join(NETWORKS)}.")
    if channels < 1 or classes < 1:
        raise ValueError("A network needs at least one channel and one class.")
    return NETWORKS[choice.name].build(channels, classes, choice)


def parameter_count(network: nn.Module) -> int:
    """Numbers that the network learns."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
